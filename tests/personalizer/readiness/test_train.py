"""Learning from a real history, and when it is done again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from baliza.readiness.files import ReadinessShelf, current, read, save
from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History
from personalizer.readiness.train import refresh_readiness, train_readiness
from tests.personalizer.readiness.shoppers import DAY_MS, keep, visits

SITE = Site("demo", "pk_demo", "")
NOW = datetime.fromtimestamp(20_040 * DAY_MS / 1000, UTC)
SOME = {"days": 20, "wanting": 0.6, "since_ms": 20_010 * DAY_MS}

pytestmark = pytest.mark.clickhouse


def test_learns_and_lets_it_be_used(history: History, settings: Settings) -> None:
    keep(history, visits(850, **SOME))
    done: list[float] = []
    file = train_readiness(history, settings, SITE, NOW, done.append)
    assert (file.basis, file.site) == ("model", "demo")
    data = file.about["data"]
    assert (data["sessions"], data["share_of_visitors"]) == (850, 1)
    assert data["bought"] > 200
    assert data["moments"] > 2000
    model = ReadinessShelf(settings.model_dir, lambda: 0.0).get("demo")
    assert model is not None
    assert model.version == file.version
    assert done


def test_with_few_orders_the_rules_stay_and_the_history_is_not_read(history: History, settings: Settings) -> None:
    keep(history, visits(100, **SOME))
    file = train_readiness(history, settings, SITE, NOW)
    assert (file.basis, file.about["data"]["sessions"], file.about["data"]["moments"]) == ("rules", 100, 0)
    assert "200 sessions with an order" in file.why
    assert ReadinessShelf(settings.model_dir, lambda: 0.0).get("demo") is None


def test_is_learned_anew_when_it_is_time(history: History, settings: Settings) -> None:
    def learned(after: timedelta) -> bool:
        return refresh_readiness(history, settings, SITE, NOW + after) is not None

    assert learned(timedelta())
    assert not learned(timedelta(minutes=59))
    assert learned(timedelta(minutes=60))
    as_model(settings.model_dir, NOW)
    assert not learned(timedelta(hours=5, minutes=59))
    assert learned(timedelta(hours=6))


def as_model(model_dir: Path, trained_at: datetime, **given: object) -> None:
    version = current(model_dir, "demo")
    assert version is not None
    file = read(model_dir, "demo", version)
    file.basis, file.trained_at = "model", trained_at.isoformat()
    for name, value in given.items():
        setattr(file, name, value)
    save(model_dir, file)


def test_what_cannot_be_used_is_learned_at_once(history: History, settings: Settings) -> None:
    def learned() -> bool:
        return refresh_readiness(history, settings, SITE, NOW) is not None

    assert learned()
    as_model(settings.model_dir, NOW, features=["other"])
    assert learned()
    version = current(settings.model_dir, "demo")
    (settings.model_dir / "demo" / "readiness" / f"{version}.json").write_text("{")
    assert learned()
    assert not learned()
