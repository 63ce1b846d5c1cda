from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from loadtests import nginx
from loadtests.client import Answer, LoadError, send
from loadtests.payloads import posts


def is_204(answer: Answer) -> bool:
    return answer.status == 204


@pytest.mark.skipif(not nginx.available(), reason="nginx is not on PATH")
@pytest.mark.network
def test_one_says_nothing_and_the_other_logs_every_body(tmp_path: Path) -> None:
    with nginx.nginx(tmp_path) as (nothing, reading):
        for server in (nothing, reading):
            send(server.address, islice(posts("t", datetime.now(UTC), 1), 30), 4, is_204).expect_all_good(server.name)
    # The first request of all asked whether it had started; it had no body.
    assert nginx.logged(tmp_path) == 31
    assert (tmp_path / nginx.LOG).read_text().count("v-t-000000001") == 10


def test_a_log_without_bodies_is_an_error(tmp_path: Path) -> None:
    (tmp_path / nginx.LOG).write_text("1.0 204 -\n")
    with pytest.raises(LoadError, match="log the bodies"):
        nginx.logged(tmp_path)
