"""The collector (POST /o, GET /o.gif and the live profiles) and the way of its events into the history."""
