"""Readiness to buy on public logs, by the code that learns from a shop's own history: `python -m loadtests.readiness`.

RetailRocket's eight days go through the same profiles, moments and judge as a shop's history. UCI's Online Shoppers have one
row a session and other columns, so only the learners are the same: five folds, without the column PageValues, which is
computed from the visit's own transactions. The logs lie in shared/data beside the repository: their licences keep them out.
"""

import argparse
import csv
import gzip
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from baliza.readiness.features import Features
from baliza.readiness.model import ReadinessFile, ReadinessModel
from loadtests.figures import table
from personalizer.readiness.learners import LEARNERS, Learner
from personalizer.readiness.learning import Judged, judge, learn, told_of
from personalizer.readiness.measures import auc
from personalizer.readiness.plot import reliability_svg
from personalizer.readiness.replay import Past
from personalizer.readiness.snapshots import Moments, Snapshots

__all__ = ["five_folds", "moments_of", "online_shoppers", "retailrocket", "score_us"]

IDLE_S: Final = 30 * 60
KINDS: Final = {"view": "view_item", "addtocart": "add_to_cart", "transaction": "purchase"}
LEFT_OUT: Final = ("PageValues", "Revenue")
WORDS: Final = ("Month", "VisitorType", "Weekend")
FOLDS: Final = 5
PICTURE: Final = Path(__file__).parent.parent / "docs" / "readiness-retailrocket.svg"
Floats = NDArray[np.float64]
Scorer = Callable[[Floats, Floats, Floats], Floats]


def shared(name: str) -> Path:
    """A file of shared/data in a folder above. FileNotFoundError when it is not there."""
    for folder in Path(__file__).resolve().parents:
        if (file := folder / "shared" / "data" / name).exists():
            return file
    raise FileNotFoundError(f"no shared/data/{name} beside the repository")


def retailrocket(file: Path) -> Iterator[Past]:
    """The log as a collector would have told it: visits cut at 30 minutes, an order empties the cart. It knows no prices."""
    with gzip.open(file, "rt") as opened:
        rows = sorted(
            (row["visitorid"], int(row["timestamp"]), row["event"], row["itemid"], row["categoryid"])
            for row in csv.DictReader(opened)
        )
    visitor, session, last, pieces = "", 0, 0, 0
    for who, at, kind, item, category in rows:
        if who != visitor or at - last > IDLE_S:
            session += 1
        if who != visitor or kind == "transaction":
            pieces = 0
        pieces += kind == "addtocart"
        visitor, last = who, at
        items = ((item, category),) if kind == "view" else ()
        yield Past(who, KINDS[kind], at * 1000, str(session), "", "", "", "", pieces, 0, items)


def moments_of(events: Sequence[Past]) -> Moments:
    """The moments of all sessions; those that were going on at the end of the log are over by then."""
    found = Snapshots(IDLE_S * 1000, 0)
    found.take(events)
    return found.finish(max(event.at_ms for event in events) + 1)


def online_shoppers(file: Path) -> tuple[Floats, Floats]:
    """Features (sessions, columns) and outcome; a word becomes a column for each of its values."""
    with gzip.open(file, "rt") as opened:
        rows = list(csv.DictReader(opened))
    columns = [[float(row[name]) for row in rows] for name in rows[0] if name not in (*WORDS, *LEFT_OUT)]
    for name in WORDS:
        columns += [[float(row[name] == value) for row in rows] for value in sorted({row[name] for row in rows})]
    return np.array(columns).T, np.array([float(row["Revenue"].lower() in ("true", "1")) for row in rows])


def five_folds(features: Floats, bought: Floats, seed: int = 0) -> dict[str, float]:
    """Mean AUC of each learner over five stratified folds, and of a plain logistic regression."""
    rng = np.random.default_rng(seed)
    fold = np.zeros(len(bought), int)
    for outcome in (0, 1):
        places = rng.permutation(np.flatnonzero(bought == outcome))
        fold[places] = np.arange(len(places)) % FOLDS
    even = np.ones(len(bought))
    scorers: dict[str, Scorer] = {kind: partial(_by_learner, fit) for kind, fit in LEARNERS.items()}
    scorers["plain logistic"] = _plain_logistic
    return {
        name: float(np.mean([
            auc(bought[fold == n], score(features[fold != n], bought[fold != n], features[fold == n]), even[fold == n])
            for n in range(FOLDS)
        ]))
        for name, score in scorers.items()
    }  # fmt: skip


