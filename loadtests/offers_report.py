"""The figures of docs/offers.md: how good the offers are on real logs, and how fast, from one run.

`python -m loadtests.offers_report --data FOLDER` evaluates all models on the logs that are in a folder, measures speed,
keeps all in loadtests/results/offers and writes it into docs/offers.md, between its two markers, with its pictures.
"""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import numpy as np

from loadtests import machine, offers_scale, offers_served, offers_split
from loadtests.curves import curve_svg, curve_table
from loadtests.figures import Figure, rounded, table
from loadtests.offers_real import last_second, written
from loadtests.report import RESULTS, ROOT, between_markers
from loadtests.steady import Curve
from loadtests.targets import TARGETS, judged, targets_table
from personalizer.evaluation.log import read_log
from personalizer.evaluation.models import OURS, evaluated, worth_playing
from personalizer.evaluation.plots import bars_svg, latency_svg, reliability_svg
from personalizer.evaluation.protocol import Played
from personalizer.evaluation.scores import Evaluated, plain
from personalizer.evaluation.split import Split, split_of
from personalizer.evaluation.tables import compared

__all__ = ["PARTS", "Report", "Run", "Tested", "joined", "main", "markdown"]

PAGE: Final = ROOT / "docs" / "offers.md"
LOG_NAMES: Final = {
    "retailrocket_7d": "RetailRocket, last 7 days",
    "rsc15_100k": "RSC15, sample",
    "retailrocket_8d": "RetailRocket, 8 days with real times",
}
PICTURED: Final = "retailrocket_7d"
PARTS: Final = ("quality", "served", "large")
MODEL: Final = "model"  # a part of quality: what the model costs on the largest log
CARTS: Final = "retailrocket-8d/events.csv.gz"
DAYS: Final = 5  # at the end of that log: each is tested with what all before it teach
DAY_S: Final = 86_400
SERVED_S: Final = 6.0
LARGE: Final = (10_000_000, 1_000_000)  # sessions, items
COLUMNS: Final = {
    "HR@20": "hr@20", "MRR@20": "mrr@20", "HR@10": "hr@10", "NDCG@20": "ndcg@20", "P@20": "precision@20",
    "R@20": "recall@20", "coverage": "coverage@20", "popularity": "popularity@20", "ECE": "ece", "ms": "mean_ms",
    "p99 ms": "p99_ms",
}  # fmt: skip
CART_COLUMNS: Final = {"hit@1": "hr@1", "hit@10": "hr@10", "MRR@20": "mrr@20"}
WITH_ERROR: Final = ("hr@20", "mrr@20", "hr@1")
Tell = Callable[[str], None]


class Tested(msgspec.Struct, frozen=True):
    """All models on one log. compared, compared_unseen, compared_carts: ours beside the best simple answer, in words."""

    name: str
    models: Sequence[Mapping[str, Any]]
    compared: Sequence[str]
    compared_unseen: Sequence[str]
    compared_carts: Sequence[str] = ()


class Run(msgspec.Struct, frozen=True):
    """When and where a part was measured."""

    taken_at: str
    command: str
    took_s: float
    machine: Mapping[str, str]
    versions: Mapping[str, str]


class Report(msgspec.Struct, frozen=True):
    """The parts, each as it was measured last."""

    runs: Mapping[str, Run] = {}
    tested: Sequence[Tested] = ()
    carts: Tested | None = None
    figures: Sequence[Figure] = ()
    curves: Sequence[Curve] = ()


def logs(folder: Path) -> dict[str, tuple[Path, Path]]:
    """The standard splits that are in a folder, by name: train and test."""
    found = {name: (folder / f"{name}_train.csv.gz", folder / f"{name}_test.csv.gz") for name in LOG_NAMES}
    return {name: files for name, files in found.items() if all(file.exists() for file in files)}


def played(name: str, split: Split, tell: Tell) -> list[Evaluated]:
    """Fit and play all models that this train can teach something. Blocks."""
    found = []
    for model in worth_playing(split):
        tell(f"{name}: {model}")
        found.append(evaluated(model, split, lambda _step, _done: None))
    return found


