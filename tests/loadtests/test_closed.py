from datetime import UTC, datetime

import pytest

from loadtests import wrk
from loadtests.client import Answer, LoadError
from loadtests.closed import send_closed
from loadtests.payloads import Posts
from tests.loadtests.conftest import FarEnd

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
TOOLS = [False, pytest.param(True, marks=pytest.mark.skipif(not wrk.available(), reason="wrk is not on PATH"))]


def is_202(answer: Answer) -> bool:
    return answer.status == 202


@pytest.mark.network
@pytest.mark.parametrize("with_wrk", TOOLS)
def test_either_tool_counts_what_was_answered(far_end: FarEnd, with_wrk: bool) -> None:
    sent = send_closed(far_end.address, Posts.of("r", NOW, 1), 3, 0.3, is_202, with_wrk)
    assert sent.answered <= len(far_end.heard) <= sent.answered + 3
    assert 0 < sent.own_cpu_s < 5
    assert sent.wall_s > 0.25


@pytest.mark.network
def test_bad_answers_are_an_error(far_end: FarEnd) -> None:
    far_end.failing = True
    with pytest.raises(LoadError, match="503"):
        send_closed(far_end.address, Posts.of("r", NOW, 1), 1, 0.05, is_202, False)
