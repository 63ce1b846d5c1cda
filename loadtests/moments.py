"""What of a visit happens at once. Pure."""

from collections.abc import Iterable, Iterator

from demo.walks import Event, Step

__all__ = ["moments"]


def moments(steps: Iterable[Step]) -> Iterator[tuple[float, list[Event]]]:
    """Steps put together to what happens at once: a pause in seconds, then events that the beacon sends in one request."""
    pause_s, together = 0.0, list[Event]()
    for step in steps:
        if step.pause_s and together:
            yield pause_s, together
            together = []
        pause_s = step.pause_s if not together else pause_s
        together.append(step.event)
    if together:
        yield pause_s, together