def _by_learner(fit: Learner, features: Floats, bought: Floats, asked: Floats) -> Floats:
    return fit(features, bought, np.ones(len(bought))).log_odds(asked)


def _plain_logistic(features: Floats, bought: Floats, asked: Floats) -> Floats:
    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(features, bought)
    scores: Floats = fitted.decision_function(asked)
    return scores


def score_us(file: ReadinessFile, moments: Moments, scores: int = 20_000) -> float:
    """Processor time of one score in µs, in the mean over moments."""
    model = ReadinessModel.of_file(file)
    if model is None:
        raise ValueError(f"expected a model, got rules: {file.why}")
    seen = [Features(*row) for row in moments.features[:2000].tolist()]
    began = time.process_time()
    for n in range(scores):
        model.probability(seen[n % len(seen)])
    return (time.process_time() - began) / scores * 1e6


def _lines(judged: Judged) -> str:
    rows = [
        (name, f"{one.auc:.3f}", f"{one.log_loss:.4f}", f"{one.brier:.4f}", f"{one.ece:.4f}")
        for name, one in ((f"model ({judged.kind})", judged.model), ("rules", judged.rules))
    ]
    tenths = [
        (f"{one.weight:.0%}", f"{one.predicted:.2%}", f"{one.bought:.2%}", f"{one.low:.2%} to {one.high:.2%}")
        for one in judged.model.bins
    ]
    purposes = [(name, f"{one.share:.1%}", f"{one.bought:.2%}") for name, one in judged.purposes.items()]
    return "\n\n".join([
        table(("told by", "AUC", "log loss", "Brier", "ECE"), rows, right=range(1, 5)),
        f"AUC gain, 95 %: {judged.gap[0]:+.3f} to {judged.gap[1]:+.3f}",
        table(("of moments", "told", "bought", "95 %"), tenths, right=range(3)),
        table(("purpose", "of moments", "bought"), purposes, right=range(1, 3)),
    ])  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print Markdown, and draw the picture of docs/readiness.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of Markdown")
    parser.add_argument("--plot", type=Path, default=PICTURE, help="where the reliability diagram goes")
    given = parser.parse_args(arguments)
    began = time.process_time()
    moments = moments_of(list(retailrocket(shared("retailrocket-8d/events.csv.gz"))))
    read_s = time.process_time() - began
    judged = judge(moments)
    if judged is None:
        sys.exit("too few orders to measure by")
    file = learn(moments, {}, site="retailrocket", version="1", trained_at="")
    took: dict[str, Any] = {
        "read_cpu_s": round(read_s, 1), "learn_cpu_s": round(time.process_time() - began - read_s, 1),
        "score_us": round(score_us(file, moments), 1), "file_kb": round(len(msgspec.json.encode(file)) / 1000),
        "sessions": len(np.unique(moments.sessions)), "sessions_with_order": moments.buyers(), "moments": len(moments),
    }  # fmt: skip
    given.plot.write_text(
        reliability_svg("RetailRocket, last 1.6 of 8 days", [("model", judged.model), ("rules", judged.rules)])
    )
    shoppers = five_folds(*online_shoppers(shared("online-shoppers/online_shoppers_intention.csv.gz")))
    if given.json:
        print(json.dumps({"retailrocket": told_of(judged) | took, "online_shoppers": shoppers}))
        return
    print(f"## RetailRocket, 8 days\n\n{took}\n\n{_lines(judged)}\n\n## Online Shoppers, AUC over five folds\n")
    print(table(("learner", "AUC"), [(name, f"{area:.3f}") for name, area in shoppers.items()], right=range(1, 2)))


if __name__ == "__main__":
    main()
