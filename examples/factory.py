"""An app factory: `FLASK_METRIC_DSN=… flask --app examples/factory.py run`.

`from_prefixed_env` is Flask's own; METRIC_DSN in the environment works too, without that line.
"""

from flask import Flask

from flask_performance import PerformanceCollector

pc = PerformanceCollector()


def create_app() -> Flask:
    app = Flask(__name__)
    app.config.from_prefixed_env()
    pc.init_app(app)

    @app.get("/users/<int:user_id>")
    def user(user_id: int):
        return {"id": user_id}

    return app
