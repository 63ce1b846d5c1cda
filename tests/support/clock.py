"""Time in the hands of a test."""


class Clock:
    """A clock that is set by hand; seconds."""

    def __init__(self, now_s: float = 100.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s
