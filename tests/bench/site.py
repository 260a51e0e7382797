"""A large site: one person for every card, groups, a schedule, and a list signed as a cloud would sign it.

`python -m tests.bench.site FILE CARDS` writes the snapshot: a process of its own, which takes its memory with it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cloud.contract.allowlist import Change, Delta, Head, Snapshot, seal_snapshot, snapshot_name
from cloud.contract.canonical import sha256_hex
from cloud.contract.itemcodec import item_json
from cloud.contract.items import Card, Door, Grant, Group, Item, Membership, Person, Schedule, Window
from tests.rigs.site import LIST_KEY, credential

NAME: Final = "hq"
DOOR: Final = "front"
_AT: Final = "2026-03-01T08:00:00Z"
_GROUPS: Final = 40
_WEEK: Final = Schedule("week", "Europe/Berlin", (Window(frozenset(range(7)), 0, 1440),))
"""Always open, and yet looked up and worked out at every tap."""


def uid(number: int) -> str:
    """Card number of the card of this number, 7 bytes in hex."""
    return f"04{number:012X}"


def items(cards: int) -> Iterator[Item]:
    """The whole list: so many cards, each with a person of its own who is in three groups; the last opens the door."""
    yield from (Door(DOOR), _WEEK, Group("staff", (Grant(DOOR, _WEEK.id),)))
    yield from (Group(f"g-{number}", (Grant(f"door-{number}"),)) for number in range(_GROUPS))
    for number in range(cards):
        yield Card(credential(uid(number)), f"p-{number}")
        groups = f"g-{number % _GROUPS}", f"g-{number // _GROUPS % _GROUPS}", "staff"
        yield Person(f"p-{number}", groups=tuple(map(Membership, groups)))


def sealed(cards: int) -> bytes:
    """The bytes of version 1, a snapshot."""
    raw = [item_json(item) for item in items(cards)]
    return seal_snapshot(Snapshot(NAME, 1, 1, _AT, False, raw), LIST_KEY)


def head(snapshot: bytes | None, version: int = 1) -> Head:
    """The head at a version over the snapshot of version 1; None: a door that holds it does not ask for it."""
    digest = sha256_hex(snapshot or b"")
    return Head(NAME, 1, version, 1, snapshot_name(NAME, 1, 1), digest, min(version + 1, 2), _AT)


def delta(version: int, changes: int, cards: int) -> Delta:
    """From the version before to this one: half new cards, half cards taken away, no card twice in all versions."""
    half = changes // 2
    start = (version - 2) * half
    added: list[dict[str, Any]] = [
        dict(item_json(Card(credential(uid(cards + number)), f"p-{number}"))) for number in range(start, start + half)
    ]
    steps = [Change("card", str(raw["id"]), raw) for raw in added]
    gone = (credential(uid(number)) for number in range(start, start + changes - half))
    return Delta(NAME, 1, version, version - 1, _AT, False, (*steps, *(Change("card", key, None) for key in gone)))


def revocation(version: int, uid: str) -> Delta:
    """From the version before to this one: one card is taken away."""
    return Delta(NAME, 1, version, version - 1, _AT, False, (Change("card", credential(uid), None),))


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(sealed(int(sys.argv[2])))
