"""A disk that is full: nothing more is accepted, nothing that was is lost, and room is all that is needed to go on."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.reliability.box import Box
from tests.reliability.crowd import Crowd
from tests.reliability.disks import fill, small_disk
from tests.reliability.test_chaos import VICTIMS
from tests.reliability.truth import assert_everything_once, stored_ids
from tests.support.collecting import event
from tests.support.collector import RunningCollector
from tests.support.product import wait_for

pytestmark = [pytest.mark.network, pytest.mark.redis]


def test_a_live_store_whose_disk_is_full_takes_nothing_until_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "collector" / "valkey", 64) as disk:
        running = RunningCollector(tmp_path / "collector")
        try:
            running.wait_until_ready()
            ballast = fill(disk)
            taken = set()
            for number in range(2_000):
                sent = event(at=datetime.now(UTC), page={"url": f"https://shop.test/{'x' * 2000}"})
                if (status := running.send(sent, visitor=f"v-{number % 10}")) == 503:
                    break
                assert status == 202
                taken.add(sent["event_id"])
            assert running.send(event(at=datetime.now(UTC))) == 503
            assert "MISCONF" in running.log.read_text()
            assert running.taken() == taken, "what is there can be read"
            ballast.unlink()
            wait_for(lambda: running.send(sent, visitor="v-0") == 202, 5)
            running.valkey.kill()
            running.valkey.start()
            assert running.taken() >= taken | {sent["event_id"]}
        finally:
            running.close()


@pytest.mark.long
@pytest.mark.clickhouse
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("reserve_mb", "kills"),
    [(0, ()), (0, ("worker", "master", "ingest", "clickhouse")), (100, VICTIMS)],
    ids=["full", "full and killed", "nearly full and killed"],
)
def test_a_box_whose_disk_is_full_goes_on_when_there_is_room(
    tmp_path: Path, reserve_mb: int, kills: tuple[str, ...]
) -> None:
    """Without and with the death of processes meanwhile: what is started on a full disk starts in the end."""
    with small_disk(tmp_path / "disk", 200) as disk:
        box = Box(tmp_path, BALIZA_DATA_DIR=str(disk / "data"), BALIZA_DISK_RESERVE_MB=str(reserve_mb))
        box.data = disk / "data"
        try:
            box.open()
            crowd = Crowd(box.url, datetime.now(UTC), 4, batches_per_s=60)
            crowd.wait_for(50)
            ballast = fill(disk, reserve_mb << 20)
            crowd.wait_for(20, "503")
            for victim in kills:
                box.kill(victim)
                time.sleep(1)
                fill(disk, reserve_mb << 20)  # who ends gives room back
            time.sleep(5)
            assert set(crowd.answers) <= ({"200", "202", "503", "broken"} if kills else {"200", "202", "503"})
            ballast.unlink()
            box.until_well(30)
            crowd.wait_for(50)
            crowd.stop()
            box.until_nothing_waits()
            with box.stores() as (_, client):
                assert_everything_once(crowd, stored_ids(client))
            assert box.stop() == 0
        finally:
            box.end()
