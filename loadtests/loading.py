"""Throughput and latency of the collector over offered load, in an open loop; and its latency at half of saturation."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from loadtests.client import Answer, LoadError
from loadtests.closed import send_closed
from loadtests.collecting import accepted
from loadtests.figures import Figure, median_of, rounded
from loadtests.payloads import Posts
from loadtests.processes import load_core
from loadtests.servers import Box, Server, box
from loadtests.steady import Curve, Point, point_of, send_steadily

__all__ = ["HALF", "PART", "SATURATION", "SHARES", "at_half", "curve_point", "measure"]

PART: Final = "latency"
HALF: Final = "at half of saturation"
SATURATION: Final = "saturation: 64 in flight, closed loop"
SHARES: Final = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.1)
CONNECTIONS: Final = 256
Say = Callable[[str], None]


def measure(folder: Path, rounds: int, seconds: float, tell: Say) -> tuple[list[Figure], Curve]:
    """Saturate a collector in a closed loop, then offer it shares of that. Blocks. Events are found in the streams."""
    with box(folder) as opened, opened.serving("tracker") as server:
        send_closed(server.address, Posts.of("warm", datetime.now(UTC), 1), 64, 1, accepted)
        tell("latency: saturating the collector")
        saturated = send_closed(server.address, Posts.of("most", datetime.now(UTC), 1), 64, max(2, seconds), accepted)
        most = saturated.answered / saturated.wall_s
        opened.settle(server)
        half: list[Point] = []
        for number in range(rounds):
            tell(f"latency: round {number + 1} of {rounds} at half of {most:,.0f} events a second")
            half.append(_offer(opened, server, f"h{number}", 0.5, most, seconds))
        points = []
        for share in SHARES:
            tell(f"latency: {share:.0%} of {most:,.0f} events a second")
            points.append(_offer(opened, server, f"s{share * 100:.0f}", share, most, seconds))
    figures = [Figure(PART, SATURATION, most, "events/s"), *at_half(PART, half)]
    return figures, Curve("collector", "events", points)


def _offer(opened: Box, server: Server, run: str, share: float, most: float, seconds: float) -> Point:
    opened.forget_streams()
    point = curve_point(server, iter(Posts.of(run, datetime.now(UTC), 1)), accepted, share, most, seconds)
    if (streamed := opened.streamed()) != (planned := max(1, round(share * most * seconds))):
        raise LoadError(f"{share:.0%} of saturation: {planned} events were accepted, but {streamed} are in the streams")
    return point


def curve_point(
    server: Server, requests: Iterator[bytes], good: Callable[[Answer], bool], share: float, most: float, seconds: float
) -> Point:
    """Offer a share of the most. LoadError when an answer is bad."""
    with load_core():
        load = send_steadily(server.address, requests, share * most, seconds, CONNECTIONS, good)
    return point_of(load, share, share * most)


def at_half(part: str, points: Sequence[Point]) -> list[Figure]:
    """Percentiles as medians of the rounds, in milliseconds; the note says how much of them may be the load's own."""
    late = statistics.median(point.load_late_p99_ms for point in points)
    note = f"open loop, {points[0].offered:,.0f} a second; the load itself is late by {rounded(late)} ms at p99"
    return [
        median_of(part, f"p{rank}, {HALF}", [getattr(point, f"p{rank}_ms") for point in points], "ms", note)
        for rank in (50, 90, 99)
    ]
