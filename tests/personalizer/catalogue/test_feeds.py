import gzip
import io
import random
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baliza.errors import BalizaError, TooLarge
from personalizer.catalogue.feeds import FORMATS, BrokenFeed, FeedFormat, RawRow, opened, rows_of, sniffed
from personalizer.catalogue.item import CatalogueItem, merged_item
from personalizer.catalogue.rows import BadRow, checked_row
from tests.personalizer.catalogue.feeds_as_shops_write_them import CSV, EVERY, RSS, TSV

MOST = 64 * 1024 * 1024
UTC = ZoneInfo("UTC")


def read(feed: str | bytes, kind: FeedFormat | None = None, most: int = MOST) -> list[RawRow]:
    stream = opened(io.BytesIO(feed.encode() if isinstance(feed, str) else feed), most)
    return list(rows_of(stream, kind or sniffed(stream)))


def items(rows: list[RawRow]) -> dict[str, CatalogueItem]:
    checked = [checked_row(row.values, UTC) for row in rows]
    return {row.item_id: merged_item(None, row.said) for row in checked}


def broken(feed: str | bytes, kind: FeedFormat | None = None) -> str:
    with pytest.raises(BrokenFeed) as error:
        read(feed, kind)
    return str(error.value)


THREE = {
    "LAMP-1": CatalogueItem(
        name='Table lamp "Duna" & shade', url="https://shop.example/p/LAMP-1?a=1&b=2", image="https://shop.example/LAMP-1.jpg",
        currency="EUR", price_micros=39_900_000, sale_price_micros=29_900_000, availability="in_stock",
        categories="Light > Table lamps", variant_of="LAMP",
    ),
    "LAMP-2": CatalogueItem(
        name="Lámpara é", url="https://shop.example/p/LAMP-2", currency="EUR", price_micros=119_000_000,
        availability="out_of_stock", variant_of="LAMP",
    ),
    "BEANS-1": CatalogueItem(name="Beans", currency="EUR", price_micros=12_000_000, consumable=True),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_tells_the_same(kind: FeedFormat) -> None:
    assert items(read(EVERY[kind], kind)) == THREE


@pytest.mark.parametrize("kind", FORMATS)
def test_the_format_is_seen_and_so_is_gzip(kind: FeedFormat) -> None:
    assert items(read(EVERY[kind])) == THREE
    assert items(read(gzip.compress(EVERY[kind].encode()))) == THREE


@pytest.mark.parametrize("kind", ["tsv", "csv", "rss"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_of_byte_order_do_no_harm(kind: FeedFormat, encoding: str) -> None:
    feed = EVERY[kind].removeprefix("\ufeff").replace("UTF-8", "UTF-16" if encoding == "utf-16" else "UTF-8")
    assert items(read(feed.encode(encoding))) == THREE


def test_a_row_says_in_which_line_it_begins() -> None:
    assert [row.line for row in read(TSV)] == [2, 4, 6]
    assert [row.line for row in read(CSV)] == [2, 3, 4]
    assert [row.line for row in read(RSS)] == [8, 23, 31]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_systems_end_them(end: str) -> None:
    assert [row.values["id"] for row in read(f"id\tprice{end}A\t1 EUR{end}B\t2 EUR", "tsv")] == ["A", "B"]


def test_old_latin_encodings_are_known_in_xml_and_refused_in_text() -> None:
    item = "<item><id>A</id><title>Café €</title></item>"
    feed = f'<?xml version="1.0" encoding="windows-1252"?><rss><channel>{item}</channel></rss>'
    assert read(feed.encode("windows-1252"))[0].values["title"] == "Café €"
    assert "UTF-8" in broken("id,title\nA,Café\n".encode("latin-1"), "csv")


def test_blank_lines_before_xml_do_no_harm_and_count() -> None:
    assert items(read(" \n\r\n" + RSS)) == THREE
    assert [row.line for row in read("\n\n" + RSS)] == [10, 25, 33]
    assert broken("\n\n<rss>\n</rsss>").startswith("line 4: ")


# --- rows that are bad, in files that are not


@pytest.mark.parametrize(
    ("row", "problem"),
    [('"Big" lamp,1', "quotation marks"), ("A,1,2", "expected 2 fields"), (",", "empty row")],
)
def test_a_bad_row_is_told_and_the_next_one_read(row: str, problem: str) -> None:
    rows = read(f"id,price\n{row}\nB,2 EUR\n")
    assert problem in rows[0].problem
    assert (rows[0].line, rows[0].values) == (2, {})
    assert (rows[1].line, rows[1].values["id"]) == (3, "B")


def test_a_bad_line_of_json_is_told_and_the_next_one_read() -> None:
    rows = read('{"id": "A"}\n{"id": \n[1]\n\n{"id": "B"}\n')
    assert [row.values.get("id") for row in rows] == ["A", None, None, "B"]
    assert [bool(row.problem) for row in rows] == [False, True, True, False]


def test_an_array_may_hold_what_is_no_item() -> None:
    rows = read('{"items": [{"id": "A"}, 7]}', "json")
    assert [row.problem for row in rows] == ["", "expected an object with an id, got int"]
    assert read('{"id": "A"}', "json")[0].values == {"id": "A"}


def test_the_first_of_columns_with_one_name_counts() -> None:
    (row,) = read("id,additional,additional,title\nA,,x,T\n")
    assert row.values == {"id": "A", "additional": "x", "title": "T"}


def test_a_field_that_is_huge_is_cut_in_xml() -> None:
    (row,) = read(f"<rss><channel><item><id>A</id><title>{'x' * 3_000_000}</title></item></channel></rss>")
    assert len(str(row.values["title"])) == 64 * 1024


# --- files that are broken


@pytest.mark.parametrize(
    ("feed", "told"),
    [
        ("", "empty"), ("\ufeff \n", "empty"), ("<html><body>Not found</body></html>", "<html>"), (RSS[:-20], "whole"),
        (RSS.replace("</g:id>", "", 1), "mismatched"), (RSS.replace("Beans", "Beans&nbsp;"), "undefined entity"),
        ("title,price\nA,1 EUR\n", "id"), ("just a sentence", "id"), ('id,title\nA,"Lamp\nB,Rug\n', "closes"), ("{", "JSON"),
        ('[{"id": 1}', "JSON"), (b"\x1f\x8b\x08nonsense", "compressed"),
        (gzip.compress(RSS.encode(), mtime=0)[:-30], "compressed"), ("<", "XML"),
        ('<?xml version="1.0" encoding="klingon"?><rss/>', "encoding"),
        ("id,title,price\nA,Lamp,1 EUR\nB,Ru", "cut off"), ("id\ttitle\tprice\r\nA\tLamp\t1 EUR\r\nB\tRug", "cut off"),
        ("id,title,price\nA,La", "cut off"), ('{"id": "A"}\n{"id": "B", "ti', "cut off"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_whole_with_a_reason(feed: str | bytes, told: str) -> None:
    assert told in broken(feed)


@pytest.mark.parametrize("feed", [
    "id,title,price\nA,Lamp,1 EUR\nB,Rug,2 EUR", "id,title,price\nA,Lamp\nB,Rug", "id,title,price\nA,Lamp,1 EUR\nB,Rug\n",
    "id,title,price\nA,Lamp,1 EUR\r\nB,Rug\r", '{"id": "A"}\n{"id": "B"}',
])  # fmt: skip
def test_a_file_may_end_without_a_line_break_or_with_a_short_row(feed: str) -> None:
    assert [(row.values.get("id"), row.problem) for row in read(feed)] == [("A", ""), ("B", "")]


@pytest.mark.parametrize("kind", FORMATS)
def test_wherever_a_file_is_cut_off_no_piece_of_a_row_is_taken(kind: FeedFormat) -> None:
    feed = EVERY[kind]
    whole = [row.values for row in read(feed, kind)]
    for cut in range(1, len(feed.rstrip())):
        try:
            found = read(feed[:cut], kind)
        except BrokenFeed:
            continue
        assert kind in ("tsv", "csv", "jsonl"), "what has an end is refused without it"
        rows = [row.values for row in found]
        assert rows[:-1] == whole[: max(0, len(rows) - 1)]
        # All columns are there, or a line ended: at most the last field is shorter than it was.
        short = {
            name
            for row, full in zip(rows[-1:], whole[len(rows) - 1 :], strict=False)
            for name in full
            if row.get(name) != full[name]
        }
        assert len(short) <= 1


def test_items_that_are_no_array_are_refused() -> None:
    assert "array" in broken('{"items": 7}', "json")


# --- files that mean harm

LAUGHS = """<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<rss><channel><item><id>&b;</id></item></channel></rss>"""
OUTSIDE = """<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<rss><channel><item><id>&x;</id></item></channel></rss>"""
PARAMETER = """<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x">%x;]><rss/>"""


@pytest.mark.parametrize("feed", [LAUGHS, OUTSIDE, PARAMETER])
def test_entities_are_neither_expanded_nor_fetched(feed: str) -> None:
    assert "entities" in broken(feed)


def test_a_document_type_from_elsewhere_is_not_fetched() -> None:
    feed = '<!DOCTYPE rss SYSTEM "http://127.0.0.1:1/rss.dtd"><rss><channel><item><id>A</id></item></channel></rss>'
    assert read(feed)[0].values == {"id": "A"}


def test_elements_lie_in_each_other_only_so_deep() -> None:
    assert "64" in broken("<rss>" + "<a>" * 100_000)


class _Endless(io.RawIOBase):
    """A feed that begins well and never ends."""

    def __init__(self, head: bytes, more: bytes) -> None:
        super().__init__()
        self._parts = self._all(head, more)
        self.given = 0

    @staticmethod
    def _all(head: bytes, more: bytes) -> Iterator[bytes]:
        yield head
        while True:
            yield more

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = next(self._parts)[: len(buffer)]
        self.given += len(part)
        buffer[: len(part)] = part
        return len(part)


@pytest.mark.parametrize(
    ("head", "more", "kind"),
    [
        (b"<rss><channel><item><id ", b"a" * 5_000, "google-xml"),
        (b"<rss><channel><item><id x='", b"a" * 5_000, "google-xml"),
        (b"<rss><!-- ", b"a" * 5_000, "google-xml"),
        (b"id,title\nA,", b"x" * 5_000, "csv"),
        (b'id,title\nA,"', b"x\n" * 2_000, "csv"),
        (b'{"id": "', b"x" * 5_000, "jsonl"),
    ],
)
def test_what_never_ends_is_given_up_soon(head: bytes, more: bytes, kind: FeedFormat) -> None:
    source = _Endless(head, more)
    with pytest.raises(BrokenFeed):
        list(rows_of(opened(source, MOST), kind))
    assert source.given < 16 * 1024 * 1024


def test_a_feed_that_unpacks_to_too_much_is_refused() -> None:
    bomb = gzip.compress(b"id,title\n" + b"A,x\n" * 500_000, 9)
    assert len(bomb) < 10_000
    with pytest.raises(TooLarge, match="100000 bytes"):
        read(bomb, most=100_000)
    with pytest.raises(TooLarge):
        read(b"id,title\n" + b"A,x\n" * 500_000, most=100_000)


class _Many(io.RawIOBase):
    """An XML feed of `count` items, made while it is read."""

    def __init__(self, count: int) -> None:
        super().__init__()
        item = b"<item><g:id>%d</g:id><g:title>Item %d</g:title><g:price>9.90 EUR</g:price></item>\n"
        self._parts = chain([b"<rss><channel>"], (item % (n, n) for n in range(count)), [b"</channel></rss>"])
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._rest or next(self._parts, b"")
        part, self._rest = part[: len(buffer)], part[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def test_memory_does_not_grow_with_the_feed() -> None:
    peaks = []
    for count in (1_000, 8_000):
        source: BinaryIO = _Many(count)  # type: ignore[assignment]
        tracemalloc.start()
        held = tracemalloc.get_traced_memory()[0]
        assert sum(1 for _ in rows_of(opened(source, MOST), "rss")) == count
        peaks.append(tracemalloc.get_traced_memory()[1] - held)
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 200_000


# --- anything at all


def survives(feed: bytes, kind: FeedFormat | None) -> None:
    """Any bytes: rows, or an error of our own tree."""
    try:
        rows = read(feed, kind, most=1_000_000)
    except BalizaError:
        return
    for row in rows:
        assert row.line >= 1
        with suppress(BadRow):
            checked_row(row.values, UTC)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([None, *FORMATS]))
def test_any_bytes_are_rows_or_a_reason(feed: bytes, kind: FeedFormat | None) -> None:
    survives(feed, kind)


DAMAGE = [b"", b"<", b'"', b"\x00", b"\xff", b"&", b"\n", b"\t", b">", b"]]>"]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(EVERY)), st.randoms(use_true_random=False), st.integers(1, 8))
def test_a_feed_with_damaged_bytes_is_rows_or_a_reason(name: str, rng: random.Random, hits: int) -> None:
    feed = bytearray(EVERY[name].encode())
    for _ in range(hits):
        place = rng.randrange(len(feed))
        feed[place : place + rng.randrange(3)] = rng.choice(
            [b"", b"<", b'"', b"\x00", b"\xff", b"&", b"\n", b"\t", b">", b"]]>"]
        )
    survives(bytes(feed), None)
