"""A visitors' log as train and test for `baliza evaluate`: RetailRocket's columns, sessions of 30 idle minutes.

python -m loadtests.offers_real events.csv.gz --cut 2015-09-16T03:00:00Z --out FOLDER
baliza evaluate --train FOLDER/train.csv --test FOLDER/test.csv
"""

import csv
import gzip
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import click

__all__ = ["HEADER", "last_second", "main", "sessions_of", "written"]

IDLE_S: Final = 1_800
HEADER: Final = ("SessionId", "ItemId", "Time", "Event", "Category")
Row = tuple[str, str, int, str, str]


def sessions_of(events: Iterable[Mapping[str, str]]) -> Iterator[list[Row]]:
    """Each visit as rows of HEADER, by visitor and time; events of one second stay in the order of the log."""
    visits: dict[str, list[tuple[int, str, str, str]]] = defaultdict(list)
    for event in events:
        visits[event["visitorid"]].append((int(event["timestamp"]), event["itemid"], event["event"], event["categoryid"]))
    for visitor, seen in visits.items():
        seen.sort(key=lambda row: row[0])
        number, session, before = 0, list[Row](), seen[0][0]
        for at, item, kind, category in seen:
            if at - before > IDLE_S:
                yield session
                number, session = number + 1, []
            session.append((f"{visitor}-{number}", item, at, kind, category))
            before = at
        yield session


def last_second(file: Path) -> int:
    """The unix second of the last event of a log."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as opened:
        return max(int(event["timestamp"]) for event in csv.DictReader(opened))


def written(file: Path, cut_s: float, folder: Path, until_s: float = math.inf) -> tuple[int, int]:
    """Write train.csv (what came before the cut) and test.csv (sessions that began at it or later, and before until_s);
    answers their rows.

    A session over the cut is in train as far as it had come, and not in test.
    """
    train: list[Row] = []
    test: list[Row] = []
    with gzip.open(file, "rt", encoding="utf-8", newline="") as opened:
        for session in sessions_of(csv.DictReader(opened)):
            if cut_s <= session[0][2] < until_s:
                test += session
            elif session[0][2] < cut_s:
                train += [row for row in session if row[2] < cut_s]
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("train.csv", train), ("test.csv", test)):
        with (folder / name).open("w", encoding="utf-8", newline="") as opened:
            csv.writer(opened).writerows([HEADER, *rows])
    return len(train), len(test)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--cut", required=True, help="When test begins, ISO 8601.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
def main(file: Path, cut: str, out: Path) -> None:
    """Cut a visitors' log into train and test, with views, carts and purchases."""
    try:
        cut_s = datetime.fromisoformat(cut).timestamp()
    except ValueError as error:
        raise click.BadParameter(f"expected an instant such as 2015-09-16T03:00:00Z, got {cut!r}") from error
    train, test = written(file, cut_s, out)
    click.echo(f"{out}: {train:,} rows of train, {test:,} of test")


if __name__ == "__main__":
    main()
