"""Lantern Books: an example shop, written as Flask apps are, watched by our extension.

Its slowness is simulated (`chance.pause` stands for a database and a payment service); everything
else is real: real routes, real responses, real exceptions, real streams.
"""

from flask import Flask

from flask_performance import PerformanceCollector

from . import backoffice, pages, reviews


def create_app() -> Flask:
    """The shop. Where its requests go is said by METRIC_DSN in the environment, nothing else."""
    app = Flask(__name__)
    # Carts of made-up books: a key that everybody may know is good enough here.
    app.secret_key = "lantern-books"  # noqa: S105
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(reviews.blueprint)
    app.register_blueprint(backoffice.blueprint)
    PerformanceCollector(app)
    return app
