"""site, user and token on the command line, against a live store given by its URL."""

import pytest
from click.testing import CliRunner, Result

from baliza import sites
from baliza.cli import cli
from baliza.errors import BadRequest, BalizaError, NotFound, StoreDown
from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import RedisClient

pytestmark = pytest.mark.redis


@pytest.fixture(autouse=True)
def _environment(settings: Settings, redis_client: RedisClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALIZA_REDIS_URL", settings.redis_url)
    monkeypatch.setenv("BALIZA_DATA_DIR", str(settings.data_dir))


def run(*words: str, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, list(words), input=given)


def refused(*words: str) -> BalizaError:
    result = run(*words)
    assert isinstance(result.exception, BalizaError), result.output
    return result.exception


def test_adds_a_site_that_works(redis_client: RedisClient) -> None:
    result = run(
        "site", "add", "lamps", "--origin", "https://Lamps.example", "--timezone", "Europe/Madrid", "--require-consent"
    )
    assert result.exit_code == 0
    words = result.output.split()
    made = sites.load_sites(redis_client).with_secret(words[words.index("secret") + 2])
    assert made is not None
    assert (made.name, made.origins, made.timezone) == ("lamps", ("https://lamps.example",), "Europe/Madrid")
    assert made.require_consent
    assert made.publishable_key in words


def test_a_site_needs_no_agreement_on_partitions(redis_client: RedisClient) -> None:
    """The store of these tests has 8; the command, run elsewhere, believes in 64."""
    assert run("site", "add", "lamps", "--origin", "*").exit_code == 0
    assert redis_client.hget("baliza:installed", "partitions") == b"8"


def test_a_site_says_and_sets_how_offers_are_chosen(demo_site: Site, redis_client: RedisClient) -> None:
    assert run("site", "offers", "demo").output == "demo: value 0.3, explore 0.05, cap 10\n"
    changed = run("site", "offers", "demo", "--value", "1", "--explore", "0", "--cap", "3")
    assert changed.output == "demo: value 1, explore 0, cap 3\n"
    made = sites.load_sites(redis_client).by_name["demo"]
    assert (made.offer_value, made.offer_explore, made.offer_cap) == (1.0, 0.0, 3)
    assert str(refused("site", "offers", "demo", "--cap", "-1")) == "offer_cap: expected a number from 0 to 1000, got -1"
    assert "0 to 0.3" in str(refused("site", "offers", "demo", "--explore", "0.4"))


def test_refuses_what_is_wrong(demo_site: Site) -> None:
    assert "time zone" in str(refused("site", "add", "lamps", "--origin", "*", "--timezone", "Mars"))
    assert "origin" in str(refused("site", "add", "lamps", "--origin", "lamps.example"))
    assert "exists already" in str(refused("site", "add", "demo", "--origin", "*"))
    assert isinstance(refused("site", "origins", "lamps", "*"), NotFound)
    assert isinstance(refused("token", "add", "--site", "lamps"), NotFound)
    assert isinstance(refused("user", "add", "ana", "--site", "lamps", "--password", "long enough"), NotFound)
    assert isinstance(refused("user", "add", "ana", "--site", "demo", "--password", "short"), BadRequest)


def test_lists_sites_or_says_how_to_make_one() -> None:
    assert "no sites yet; `baliza site add NAME" in run("site", "list").output
    run("site", "add", "lamps", "--origin", "https://lamps.example")
    listed = run("site", "list").output
    assert "lamps" in listed
    assert "https://lamps.example" in listed
    assert "sk_" not in listed


def test_sets_origins_and_says_what_is_kept(redis_client: RedisClient, demo_site: Site) -> None:
    assert run("site", "origins", "demo", "https://A.example", "http://b.example:80").output == (
        "demo: https://a.example http://b.example\n"
    )
    assert sites.load_sites(redis_client).by_name["demo"].origins == ("https://a.example", "http://b.example")


def test_adds_a_user_asking_for_the_password(redis_client: RedisClient, demo_site: Site) -> None:
    result = run("user", "add", "ana", "--site", "demo", given="correct horse\ncorrect horse\n")
    assert result.output.endswith("user ana sees demo\n")
    assert "correct horse" not in result.output
    assert sites.check_user(redis_client, "ana", "correct horse")


def test_adds_a_token(redis_client: RedisClient, demo_site: Site) -> None:
    token = run("token", "add", "--site", "demo").output.strip()
    assert sites.site_of_token(redis_client, token) == "demo"


def test_a_store_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALIZA_REDIS_URL", "redis://127.0.0.1:1/0")
    for words in (["site", "list"], ["site", "add", "lamps", "--origin", "*"], ["token", "add", "--site", "demo"]):
        assert isinstance(refused(*words), StoreDown)
