"""F, the measure of all costs here: the least that a Flask view can do. Served by stock gunicorn workers."""

from flask import Flask

__all__ = ["app"]

app = Flask("empty")


@app.post("/o")
def nothing() -> tuple[str, int]:
    """Neither read nor keep anything."""
    return "", 204
