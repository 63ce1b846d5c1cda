"""How values are written for people: money by currency, times in the site's zone, lengths, and what an event means. Pure."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from console.rows import SessionRow, StoryEvent
from console.strings import ENGLISH, counted, text

__all__ = ["clock", "day", "day_and_clock", "headline", "icon_of", "length", "money", "outcome", "safe_link", "share"]

SYMBOLS: Final[Mapping[str, str]] = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
WITHOUT_CENTS: Final = frozenset({"JPY", "KRW", "CLP", "VND", "ISK", "PYG", "UGX"})
ICONS: Final[Mapping[str, str]] = {
    "page_view": "page", "view_item": "eye", "view_item_list": "list", "select_item": "pointer", "search": "search",
    "add_to_cart": "cart", "remove_from_cart": "cart_out", "view_cart": "cart", "sync_cart": "cart",
    "begin_checkout": "card", "add_shipping_info": "truck", "add_payment_info": "card", "purchase": "check",
    "refund": "back", "view_promotion": "tag", "select_promotion": "tag", "login": "person", "sign_up": "person",
    "generate_lead": "person", "offer_shown": "tag", "offer_clicked": "tag", "offer_dismissed": "tag",
    "user_engagement": "eye",
}  # fmt: skip


def money(amount: str, currency: str) -> str:
    """ "1234.5" of EUR is €1,234.50; a currency without a sign of its own stands before the number by its code."""
    value = Decimal(amount)
    digits = f"{value:,.0f}" if currency in WITHOUT_CENTS else f"{value:,.2f}"
    sign = SYMBOLS.get(currency)
    return f"{sign}{digits}" if sign else f"{currency} {digits}".strip()


def clock(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%H:%M}"


def day(moment: datetime, zone: ZoneInfo) -> str:
    """As "Sat 21 Nov"."""
    local = moment.astimezone(zone)
    return f"{ENGLISH['days'].split()[local.weekday()]} {local.day} {ENGLISH['months'].split()[local.month - 1]}"


def day_and_clock(moment: datetime, zone: ZoneInfo) -> str:
    """As "Sat 21 Nov 2026, 13:04"."""
    local = moment.astimezone(zone)
    return f"{day(moment, zone)} {local.year}, {local:%H:%M}"


def length(seconds: int) -> str:
    """As "45 s", "12 min", "1 h 05 min" or "2 d 3 h"."""
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 86_400:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"
    return f"{seconds // 86_400} d {seconds % 86_400 // 3600} h"


def share(part: int, whole: int) -> str:
    """As "12.5 %"; nothing of nothing is 0 %."""
    percent = 100 * part / whole if whole else 0
    return f"{percent:.1f} %" if 0 < percent < 99.95 else f"{percent:.0f} %"


def outcome(row: SessionRow) -> str:
    """What the session came to: the kind that names its badge."""
    if row.bot:
        return "bot"
    if row.purchases:
        return "bought"
    if row.abandoned:
        return "abandoned"
    return "cart" if row.cart_pieces else "browsed"


def icon_of(event: StoryEvent) -> str:
    return ICONS.get(event.type, "spark")


def headline(event: StoryEvent) -> str:
    """The event as a sentence. A type that has none is shown by its name."""
    sentence = ENGLISH.get(f"event.{event.type}")
    if sentence is None:
        return event.type
    content = " ".join(part for part in (event.content_kind, event.content_id) if part) or event.response_code
    written = text(
        f"event.{event.type}", items=_items(event), term=event.search_term, content=content, consent=event.consent
    )
    return written.rstrip(": ")


def safe_link(url: str) -> str:
    """The address if following it cannot run anything (http or https), else ""."""
    try:
        return url if urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""


def _items(event: StoryEvent) -> str:
    if not event.items:
        return event.content_id
    names = [item.name or item.item_id for item in event.items]
    shown = ", ".join(names[:2])
    return f"{shown} {counted('more', len(names) - 2)}" if len(names) > 2 else shown
