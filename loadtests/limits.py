"""When a load test has failed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Limits", "broken"]


@dataclass(frozen=True)
class Limits:
    """The most that is borne: the share of failed requests (0..1), and the 99th percentile of answers in ms."""

    failed_share: float = 0.001
    p99_ms: float = 250.0


def broken(limits: Limits, requests: int, failed_share: float, p99_ms: float, differences: Sequence[str] = ()) -> list[str]:
    """What was not kept, as sentences; empty when all is well. No request at all is a failure as well.

    differences: what is wrong between accepted and found events. None of these is borne.
    """
    if not requests:
        return ["expected requests, none was sent"]
    found = []
    if failed_share > limits.failed_share:
        found.append(f"expected at most {limits.failed_share:.2%} failed requests, got {failed_share:.2%} of {requests}")
    if p99_ms > limits.p99_ms:
        found.append(f"expected 99 % of answers within {limits.p99_ms:.0f} ms, got {p99_ms:.0f} ms")
    return [*found, *differences]
