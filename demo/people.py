"""Who comes to the demo shop: visitors with tastes, real browsers and a way that led them here. Pure."""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from demo.catalogue import CATEGORIES

__all__ = ["SHOP_URL", "Shopper", "Source", "new_shopper"]

SHOP_URL: Final = "http://127.0.0.1:8000/shop"

_CHROME: Final = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0"
_SAFARI: Final = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5"
_DESKTOPS: Final = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36 Edg/141.0.0.0",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_SAFARI} Safari/605.1.15",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_CHROME} Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0",
)
_PHONES: Final = (
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {_SAFARI} Mobile/15E148 Safari/604.1",
    f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME} Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 "
    "Chrome/125.0.0.0 Mobile Safari/537.36",
    f"Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) {_SAFARI} Mobile/15E148 Safari/604.1",
)
_BOTS: Final = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
)
_BOT_SHARE: Final = 0.03
_PHONE_SHARE: Final = 0.55
_CUSTOMER_SHARE: Final = 0.3


@dataclass(frozen=True)
class Source:
    """A way into the shop. The utm tags are empty for unpaid ways."""

    referrer: str
    utm: tuple[tuple[str, str], ...] = ()

    def tagged(self, url: str) -> str:
        """The landing address with the campaign's tags."""
        return f"{url}?{urlencode(self.utm)}" if self.utm else url


def _campaign(source: str, medium: str, campaign: str) -> tuple[tuple[str, str], ...]:
    return (("utm_source", source), ("utm_medium", medium), ("utm_campaign", campaign))


_SOURCES: Final[Sequence[tuple[int, Source]]] = (
    (30, Source("https://www.google.com/")),
    (22, Source("")),
    (14, Source("https://www.google.com/", _campaign("google", "cpc", "brand"))),
    (12, Source("", _campaign("newsletter", "email", "november"))),
    (10, Source("https://l.instagram.com/", _campaign("instagram", "social", "cosy_home"))),
    (7, Source("https://www.bing.com/")),
    (5, Source("https://lampblog.example/best-lamps", _campaign("lampblog", "affiliate", "best_lamps"))),
)


@dataclass(frozen=True)
class Shopper:
    """One visitor. `tastes` are category slugs; `eagerness` in 0..1 is how likely something looked at is taken."""

    visitor_id: str
    user_agent: str
    tastes: tuple[str, ...]
    source: Source
    customer_id: str | None
    eagerness: float
    is_bot: bool = False
    shop_url: str = SHOP_URL


def new_shopper(rng: random.Random, shop_url: str = SHOP_URL) -> Shopper:
    """Draw a shopper: one or two favourite categories, a device, a way in; 3 in 100 are robots."""
    is_bot = rng.random() < _BOT_SHARE
    slugs = [shelf.slug for shelf in CATEGORIES]
    source = rng.choices([source for _, source in _SOURCES], [weight for weight, _ in _SOURCES])[0]
    return Shopper(
        visitor_id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        user_agent=_agent(rng, is_bot),
        tastes=tuple(rng.sample(slugs, rng.choice((1, 1, 2)))),
        source=Source("") if is_bot else source,
        customer_id=f"c-{rng.getrandbits(48):012x}" if not is_bot and rng.random() < _CUSTOMER_SHARE else None,
        eagerness=rng.betavariate(1.2, 5),
        is_bot=is_bot,
        shop_url=shop_url,
    )


def _agent(rng: random.Random, is_bot: bool) -> str:
    if is_bot:
        return rng.choice(_BOTS)
    return rng.choice(_PHONES if rng.random() < _PHONE_SHARE else _DESKTOPS)
