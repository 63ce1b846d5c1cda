"""How the ranker tunes itself to a shop: on the end of its own history, and on nothing else. Pure.

The history is split by time. On its newest part the knobs are chosen and trees are checked; the trees learn from examples
before that, each made with a base that has not seen its session. What is not better than what is simpler is not used.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from personalizer.models.behaviour import Behaviour
from personalizer.models.next_item.base import Base, build_base
from personalizer.models.next_item.calibration import Calibration, calibrate, expected_error, probabilities, uncalibrated
from personalizer.models.next_item.evidence import Knobs
from personalizer.models.next_item.examples import Examples, Moments, examples, moments, places
from personalizer.models.next_item.features import CANDIDATES, FEATURES
from personalizer.models.next_item.trees import Trees, mean_of, new_bench, no_trees, of_dump, predict

__all__ = ["Learned", "learn"]

CHECKED: Final = 0.08  # share of the sessions, the newest, on which everything is checked
LEARNED_FROM: Final = 0.15  # share of the rest, its newest, that the trees learn from where that is enough
ENOUGH: Final = 15_000  # moments to learn from; with fewer, examples come from all sessions, by folds
FOLDS: Final = 5
ROLLED: Final = 0.5  # share, the newest, of a small log whose sessions are also examples with a base of what was before them
MOST_LEARNED: Final = 50_000  # moments
MOST_CHECKED: Final = 5_000
MOST_TUNED: Final = 1_500
LEAST_CHECKED: Final = 100  # moments; with fewer nothing can be told apart
SHARE: Final = 0.2  # of the candidates that were not next
CUTOFF: Final = 20  # the place up to which a hit counts

Progress = Callable[[str, float], None]
# What is tried for each knob, in this order, twice; all relative to what shops have in common, none known to fit one.
TRIED: Final[Mapping[str, tuple[float, ...]]] = {
    "place": (0.5, 1.0, 1.5, 2.0),
    "age": (0.0, 1.0, 2.5, 5.0),
    "distance": (0.25, 0.5, 1.0),
    "length": (0.25, 0.5, 1.0),
    "before": (0.4, 0.7, 1.0),
    "forward_all": (0.1, 0.3, 0.6, 1.0),
    "cosine_all": (0.1, 0.3, 0.6),
    "two_steps": (0.02, 0.05, 0.15),
    "seen": (0.4, 0.7, 1.0),
    "seen_last": (0.5, 1.0, 1.5),
    "cart": (0.5, 1.0, 2.0, 4.0),
    "purchase": (0.5, 1.0, 2.0, 4.0),
}


class Learned(NamedTuple):
    """What is expensive to learn, and stays good for a while."""

    knobs: Knobs
    trees: Trees
    calibration: Calibration
    about: dict[str, Any]


class Part(NamedTuple):
    """Sessions with a base that knows none of them, and the moments that count."""

    base: Base
    behaviour: Behaviour
    asked: Moments


def learn(
    behaviour: Behaviour, n_items: int, category_of: NDArray[np.int32] | None, seed: int, progress: Progress
) -> Learned:
    """Knobs, trees and calibration for a shop's trimmed behaviour; the defaults where there is too little of it."""

    def part(known: Behaviour, asked: Behaviour, most: int) -> Part:
        base = build_base(known, n_items, category_of, seed)
        return Part(base, asked, _answerable(base, asked).some(most, seed))

    cut = int(len(behaviour) * (1 - CHECKED))
    before, newest = behaviour.part(0, cut), behaviour.part(cut, len(behaviour))
    progress("indexing for the check", 0.02)
    check = part(before, newest, MOST_CHECKED)
    if len(check.asked.at) < LEAST_CHECKED:
        return Learned(Knobs(), no_trees(), uncalibrated(), {"checked_moments": len(check.asked.at), "ranked_by": "blend"})
    progress("tuning", 0.1)
    knobs = tuned(check._replace(asked=check.asked.some(MOST_TUNED, seed)))
    progress("making examples", 0.3)
    seen = examples(check.base, knobs, check.behaviour, check.asked, CANDIDATES, 1.0, seed)
    del check  # of a large shop two bases take more memory than all else
    made = _joined(
        [examples(one.base, knobs, one.behaviour, one.asked, CANDIDATES, SHARE, seed) for one in lessons(before, part, seed)]
    )
    progress("learning trees", 0.6)
    return _checked(knobs, made, seen, seed, progress)


