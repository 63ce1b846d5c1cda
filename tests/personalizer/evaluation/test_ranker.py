"""What models are asked and answer."""

from personalizer.evaluation.baselines import LastViewed
from personalizer.evaluation.ranker import Ranker
from personalizer.models.next_item import Ranked, Visit


def test_whatever_ranks_is_a_ranker() -> None:
    ranker: Ranker = LastViewed()
    found = ranker.rank(Visit.of([3]), 5, 0)
    assert isinstance(found, Ranked)
    assert found.items.tolist() == [3]
