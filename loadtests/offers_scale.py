"""How far the offers' model goes: a generated shop of many sessions and items, learned and asked in processes of their own.

`python -m loadtests.offers_scale --sessions 10000000 --items 1000000` shows the figures; `make bench` has them, too.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from loadtests.client import LoadError
from loadtests.figures import Figure, percentile, table
from loadtests.offers_generate import generated
from personalizer.models.behaviour import VIEW, Behaviour
from personalizer.models.next_item import NextItem, Visit
from personalizer.models.next_item.compiled import warm

__all__ = ["ASKED_P99", "FIT_MEMORY", "PART", "SERVE_MEMORY", "main", "measure"]

PART: Final = "offers, large"
FIT_MEMORY: Final = "memory while learning, the most"
SERVE_MEMORY: Final = "memory of a process that serves, the most"
ASKED_P99: Final = "p99 of a list, large shop"
ROOT: Final = Path(__file__).parents[1]
SEED: Final = 5
ASKED_SESSIONS: Final = 6_000
NOT_COUNTED: Final = 500  # lists until the pages that matter are in memory
TIMEOUT_S: Final = 3_600.0
LIST: Final = 20
ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def measure(folder: Path, sessions: int, items: int, tell: Callable[[str], None]) -> list[Figure]:
    """Generate, learn, serve; blocks for minutes. LoadError when a step fails."""
    about = f"{sessions:,} sessions, {items:,} items"
    tell(f"offers, large: {about}")
    folder.mkdir(parents=True, exist_ok=True)
    made = _step("generate", folder, sessions, items)
    tell(f"offers, large: learning from {made['rows']:,} clicks")
    fit = _step("fit", folder, sessions, items)
    tell("offers, large: asking")
    asked = _step("ask", folder, sessions, items)
    note = f"{about}, {made['rows']:,} clicks"
    return [
        Figure(PART, "learning, large shop", fit["cpu_s"], "CPU s", note),
        Figure(PART, FIT_MEMORY, fit["most_mib"], "MiB", f"{note}; they alone {fit['input_mib']:.0f} MiB"),
        Figure(PART, "model, large shop", fit["model_mib"], "MiB", note),
        Figure(PART, "opening, large shop", asked["open_s"], "s", "until the first list; files in the page cache"),
        Figure(PART, SERVE_MEMORY, asked["most_mib"], "MiB", "resident, files of the model included"),
        *(
            Figure(PART, name, asked[key], "ms", f"{asked['lists']:,} lists of {LIST}, wall time")
            for name, key in (("p50 of a list, large shop", "p50_ms"), (ASKED_P99, "p99_ms"))
        ),
        Figure(PART, "mean of a list, large shop", asked["mean_cpu_ms"], "CPU ms"),
        Figure(PART, "p99 of a list in processor time, large shop", asked["p99_cpu_ms"], "CPU ms"),
    ]


def _step(name: str, folder: Path, sessions: int, items: int) -> Mapping[str, float]:
    """One step in a process of its own: what it leaves in memory must not count for the next."""
    command = [sys.executable, "-m", "loadtests.offers_scale", "--step", name, "--folder", str(folder)]
    command += ["--sessions", str(sessions), "--items", str(items)]
    environment = {**os.environ, **ONE_THREAD}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )  # fmt: skip
    if done.returncode:
        raise LoadError(f"{name} of {sessions:,} sessions failed: {done.stderr[-2000:]}")
    found: Mapping[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _generate(folder: Path, sessions: int, items: int) -> dict[str, float]:
    shop = generated(sessions, items, SEED)
    for name, array in vars(shop.behaviour).items():
        np.save(folder / f"behaviour.{name}.npy", array)
    np.save(folder / "category_of.npy", shop.category_of)
    return {"rows": len(shop.behaviour.items)}


def _fit(folder: Path, sessions: int, items: int) -> dict[str, float]:  # noqa: ARG001
    behaviour = Behaviour(*(np.load(folder / f"behaviour.{name}.npy") for name in Behaviour.__dataclass_fields__))
    category_of = np.load(folder / "category_of.npy")
    warm()
    began, cpu = time.perf_counter(), time.process_time()
    model = NextItem.fit(behaviour, items, category_of, seed=SEED, progress=_to_stderr)
    took, used = time.perf_counter() - began, time.process_time() - cpu
    (folder / "model").mkdir()
    arrays = model.arrays()
    for name, array in arrays.items():
        np.save(folder / "model" / f"{name}.npy", array)
    size = sum(array.nbytes for array in vars(behaviour).values()) + category_of.nbytes
    return {
        "wall_s": took, "cpu_s": used, "most_mib": _most_mib(), "input_mib": size / 2**20,
        "model_mib": sum(array.nbytes for array in arrays.values()) / 2**20,
    }  # fmt: skip


def _to_stderr(step: str, done: float) -> None:
    print(f"{step}: {done:.0%}", file=sys.stderr)


def _ask(folder: Path, sessions: int, items: int) -> dict[str, float]:  # noqa: ARG001
    shop = generated(ASKED_SESSIONS, items, SEED, drawn=2)
    began = time.perf_counter()
    files = (folder / "model").glob("*.npy")
    model = NextItem.of_arrays({file.stem: _mapped(file) for file in files})
    visits = _visits(shop.behaviour)
    model.rank(visits[0], LIST, 0)
    opened = time.perf_counter() - began
    walls, cpus = [], []
    for visit in visits:
        wall, cpu = time.perf_counter(), time.process_time_ns()
        model.rank(visit, LIST, 0)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time_ns() - cpu)
    walls, cpus = walls[NOT_COUNTED:], cpus[NOT_COUNTED:]
    return {
        "open_s": opened, "lists": len(walls), "most_mib": _most_mib(),
        "p50_ms": percentile(walls, 0.5) * 1000, "p99_ms": percentile(walls, 0.99) * 1000,
        "mean_cpu_ms": float(np.mean(cpus)) / 1e6, "p99_cpu_ms": percentile(cpus, 0.99) / 1e6,
    }  # fmt: skip


def _mapped(file: Path) -> Any:
    array = np.load(file, mmap_mode="r" if file.stat().st_size > 200 else None)
    return np.asarray(array)


def _visits(behaviour: Behaviour) -> list[Visit]:
    """Every view of every session, with all before it."""
    found = []
    for begin, end in zip(behaviour.starts[:-1].tolist(), behaviour.starts[1:].tolist(), strict=True):
        for place in range(begin + 1, end + 1):
            if behaviour.kinds[place - 1] == VIEW:
                found.append(Visit.of(behaviour.items[begin:place], behaviour.kinds[begin:place]))
    return found


def _most_mib() -> float:
    """The most that this process has had in memory."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


STEPS: Final = {"generate": _generate, "fit": _fit, "ask": _ask}


@click.command()
@click.option("--sessions", type=click.IntRange(100), default=10_000_000, show_default=True)
@click.option("--items", type=click.IntRange(1_000), default=1_000_000, show_default=True)
@click.option("--step", type=click.Choice(list(STEPS)), hidden=True)
@click.option("--folder", type=click.Path(path_type=Path), hidden=True)
def main(sessions: int, items: int, step: str | None, folder: Path | None) -> None:
    """Learn and ask a generated shop; a table on standard output."""
    if step and folder:
        click.echo(json.dumps(STEPS[step](folder, sessions, items)))
        return
    with tempfile.TemporaryDirectory(prefix="baliza-scale-") as name:
        figures = measure(Path(name), sessions, items, lambda text: click.echo(text, err=True))
    rows = [(figure.name, f"{figure.value:,.3f}", figure.unit, figure.note) for figure in figures]
    click.echo(table(("what", "figure", "unit", "note"), rows, right=(1,)))


if __name__ == "__main__":
    main()
