"""The key that signs cookies."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from baliza.errors import BadSetting
from console.secret import signing_key


def test_is_made_once_for_the_owner_only(tmp_path: Path) -> None:
    key = signing_key(tmp_path)
    file = tmp_path / "secrets" / "console.key"
    assert len(key) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert signing_key(tmp_path) == key
    assert [path.name for path in file.parent.iterdir()] == ["console.key"]


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: signing_key(tmp_path), range(16)))
    assert len(keys) == 1


def test_two_installations_differ(tmp_path: Path) -> None:
    assert signing_key(tmp_path / "a") != signing_key(tmp_path / "b")


def test_refuses_a_key_that_others_can_read_or_that_is_cut(tmp_path: Path) -> None:
    signing_key(tmp_path)
    file = tmp_path / "secrets" / "console.key"
    file.chmod(0o644)
    with pytest.raises(BadSetting, match="run `chmod 600"):
        signing_key(tmp_path)
    file.chmod(0o600)
    file.write_bytes(b"short")
    with pytest.raises(BadSetting, match="expected 32 bytes, got 5"):
        signing_key(tmp_path)
