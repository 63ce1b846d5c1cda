import io
import json

import pytest

from loadtests import cataloguing
from personalizer.catalogue.feeds import opened, rows_of


def test_makes_feeds_in_which_only_so_many_items_changed() -> None:
    first, second = (
        {row.values["id"]: row.values for row in rows_of(opened(io.BytesIO("".join(lines).encode()), 10**9), "rss")}
        for lines in (cataloguing.feed_lines(50), cataloguing.feed_lines(50, 5))
    )
    assert len(first) == 50
    assert [item_id for item_id in first if first[item_id] != second[item_id]] == [f"SKU-{n:07d}" for n in range(5)]


@pytest.mark.redis
def test_measures_all_steps(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["cataloguing", "--items", "300"])
    cataloguing.main()
    found = json.loads(capsys.readouterr().out)
    assert found["items"] == 300
    for step in ("first", "again", "hundredth"):
        assert found[f"{step}_s"] >= 0
        assert found[f"{step}_peak_mib"] > 10
    assert found["look_after_change_ms"] > 0
