"""Logs of other shops, good and bad."""

import gzip
from pathlib import Path

import pytest

from personalizer.evaluation.log import BadLog, Log, read_log
from personalizer.models.behaviour import CART, PURCHASE, VIEW


def log_file(folder: Path, text: str | bytes, name: str = "log.csv") -> Path:
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def named(log: Log) -> list[bytes]:
    found: list[bytes] = log.item_ids[log.items].tolist()
    return found


def test_rows_come_by_session_and_time_whatever_their_order(tmp_path: Path) -> None:
    log = read_log(log_file(tmp_path, "SessionId,ItemId,Time\nb,i3,30\na,i2,20\na,i1,10\n"))
    assert log.item_ids.tolist() == [b"i1", b"i2", b"i3"]
    assert named(log) == [b"i3", b"i1", b"i2"]
    assert log.sessions.tolist() == [0, 1, 1]
    assert log.times.tolist() == [30.0, 10.0, 20.0]
    assert not log.kinds_told


def test_rows_of_the_same_second_stay_in_the_order_of_the_file(tmp_path: Path) -> None:
    log = read_log(log_file(tmp_path, "SessionId,ItemId,Time\n1,z,5\n1,a,5\n1,m,5\n"))
    assert named(log) == [b"z", b"a", b"m"]


def test_reads_gzip_whatever_the_name(tmp_path: Path) -> None:
    log = read_log(log_file(tmp_path, gzip.compress(b"SessionId,ItemId,Time\n1,2,3.25\n")))
    assert log.times.tolist() == [3.25]


def test_reads_tabs_other_columns_and_a_byte_order_mark(tmp_path: Path) -> None:
    log = read_log(log_file(tmp_path, "\ufeffNo\tTime\tItemId\tSessionId\n0\t7\té\t1\n".encode()))
    assert named(log) == ["é".encode()]
    assert log.times.tolist() == [7.0]


def test_reads_kinds_and_categories(tmp_path: Path) -> None:
    rows = "1,a,1,view,Light\n1,a,2,addtocart,\n1,a,3,transaction,Light\n1,a,4,VIEW_ITEM,Lamps\n"
    log = read_log(log_file(tmp_path, f"SessionId,ItemId,Time,Event,Category\n{rows}"))
    assert log.kinds.tolist() == [VIEW, CART, PURCHASE, VIEW]
    assert log.kinds_told
    assert log.categories is not None
    assert [log.category_names[place] for place in log.categories] == ["Light", "", "Light", "Lamps"]


def test_reads_instants(tmp_path: Path) -> None:
    log = read_log(log_file(tmp_path, "SessionId,ItemId,Time\n1,a,2014-04-07T10:51:09.277Z\n1,b,2014-04-07T10:52:00\n"))
    assert log.times.tolist() == [1396867869.277, 1396867920.0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty; expected a header with the columns SessionId, ItemId, Time"),
        ("SessionId,ItemId,Time\n", "has a header and no rows"),
        ("SessionId,Item,Time\n1,2,3\n", "line 1: expected the columns ItemId, got 'SessionId, Item, Time'"),
        ("1,2,3\n1,2,4\n", "line 1: expected the columns SessionId, ItemId, Time, got '1, 2, 3'"),
        ("SessionId,ItemId,Time,Kind,Event\n1,2,3,view,view\n", "line 1: two columns say the kind: 'Kind' and 'Event'"),
        ("SessionId,ItemId,Time\n1,2,3\n1,2\n", "line 3: expected 3 columns or more, got 2"),
        ("SessionId,ItemId,Time\n1,2,noon\n", "line 2: expected Time in unix seconds or as ISO 8601, got 'noon'"),
        ("SessionId,ItemId,Time\n1,2,nan\n", "line 2: expected Time in unix seconds, got 'nan'"),
        (
            "SessionId,ItemId,Time\n1,2,1396867869277\n",
            "line 2: expected Time in unix seconds, got '1396867869277', which looks",
        ),
        ("SessionId,ItemId,Time\n1,,3\n", "line 2: expected an ItemId, got nothing"),
        ("SessionId,ItemId,Time\n ,2,3\n", "line 2: expected a SessionId, got nothing"),
        ("SessionId,ItemId,Time,Kind\n1,2,3,stare\n", "line 2: expected a kind of view, click"),
        ('SessionId,ItemId,Time\n1,"2,3\n', "line 2: unexpected end of data"),
        (b"SessionId,ItemId,Time\n1,\xff,3\n", "is not UTF-8"),
        (gzip.compress(b"SessionId,ItemId,Time\n1,2,3\n", mtime=0)[:-9], "cannot be read"),
        (b"\x1f\x8b\x08\x00" + b"\x00" * 6 + b"\xff" * 20, "cannot be read"),
    ],
)
def test_bad_files_are_told_with_line_and_reason(tmp_path: Path, text: str | bytes, told: str) -> None:
    file = log_file(tmp_path, text)
    with pytest.raises(BadLog) as error:
        read_log(file)
    assert str(error.value).startswith(str(file))
    assert told in str(error.value)


def test_empty_lines_are_passed_over(tmp_path: Path) -> None:
    assert len(read_log(log_file(tmp_path, "SessionId,ItemId,Time\n\n1,2,3\n\n"))) == 1
