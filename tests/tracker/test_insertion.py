"""Into the history once, and who is to blame when it will not have it."""

from collections.abc import Callable

import msgspec
import pytest

from baliza.errors import StoreDown
from baliza.stores import History
from schema import keys
from tests.support.collecting import Shop, event
from tracker.brake import Braked
from tracker.insertion import INSERT, Insertion, Refused, culprits
from tracker.rows import Arrival, Receipt, arrival_of

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]
SUMS = "sum(received), sum(taken), sum(duplicate), sum(consent), sum(rejected)"
TOLD = f"SELECT site, toUnixTimestamp(hour), {SUMS} FROM receipts GROUP BY site, hour ORDER BY site"


@pytest.fixture
def arrivals(shop: Shop) -> Callable[..., list[Arrival]]:
    """What these search terms of different visitors, one entry each, bring into the history."""

    def make(*terms: str) -> list[Arrival]:
        for number, term in enumerate(terms):
            shop.send(event("search", number, search_term=term), visitor=f"v-{number}")
        entries = [entry for n in range(8) for entry in shop.redis.xrange(keys.events(n))]
        shop.redis.delete(*(keys.events(n) for n in range(8)))
        return [
            arrival_of(fields)
            for _, fields in sorted(entries, key=lambda entry: msgspec.json.decode(entry[1][b"b"])["visitor"])
        ]

    return make


def counts(history: History) -> tuple[int, int, int]:
    """Events, events of sessions, and events of receipts."""
    ((found,),) = history.rows(
        "SELECT ((SELECT count() FROM events), (SELECT sum(events) FROM sessions), (SELECT sum(taken) FROM receipts))"
    )
    return found  # type: ignore[no-any-return]


def test_a_batch_is_written_once_with_its_receipts(arrivals: Callable[..., list[Arrival]], history: History) -> None:
    batch = arrivals("a", "b", "c")
    refused = Receipt("other", 1_795_000_000 // 3600 * 3600, 0, 1, 2, 3)
    batch.append(Arrival(None, 0, [], refused))
    batch.append(Arrival(None, 0, [], refused._replace(rejected=-1)))
    for _ in range(2):
        Insertion(history).write(batch, "once")
    assert counts(history) == (3, 3, 3)
    assert history.rows(TOLD) == [
        ("demo", batch[0].receipt.hour_s, 3, 3, 0, 0, 0),
        ("other", refused.hour_s, 8, 0, 2, 4, 2),
    ]
    Insertion(history).write(batch, "twice")
    assert counts(history) == (6, 6, 6)


@pytest.mark.usefixtures("own_database")
def test_killed_between_events_and_receipts_the_repeat_completes_them(
    arrivals: Callable[..., list[Arrival]], history: History
) -> None:
    batch = arrivals("a", "b")
    history.rows("RENAME TABLE receipts TO elsewhere")
    with pytest.raises(Refused):
        Insertion(history).write(batch, "once")
    assert history.rows("SELECT count() FROM events") == [(2,)]
    history.rows("RENAME TABLE elsewhere TO receipts")
    for _ in range(2):
        Insertion(history).write(batch, "once")
    assert counts(history) == (2, 2, 2)


@pytest.mark.usefixtures("own_database")
def test_the_culprits_are_found_and_nothing_is_stored_meanwhile(
    arrivals: Callable[..., list[Arrival]], history: History
) -> None:
    batch = arrivals(*(f"term-{n}" for n in range(14)), "poison", "sound", "poison")
    history.rows("ALTER TABLE events ADD CONSTRAINT sound CHECK search_term != 'poison'")
    with pytest.raises(Refused, match="error 469") as caught:
        Insertion(history).write(batch, "once")
    found = culprits(Insertion(history), batch, caught.value)
    assert [batch[place].row[-1].count(b"poison") for place in found] == [1, 1]  # type: ignore[index]
    assert all("Constraint `sound`" in why.said for why in found.values())
    assert not any("poison" in str(why) for why in found.values()), "for the log"
    assert history.rows("SELECT count() FROM events") == [(0,)]
    assert ("events_trial_0",) not in history.rows("SHOW TABLES")
    Insertion(history).write([arrival for place, arrival in enumerate(batch) if place not in found], "once")
    assert counts(history) == (15, 15, 15)


def test_an_entry_with_a_value_that_no_column_takes_is_a_culprit(
    shop: Shop, arrivals: Callable[..., list[Arrival]], history: History
) -> None:
    batch = arrivals("a", "b", "c")
    site, received_ms, visitor, _sender, *rest = batch[1].row or ()
    batch[1] = batch[1]._replace(row=(site, received_ms, visitor, "robot", *rest))
    batch[2] = batch[2]._replace(row=(*(batch[2].row or ())[:-2], 2, b"[]"))
    with pytest.raises(Refused) as caught:
        Insertion(history).write(batch, "once")
    found = culprits(Insertion(history), batch, caught.value)
    assert list(found) == [1, 2]
    assert "robot" in found[1].said
    assert "not as many events" in found[2].said


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        ("ALTER TABLE events DROP COLUMN search_term", "a sound event is refused as well"),
        ("DROP TABLE events", "which entry is to blame cannot be tried"),
        ("DROP TABLE sessions", "no single entry is to blame"),
        ("ALTER TABLE events ADD CONSTRAINT odd CHECK type != 'search'", "4 of 4 entries are refused"),
    ],
)
@pytest.mark.usefixtures("own_database")
def test_what_is_wrong_with_the_tables_is_no_entrys_fault(
    arrivals: Callable[..., list[Arrival]], history: History, monkeypatch: pytest.MonkeyPatch, harm: str, says: str
) -> None:
    monkeypatch.setattr("tracker.insertion.CULPRITS_MOST", 4)
    batch = arrivals(*"abcdef")
    history.rows(harm)
    with pytest.raises(Refused) as caught:
        Insertion(history).write(batch, "once")
    with pytest.raises(Braked, match=says):
        culprits(Insertion(history), batch, caught.value)


@pytest.mark.usefixtures("own_database")
def test_a_history_that_takes_nothing_now_is_down(arrivals: Callable[..., list[Arrival]], history: History) -> None:
    batch = arrivals("a")
    history.rows("ALTER TABLE events MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 1")
    history.rows("SYSTEM STOP MERGES events")
    Insertion(history).write(batch, "token 1")
    with pytest.raises(StoreDown, match="takes nothing now"):
        Insertion(history).write(batch, "token 2")
    history.rows("SYSTEM START MERGES events")
    history.rows("ALTER TABLE events RESET SETTING parts_to_throw_insert, parts_to_delay_insert")
    Insertion(history).write(batch, "token 2")
    assert counts(history) == (2, 2, 2)


def test_a_real_servers_parser_reads_the_statement(history: History) -> None:
    """The embedded engine is given it with a file's name in place of input(…); a server gets it as it is."""
    ((formatted,),) = history.rows("SELECT formatQuerySingleLine(%(sql)s)", {"sql": INSERT})
    assert formatted.startswith("INSERT INTO events (site, received_at, ")
    assert "FROM input('\\n" in formatted
    assert formatted.endswith("ARRAY JOIN opened AS e FORMAT Native")