def pooled(days: Sequence[Evaluated]) -> Evaluated:
    """One model's predictions of several days as one; sessions of different days are different. Items are not the same ones,
    so coverage says nothing.
    """

    def as_one(parts: Sequence[Played]) -> Played:
        offsets = np.cumsum([0, *(int(part.sessions.max(initial=-1)) + 1 for part in parts[:-1])])
        shifted = [replace(part, sessions=part.sessions + offset) for part, offset in zip(parts, offsets, strict=True)]
        names = [name for name in Played.__dataclass_fields__ if name != "shown"]
        columns = {name: np.concatenate([getattr(part, name) for part in shifted]) for name in names}
        return Played(**columns, shown=np.zeros(0, np.int64))

    whole, fresh, cart, fresh_cart = (
        as_one([getattr(day, part) for day in days]) for part in ("whole", "fresh", "cart", "fresh_cart")
    )
    fit_s, fit_cpu_s = sum(day.fit_s for day in days), sum(day.fit_cpu_s for day in days)
    return Evaluated(days[0].model, whole, fresh, cart, fresh_cart, fit_s, fit_cpu_s, days[0].ranker)


def tested(name: str, found: Sequence[Evaluated]) -> Tested:
    """What is kept of it."""
    parts = [{one.model: getattr(one, part) for one in found} for part in ("whole", "fresh", "cart", "fresh_cart")]
    carts = [*compared(parts[2], ("hr@1",)), *(f"not yet viewed: {line}" for line in compared(parts[3], ("hr@10",)))]
    return Tested(name, [plain(one) for one in found], compared(parts[0]), compared(parts[1]), carts)


def markdown(report: Report) -> str:
    """As docs/offers.md has it."""
    parts = ["".join(_run(name, run) for name, run in report.runs.items()), *(_tables(one) for one in report.tested)]
    if report.carts:
        parts.append(_carts(report.carts))
    if report.figures:
        parts.append(_speed(report))
    return "\n".join(parts)


def _run(name: str, run: Run) -> str:
    facts = [", ".join(f"{fact} {value}" for fact, value in part.items()) for part in (run.machine, run.versions)]
    return f"- {name}: on {run.taken_at[:10]} with `{run.command}` in {run.took_s:.0f} s; {facts[0]}; {facts[1]}\n"


def _tables(one: Tested) -> str:
    first = one.models[0]
    about = (
        f"{first['train_sessions']:,} sessions and {first['train_events']:,} clicks of {first['items']:,} items to learn "
        f"from; {first['test_sessions']:,} sessions to test on"
    )
    unseen = [model["unseen"] | {"model": model["model"]} for model in one.models]
    return (
        f"### {LOG_NAMES.get(one.name, one.name)}\n\n{about}.\n\nEvery next click ({first['n']:,}):\n\n"
        f"{_table(one.models, COLUMNS)}\n{_lines(one.compared)}\n"
        f"Next clicks on what is new to the session ({first['unseen']['n']:,}):\n\n"
        f"{_table(unseen, COLUMNS)}\n{_lines(one.compared_unseen)}"
    )


def _carts(one: Tested) -> str:
    carts = [model["first_cart"] | {"model": model["model"]} for model in one.models]
    unseen = [cart["unseen"] | {"model": cart["model"]} for cart in carts]
    return (
        "### What is put in the cart first\n\nRetailRocket, 8 days with carts and orders; each of the last "
        f"{DAYS} is tested with a model of the days before it: {carts[0]['n']:,} carts, from the views before them.\n\n"
        f"{_table(carts, CART_COLUMNS)}\n"
        f"Of what the session had not yet viewed ({unseen[0]['n']:,}):\n\n{_table(unseen, CART_COLUMNS)}\n"
        f"{_lines(one.compared_carts)}"
    )


