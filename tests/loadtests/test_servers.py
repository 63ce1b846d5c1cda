from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from loadtests.client import LoadError, send
from loadtests.collecting import accepted
from loadtests.payloads import posts
from loadtests.servers import box, empty_flask, wait_until


def test_a_server_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("starting\nthe port is taken\n")
    with pytest.raises(LoadError, match="the port is taken"):
        wait_until(lambda: False, lambda: False, log)


@pytest.mark.network
@pytest.mark.redis
def test_a_box_takes_events_and_forgets_them(tmp_path: Path) -> None:
    with box(tmp_path) as opened:
        with opened.serving("tracker") as server:
            load = send(server.address, islice(posts("t", datetime.now(UTC), 1), 25), 4, accepted)
            load.expect_all_good("events")
        assert opened.streamed() == 25
        opened.forget_streams()
        assert opened.streamed() == 0


@pytest.mark.network
@pytest.mark.parametrize("kind", ["gevent", "gevent_pywsgi"])
def test_the_empty_view_answers_under_both_workers(tmp_path: Path, kind: str) -> None:
    with empty_flask(tmp_path, kind) as server:
        load = send(server.address, islice(posts("t", datetime.now(UTC), 1), 40), 8, lambda answer: answer.status == 204)
    assert (load.answered, load.bad) == (40, 0)
