"""One row of a feed, checked: from attributes as shops write them to the fields of an item. Pure.

Names and forms are those of Google's product data; those that are ours say what no such feed says (docs/catalogue.md).
"""

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Final

from baliza.errors import BadRequest
from personalizer.catalogue.item import LEVELS
from personalizer.learning.history import shop_address
from personalizer.models.goods import KINDS
from schema.currencies import CURRENCIES
from schema.events import MAX_MONEY, to_micros

__all__ = ["ALIASES", "ATTRIBUTES", "BadRow", "CheckedRow", "attribute_name", "checked_row", "row_id"]

MAX_ID: Final = 100
MAX_TEXT: Final = 300
MAX_URL: Final = 2048
MAX_PLACEMENTS: Final = 50
SHOWN: Final = 80  # characters of a bad value that a message repeats

PLACEMENT: Final = re.compile(r"[a-z0-9-]{1,50}")
MONEY: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([A-Za-z]{3})?")
SHARE: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%")
DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
BLANKS: Final = re.compile(r"[\s\x00-\x1f\x7f\u200b\ufeff]+")
OTHER_THAN_LETTERS: Final = re.compile(r"[^a-z]+")

# How shops write it (schema.org's addresses and words of old feeds included), letters only.
AVAILABILITY_WORDS: Final[Mapping[str, str]] = {
    "instock": "in_stock",
    "outofstock": "out_of_stock",
    "preorder": "preorder",
    "backorder": "backorder",
    "availablefororder": "in_stock",
    "limitedavailability": "in_stock",
    "onlineonly": "in_stock",
    "instoreonly": "out_of_stock",
    "soldout": "out_of_stock",
    "discontinued": "out_of_stock",
    "presale": "preorder",
}
YES: Final = frozenset({"yes", "true", "1"})
NO: Final = frozenset({"no", "false", "0"})
# What some shops call an attribute that has another name here.
ALIASES: Final[Mapping[str, str]] = {
    "item_id": "id",
    "name": "title",
    "item_name": "title",
    "url": "link",
    "image": "image_link",
    "category": "product_type",
    "item_category": "product_type",
    "item_brand": "brand",
    "cost": "cost_of_goods_sold",
    "expires_at": "expiration_date",
    "variant_of": "item_group_id",
}


class BadRow(BadRequest):
    """One row cannot be taken; the message names the attribute."""


@dataclass(frozen=True)
class CheckedRow:
    """An item's id, and what was said: fields of CatalogueItem, None for what the row takes back."""

    item_id: str
    said: Mapping[str, object]


def attribute_name(heading: str) -> str:
    """The attribute that a column or an element means: "g:image_link", "Image link" and "Image [image_link]" are one."""
    name = heading.strip().strip("\ufeff").lower()
    if name.endswith("]") and "[" in name:
        name = name[name.rindex("[") + 1 : -1]
    name = re.sub(r"[\s-]+", "_", name.rpartition(":")[2].strip())
    return ALIASES.get(name, name)


def row_id(values: Mapping[str, object]) -> str:
    """The id of a row. BadRow when there is none that can be used."""
    given = values.get("id")
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    if given is None or (isinstance(given, str) and not given.strip()):
        raise BadRow("id: expected the item's id, got nothing")
    if not isinstance(given, str):
        raise BadRow(f"id: expected text, got {_shown(given)}")
    given = given.strip()
    if len(given) > MAX_ID:
        raise BadRow(f"id: expected 1 to {MAX_ID} characters, got {len(given)}")
    if not given.isprintable():
        raise BadRow(f"id: expected printable characters, got {_shown(given)}")
    return given


def checked_row(values: Mapping[str, object], zone: tzinfo) -> CheckedRow:
    """Check one row. values: by attribute name, text or JSON; empty text says nothing, None takes back.

    zone: of dates without one. Raises BadRow, which tells the first thing that is wrong.
    """
    item_id = row_id(values)
    said: dict[str, object] = {}
    for name, (field, read) in ATTRIBUTES.items():
        if name not in values:
            continue
        value = values[name]
        if value is None:
            said[field] = None
        elif not (isinstance(value, str) and not value.strip()):
            said[field] = _read(name, read, value, zone)
    _add_categories(said, values)
    _add_money(said, values)
    _add_sale_dates(said, values, zone)
    _read_for_form(values, zone)
    return CheckedRow(item_id, said)


def _read(name: str, read: "Reader", value: object, zone: tzinfo) -> object:
    try:
        return read(value, zone)
    except (ValueError, OverflowError) as error:
        raise BadRow(f"{name}: {error}") from None


Reader = Callable[[object, tzinfo], object]


