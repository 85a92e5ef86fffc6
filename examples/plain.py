"""The smallest monitored app: `flask --app examples/plain.py run`.

Put your project's DSN below; the page of a new project shows it.
"""

from flask import Flask

from flask_performance import PerformanceCollector

app = Flask(__name__)
app.config["METRIC_DSN"] = (
    "https://metrics.example.com/v1/collector/c5b35bc078844a59a15dd506e08f3ae6"
)
pc = PerformanceCollector(app)


@app.get("/users/<int:user_id>")
def user(user_id: int):
    return {"id": user_id}