def _answerable(base: Base, behaviour: Behaviour) -> Moments:
    """The moments at which something that the base knows came next; what nobody has met yet teaches nothing."""
    found = moments(behaviour)
    known = base.items.clicks[behaviour.items[found.at]] > 0
    return Moments(found.begin[known], found.at[known])


def tuned(part: Part) -> Knobs:
    """The knobs that rank best, by going through what is tried for each of them twice; kinds that never occur are left."""
    knobs, best = Knobs(), _worth(part, Knobs())
    kinds = set(np.unique(part.base.sessions.kinds).tolist())
    for _ in range(2):
        for name, values in TRIED.items():
            if (name == "cart" and 1 not in kinds) or (name == "purchase" and 2 not in kinds):
                continue
            for value in values:
                if value != getattr(knobs, name):
                    worth = _worth(part, changed := Knobs(**{**knobs._asdict(), name: value}))
                    if worth > best:
                        knobs, best = changed, worth
    return knobs


def _worth(part: Part, knobs: Knobs) -> float:
    """Hit rate and mean reciprocal rank of the list, and a little for being a candidate at all."""
    found = places(part.base, knobs, part.behaviour, part.asked, CANDIDATES)
    return sum(_quality(found)) + 0.2 * float((found < CANDIDATES).mean())


def _quality(found: NDArray[np.int32]) -> tuple[float, float]:
    """HR@20 and MRR@20 of places."""
    hit = found < CUTOFF
    return float(hit.mean()), float(np.where(hit, 1 / (found + 1.0), 0).mean())


