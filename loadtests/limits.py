"""When a load test has failed. Pure."""

from dataclasses import dataclass

__all__ = ["Limits", "broken"]


@dataclass(frozen=True)
class Limits:
    """The most that is borne: the share of failed requests (0..1), and the 95th percentile of answers in ms."""

    failed_share: float = 0.001
    p95_ms: float = 250.0


def broken(limits: Limits, requests: int, failed_share: float, p95_ms: float) -> list[str]:
    """What was not kept, as sentences; empty when all is well. No request at all is a failure as well."""
    if not requests:
        return ["expected requests, none was sent"]
    found = []
    if failed_share > limits.failed_share:
        found.append(f"expected at most {limits.failed_share:.2%} failed requests, got {failed_share:.2%} of {requests}")
    if p95_ms > limits.p95_ms:
        found.append(f"expected 95 % of answers within {limits.p95_ms:.0f} ms, got {p95_ms:.0f} ms")
    return found
