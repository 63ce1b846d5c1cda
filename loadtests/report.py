"""Results: JSON for later comparisons, Markdown for people. `python -m loadtests.report --docs` puts the newest full
result into docs/performance.md, between its two markers, and draws its pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import click
import msgspec

from loadtests.curves import curve_svg, curve_table
from loadtests.figures import Figure, rounded, table
from loadtests.plot import costs_svg
from loadtests.steady import Curve
from loadtests.targets import Verdict, targets_table

__all__ = ["BEGIN", "END", "RESULTS", "Result", "between_markers", "markdown", "newest", "save"]

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = Path(__file__).parent / "results"
CURVE_TITLE: Final = "Offered load, {}: latency counts from the moment at which a request should have left."
BEGIN: Final = "<!-- figures: begin -->"
END: Final = "<!-- figures: end -->"


class Result(msgspec.Struct, frozen=True):
    """One run of the benchmarks. `sizes`: how much data was used."""

    taken_at: str
    label: str
    command: str
    quick: bool
    took_s: float
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    sizes: Mapping[str, str]
    figures: Sequence[Figure]
    curves: Sequence[Curve] = ()
    targets: Sequence[Verdict] = ()


def markdown(result: Result) -> str:
    """The result as tables, the targets first, with everything that must be known to repeat it."""
    kind = "a quick run: smaller data, wider spread" if result.quick else "a full run"
    about = f"Measured on {result.taken_at[:10]} with `{result.command}` in {result.took_s:.0f} s ({kind})."
    lists = [_listed("machine", result.machine), _listed("versions", result.versions), _listed("sizes", result.sizes)]
    rows = [(figure.part, figure.name, rounded(figure.value), figure.unit, _note(figure)) for figure in result.figures]
    headers = ("part", "what", "figure", "unit", "note")
    targets = f"{targets_table(result.targets)}\n" if result.targets else ""
    curves = "".join(f"{CURVE_TITLE.format(curve.name)}\n\n{curve_table(curve)}\n" for curve in result.curves)
    return f"{about}\n\n{targets}{''.join(lists)}\n{curves}{table(headers, rows, right=(2,))}"


def _listed(name: str, facts: Mapping[str, str]) -> str:
    return f"- {name}: " + ", ".join(f"{fact} {value}" for fact, value in facts.items()) + "\n"


def _note(figure: Figure) -> str:
    if len(figure.rounds) < 2:
        return figure.note
    spread = f"{rounded(min(figure.rounds))} to {rounded(max(figure.rounds))} in {len(figure.rounds)} rounds"
    return f"{figure.note}; {spread}" if figure.note else spread


def save(result: Result, folder: Path = RESULTS) -> Path:
    """Write <date>-<label>.json and .md; answers the Markdown file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{result.taken_at[:10]}-{result.label}{'-quick' * result.quick}.md"
    file.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    file.write_text(f"# Benchmarks\n\n{markdown(result)}")
    return file


def newest(folder: Path = RESULTS) -> Result | None:
    """The full result that was taken last. Quick ones are for looking, not for quoting."""
    results = [msgspec.json.decode(file.read_bytes(), type=Result) for file in folder.glob("*.json")]
    return max((result for result in results if not result.quick), key=lambda result: result.taken_at, default=None)


def between_markers(text: str, inner: str) -> str:
    """The text with everything between its two markers replaced. ValueError when they are not there once each, in order."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise ValueError(f"expected {BEGIN} once and {END} once after it")
    return f"{before}{BEGIN}\n{inner.strip()}\n{END}{after}"


def _into_docs(result: Result, docs: Path) -> None:
    page = docs / "performance.md"
    (docs / "performance.svg").write_text(costs_svg(result.figures))
    pictures = ["![CPU per accepted event of the collector, of an empty Flask view and of nginx](performance.svg)"]
    for curve in result.curves:
        name = f"performance-{curve.name}.svg"
        (docs / name).write_text(curve_svg(curve))
        pictures.append(f"![Throughput and latency over offered load, {curve.name}]({name})")
    page.write_text(between_markers(page.read_text(), "\n\n".join([markdown(result), *pictures])))


@click.command()
@click.option("--docs", is_flag=True, help="Write the newest full result into docs/performance.md.")
def main(docs: bool) -> None:
    """Show the newest full result, or put it into the docs."""
    result = newest()
    if result is None:
        raise click.ClickException(f"no full result in {RESULTS}; `python -m loadtests.bench` makes one")
    if docs:
        _into_docs(result, ROOT / "docs")
    else:
        click.echo(markdown(result))


if __name__ == "__main__":
    main()
