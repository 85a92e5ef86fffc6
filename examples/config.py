"""Read by config_file.py."""

METRIC_DSN = "https://metrics.example.com/v1/collector/c5b35bc078844a59a15dd506e08f3ae6"
