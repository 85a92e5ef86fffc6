"""httpbin, a real Flask app, with the extension and nothing else; the DSN is in METRIC_DSN."""

from httpbin import app

from flask_performance import PerformanceCollector

PerformanceCollector(app)
