"""Tokens without parts, as a kill leaves them."""

from pathlib import Path

import pytest

from baliza.embedded.unwritten_tokens import forget_unwritten_tokens, is_written


@pytest.mark.parametrize(
    ("part", "on_disk", "written"),
    [
        ("all_5_5_0", ["all_5_5_0"], True),
        ("all_5_5_1", ["all_1_9_3"], True),
        ("all_5_5_0", ["all_5_5_0_12"], True),
        ("all_5_5_0", ["all_1_4_1", "all_6_6_0"], False),
        ("all_5_5_0", ["202611_1_9_2"], False),
        ("all_5_5_0", ["tmp_insert_all_5_5_0", "detached", "format_version.txt"], False),
        ("no part", [], True),
    ],
)
def test_part_is_written_when_a_folder_covers_it(part: str, on_disk: list[str], written: bool) -> None:
    assert is_written(part, on_disk) is written


def table(store: Path, parts: list[str], logs: dict[str, str]) -> Path:
    folder = store / "store" / "2e1" / "2e1785ac"
    for part in parts:
        (folder / part).mkdir(parents=True)
    (folder / "deduplication_logs").mkdir(parents=True)
    for name, text in logs.items():
        (folder / "deduplication_logs" / name).write_text(text)
    return folder / "deduplication_logs"


def test_last_token_without_a_part_is_forgotten(tmp_path: Path) -> None:
    logs = table(
        tmp_path,
        ["all_1_1_0", "tmp_insert_all_2_2_0"],
        {
            "deduplication_log_9.txt": "1\tall_1_1_0\tall_1\n",
            "deduplication_log_10.txt": "1\tall_1_1_0\tall_1\n1\tall_2_2_0\tall_2\n",
            "deduplication_log_11.txt": "",
        },
    )
    assert forget_unwritten_tokens(tmp_path) == [logs / "deduplication_log_10.txt"]
    assert (logs / "deduplication_log_10.txt").read_text() == "1\tall_1_1_0\tall_1\n"
    assert forget_unwritten_tokens(tmp_path) == []


def test_only_token_without_a_part_is_forgotten(tmp_path: Path) -> None:
    logs = table(tmp_path, [], {"deduplication_log_1.txt": "1\tall_1_1_0\tall_1\n"})
    assert forget_unwritten_tokens(tmp_path) == [logs / "deduplication_log_1.txt"]
    assert (logs / "deduplication_log_1.txt").read_text() == ""


@pytest.mark.parametrize("last", ["1\tall_2_2_0\tall_2\n", "2\tall_3_3_0\tall_3\n", "9\tall_3_3_0\n", "rubbish\n"])
def test_other_last_notes_stay(tmp_path: Path, last: str) -> None:
    logs = table(tmp_path, ["all_1_2_1"], {"deduplication_log_1.txt": "1\tall_1_1_0\tall_1\n" + last})
    assert forget_unwritten_tokens(tmp_path) == []
    assert (logs / "deduplication_log_1.txt").read_text().endswith(last)


def test_store_without_tables_needs_nothing(tmp_path: Path) -> None:
    assert forget_unwritten_tokens(tmp_path) == []