def lessons(before: Behaviour, part: Callable[[Behaviour, Behaviour, int], Part], seed: int) -> Iterator[Part]:
    """What the trees learn from: the newest sessions where they are many, otherwise all, fold by fold."""
    cut = int(len(before) * (1 - LEARNED_FROM))
    newest = before.part(cut, len(before))
    if len(moments(newest).at) >= ENOUGH:
        yield part(before.part(0, cut), newest, MOST_LEARNED)
        return
    fold = np.random.default_rng(seed).integers(0, FOLDS, len(before))
    for number in range(FOLDS):
        yield part(before.chosen(fold != number), before.chosen(fold == number), MOST_LEARNED // FOLDS)
    # Folds know their own week; the same sessions with a base of what was before them are how it will be.
    edges = np.linspace(len(before) * (1 - ROLLED), len(before), FOLDS + 1).astype(int)
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        yield part(before.part(0, begin), before.part(begin, end), MOST_LEARNED // FOLDS)


def _joined(made: list[Examples]) -> Examples:
    return Examples(*(np.concatenate([one[column] for one in made]) for column in range(3)))


def _checked(knobs: Knobs, made: Examples, seen: Examples, seed: int, progress: Progress) -> Learned:
    """Trees if they rank the check better than the blend does, with the calibration of whichever it is."""
    blend = seen.rows[:, FEATURES.index("blend")]
    by_blend = np.log(np.maximum(blend, 1e-9)).astype(np.float32)
    trees = grown(made, seed)
    by_trees = np.empty(len(seen.rows), np.float32)
    predict(trees, seen.rows, new_bench(seen.rows.shape[1]), by_trees)
    blend_quality, trees_quality = _quality(found_places(by_blend, seen)), _quality(found_places(by_trees, seen))
    better = len(trees.leaves) > 0 and sum(trees_quality) > sum(blend_quality)
    scores = by_trees if better else by_blend
    about = {
        "checked_moments": len(seen.sizes), "learned_moments": int((made.sizes > 0).sum()), "knobs": knobs._asdict(),
        "blend": _named(blend_quality), "trees": _named(trees_quality), "ranked_by": "trees" if better else "blend",
        "candidates_hold_next": round(float(seen.was_next.sum()) / max(len(seen.sizes), 1), 4),
        "calibration_error": _held_out_error(scores, seen),
    }  # fmt: skip
    progress("learning trees from all", 0.8)
    final = grown(_joined([made, _thinned(seen, seed)]), seed) if better else no_trees()
    calibration = calibrate(scores, seen.was_next, seen.sizes)._replace(tail=_tail(seen))
    return Learned(knobs, final, calibration, about)


def _tail(seen: Examples) -> float:
    """How often what came next was a candidate of the last fifth, by candidate: what the places behind are worth at most."""
    last = seen.rows[:, FEATURES.index("place")] >= 0.8 * CANDIDATES
    return float(seen.was_next[last].mean()) if last.any() else 0.0


def _named(quality: tuple[float, float]) -> dict[str, float]:
    return {"hr@20": round(quality[0], 4), "mrr@20": round(quality[1], 4)}


def found_places(scores: NDArray[np.float32], seen: Examples) -> NDArray[np.int32]:
    """The place by score, from 0, of what came next at each moment; beyond all where it is no candidate."""
    found = np.full(len(seen.sizes), np.iinfo(np.int32).max - 1, np.int32)
    moment = np.repeat(np.arange(len(seen.sizes)), seen.sizes)
    order = np.lexsort((-scores, moment))
    starts = np.cumsum(seen.sizes) - seen.sizes
    hit = seen.was_next[order] > 0
    found[moment[order][hit]] = (np.arange(len(order)) - starts[moment[order]])[hit]
    return found


def _thinned(seen: Examples, seed: int) -> Examples:
    """The moments whose next item is a candidate, with a share of the others, as trees learn from."""
    moment = np.repeat(np.arange(len(seen.sizes)), seen.sizes)
    hit = np.zeros(len(seen.sizes), np.bool_)
    hit[moment[seen.was_next > 0]] = True
    drawn = np.random.default_rng(seed).random(len(moment)) < SHARE
    kept = hit[moment] & (drawn | (seen.was_next > 0))
    return Examples(seen.rows[kept], seen.was_next[kept], np.bincount(moment[kept], minlength=len(hit)).astype(np.int32))


def _held_out_error(scores: NDArray[np.float32], seen: Examples) -> float:
    """Expected calibration error of one half of the check under the calibration of the other."""
    half = np.arange(len(seen.sizes)) % 2 == 0
    rows = np.repeat(half, seen.sizes)
    fitted = calibrate(scores[rows], seen.was_next[rows], seen.sizes[half])
    found = probabilities(fitted, scores[~rows], seen.sizes[~half])
    return round(expected_error(found, seen.was_next[~rows]), 5)


def grown(made: Examples, seed: int) -> Trees:
    """Trees that rank what came next above the others (cross-entropy NDCG, Bruch 2021); none without examples."""
    import lightgbm  # serving has no use for it

    sizes = made.sizes[made.sizes > 0]
    if len(sizes) < LEAST_CHECKED:
        return no_trees()
    data = lightgbm.Dataset(made.rows, made.was_next, group=sizes, feature_name=list(FEATURES))
    growth = {**GROWTH, **(LARGER if len(sizes) >= ENOUGH else {})}
    forests = [lightgbm.train({**growth, "seed": seed + number}, data, TREES) for number in range(FORESTS)]
    return mean_of([of_dump(forest.dump_model()) for forest in forests])


TREES: Final = 100
# The loss draws weights by chance; the mean of two is steadier than one, and scoring trees is cheap.
FORESTS: Final = 2
# With many examples, more leaves that rest on more of them each.
LARGER: Final[Mapping[str, Any]] = {"num_leaves": 31, "min_data_in_leaf": 100, "lambda_l2": 20.0, "learning_rate": 0.08}
GROWTH: Final[Mapping[str, Any]] = {
    "objective": "rank_xendcg", "num_leaves": 15, "learning_rate": 0.1, "min_data_in_leaf": 20, "max_bin": 127,
    "num_threads": 1, "deterministic": True, "force_row_wise": True, "verbose": -1,
}  # fmt: skip
