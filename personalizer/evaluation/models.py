"""The models that can be evaluated, by name, each fitted on the train side of a split."""

import time
from collections.abc import Callable
from typing import Final

from personalizer.evaluation.baselines import BASELINES
from personalizer.evaluation.protocol import first_carts, play
from personalizer.evaluation.ranker import Ranker
from personalizer.evaluation.scores import SEED, Evaluated
from personalizer.evaluation.split import Split
from personalizer.learning.history import Progress
from personalizer.models.behaviour import VIEW
from personalizer.models.next_item import NextItem
from personalizer.models.next_item.compiled import warm

__all__ = ["MODELS", "OURS", "evaluated", "worth_playing"]

Fit = Callable[[Split, Progress], Ranker]


def _baseline(name: str) -> Fit:
    return lambda split, _progress: BASELINES[name](split.train, len(split.item_ids))


def _next_item(split: Split, progress: Progress) -> Ranker:
    n_items = len(split.item_ids)
    return NextItem.fit(split.train, n_items, split.category_of, seed=SEED, progress=progress)


OURS: Final = "baliza"
MODELS: Final[dict[str, Fit]] = {OURS: _next_item} | {name: _baseline(name) for name in BASELINES}


def worth_playing(split: Split) -> tuple[str, ...]:
    """All models but those that this train can teach nothing."""
    carts = bool((split.train.kinds != VIEW).any())
    return tuple(name for name in MODELS if carts or name != "bought-together")


def evaluated(name: str, split: Split, progress: Progress) -> Evaluated:
    """Fit one model on train and play test. Blocks. progress: told what is done, and how much of it, from 0 to 1."""
    if name == OURS:
        progress("compiling, or loading what was compiled", 0.0)
        warm()
    began, cpu = time.perf_counter(), time.process_time()
    ranker = MODELS[name](split, lambda step, done: progress(f"{name}: {step}", done))
    fit_s, fit_cpu_s = time.perf_counter() - began, time.process_time() - cpu
    clicks = play(ranker, split, progress=lambda done: progress(f"{name}: predicting", done))
    carts = play(ranker, split, first_carts)
    return Evaluated(name, *clicks, *carts, fit_s, fit_cpu_s, ranker, _about(split))


def _about(split: Split) -> dict[str, object]:
    return {
        "items": len(split.item_ids),
        "train_sessions": len(split.train),
        "train_events": len(split.train.items),
        "test_sessions": len(split.test),
        "test_events": len(split.test.items),
        "unknown_items": split.unknown_items,
        "unknown_events": split.unknown_rows,
    }
