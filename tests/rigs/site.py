"""A small site without a cloud: writes a signed list straight into a door's store, as sync would."""

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.storage.allowlist import SqliteAllowListStore
from cloud.contract.allowlist import Snapshot
from cloud.contract.itemcodec import instant_text, item_json
from cloud.contract.items import (
    AntiPassback,
    Area,
    Card,
    CardStatus,
    Door,
    DoorMode,
    Grant,
    Group,
    Item,
    Membership,
    Person,
)
from cloud.contract.signing import credential_hash

CARD_KEY = bytes(range(32))
LIST_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
KEYS = {"card-hash.key": CARD_KEY.hex(), "list-verify.pub": LIST_KEY.public_key().public_bytes_raw().hex()}

ALICE = "04A1B2C3D4E580"
BOB = "04B0B0B0B0B080"
MALLORY = "04DEADBEEF0180"
FELICA_ALICE = "012E4CD3A1B20C07"
NOBODY = "0400000000FF80"


def credential(uid: str) -> str:
    """The keyed hash of a card of this site."""
    return credential_hash(CARD_KEY, bytes.fromhex(uid))


def items(
    doors: Sequence[str] = ("front",), mode: DoorMode = DoorMode.NORMAL, *, anti_passback: bool = False
) -> list[Item]:
    """Alice and Bob may enter all doors at any time; Mallory's card was stolen."""
    kind = AntiPassback.HARD if anti_passback else AntiPassback.OFF
    return [
        Card(credential(ALICE), "alice"),
        Card(credential(FELICA_ALICE), "alice"),
        Card(credential(BOB), "bob"),
        Card(credential(MALLORY), "mallory", CardStatus.STOLEN),
        Person("alice", groups=(Membership("staff"),)),
        Person("bob", groups=(Membership("staff"),)),
        Person("mallory", groups=(Membership("staff"),)),
        Group("staff", tuple(Grant(door) for door in doors)),
        Area("hq", kind),
        Area("street"),
        *(Door(door, mode, inside="hq", outside="street") for door in doors),
    ]


def install(
    state_dir: Path, content: Sequence[Item], *, epoch: int = 1, version: int = 1, at_s: float = 1_767_225_600
) -> None:
    """Put a list that was published at `at_s` into the store of an agent that is not running."""
    state_dir.mkdir(parents=True, exist_ok=True)
    store = SqliteAllowListStore(state_dir, on_set_aside=print)
    raw = [item_json(item) for item in content]
    store.apply_snapshot(Snapshot("hq", epoch, version, instant_text(int(at_s)), False, raw))
    store.close()
