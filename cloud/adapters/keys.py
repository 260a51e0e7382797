"""A site's keys as files: made once, private to their owner, never replaced by this code.

`list-sign.key` signs lists and stays with the publisher; `list-verify.pub` and `card-hash.key` go to every door of
the site. Each holds 64 hex digits.
"""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.errors import CloudError

SIGN_FILE: Final = "list-sign.key"
VERIFY_FILE: Final = "list-verify.pub"
CARD_HASH_FILE: Final = "card-hash.key"
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class SiteKeys:
    """The secrets of one site."""

    sign: Ed25519PrivateKey = field(repr=False)
    card_hash: bytes = field(repr=False)

    @property
    def verify_hex(self) -> str:
        """What doors check lists with."""
        return self.sign.public_key().public_bytes_raw().hex()


def ensure_site_keys(folder: Path) -> SiteKeys:
    """The keys in `folder`; those that are missing are made. Raises CloudError when one is unfit to be used."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    sign = Ed25519PrivateKey.from_private_bytes(_ensure_secret(folder / SIGN_FILE))
    keys = SiteKeys(sign=sign, card_hash=_ensure_secret(folder / CARD_HASH_FILE))
    _ensure_public(folder / VERIFY_FILE, keys.verify_hex)
    return keys


def write_door_keys(keys: SiteKeys, folder: Path) -> None:
    """Write what a door of the site needs into its folder, over what is there."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(folder / CARD_HASH_FILE, keys.card_hash.hex(), 0o600)
    _write(folder / VERIFY_FILE, keys.verify_hex, 0o644)


def _ensure_secret(path: Path) -> bytes:
    if not path.exists():
        _write(path, secrets.token_hex(_KEY_BYTES), 0o600)
    if path.stat().st_mode & 0o077:
        raise CloudError(f"{path}: others than its owner may read this key: chmod 600, or make a new one")
    return _parse(path)


def _ensure_public(path: Path, text: str) -> None:
    if not path.exists():
        _write(path, text, 0o644)
    elif _parse(path).hex() != text:
        raise CloudError(f"{path}: does not belong to {SIGN_FILE} beside it")


def _parse(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        # The content is not shown: it may be most of a key.
        raise CloudError(f"{path}: is not {2 * _KEY_BYTES} hex digits")
    return key


def _write(path: Path, text: str, mode: int) -> None:
    """Write a whole file or none, readable by nobody else at any moment."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
