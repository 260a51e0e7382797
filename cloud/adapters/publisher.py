"""Publishes a site's allow-list: every change is one signed version, or nothing.

What is published is the only record of the list that this keeps: the newest snapshot and the deltas after it. There is
no second copy that could differ from what the doors see.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cloud.adapters.aws import AwsAccess
from cloud.adapters.list_store import ListStore
from cloud.contract.allowlist import (
    Change,
    Delta,
    Head,
    Snapshot,
    open_delta,
    open_head,
    open_snapshot,
    seal_delta,
    seal_head,
    seal_snapshot,
    snapshot_name,
)
from cloud.contract.canonical import sha256_hex
from cloud.contract.errors import ContractError
from cloud.contract.itemcodec import instant, instant_text
from cloud.domain.lists import (
    Items,
    applied,
    cards,
    cards_removed,
    check,
    check_rights,
    difference,
    index,
    next_epoch,
    oldest_kept,
    shrinks_too_much,
    snapshot_due,
)
from cloud.errors import Conflict, PublishError, ShrinkRefused

SNAPSHOT_EVERY: Final = 200
"""Versions. A door that is further behind takes the snapshot, so an older one would spare it nothing."""
KEEP_DELTAS: Final = 400
_KEEP_SNAPSHOTS: Final = 2
"""Superseded ones, for doors that read the head just before it changed."""
_NAME_TRIES: Final = 10
"""A crash between storing a snapshot and the head that names it leaves a name taken; it takes that many to stop us."""


@dataclass(frozen=True, slots=True)
class _Held:
    """The list as it stands: its head, the text that was signed, and all its items."""

    text: str
    head: Head
    items: Items


class Publisher:
    """Publishes the list of one site. Several may work at once: one of them wins, the others get Conflict.

    All methods raise AwsError when the account does not answer, and ContractError when what is stored is not ours.

    Args:
        store: Where the list lies.
        key: Signs; the doors trust it.
        trusted: Further keys that signed what is stored, while keys rotate.
        snapshot_every: Versions between two snapshots.
        keep_deltas: Versions that a door may be behind and still follow by deltas.
        clock: Unix seconds.
    """

    def __init__(
        self,
        store: ListStore,
        key: Ed25519PrivateKey,
        *,
        trusted: Sequence[Ed25519PublicKey] = (),
        snapshot_every: int = SNAPSHOT_EVERY,
        keep_deltas: int = KEEP_DELTAS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._key = key
        self._trusted = (key.public_key(), *trusted)
        self._snapshot_every = snapshot_every
        self._keep_deltas = keep_deltas
        self._clock = clock
        self._known: _Held | None = None

    def current(self) -> tuple[Head, Items] | None:
        """The published head and list; None when there is none."""
        held = self._read()
        return None if held is None else (held.head, held.items)

    def publish(
        self, documents: Iterable[Mapping[str, Any]], *, allow_shrink: bool = False, new_epoch: bool = False
    ) -> Head:
        """Make `documents` (items in wire form) the whole list of the site; no new version if it already is.

        `new_epoch` makes doors take it even if they have seen a higher version: after a table was restored or lost.
        Raises ContractError for a malformed item, ShrinkRefused, Conflict.
        """
        after = index(documents)
        check_rights(after)
        held = self._read()
        if held is not None:
            _refuse_shrink(held.items, after, allow_shrink=allow_shrink)
        if held is None or new_epoch:
            return self._leap(held, after, next_epoch(held.head if held else None, int(self._clock())), allow_shrink)
        return self._advance(held, after, allow_shrink)

    def change(self, changes: Iterable[Change], *, allow_shrink: bool = False) -> Head:
        """Change the published list, as one version; no new version if nothing differs.

        Raises ContractError for a malformed item or one to delete that is not there, ShrinkRefused, Conflict, and
        PublishError when there is no list yet.
        """
        held = self._read()
        if held is None:
            raise PublishError(f"site {self._store.site}: no list was published yet, so none can be changed")
        changes = tuple(changes)
        for change in changes:
            if change.item is not None and check(change.item) != (change.kind, change.id):
                raise ContractError(f"{change.kind} {change.id!r}: the item says that it is another")
        after = applied(held.items, changes)
        check_rights(after)
        _refuse_shrink(held.items, after, allow_shrink=allow_shrink)
        return self._advance(held, after, allow_shrink)

    def _advance(self, held: _Held, after: Items, allow_shrink: bool) -> Head:
        """One version on, by a delta; by a snapshot if the changes do not fit into one."""
        changes = difference(held.items, after)
        if not changes:
            return held.head
        head = replace(held.head, version=held.head.version + 1, at=self._at(held))
        delta = Delta(head.site, head.epoch, head.version, held.head.version, head.at, allow_shrink, changes)
        try:
            text, packed = seal_delta(delta, self._key)
        except ContractError:
            return self._leap(held, after, head.epoch, allow_shrink)
        self._commit(held, head, after, (head.epoch, head.version, text, packed))
        if snapshot_due(head, self._snapshot_every):
            return self._compact()
        return head

    def _leap(self, held: _Held | None, after: Items, epoch: int, allow_shrink: bool) -> Head:
        """A version that only a snapshot leads to."""
        site, at = self._store.site, self._at(held)
        first = held.head.version + 1 if held else 1
        for version in range(first, first + _NAME_TRIES):
            data = self._snapshot(epoch, version, at, after, allow_shrink=allow_shrink)
            name = snapshot_name(site, epoch, version)
            if self._store.put_snapshot(name, data):
                head = Head(site, epoch, version, version, name, sha256_hex(data), version + 1, at)
                self._commit(held, head, after)
                self._trim(head)
                return head
        raise PublishError(f"site {site}: {_NAME_TRIES} snapshot names from version {first} on are taken")

    def _compact(self) -> Head:
        """Take a snapshot of the list as it stands, and let go of old deltas. The version stays.

        It is signed as meant, whatever it lacks: each step that led to it passed the guard, and a door that was away
        for long and refused it would go on admitting revoked cards.
        """
        held = self._known
        if held is None:
            raise PublishError("no list is known")
        head = held.head
        data = self._snapshot(head.epoch, head.version, head.at, held.items, allow_shrink=True)
        name = snapshot_name(head.site, head.epoch, head.version)
        if not self._store.put_snapshot(name, data) and self._store.snapshot(name) != data:
            # Left there by a publication that did not come about. The next version has another name.
            return head
        compacted = replace(
            head,
            snapshot_version=head.version,
            snapshot_key=name,
            snapshot_sha256=sha256_hex(data),
            oldest_delta=oldest_kept(head, self._keep_deltas),
        )
        try:
            self._commit(held, compacted, held.items)
        except Conflict:
            # The list was published all the same, and whoever published after us takes the snapshot.
            return head
        self._trim(compacted)
        return compacted

    def _commit(
        self, held: _Held | None, head: Head, items: Items, delta: tuple[int, int, str, bytes] | None = None
    ) -> None:
        text = seal_head(head, self._key)
        try:
            self._store.replace_head(held.text if held else None, text, delta)
        except Conflict:
            self._known = None
            raise
        self._known = _Held(text, head, items)

    def _trim(self, head: Head) -> None:
        self._store.delete_deltas(head.epoch, head.oldest_delta)
        superseded = [name for name in self._store.snapshot_names() if name < head.snapshot_key]
        for name in superseded[:-_KEEP_SNAPSHOTS]:
            self._store.delete_snapshot(name)

    def _snapshot(self, epoch: int, version: int, at: str, items: Items, *, allow_shrink: bool) -> bytes:
        documents = [items[key] for key in sorted(items)]
        return seal_snapshot(Snapshot(self._store.site, epoch, version, at, allow_shrink, documents), self._key)

    def _at(self, held: _Held | None) -> str:
        # Doors take it for a floor of the time: it must not go back when our clock does.
        return instant_text(max(int(self._clock()), instant(held.head.at) if held else 0))

    def _read(self) -> _Held | None:
        text = self._store.head()
        if text is None:
            self._known = None
            return None
        if self._known is None or self._known.text != text:
            self._known = self._load(text)
        return self._known

    def _load(self, text: str) -> _Held:
        head = open_head(text, self._trusted)
        if head.site != self._store.site:
            raise ContractError(f"head: is of site {head.site!r}, not {self._store.site!r}")
        data = self._store.snapshot(head.snapshot_key)
        if sha256_hex(data) != head.snapshot_sha256:
            raise ContractError("snapshot: is not the one that the head names")
        snapshot = open_snapshot(data, self._trusted)
        # What is out is taken as it is, so that an item of a later release survives a publisher of this one.
        items: Items = {(str(item.get("kind")), str(item.get("id"))): item for item in snapshot.items}
        version = snapshot.version
        for delta_text, packed in self._store.deltas(head.epoch, version, head.version):
            delta = open_delta(delta_text, packed, self._trusted)
            if delta.prev_version != version:
                break
            items, version = applied(items, delta.changes), delta.version
        if version != head.version:
            raise Conflict(f"site {head.site}: the list changed while it was read")
        return _Held(text, head, items)


def open_publisher(access: AwsAccess, site: str, table: str, bucket: str, key: Ed25519PrivateKey) -> Publisher:
    """A publisher with the usual settings."""
    return Publisher(ListStore(site, table, bucket, access.dynamodb(), access.s3()), key)


def _refuse_shrink(before: Items, after: Items, *, allow_shrink: bool) -> None:
    if not allow_shrink and shrinks_too_much(before, after):
        raise ShrinkRefused(
            f"{cards_removed(before, after)} of {cards(before)} cards would go; say that it is meant, if it is"
        )
