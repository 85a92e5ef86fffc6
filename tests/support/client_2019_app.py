"""An app with the client of 2019; run with flask-performance 0.0.6 first on the path."""

import os

from flask import Flask, abort
from flask.typing import ResponseReturnValue

import flask_performance

app = Flask(__name__)
app.config["METRIC_DSN"] = os.environ["OLD_DSN"]
pc = flask_performance.PerformanceCollector(app)


@app.get("/client")
def client() -> ResponseReturnValue:
    """Which client this is: the folder it was imported from."""
    return os.path.dirname(flask_performance.__file__)  # noqa: PTH120


@app.get("/users/<int:user_id>")
def users(user_id: int) -> ResponseReturnValue:
    if user_id == 0:
        abort(404)
    return {"id": user_id}


@app.post("/users")
def add_user() -> ResponseReturnValue:
    return {"id": 8}, 201


@app.get("/broken")
def broken() -> ResponseReturnValue:
    raise RuntimeError("as in 2019")
