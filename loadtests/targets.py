"""What the product promises, and whether a run of the benchmarks kept it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from loadtests import carrying, footprint, loading, offers_scale, offers_served, offers_split, visible
from loadtests.collecting import COLLECTOR, FIRST, FSYNC, N_LOG, Case, name_of_ratio
from loadtests.figures import Figure, rounded, table

__all__ = ["TARGETS", "Target", "Verdict", "judged", "targets_table", "too_far"]

MIB_OF_A_GB: Final = 1e9 / (1 << 20)


@dataclass(frozen=True)
class Target:
    """A figure by its name, and the most (or, with `least`, the least) that it may be. A dream never fails a run.

    `shown`: how the figure and the limit are written; {} is the number, {inverse} one divided by it.
    """

    what: str
    figure: str
    limit: float
    shown: str
    least: bool = False
    dream: bool = False

    def text(self, value: float) -> str:
        return self.shown.format(rounded(value), inverse=rounded(1 / value))


@dataclass(frozen=True)
class Verdict:
    """`met` is None when it was not measured. `missed_by`: share (0.1 is a tenth) by which the limit was missed, else 0."""

    what: str
    target: str
    got: str
    met: bool | None
    missed_by: float = 0.0
    dream: bool = False


TEN: Final = Case(COLLECTOR, 10, 64)
TARGETS: Final = (
    Target("one event a request, 64 in flight: CPU per event", name_of_ratio(FIRST, "F"), 1 / 8, "F / {inverse}"),
    Target("the same beside nginx `return 204`", name_of_ratio(FIRST, "N"), 3.0, "{} × N", dream=True),
    Target("the same beside nginx that reads and logs the POST", name_of_ratio(FIRST, N_LOG), 1.0, "{} × that", dream=True),
    Target("one event a request, one in flight", name_of_ratio(Case(COLLECTOR, 1, 1), "F"), 1 / 2, "F / {inverse}"),
    Target("ten events a request, 64 in flight, per event", name_of_ratio(TEN, "F"), 1 / 16, "F / {inverse}"),
    Target(
        "with fsync before every answer, 64 in flight", name_of_ratio(Case(FSYNC, 1, 64), "without fsync"), 1.4,
        "{} × the first line",
    ),
    Target("latency at half of saturation, p99", f"p99, {loading.HALF}", 10.0, "{} ms"),
    Target("stream to ClickHouse, per CPU second of ingest", carrying.PER_CPU_S, 50_000, "{} events", least=True),
    Target("accepted until visible in a report, half of saturation, p99", visible.P99, 2.0, "{} s"),
    Target("memory of the live store per visitor, 10 events, a cart of 2", footprint.PER_VISITOR, 1_500, "{} bytes"),
    Target("memory of the whole product, idle, embedded", footprint.WHOLE, MIB_OF_A_GB, "{} MiB"),
    Target("offers: learning the RetailRocket log, one core", offers_split.FIT, 180.0, "{} s"),
    Target("offers: learning it again on top of the model before", offers_split.AGAIN, 30.0, "{} s"),
    Target("offers: the model's part of an answer, RetailRocket, mean", offers_split.MEAN, 0.5, "{} ms of CPU"),
    Target("offers: the same, RetailRocket, p99", offers_split.P99, 1.5, "{} ms of CPU"),
    Target("offers end to end, a shop of real size, per core", offers_served.CPU, 1_000, "{} requests/s", least=True),
    Target("the same at 1,000 a second, p90", offers_served.P90, 7.0, "{} ms"),
    Target("offers: memory while a large shop is learned", offers_scale.FIT_MEMORY, 4 * MIB_OF_A_GB, "{} MiB"),
    Target("offers: memory of a process that serves it", offers_scale.SERVE_MEMORY, 4 * MIB_OF_A_GB, "{} MiB"),
    Target("offers: a list of it, p99", offers_scale.ASKED_P99, 5.0, "{} ms"),
)  # fmt: skip


def judged(figures: Sequence[Figure], targets: Sequence[Target] = TARGETS) -> list[Verdict]:
    """Every target beside what was measured."""
    by_name = {figure.name: figure.value for figure in figures}
    return [_verdict(target, by_name.get(target.figure)) for target in targets]


def _verdict(target: Target, value: float | None) -> Verdict:
    wanted = f"{'≥' if target.least else '≤'} {target.text(target.limit)}"
    if value is None:
        return Verdict(target.what, wanted, "not measured", None, dream=target.dream)
    times = target.limit / value if target.least else value / target.limit
    return Verdict(target.what, wanted, target.text(value), times <= 1, max(0.0, times - 1), target.dream)


def too_far(verdicts: Sequence[Verdict], tolerance: float) -> list[str]:
    """The targets missed by more than this share, as sentences. Neither dreams nor what was not measured."""
    return [
        f"{verdict.what}: expected {verdict.target}, got {verdict.got}, which misses it by {verdict.missed_by:.0%}"
        for verdict in verdicts
        if verdict.missed_by > tolerance and not verdict.dream
    ]


def targets_table(verdicts: Sequence[Verdict]) -> str:
    """As Markdown. Dreams are what we would like, and are marked so."""
    words = {True: "yes", False: "**no**", None: "—"}
    rows = [
        (f"{verdict.what} (the dream)" if verdict.dream else verdict.what, verdict.target, verdict.got, words[verdict.met])
        for verdict in verdicts
    ]
    return table(("target", "wanted", "got", "met"), rows)
