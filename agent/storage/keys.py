"""Keys on disk: the device's own signing key, the site's card-hash key, the keys that lists are verified with.

Files hold 64 hex digits, so that a person can compare them. Private ones are readable by their owner alone.
"""

import secrets
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.errors import StorageError
from agent.storage.files import write_atomic

KEY_BYTES: Final = 32


def load_or_make_device_key(path: Path) -> Ed25519PrivateKey:
    """The device's signing key, made at the first start. Raises StorageError when it is there but can't be used:
    a new key in its place would make the cloud refuse this device's history."""
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        write_atomic(path, key.private_bytes_raw().hex().encode("ascii") + b"\n", mode=0o600)
        return key
    return Ed25519PrivateKey.from_private_bytes(_read(path))


def load_secret(path: Path) -> bytes:
    """A secret of 32 bytes; raises StorageError with one line that says what is wrong."""
    return _read(path)


def random_secret() -> bytes:
    """A secret that nobody else has: hashes made with it match no list."""
    return secrets.token_bytes(KEY_BYTES)


def load_public_key(path: Path) -> Ed25519PublicKey:
    """A public key; raises StorageError with one line that says what is wrong."""
    return Ed25519PublicKey.from_public_bytes(_read(path))


def _read(path: Path) -> bytes:
    try:
        text = path.read_text("ascii").strip()
        key = bytes.fromhex(text)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error
    except ValueError:
        raise StorageError(f"{path}: is not {KEY_BYTES * 2} hex digits") from None
    if len(key) != KEY_BYTES:
        raise StorageError(f"{path}: has {len(key)} bytes, a key has {KEY_BYTES}")
    return key
