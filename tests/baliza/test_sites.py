"""The registry on a real live store."""

import signal
import threading
import time
from pathlib import Path

import pytest
from redis import Redis

from baliza import sites
from baliza.embedded.valkey import EmbeddedValkey
from baliza.errors import BadRequest, Conflict, NotFound, StoreDown
from baliza.sites import (
    CachedRegistry,
    Site,
    SiteRegistry,
    add_site,
    add_token,
    add_user,
    check_user,
    checked_origin,
    checked_timezone,
    load_sites,
    set_origins,
    site_of_token,
)
from baliza.stores import RedisClient
from schema import keys


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://Shop.Example", "https://shop.example"),
        ("HTTPS://shop.example/", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://señal.example", "https://xn--seal-hqa.example"),
        ("*", "*"),
    ],
)
def test_origins_are_kept_as_browsers_send_them(given: str, kept: str) -> None:
    assert checked_origin(given) == kept


@pytest.mark.parametrize(
    "origin",
    ["shop.example", "ftp://shop.example", "https://", "https://shop.example/p", "https://shop.example?a", "https://a b",
     "https://shop.example#x", "https://u:p@shop.example", "https://shop.example:port", "https://shop.example:99999",
     "https://*.shop.example", "https://[", "null", "", "https://shop.example, https://other.example"],
)  # fmt: skip
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(BadRequest, match="origin: expected https://host"):
        checked_origin(origin)


@pytest.mark.parametrize("name", ["Mars/Olympus", "Europe", "../etc/passwd", "/etc/localtime", "", "europe madrid"])
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match=r"time zone: expected a name such as Europe/Madrid or UTC, got "):
        checked_timezone(name)
    assert checked_timezone("Europe/Madrid") == "Europe/Madrid"


def test_a_site_allows_its_origins_only() -> None:
    site = Site("a", "pk", "digest", ("https://shop.example",))
    assert site.allows("https://shop.example")
    assert not site.allows("https://shop.example.evil.example")
    assert Site("a", "pk", "digest", ("*",)).allows("null")
    assert not Site("a", "pk", "digest").allows("")


@pytest.mark.redis
def test_a_site_is_found_by_name_and_by_either_key(redis_client: RedisClient) -> None:
    made, secret = add_site(redis_client, "lamps", ["https://lamps.example"], timezone="Europe/Madrid", require_consent=True)
    registry = load_sites(redis_client)
    assert registry.by_name["lamps"] == registry.by_key[made.publishable_key] == registry.with_secret(secret) == made
    assert (made.timezone, made.require_consent, made.origins) == ("Europe/Madrid", True, ("https://lamps.example",))
    assert secret.startswith("sk_")
    assert made.publishable_key.startswith("pk_")
    assert secret.encode() not in redis_client.hget(keys.SITES, "lamps")


@pytest.mark.redis
@pytest.mark.parametrize("name", ["", "Lamps", "-lamps", "la mps", "l" * 41, "lamps\n", "lámpara"])
def test_a_bad_name_is_refused(redis_client: RedisClient, name: str) -> None:
    with pytest.raises(BadRequest, match="site name: expected lower-case letters"):
        add_site(redis_client, name, ["*"])
    assert not redis_client.exists(keys.SITES)


@pytest.mark.redis
def test_a_taken_name_is_refused_and_its_keys_stay(redis_client: RedisClient) -> None:
    first, _ = add_site(redis_client, "lamps", ["*"])
    with pytest.raises(Conflict, match="'lamps' exists already"):
        add_site(redis_client, "lamps", ["*"])
    assert load_sites(redis_client).by_name["lamps"] == first


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []
    monkeypatch.setattr(sites.hmac, "compare_digest", lambda left, right: compared.append((left, right)) or left == right)
    registry = SiteRegistry.of([Site("a", "pk_a", sites.digest("sk_a"))])
    found = registry.with_secret("sk_a")
    assert found is not None
    assert found.name == "a"
    assert compared == [(sites.digest("sk_a"), sites.digest("sk_a"))]
    assert registry.with_secret("sk_b") is None
    assert registry.with_secret("") is None


