"""`baliza responses` as a marketer types it."""

from datetime import timedelta

import msgspec
import pytest
from click.testing import CliRunner, Result

from baliza.cli import cli
from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History
from tests.personalizer.feedback.told import START, bought, decide, offered, tell, told

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]


def run(settings: Settings, *words: str) -> Result:
    urls = {"BALIZA_REDIS_URL": settings.redis_url, "BALIZA_CLICKHOUSE_URL": settings.clickhouse_url}
    return CliRunner().invoke(cli, ["responses", *words], env=urls)


def test_shows_a_table_with_rates_intervals_and_money(settings: Settings, demo_site: Site, history: History) -> None:
    decide(history, *(offered(f"d-{n}", "bulb rug", placement="cart" if n % 2 else "home") for n in range(20)))
    tell(history, *(told("offer_shown", f"d-{n}", "bulb rug") for n in range(20)))
    tell(history, told("offer_clicked", "d-1", "bulb"), bought("o-1", [("bulb", "1234.5", 1)], START + timedelta(hours=1)))
    output = run(settings, "--site", "demo", "--since", "30d").output
    assert "demo: responses to offers" in output
    rows = [line.split() for line in output.splitlines() if line.startswith("│")]
    (cart,) = [row for row in rows if "cart" in row]
    assert "5.00%" in cart
    assert "1,234.50" in cart
    assert "40" in rows[-1]  # the total


def test_tells_machines_the_same(settings: Settings, demo_site: Site, history: History) -> None:
    decide(history, offered("d-1", "bulb"))
    (line,) = run(settings, "--json").output.splitlines()
    found = msgspec.json.decode(line)
    assert (found["site"], found["responses"][0]["decided"], found["total"]["rate"]) == ("demo", 1, None)


def test_says_so_when_there_is_nothing(settings: Settings, demo_site: Site, history: History) -> None:
    assert "nothing was offered" in run(settings).output
    assert "nothing was offered" in run(settings, "--since", "1h").output


def test_an_unknown_site_is_told(settings: Settings, demo_site: Site, history: History) -> None:
    result = run(settings, "--site", "shop")
    assert "there is no site named 'shop'" in str(result.exception)
