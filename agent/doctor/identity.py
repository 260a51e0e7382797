"""Are the controller's keys there, usable, and nobody else's? Never shows a key; of a public one its beginning."""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.doctor.finding import Area, Finding, Line
from agent.doctor.scene import Account, Scene
from agent.errors import StorageError
from agent.storage.journal_schema import FILE_NAME
from agent.storage.keys import load_public_key, load_secret

DEVICE_KEY: Final = Line(
    Area.IDENTITY,
    "device key",
    "The key that signs this controller's records is there and its owner's alone. It is made at the first start; fails "
    "when it is gone although there is a journal.",
    "Bring device.key back from a copy. Without one the cloud takes the next events for another device's.",
)
CARD_KEY: Final = Line(
    Area.IDENTITY,
    "card-hash key",
    "The site's key for card numbers is there and not everybody's to read. Without it every entry is denied.",
    "Copy the site's card-hash key (64 hex digits) to the file that `device.card_hash_key` names, mode 600.",
)
LIST_KEYS: Final = Line(
    Area.IDENTITY,
    "list-verify keys",
    "The public keys that lists are checked with are there, and nobody but their owner may write them. Fails when none "
    "is usable, warns when one of several is not.",
    "Copy the site's public key (64 hex digits) to the file that `allowlist.verify_keys` names.",
)
LINES: Final = (DEVICE_KEY, CARD_KEY, LIST_KEYS)

_READ: Final = 4


def look(scene: Scene) -> Iterator[Finding]:
    """All lines of this area."""
    yield from _device_key(scene)
    yield from _secret(CARD_KEY, scene.config.path(scene.config.device.card_hash_key), scene.account)
    yield from _list_keys(scene)


def _device_key(scene: Scene) -> Iterator[Finding]:
    path = scene.state_dir / "device.key"
    if not path.exists():
        if (scene.state_dir / FILE_NAME).exists():
            yield DEVICE_KEY.fails(f"{path} is gone, although there is a journal")
        else:
            yield DEVICE_KEY.passes("none yet: the first start makes it")
        return

    def public(found: bytes) -> str:
        return f"signs as {Ed25519PrivateKey.from_private_bytes(found).public_key().public_bytes_raw().hex()[:16]}..."

    yield from _secret(DEVICE_KEY, path, scene.account, public)


def _secret(line: Line, path: Path, account: Account, show: Callable[[bytes], str] = lambda _: "") -> Iterator[Finding]:
    try:
        status = path.stat()
    except FileNotFoundError:
        yield line.fails(f"{path} is not there")
        return
    mode, readable = stat.S_IMODE(status.st_mode), account.may(status, _READ)
    try:
        shown = show(load_secret(path))
    except StorageError as error:
        if readable and isinstance(error.__cause__, PermissionError):
            raise error.__cause__ from None  # the agent may read it, whoever runs this may not
        yield line.fails(str(error))
        return
    yield judge_secret(line, str(path), mode, readable, account, shown)


def judge_secret(line: Line, path: str, mode: int, readable: bool, account: Account, shown: str = "") -> Finding:
    """Who may read a secret that is there and usable."""
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        return line.fails(f"{path}: others may read or change it (mode {mode:o})", f"chmod 600 {path}")
    if not readable:
        return line.fails(f"{path}: {account.name} may not read it (mode {mode:o})", f"chown {account.name} {path}")
    return line.passes(f"{path}{', ' + shown if shown else ''}")


def _list_keys(scene: Scene) -> Iterator[Finding]:
    paths = [scene.config.path(path) for path in scene.config.allowlist.verify_keys]
    good: dict[Path, Ed25519PublicKey] = {}
    troubles = []
    for path in paths:
        try:
            good[path] = load_public_key(path)
        except StorageError as error:
            troubles.append(str(error))
    for trouble in troubles:
        yield LIST_KEYS.warns(trouble) if good else LIST_KEYS.fails(trouble)
    raw = [key.public_bytes_raw() for key in good.values()]
    if len(set(raw)) < len(raw):
        yield LIST_KEYS.warns("the same key twice", "Name the second key, or leave it out of `allowlist.verify_keys`.")
    for path in good:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            yield LIST_KEYS.fails(f"{path}: others may change it (mode {mode:o})", f"chmod go-w {path}")
        else:
            yield LIST_KEYS.passes(f"{path}: {good[path].public_bytes_raw().hex()[:16]}...")
