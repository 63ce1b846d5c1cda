"""Batches as no one would think of them: sound ones, half-sound ones and broken ones, as hypothesis strategies."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

from hypothesis import strategies as st

from schema.events import EVENT_TYPES, NEEDS_ITEMS
from tests.support.collecting import START

NOW: Final = START + timedelta(minutes=1)  # the clock of tests.support.collecting.Shop


class Raw(str):
    """JSON, or what is none, that goes into the body as it stands."""

    __slots__ = ()


ODD: Final = [
    *map(Raw, ["null", "true", "0", "-1", "-0.0", "1.5", "1e400", "-1e400", "1e-400", "0e999999999", "9" * 40, "1e9"]),
    *map(Raw, ["1000000000.000001", "0.0000005", '"NaN"', '"-Infinity"', '"1e3"', '"5"', '"\\u0000"', '"a\\u0000b"']),
    *map(Raw, [r'"\ud800"', r'"\udc00\ud800x"', r'"\ud83d\ude00"', r'"\\ud800"', '"\x01"', '"\ud800"', '"\ufeff"']),
    *map(Raw, ["[]", "{}", "[null]", '{"a":{"b":[1]}}', "[" * 60 + "]" * 60, '{"a":' * 60 + "1" + "}" * 60]),
    *map(Raw, ["NaN", "nul", "01", '"', "[", "}", "'x'", "/* x */ 1", '"\\x"', '"\\u12"', ""]),
    "", " ", "x" * 51, "x" * 101, "ü" * 100, "😀" * 100, "x" * 301, "x" * 501, "x" * 2049, "<script>", "' OR 1=1 --",
    "eur", "EUR", "granted", "denied", "purchase", "product", "http://[::1", "javascript:alert(1)", "2026-11-21T10:00:00Z",
]  # fmt: skip
SOUND_TIMES: Final = [
    (NOW + timedelta(seconds=shift)).isoformat() for shift in (-1, 0, 0.123456, 200, -40, -3000, -86_400, -71 * 3600)
] + ["2026-11-21T12:00:04.5+02:00", "2026-11-20T20:00:59.999999-13:59"]
ODD_TIMES: Final = [
    (NOW + timedelta(hours=shift)).isoformat() for shift in (-73, 1, 24 * 400, -24 * 365 * 30)
] + [
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59",
    "1970-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T10:00:60Z", "2026-11-21", "10:00",
    "2026-11-21 10:00:00Z", "2026-11-21t10:00:00z", "2026-11-21T10:00:00.123456789123Z", "2026-11-21T10:00:00+24:00",
    "1999-12-31T23:59:59Z", "2000-01-01T00:00:00Z", "2038-01-19T03:14:08Z", "-2026-11-21T10:00:00Z",
]  # fmt: skip
PLACES: Final = [
    *"event_id type occurred_at page page.url page.title customer_id currency value transaction_id coupon shipping".split(),
    *"items items.item_id items.price items.quantity items.item_name items.discount items.index items.size content".split(),
    "tax",
    *"content.kind content.id response_code decision_id placement search_term consent properties properties.size".split(),
    "colour",
    "\x00",
]
HEAD: Final = ["key", "visitor", "sent_at", "user_agent", "events", "site"]
MANGLES: Final = ["cut", "junk", "UTF-16", "mark", "twice", "padded", "latin-1"]
SENDERS: Final[Mapping[str, Mapping[str, str]]] = {
    "browser": {"origin": "http://shop.test", "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"},
    "server": {"authorization": "Bearer sk_demo"},
    "stranger": {"authorization": "Bearer sk_nobody"},
    "foreign page": {"origin": "http://evil.test"},
    "opted out": {"sec-gpc": "1"},
    "cookie": {"cookie": "bz_v=cookie-{number}"},
    "nobody": {},
}


@dataclass(frozen=True)
class Sending:
    """One request. In body, target and headers `{number}` stands for what tells this example from the others."""

    sender: str
    body: str
    target: str = "/o"
    sound: bool = False  # nothing is wrong with it: all of it must be accepted

    @property
    def is_pixel(self) -> bool:
        return self.target != "/o"

    def bytes(self, number: int) -> bytes:
        return self.body.replace("{number}", str(number)).encode("utf-8", "surrogatepass")

    def headers(self, number: int) -> dict[str, str]:
        return {name: value.replace("{number}", str(number)) for name, value in SENDERS[self.sender].items()}


def wire(value: Any) -> str:
    """JSON, but Raw as it stands."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{wire(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(wire, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _event(kind: str, number: int, at: str, items: list[dict[str, Any]], more: dict[str, Any]) -> dict[str, Any]:
    made = {"event_id": f"e-{number}", "type": kind, "occurred_at": at} | more
    if items or kind in NEEDS_ITEMS:
        made["items"] = items or [{"item_id": "LAMP"}]
    if kind == "purchase":
        made["transaction_id"] = f"T-{{number}}-{number % 5}"
    if kind.startswith("faro"):
        made["content"] = {"kind": "ad", "id": f"a-{number}"}
    if kind == "consent":
        made.setdefault("consent", "granted")
    return made | {"currency": "EUR"}