@pytest.mark.redis
def test_origins_are_replaced(redis_client: RedisClient) -> None:
    add_site(redis_client, "lamps", ["https://old.example"])
    set_origins(redis_client, "lamps", ["https://New.example"])
    assert load_sites(redis_client).by_name["lamps"].origins == ("https://new.example",)
    with pytest.raises(BadRequest, match="origin"):
        set_origins(redis_client, "lamps", ["new.example"])
    with pytest.raises(NotFound, match="no site named 'desks'"):
        set_origins(redis_client, "desks", ["*"])


@pytest.mark.redis
def test_a_user_logs_in_with_the_password_only(redis_client: RedisClient, demo_site: Site) -> None:
    add_user(redis_client, "ana", "correct horse", ["demo"])
    found = check_user(redis_client, "ana", "correct horse")
    assert found is not None
    assert found.sites == ("demo",)
    assert found.password_hash.startswith("scrypt:")
    assert check_user(redis_client, "ana", "wrong horse") is None
    assert check_user(redis_client, "bea", "correct horse") is None
    add_user(redis_client, "ana", "another horse", ["demo"])
    assert check_user(redis_client, "ana", "correct horse") is None


@pytest.mark.redis
def test_a_user_who_cannot_be_is_refused(redis_client: RedisClient, demo_site: Site) -> None:
    with pytest.raises(NotFound, match="no site named 'desks'"):
        add_user(redis_client, "ana", "correct horse", ["demo", "desks"])
    with pytest.raises(BadRequest, match="password: expected at least 8 characters, got 5"):
        add_user(redis_client, "ana", "short", ["demo"])
    with pytest.raises(BadRequest, match="user name: expected"):
        add_user(redis_client, "", "correct horse", ["demo"])
    assert not redis_client.exists(keys.USERS)


@pytest.mark.redis
def test_a_token_reads_one_site_and_is_not_stored(redis_client: RedisClient, demo_site: Site) -> None:
    token = add_token(redis_client, "demo")
    assert site_of_token(redis_client, token) == "demo"
    assert site_of_token(redis_client, "tok_other") is None
    assert token.encode() not in b"".join(redis_client.hgetall(keys.TOKENS))
    with pytest.raises(NotFound, match="no site named 'desks'"):
        add_token(redis_client, "desks")


@pytest.mark.redis
def test_the_cached_registry_is_read_again_when_it_is_old(redis_client: RedisClient, demo_site: Site) -> None:
    now = [100.0]
    registry = CachedRegistry(redis_client, lambda: now[0], max_age_s=2.0)
    assert set(registry().by_name) == {"demo"}
    add_site(redis_client, "lamps", ["*"])
    now[0] += 1.9
    assert set(registry().by_name) == {"demo"}
    now[0] += 0.2
    assert set(registry().by_name) == {"demo", "lamps"}


@pytest.mark.redis
def test_the_old_registry_serves_while_the_store_is_away(tmp_path: Path) -> None:
    now, store = [100.0], EmbeddedValkey(tmp_path)
    store.start()
    with Redis.from_url(store.url) as client:
        add_site(client, "demo", ["*"])
        registry = CachedRegistry(client, lambda: now[0])
        registry()
        store.kill()
        now[0] += 10
        assert set(registry().by_name) == {"demo"}
        with pytest.raises(StoreDown, match="live store does not answer"):
            CachedRegistry(client, lambda: now[0])()


@pytest.mark.redis
def test_one_thread_waits_for_a_store_that_is_away_and_the_others_go_on(tmp_path: Path) -> None:
    now, store = [100.0], EmbeddedValkey(tmp_path)
    store.start()
    assert store.process is not None
    with Redis.from_url(store.url, socket_timeout=1, retry=None) as client:
        add_site(client, "demo", ["*"])
        registry = CachedRegistry(client, lambda: now[0])
        registry()
        store.process.send_signal(signal.SIGSTOP)
        now[0] += 10
        waiting = threading.Thread(target=registry)
        waiting.start()
        time.sleep(0.2)
        asked_at = time.monotonic()
        assert set(registry().by_name) == {"demo"}
        assert time.monotonic() - asked_at < 0.7, "the store is waited for for 1 s"
        waiting.join()
        store.process.send_signal(signal.SIGCONT)
    store.kill()