def _table(models: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    rows = [(f"`{model['model']}`", *(_cell(model, figure) for figure in columns.values())) for model in models]
    return table(("model", *columns), rows, right=range(1, len(columns) + 1))


def _cell(model: Mapping[str, Any], figure: str) -> str:
    value, error = model[figure], model.get(f"{figure}_se") if figure in WITH_ERROR else None
    if value is None:
        return "–"
    digits = 2 if figure.endswith("_ms") else 3
    return f"{value:.{digits}f}" + (f" ±{error:.3f}" if error is not None else "")


def _lines(lines: Sequence[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)


def _speed(report: Report) -> str:
    ours = [target for target in TARGETS if target.figure in {figure.name for figure in report.figures}]
    rows = [(figure.part, figure.name, rounded(figure.value), figure.unit, figure.note) for figure in report.figures]
    curves = "".join(f"\nOffered load:\n\n{curve_table(curve)}" for curve in report.curves)
    return (
        f"### Speed\n\n{targets_table(judged(report.figures, ours))}\n"
        f"{table(('part', 'what', 'figure', 'unit', 'note'), rows, right=(2,))}{curves}"
    )


def pictures(found: Sequence[Evaluated]) -> dict[str, str]:
    """File name → SVG, of one log; none without it."""
    ours = next((one for one in found if one.model == OURS), None)
    if ours is None:
        return {}
    return {
        "offers-next-clicks.svg": bars_svg("RetailRocket, every next click", {one.model: one.whole for one in found}),
        "offers-new-clicks.svg": bars_svg("RetailRocket, what is new", {one.model: one.fresh for one in found}),
        "offers-reliability.svg": reliability_svg("How sure the model is, and how right", {OURS: ours.whole}),
        "offers-latency.svg": latency_svg("Processor time of a list, RetailRocket", OURS, ours.whole),
    }


def _split(files: tuple[Path, Path]) -> Split:
    return split_of(*map(read_log, files))


def _quality(data: Path, folder: Path) -> tuple[Report, dict[str, str]]:
    """All models on all logs; what our model costs on the largest of them; the pictures."""
    told, pictured, figures = [], list[Evaluated](), list[Figure]()
    for name, files in logs(data / "splits").items():
        split = _split(files)
        found = played(name, split, _say)
        told.append(tested(name, found))
        if name == PICTURED:
            pictured, figures = found, offers_split.figures_of(split, found[0], _say)
    carts = _tested_carts(data / CARTS, folder, _say) if (data / CARTS).exists() else None
    return Report(tested=told, carts=carts, figures=figures), pictures(pictured)


def _tested_carts(log: Path, folder: Path, tell: Tell) -> Tested:
    ends = last_second(log) + 1
    days: list[list[Evaluated]] = []
    for begin in range(ends - DAYS * DAY_S, ends, DAY_S):
        written(log, begin, folder, begin + DAY_S)
        days.append(played(f"carts, day {len(days) + 1}", _split((folder / "train.csv", folder / "test.csv")), tell))
    models = [one.model for one in days[0]]
    return tested("carts", [pooled([one for day in days for one in day if one.model == model]) for model in models])


def _model(data: Path, _folder: Path) -> tuple[Report, dict[str, str]]:
    return Report(figures=offers_split.measure(*logs(data / "splits")[PICTURED], _say)), {}


def _served(_data: Path, folder: Path) -> tuple[Report, dict[str, str]]:
    figures, curve = offers_served.measure(folder, SERVED_S, _say)
    return Report(figures=figures, curves=[curve]), {f"performance-{curve.name}.svg": curve_svg(curve)}


def _large(_data: Path, folder: Path) -> tuple[Report, dict[str, str]]:
    return Report(figures=offers_scale.measure(folder, *LARGE, _say)), {}


def _say(text: str) -> None:
    click.echo(text, err=True)


MEASURES: Final = {**dict(zip(PARTS, (_quality, _served, _large), strict=True)), MODEL: _model}


def joined(old: Report, name: str, new: Report, run: Run) -> Report:
    """The old report with one part measured anew."""
    theirs = {figure.part for figure in new.figures}
    quality = name == "quality"
    return Report(
        runs={**{done: of for done, of in old.runs.items() if not (quality and done == MODEL)}, name: run},
        tested=new.tested if quality else old.tested,
        carts=new.carts if quality else old.carts,
        figures=[*(figure for figure in old.figures if figure.part not in theirs), *new.figures],
        curves=new.curves or old.curves,
    )


def _measured(name: str, data: Path) -> tuple[Report, dict[str, str], Run]:
    began, about, others = time.monotonic(), machine.machine(), machine.OtherWork()
    with tempfile.TemporaryDirectory(prefix="baliza-offers-") as folder:
        report, drawn = MEASURES[name](data, Path(folder))
    about["other work meanwhile"] = f"{others.share():.0%} of all cores"
    command = f"python -m loadtests.offers_report --data FOLDER --only {name}"
    taken_at, took_s = datetime.now(UTC).isoformat(timespec="seconds"), round(time.monotonic() - began, 1)
    return report, drawn, Run(taken_at, command, took_s, about, machine.versions())


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True, help="Folder of logs.")
@click.option(
    "--only", "parts", multiple=True, type=click.Choice([*PARTS, MODEL]), help="Only this part; the others are kept."
)
@click.option("--docs/--no-docs", default=True, help="Write docs/offers.md and its pictures.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=RESULTS / "offers", help="Where the result goes."
)
def main(data: Path, parts: tuple[str, ...], docs: bool, out: Path) -> None:
    """How good and how fast the offers are; a page of tables on standard output."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / "figures.json"
    report = msgspec.json.decode(file.read_bytes(), type=Report) if file.exists() else Report()
    for name in parts or PARTS:
        new, drawn, run = _measured(name, data)
        report = joined(report, name, new, run)
        file.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
        if docs:
            PAGE.write_text(between_markers(PAGE.read_text(), markdown(report)))
            for picture, svg in drawn.items():
                (PAGE.parent / picture).write_text(svg)
    click.echo(markdown(report))


if __name__ == "__main__":
    main()
