"""What a user agent says about a visit: device, browser, operating system, and whether it is a bot and why.

Parsed at ingest, behind a cache: a shop sees a few thousand different user agents, millions of times.
"""

from functools import lru_cache
from typing import Final, NamedTuple

from crawleruseragents import is_crawler
from user_agents import parse

__all__ = ["AUTOMATED", "Agent", "agent_of"]

AUTOMATED: Final = "automated browser"

CACHED_AGENTS: Final = 100_000
# Junk of any length would keep the parsers' patterns busy for long; a real one says what it is in its first part.
PARSED_CHARACTERS: Final = 500
# Browsers driven by a program name themselves; the crawler list knows crawlers, not these.
AUTOMATION: Final = ("HeadlessChrome", "PhantomJS", "Electron", "puppeteer", "playwright", "selenium")


class Agent(NamedTuple):
    """`device` is phone, tablet, desktop, tv or other; `bot` the reason, empty for people."""

    device: str
    browser: str
    os: str
    bot: str


@lru_cache(maxsize=CACHED_AGENTS)
def agent_of(user_agent: str) -> Agent:
    """Classify one user agent string. About 1 ms when it is new, nothing when it was seen."""
    if not user_agent:
        return Agent("other", "", "", "no user agent")
    user_agent = user_agent[:PARSED_CHARACTERS]
    parsed = parse(user_agent)
    return Agent(_device(parsed), parsed.browser.family, parsed.os.family, _bot_reason(user_agent, parsed.is_bot))


def _device(parsed: object) -> str:
    for kind, mark in (("phone", "is_mobile"), ("tablet", "is_tablet"), ("desktop", "is_pc")):
        if getattr(parsed, mark):
            return kind
    family = getattr(parsed, "device").family  # noqa: B009 - the package is not typed
    return "tv" if "TV" in family else "other"


def _bot_reason(user_agent: str, named_bot: bool) -> str:
    if any(name in user_agent for name in AUTOMATION):
        return AUTOMATED
    return "crawler" if named_bot or is_crawler(user_agent) else ""
