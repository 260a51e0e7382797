"""A site that publishes lists: signs heads, deltas and snapshots of cards for tests."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.contract.allowlist import Change, Delta, Head, Snapshot, seal_snapshot, snapshot_name
from cloud.contract.canonical import sha256_hex
from cloud.contract.itemcodec import item_json
from cloud.contract.items import Card

AT = "2026-03-01T08:00:00Z"


def card_id(number: int) -> str:
    """The keyed hash that stands for a card of this number."""
    return f"{number:032x}"


def put(number: int) -> Change:
    """The change that issues a card."""
    return Change("card", card_id(number), item_json(Card(card_id(number), person=f"p{number}")))


def remove(number: int) -> Change:
    """The change that takes a card away."""
    return Change("card", card_id(number), None)


@dataclass(slots=True)
class Site:
    """A publisher with a key."""

    name: str = "hq"
    epoch: int = 1
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def snapshot(self, version: int, cards: Iterable[int], *, allow_shrink: bool = False) -> Snapshot:
        """A whole list of these cards."""
        items = [item_json(Card(card_id(number), person=f"p{number}")) for number in cards]
        return Snapshot(self.name, self.epoch, version, AT, allow_shrink, items)

    def delta(self, version: int, *changes: Change, prev: int | None = None, allow_shrink: bool = False) -> Delta:
        """What leads from the version before (or `prev`) to this one."""
        before = version - 1 if prev is None else prev
        return Delta(self.name, self.epoch, version, before, AT, allow_shrink, changes)

    def head(self, version: int, snapshot: Snapshot, *, oldest_delta: int | None = None) -> Head:
        """A head at this version over this snapshot; the oldest delta is by default the one after the snapshot."""
        return Head(
            site=self.name,
            epoch=self.epoch,
            version=version,
            snapshot_version=snapshot.version,
            snapshot_key=snapshot_name(self.name, self.epoch, snapshot.version),
            snapshot_sha256=sha256_hex(seal_snapshot(snapshot, self.key)),
            oldest_delta=snapshot.version + 1 if oldest_delta is None else oldest_delta,
            at=AT,
        )
