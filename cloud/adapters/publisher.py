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
from cloud.adapters.list_changes import at_or_after, check_change, next_step
from cloud.adapters.list_store import ListStore, PackedDelta
from cloud.contract.allowlist import (
    Change,
    Head,
    Snapshot,
    open_delta,
    open_head,
    open_snapshot,
    seal_head,
    seal_snapshot,
    snapshot_name,
)
from cloud.contract.canonical import sha256_hex
from cloud.contract.errors import ContractError
from cloud.domain.lists import (
    Items,
    applied,
    cards,
    cards_removed,
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
_POINT_TRIES: Final = 20
"""A snapshot of a large list takes seconds, and a busy site publishes several times in each. After that many the next
one to publish, or the next scheduled look, takes a snapshot of its own."""
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
            check_change(change)
        after = applied(held.items, changes)
        check_rights(after)
        _refuse_shrink(held.items, after, allow_shrink=allow_shrink)
        return self._advance(held, after, allow_shrink)

    def compact_if_due(self, every: int) -> bool:
        """As `compact`, if the list is so many versions past its snapshot; returns whether there is a newer one now.

        Until it is due, the list is not even loaded. A site without a list has nothing to take a snapshot of.
        """
        text = self._store.head()
        if text is None:
            return False
        head = open_head(text, self._trusted)
        return snapshot_due(head, every) and self.compact().snapshot_version > head.snapshot_version

    def compact(self) -> Head:
        """Take a snapshot of the list as it stands, and let go of old deltas; the version stays.

        The list may go on meanwhile. Raises PublishError when there is no list yet, Conflict when it could not be read
        while it was changed.
        """
        held = self._read()
        if held is None:
            raise PublishError(f"site {self._store.site}: no list was published yet")
        return held.head if held.head.snapshot_version == held.head.version else self._compact(held)

    def _advance(self, held: _Held, after: Items, allow_shrink: bool) -> Head:
        """One version on, by a delta; by a snapshot if the changes do not fit into one."""
        changes = difference(held.items, after)
        if not changes:
            return held.head
        try:
            step = next_step(held.head, changes, self._key, now_s=int(self._clock()), allow_shrink=allow_shrink)
        except ContractError:
            return self._leap(held, after, held.head.epoch, allow_shrink)
        self._replace(held, step.head, step.text, after, step.delta)
        if snapshot_due(step.head, self._snapshot_every):
            compacted = self._compact(_Held(step.text, step.head, after))
            return compacted if compacted.version == step.head.version else step.head
        return step.head

    def _leap(self, held: _Held | None, after: Items, epoch: int, allow_shrink: bool) -> Head:
        """A version that only a snapshot leads to."""
        site, at = self._store.site, at_or_after(held.head if held else None, int(self._clock()))
        first = held.head.version + 1 if held else 1
        for version in range(first, first + _NAME_TRIES):
            data = self._snapshot(epoch, version, at, after, allow_shrink=allow_shrink)
            name = snapshot_name(site, epoch, version)
            if self._store.put_snapshot(name, data):
                head = Head(site, epoch, version, version, name, sha256_hex(data), version + 1, at)
                self._replace(held, head, seal_head(head, self._key), after)
                self._trim(head)
                return head
        raise PublishError(f"site {site}: {_NAME_TRIES} snapshot names from version {first} on are taken")

    def _compact(self, held: _Held) -> Head:
        head = held.head
        # It is signed as meant, whatever it lacks: each step that led to it passed the guard, and a door that was away
        # for long and refused it would go on admitting revoked cards.
        data = self._snapshot(head.epoch, head.version, head.at, held.items, allow_shrink=True)
        name = snapshot_name(head.site, head.epoch, head.version)
        if not self._store.put_snapshot(name, data) and self._store.snapshot(name) != data:
            # Left there by a publication that did not come about. The next version has another name.
            return head
        compacted = self._point_at(held.text, head, name, sha256_hex(data))
        # Where others went on meanwhile, what the list holds by now is read when it is asked for.
        same = compacted.version == head.version
        self._known = _Held(seal_head(compacted, self._key), compacted, held.items) if same else None
        return compacted

    def _point_at(self, text: str, head: Head, name: str, sha256: str) -> Head:
        """Let the head name a snapshot of its version; if the list has gone on since, the new head names it."""
        version = head.version
        for _ in range(_POINT_TRIES):
            compacted = replace(
                head,
                snapshot_version=version,
                snapshot_key=name,
                snapshot_sha256=sha256,
                # The deltas that lead on from the snapshot stay, however many they have become.
                oldest_delta=min(oldest_kept(head, self._keep_deltas), version + 1),
            )
            try:
                self._store.replace_head(text, seal_head(compacted, self._key))
            except Conflict:
                newer = self._store.head()
                if newer is None:
                    raise
                text, head = newer, open_head(newer, self._trusted)
                if head.epoch != compacted.epoch or head.snapshot_version >= version:
                    # Whoever published that took a snapshot too.
                    return head
            else:
                self._trim(compacted)
                return compacted
        return head

    def _replace(
        self, held: _Held | None, head: Head, text: str, items: Items, delta: PackedDelta | None = None
    ) -> None:
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
