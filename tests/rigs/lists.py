"""Raw allow-list items, deltas and snapshots for tests."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from cloud.contract.allowlist import Change, Delta, Snapshot

AT = "2026-03-01T08:00:00Z"
Raw = Mapping[str, Any]


def credential(number: int) -> str:
    """A keyed hash that stands for the card of this number."""
    return hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()


def card(number: int, person: str | None = None, **more: Any) -> Raw:
    """An active card of person `p-<number>`."""
    return {"v": 1, "kind": "card", "id": credential(number), "person": person or f"p-{number}", **more}


def person(number: int, *groups: str, **more: Any) -> Raw:
    """An active person."""
    return {"v": 1, "kind": "person", "id": f"p-{number}", "groups": list(groups), **more}


def group(name: str, *doors: str) -> Raw:
    """A group that opens these doors always."""
    return {"v": 1, "kind": "group", "id": name, "grants": [{"door": door, "schedule": None} for door in doors]}


def door(name: str, mode: str = "normal") -> Raw:
    """A door."""
    return {"v": 1, "kind": "door", "id": name, "mode": mode}


def put(raw: Raw) -> Change:
    """The change that puts an item."""
    return Change(kind=raw["kind"], id=raw["id"], item=raw)


def delete(raw: Raw) -> Change:
    """The change that deletes it."""
    return Change(kind=raw["kind"], id=raw["id"], item=None)


def snapshot(items: Iterable[Raw], epoch: int = 1, version: int = 1) -> Snapshot:
    """A snapshot of the site."""
    return Snapshot(site="hq", epoch=epoch, version=version, at=AT, allow_shrink=False, items=list(items))


def delta(*changes: Change, epoch: int = 1, version: int = 2, prev: int | None = None) -> Delta:
    """A delta that follows `prev`, or the version before."""
    before = version - 1 if prev is None else prev
    return Delta(
        site="hq", epoch=epoch, version=version, prev_version=before, at=AT, allow_shrink=False, changes=changes
    )
