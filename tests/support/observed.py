"""What the collector has taken, read from its live store: the streams, the profile, the secret key's answers."""

import json
import urllib.error
import urllib.request
from collections import Counter
from typing import Any

from playwright.sync_api import BrowserContext, Page

from baliza.sites import add_site
from baliza.stores import RedisClient
from schema import keys
from schema.events import Event
from schema.profile import LiveSession, VisitorProfile, decode_profile
from tests.support.collector import PARTITIONS, RunningCollector
from tracker.rows import opened

SITE, KEY = "live", "pk_live"
# The page's own word for what it recorded: each event as the beacon writes it, kept beside the beacon's queue.
TRUTH = """(() => {
  const stringify = JSON.stringify
  JSON.stringify = (value, ...more) => {
    if (value && value.event_id && value.type) try { localStorage['truth:' + value.event_id] = value.type } catch (full) {}
    return stringify(value, ...more)
  }
})()"""
TOLD = "Object.keys(localStorage).filter(name => name.startsWith('truth:')).map(name => name.slice(6))"
WAITING = "Object.keys(localStorage).filter(name => name.startsWith('bz:'))"


class Observed:
    """The events of one site in the streams of a collector that nobody empties."""

    def __init__(
        self, collector: RunningCollector, origins: list[str], site: str = SITE, *, require_consent: bool = False
    ) -> None:
        self._collector, self._site, self.key = collector, site, f"pk_{site}"
        self._redis: RedisClient = collector.redis
        add_site(
            self._redis,
            site,
            origins,
            publishable_key=self.key,
            secret_key=f"sk_{site}",
            require_consent=require_consent,
            count_automation=True,  # headless browsers say what they are; here they are people
        )
        self._secret = f"sk_{site}"
        self._read_to = dict.fromkeys(range(PARTITIONS), "-")
        self._events: list[tuple[str, Event]] = []

    def events(self, visitor: str | None = None) -> list[Event]:
        """What was taken, of one visitor or of all, in the order of the streams."""
        for partition, last in self._read_to.items():
            for entry_id, entry in self._redis.xrange(keys.events(partition), last):
                self._read_to[partition] = f"({entry_id.decode()}"
                rows = opened(entry)
                self._events += [(context.visitor_id, event) for event, _, context in rows if context.site == self._site]
        return [event for who, event in self._events if visitor in (None, who)]

    def ids(self, visitor: str | None = None) -> Counter[str]:
        return Counter(event.event_id for event in self.events(visitor))

    def terms(self, visitor: str | None = None) -> Counter[str]:
        """How often each search term was taken; tests make them unique."""
        return Counter(event.search_term for event in self.events(visitor) if event.search_term)

    def types(self, visitor: str | None = None) -> list[str]:
        return [event.type for event in self.events(visitor)]

    def visitors(self) -> set[str]:
        self.events()
        return {who for who, _ in self._events}

    def profile(self, visitor: str) -> VisitorProfile | None:
        stored = self._redis.get(keys.visitor(keys.partition_of(visitor, PARTITIONS), self._site, visitor))
        return decode_profile(stored) if stored else None

    def live_session(self, visitor: str) -> LiveSession:
        profile = self.profile(visitor)
        assert profile is not None, f"nothing of {visitor} arrived"
        assert profile.session is not None
        return profile.session

    def session(self, visitor: str) -> dict[str, Any]:
        """What the shop's server is told about the visitor's session."""
        asked = urllib.request.Request(
            f"{self._collector.url}/v1/sessions/current?visitor={visitor}",
            headers={"Authorization": f"Bearer {self._secret}"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            with error:
                return {"status": error.code}


def visitor_of(page: Page) -> str:
    found: str = page.evaluate("localStorage.bz_v")
    return found


def told_by(context: BrowserContext, address: str) -> set[str]:
    """The ids of everything that the pages of this browser recorded, read from a page that has no beacon."""
    page = context.new_page()
    page.goto(address)
    told: list[str] = page.evaluate(TOLD)
    page.close()
    return set(told)
