"""The app that the freshness benchmark watches: plain Flask with the extension."""

from typing import Any

from flask import Flask

from flask_performance import PerformanceCollector

app = Flask(__name__)
PerformanceCollector(app)


@app.get("/work/<int:number>")
def work(number: int) -> dict[str, Any]:
    return {"number": number}


@app.get("/marker/<int:number>")
def marker(number: int) -> dict[str, Any]:
    return {"number": number}