def _text(value: object, _zone: tzinfo, most: int = MAX_TEXT) -> str | None:
    """One line of text; shops that escape twice mean what was escaped. What is longer is cut."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"expected text, got {_shown(value)}")
    text = str(value)
    return BLANKS.sub(" ", html.unescape(text) if "&" in text else text).strip()[:most].rstrip() or None


def _group(value: object, zone: tzinfo) -> str | None:
    text = _text(value, zone, MAX_ID + 1)
    if text and len(text) > MAX_ID:
        raise ValueError(f"expected at most {MAX_ID} characters, got more")
    return text


def _address(value: object, _zone: tzinfo) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if len(text) > MAX_URL:
        raise ValueError(f"expected at most {MAX_URL} characters, got {len(text)}")
    address = "" if BLANKS.search(text) else shop_address(html.unescape(text))
    if not address:
        raise ValueError(f"expected an address such as https://shop.example/p/lamp, got {_shown(value)}")
    return address


def _availability(value: object, _zone: tzinfo) -> str:
    word = OTHER_THAN_LETTERS.sub("", value.lower().rpartition("schema.org/")[2]) if isinstance(value, str) else ""
    if word not in AVAILABILITY_WORDS:
        raise ValueError(f"expected in_stock, out_of_stock, preorder or backorder, got {_shown(value)}")
    return AVAILABILITY_WORDS[word]


def _one_of(words: tuple[str, ...], value: object, _zone: tzinfo) -> str:
    word = value.strip().lower() if isinstance(value, str) else ""
    if word not in words:
        raise ValueError(f"expected {', '.join(words[:-1])} or {words[-1]}, got {_shown(value)}")
    return word


def _yes_or_no(value: object, _zone: tzinfo) -> bool:
    word = str(value).strip().lower()
    if word not in YES | NO:
        raise ValueError(f"expected yes or no, got {_shown(value)}")
    return word in YES


def _placements(value: object, _zone: tzinfo) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or len(names) > MAX_PLACEMENTS:
        raise ValueError(f"expected at most {MAX_PLACEMENTS} names of placements, with commas between, got {_shown(value)}")
    found = [name.strip() if isinstance(name, str) else name for name in names]
    for name in found:
        if not isinstance(name, str) or not PLACEMENT.fullmatch(name):
            raise ValueError(f"expected names of a-z, 0-9 and hyphen, got {_shown(name)}")
    return tuple(dict.fromkeys(found))


def _instant(value: object, zone: tzinfo, of_day: time) -> int:
    """Milliseconds of the epoch. A date alone means `of_day` of it; a time without an offset is the shop's."""
    text = value.strip() if isinstance(value, str) else ""
    try:
        if DATE.fullmatch(text):
            instant = datetime.combine(datetime.fromisoformat(text), of_day)
        else:
            instant = datetime.fromisoformat(text)
    except ValueError:
        expected = "a date such as 2026-11-30 or an instant such as 2026-11-30T23:59:00+01:00"
        raise ValueError(f"expected {expected}, got {_shown(value)}") from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=zone)
    return int(instant.astimezone(UTC).timestamp() * 1000)


FIRST_MOMENT: Final = time(0, 0)
LAST_MOMENT: Final = time(23, 59, 59)

# Attribute → field of CatalogueItem, and how its value is read. Money, categories and sale dates need more than one.
ATTRIBUTES: Final[Mapping[str, tuple[str, Reader]]] = {
    "title": ("name", _text),
    "link": ("url", _address),
    "image_link": ("image", _address),
    "availability": ("availability", _availability),
    "brand": ("brand", _text),
    "item_group_id": ("variant_of", _group),
    "kind": ("kind", partial(_one_of, KINDS)),
    "consumable": ("consumable", _yes_or_no),
    "placements": ("placements", _placements),
    "excluded_placements": ("excluded_placements", _placements),
    "expiration_date": ("expires_ms", partial(_instant, of_day=LAST_MOMENT)),
    "added_at": ("added_ms", partial(_instant, of_day=FIRST_MOMENT)),
}
# Read by what follows.
OTHERS: Final = (
    "id", "product_type", "google_product_category", "price", "sale_price", "sale_price_effective_date", "currency",
    "cost_of_goods_sold", "margin", "availability_date",
)  # fmt: skip


def _add_categories(said: dict[str, object], values: Mapping[str, object]) -> None:
    """The shop's own shelf; else Google's where it is told in words."""
    for name in ("product_type", "google_product_category"):
        value = values.get(name)
        if isinstance(value, list) and value:
            value = value[0]
        text = _read(name, _text, value, UTC) if value is not None and value != "" else None
        if isinstance(text, str) and not text.isdigit():
            levels = [level.strip() for level in text.split(">") if level.strip()]
            if levels:
                said["categories"] = LEVELS.join(levels)
                return
        if name in values and values[name] is None:
            said.setdefault("categories", None)


