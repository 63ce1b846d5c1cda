from datetime import UTC, datetime
from itertools import islice

import pytest

from loadtests import wrk
from loadtests.client import LoadError
from loadtests.payloads import Posts
from tests.loadtests.conftest import FarEnd

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
needs_wrk = pytest.mark.skipif(not wrk.available(), reason="wrk is not on PATH")


@needs_wrk
@pytest.mark.network
def test_wrk_sends_the_very_requests_of_the_templates(far_end: FarEnd) -> None:
    posts = Posts.of("r", NOW, 10)
    said = wrk.send_for(far_end.address, posts, 1, 1)
    assert said.requests > 10
    # The first that the script makes is only looked at by wrk.
    heard = far_end.heard[: said.requests]
    assert heard == list(islice(posts, 1, len(heard) + 1))


@needs_wrk
@pytest.mark.network
def test_bad_answers_are_an_error(far_end: FarEnd) -> None:
    far_end.failing = True
    with pytest.raises(LoadError, match="below 400"):
        wrk.send_for(far_end.address, Posts.of("r", NOW, 1), 2, 1)


@needs_wrk
@pytest.mark.network
def test_nobody_listening_is_an_error() -> None:
    with pytest.raises(LoadError, match="wrk"):
        wrk.send_for(("127.0.0.1", 1), Posts.of("r", NOW, 1), 1, 1)


def test_any_byte_can_stand_in_the_script() -> None:
    text = wrk.script(Posts([b'POST "\\\r\n\xc3\xb1 100%% %09d and %012d end'], 1))
    assert '"POST \\034\\092\\013\\010\\195\\177 100% ", " and ", " end"' in text
    assert "p[1] .. format('%09d', visitor) .. p[2] .. format('%012d', first + 0) .. p[3]" in text