ITEMS: Final = st.lists(
    st.fixed_dictionaries(
        {"item_id": st.sampled_from(["LAMP", "BÜRO", "😀", "x" * 100])},
        optional={
            "price": st.sampled_from([0, 39.9, "0.1", Raw("1E3"), Raw("0.00000049"), Raw("123456.789012345"), 99999999]),
            "quantity": st.sampled_from([0, 1, 2]),
            "item_category": st.sampled_from(["", "Light", "a/b"]),
            "size": st.sampled_from([Raw("null"), Raw('{"w":[1,{"h":2}]}'), "XL"]),
        },
    ),
    max_size=3,
)  # fmt: skip
MORE: Final = st.fixed_dictionaries(
    {},
    optional={
        "page": st.sampled_from(
            [{}, {"url": "http://shop.test/p?utm_source=a&utm_medium=b"}, {"url": "no url", "referrer": "http://[x"},
             {"url": "//\u2100.test/", "title": "\u202e" * 300}]
        ),
        "customer_id": st.sampled_from(["c-1", "c-2", "ü" * 100]),
        "value": st.sampled_from([0, 79.8, "1000000000", Raw("1e-7")]),
        "consent": st.sampled_from(["granted", "denied"]),
        "search_term": st.sampled_from(["", "lamp", "\n\t", "'; DROP TABLE events --"]),
        "properties": st.sampled_from([{}, {"a": True, "b": 1.5, "c": "x" * 500, "d": 2**53 + 1, "e": Raw("1e308")}]),
        "response_code": st.sampled_from(["R-1", "x" * 100]),
    },
)  # fmt: skip
SOUND_EVENTS: Final = st.builds(
    _event, st.sampled_from(EVENT_TYPES), st.integers(0, 25), st.sampled_from(SOUND_TIMES), ITEMS, MORE
)
CHANGES: Final = st.lists(
    st.tuples(st.sampled_from(PLACES), st.sampled_from(ODD) | st.sampled_from(ODD_TIMES)), min_size=1, max_size=2
)
NO_EVENTS: Final = st.sampled_from([*ODD, {}, {"event_id": "e-1"}, {"consent": "denied"}])


def _changed(event: dict[str, Any], changes: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(event)) if not _has_raw(event) else dict(event)
    for place, value in changes:
        inner, (*outer, last) = made, place.split(".")
        for name in outer:
            found = inner.get(name)
            child = dict(found[0]) if isinstance(found, list) and found else dict(found) if isinstance(found, dict) else {}
            inner[name] = [child] if name == "items" else child
            inner = child
        inner[last] = value
    return made


def _has_raw(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_raw, value.values()))
    return any(map(_has_raw, value)) if isinstance(value, list) else isinstance(value, Raw)


BROKEN_EVENTS: Final = st.builds(_changed, SOUND_EVENTS, CHANGES) | NO_EVENTS


def _body(events: list[Any], head: dict[str, Any]) -> str:
    return wire({"key": "pk_demo", "visitor": "v-{number}"} | head | {"events": events})


def _mangled(body: str, how: str, place: int) -> str:
    place = place % (len(body) + 1)
    return {
        "cut": body[:place],
        "junk": body[:place] + "\x00\ud800}" + body[place:],
        "UTF-16": body.encode("utf-16", "surrogatepass").decode("latin-1"),
        "mark": "\ufeff" + body,
        "twice": body + body,
        "padded": body + " " * 600_000,
        "latin-1": body.replace("lamp", "l\udce1mp"),
    }[how]


def _pixel(fields: dict[str, str]) -> Sending:
    query = "&".join(f"{name}={quote(value, errors='surrogatepass')}" for name, value in fields.items())
    return Sending("nobody", "", f"/o.gif?{query}")


SOUND: Final = st.builds(
    lambda events, sender: Sending(sender, _body(events, {}), sound=True),
    st.lists(SOUND_EVENTS, min_size=1, max_size=5), st.sampled_from(["browser", "server"]),
)  # fmt: skip
HALF_SOUND: Final = st.builds(
    lambda events, sender, head: Sending(sender, _body(events, head)),
    st.lists(SOUND_EVENTS | BROKEN_EVENTS, min_size=1, max_size=5),
    st.sampled_from(["browser", "browser", "server", "opted out"]),
    st.fixed_dictionaries({}, optional={"sent_at": st.sampled_from([*SOUND_TIMES, *ODD_TIMES])}),
)
BROKEN: Final = st.builds(
    lambda events, sender, head, how, place: Sending(sender, _mangled(_body(events, head), how, place)),
    st.lists(SOUND_EVENTS | BROKEN_EVENTS, max_size=3), st.sampled_from(sorted(SENDERS)),
    st.dictionaries(st.sampled_from(HEAD), st.sampled_from(ODD), max_size=2), st.sampled_from(MANGLES), st.integers(0, 5000),
)  # fmt: skip
ODD_HEADS: Final = st.builds(
    lambda events, sender, head: Sending(sender, _body(events, head)),
    st.lists(SOUND_EVENTS, max_size=3), st.sampled_from(sorted(SENDERS)),
    st.dictionaries(st.sampled_from(HEAD), st.sampled_from(ODD), min_size=1, max_size=2),
)  # fmt: skip
STRANGERS: Final = st.builds(
    lambda events, sender: Sending(sender, _body(events, {})),
    st.lists(SOUND_EVENTS, min_size=1, max_size=2),
    st.sampled_from(sorted(SENDERS.keys() - {"browser", "server"})),
)
PIXELS: Final = st.builds(
    _pixel,
    st.fixed_dictionaries(
        {"key": st.sampled_from(["pk_demo", "pk_demo", "pk_nobody"]), "visitor": st.just("v-{number}")},
        optional={
            name: st.sampled_from([str(each) for each in ODD])
            for name in ("event_id", "type", "url", "value", "currency", "item_id", "content", "occurred_at", "consent", "x")
        },
    ),
)
SENDINGS: Final = st.one_of(SOUND, SOUND, HALF_SOUND, HALF_SOUND, ODD_HEADS, STRANGERS, BROKEN, PIXELS)
