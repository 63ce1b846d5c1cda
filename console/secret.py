"""The key that signs the console's cookies. It is made once and kept beside the data, for the owner's eyes only."""

import os
import secrets
from pathlib import Path

from baliza.errors import BadSetting

__all__ = ["signing_key"]

KEY_BYTES = 32


def signing_key(data_dir: Path) -> bytes:
    """The key in data_dir/secrets/console.key, made with mode 0600 when it is missing. BadSetting when it is unusable."""
    file = data_dir / "secrets" / "console.key"
    if not file.exists():
        _make(file)
    if file.stat().st_mode & 0o077:
        raise BadSetting(f"{file}: expected to be readable by its owner only; run `chmod 600 {file}`")
    key = file.read_bytes()
    if len(key) < KEY_BYTES:
        raise BadSetting(f"{file}: expected {KEY_BYTES} bytes, got {len(key)}; remove it and start again")
    return key


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.parent.chmod(0o700)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(secrets.token_bytes(KEY_BYTES))
    try:
        # A link fails when another process was first, and never shows half a key.
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