@dataclass(frozen=True)
class _Amount:
    micros: int
    currency: str


def _add_money(said: dict[str, object], values: Mapping[str, object]) -> None:
    amounts = {name: _amount(name, values) for name in ("price", "sale_price", "cost_of_goods_sold")}
    given = {name: amount for name, amount in amounts.items() if amount is not None}
    currencies = {amount.currency for amount in given.values()}
    if len(currencies) > 1:
        raise BadRow(f"price: expected one currency in a row, got {' and '.join(sorted(currencies))}")
    for name, field in (
        ("price", "price_micros"),
        ("sale_price", "sale_price_micros"),
        ("cost_of_goods_sold", "cost_micros"),
    ):
        if name in values and values[name] is None:
            said[field] = None
        elif name in given:
            said[field] = given[name].micros
    if currencies:
        said["currency"] = currencies.pop()
    price, sale = given.get("price"), given.get("sale_price")
    if price and sale and sale.micros >= price.micros:
        said["sale_price_micros"] = None  # feeds repeat the price where there is no sale
    _add_margin(said, values, price)


def _add_margin(said: dict[str, object], values: Mapping[str, object], price: _Amount | None) -> None:
    """Cost is what is kept: it stays what it is when the price falls."""
    value = values.get("margin")
    if value is None or value == "":
        return
    if price is None:
        raise BadRow("margin: expected a price in the same row, because the cost is what remains of it")
    share = SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
    if share:
        margin = to_micros(Decimal(price.micros) / 1_000_000 * Decimal(share[1]) / 100)
    else:
        amount = _amount("margin", {"currency": price.currency, **values})
        if amount is None or amount.currency != price.currency:
            raise BadRow(f"margin: expected the price's currency, {price.currency}, got {_shown(value)}")
        margin = amount.micros
    if margin > price.micros:
        raise BadRow(f"margin: expected at most the price, got {_shown(value)}")
    said["cost_micros"] = price.micros - margin


def _amount(name: str, values: Mapping[str, object]) -> _Amount | None:
    """An amount with its currency, "39.90 EUR" or 39.90 with an attribute `currency`. None where nothing is said."""
    value = values.get(name)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    expected = "expected a number with a decimal point and a currency, such as 1299.00 EUR"
    match = MONEY.fullmatch(_plain(value).strip())
    if not match:
        raise BadRow(f"{name}: {expected}, got {_shown(value)}")
    currency = (match[2] or str(values.get("currency") or "")).strip().upper()
    if currency not in CURRENCIES:
        raise BadRow(f"{name}: {expected}, got {_shown(value)}{f' in {_shown(currency)}' if currency else ''}")
    amount = Decimal(match[1])
    if amount > MAX_MONEY:
        raise BadRow(f"{name}: expected at most {MAX_MONEY}, got {_shown(value)}")
    return _Amount(to_micros(amount), currency)


def _plain(value: object) -> str:
    """Numbers of JSON without an exponent."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        try:
            return f"{Decimal(value):f}"
        except InvalidOperation:
            return ""
    return value if isinstance(value, str) else ""


def _add_sale_dates(said: dict[str, object], values: Mapping[str, object], zone: tzinfo) -> None:
    value = values.get("sale_price_effective_date")
    if value is None or value == "":
        if "sale_price_effective_date" in values or "sale_price" in values:
            said |= {"sale_from_ms": None, "sale_until_ms": None}  # a sale without dates holds until further notice
        return
    begin, slash, end = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not slash:
        expected = "two instants with a slash between, such as 2026-11-27T00:00+0100/2026-11-30T23:59+0100"
        raise BadRow(f"sale_price_effective_date: expected {expected}, got {_shown(value)}")
    name = "sale_price_effective_date"
    begins = _read(name, partial(_instant, of_day=FIRST_MOMENT), begin, zone)
    ends = _read(name, partial(_instant, of_day=LAST_MOMENT), end, zone)
    assert isinstance(begins, int)
    assert isinstance(ends, int)
    if ends <= begins:
        raise BadRow(f"{name}: expected an end after the beginning, got {_shown(value)}")
    said |= {"sale_from_ms": begins, "sale_until_ms": ends}


def _read_for_form(values: Mapping[str, object], zone: tzinfo) -> None:
    """What is not kept, but would be a mistake of the feed worth telling."""
    value = values.get("availability_date")
    if value is not None and value != "":
        _read("availability_date", partial(_instant, of_day=LAST_MOMENT), value, zone)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
