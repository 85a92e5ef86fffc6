"""The DSN in a config file: `flask --app examples/config_file.py run`."""

from flask import Flask

from flask_performance import PerformanceCollector

app = Flask(__name__)
app.config.from_pyfile("config.py")
pc = PerformanceCollector(app)


@app.get("/users/<int:user_id>")
def user(user_id: int):
    return {"id": user_id}
