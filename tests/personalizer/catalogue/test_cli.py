import gzip
import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from baliza.cli import main
from baliza.settings import Settings
from baliza.sites import Site, add_site
from baliza.stores import RedisClient
from personalizer.models.store import ModelStore
from tests.personalizer.catalogue.feeds_as_shops_write_them import CSV, RSS, TSV
from tests.personalizer.planted import ITEMS, NOW, planted_model

pytestmark = [pytest.mark.redis, pytest.mark.usefixtures("closing_stores")]


@pytest.fixture(autouse=True)
def _environment(settings: Settings, demo_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALIZA_REDIS_URL", settings.redis_url)
    monkeypatch.setenv("BALIZA_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("BALIZA_PARTITIONS", "8")


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["catalogue", *words])
    return int(ended.value.code or 0)


def written(folder: Path, name: str, text: str | bytes) -> str:
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(file)


def test_a_feed_is_taken_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("import", written(tmp_path, "feed.xml.gz", gzip.compress(RSS.encode()))) == 0
    out = capsys.readouterr().out
    assert "3 rows: 3 taken, 0 refused\n3 added, 0 changed, 0 unchanged, 0 removed; 3 items in the catalogue\n" in out
    assert "attributes that are not used: description" in out
    assert run("import", written(tmp_path, "feed.tsv", TSV)) == 0
    assert "0 added, 0 changed, 3 unchanged" in capsys.readouterr().out
    assert run("show", "LAMP-1") == 0
    shown = capsys.readouterr().out
    for line in (
        "price                      39.90 EUR",
        "sale_price                 29.90 EUR",
        "availability               in_stock",
    ):
        assert f"{line}\n" in shown
    assert run("list", "--limit", "2") == 0
    listed = capsys.readouterr()
    assert len(listed.out.splitlines()) == 2
    assert "3 in all" in listed.err


def test_bad_rows_are_listed_and_make_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("import", written(tmp_path, "feed.csv", CSV.replace("119.00 EUR", "119,00 EUR"))) == 1
    out = capsys.readouterr().out
    assert "3 rows: 2 taken, 1 refused" in out
    assert (
        "line 3: LAMP-2: price: expected a number with a decimal point and a currency, such as 1299.00 EUR, got '119,00 EUR'"
        in out
    )


@pytest.mark.parametrize(
    ("text", "told"), [("<html/>", "<html>"), (RSS[:-30], "whole"), ("a,b\n1,2\n", "id"), ("id\n", "none that can be taken")]
)
def test_a_broken_file_makes_exit_code_2_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    assert run("import", written(tmp_path, "good.xml", RSS)) == 0
    assert run("import", written(tmp_path, "bad", text)) == 2
    assert told in capsys.readouterr().err
    run("list", "--json")
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_cut_off_feed_needs_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("import", written(tmp_path, "all.csv", CSV)) == 0
    one = written(tmp_path, "one.csv", "id\nBEANS-1\n")
    assert run("import", one) == 2
    assert "more than half" in capsys.readouterr().err
    assert run("import", one, "--dry-run", "--force") == 0
    assert "nothing was changed" in capsys.readouterr().out
    assert run("import", one, "--force") == 0
    assert "2 removed; 1 items" in capsys.readouterr().out


def test_a_pipe_is_read_and_stock_alone_is_merged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("import", written(tmp_path, "all.csv", CSV)) == 0
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"id,availability\nLAMP-1,out_of_stock\n")))
    assert run("import", "-", "--merge", "--json") == 0
    report = json.loads(capsys.readouterr().out.partition("\n{")[2].join(["{", ""]))
    assert (report["mode"], report["changed"], report["items"]) == ("merge", 1, 3)


def test_ids_that_are_not_the_beacon_s_are_warned_of(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    ModelStore(settings.model_dir).save("demo", planted_model(), {}, NOW)
    assert run("import", written(tmp_path, "all.csv", CSV)) == 0
    assert "warning: only 0 of the 6 best sellers by the beacon's events are in the catalogue" in capsys.readouterr().out
    run("import", written(tmp_path, "own.csv", "\n".join(["id", *ITEMS])), "--force")
    assert "warning" not in capsys.readouterr().out


def test_a_list_can_be_imported_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("import", written(tmp_path, "all.csv", CSV))
    capsys.readouterr()
    run("list", "--json")
    lines = capsys.readouterr().out
    assert run("import", written(tmp_path, "again.jsonl", lines)) == 0
    assert "3 unchanged" in capsys.readouterr().out


def test_items_are_removed_by_id_or_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("import", written(tmp_path, "all.csv", CSV))
    assert run("remove", "LAMP-1") == 0
    assert run("remove", "LAMP-1", "nothing") == 2
    assert "LAMP-1, nothing" in capsys.readouterr().err
    assert run("remove") == 2
    assert run("remove", "LAMP-2", "--all") == 2
    assert run("remove", "--all") == 0
    assert run("show", "LAMP-2") == 2


def test_the_site_is_named_when_there_are_several(
    tmp_path: Path, redis_client: RedisClient, capsys: pytest.CaptureFixture[str]
) -> None:
    add_site(redis_client, "other", ["http://other.test"])
    file = written(tmp_path, "all.csv", CSV)
    assert run("import", file) == 2
    assert "expected --site, because there are 2 sites" in capsys.readouterr().err
    assert run("import", file, "--site", "nobody") == 2
    assert run("import", file, "--site", "other") == 0
    capsys.readouterr()
    run("list", "--site", "demo")
    assert capsys.readouterr().out == ""


def test_a_file_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("import", "nowhere.xml") == 2
    assert "nowhere.xml cannot be read: No such file" in capsys.readouterr().err


def test_a_feed_larger_than_allowed_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BALIZA_CATALOGUE_MAX_MB", "1")
    large = gzip.compress(b"id,title\n" + b"".join(b"%d,Lamp\n" % n for n in range(150_000)))
    assert run("import", written(tmp_path, "large.csv.gz", large)) == 2
    assert "at most 1048576 bytes" in capsys.readouterr().err
