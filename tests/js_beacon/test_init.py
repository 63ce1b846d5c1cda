import pytest

from js_beacon import PARTS, script_path


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_there(part: str) -> None:
    assert script_path(part).name == part
    assert script_path(part).read_bytes().startswith(b"try{")


def test_nothing_else_is_served() -> None:
    with pytest.raises(KeyError):
        script_path("../package.json")
