"""How an allow-list travels: a signed head, packed signed deltas, and signed snapshots.

Keys of the table: HEAD#<site> / `-`, DELTA#<site> / <epoch>#<version>, in the attributes `pk` and `sk`. The signed JSON
travels as text in the attribute `doc`, so that the bytes that were signed are the bytes that are checked; a delta's
packed changes are the binary attribute `changes`. `epoch` and `version` stand beside them as numbers, for conditions.
"""

import gzip
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cloud.contract.canonical import canonical_bytes, parse_canonical, parse_json, parse_lines, sha256_hex
from cloud.contract.checks import check_id, check_version, is_whole
from cloud.contract.errors import ContractError, HashMismatchError
from cloud.contract.inflating import inflate, inflate_lines
from cloud.contract.itemcodec import instant
from cloud.contract.signing import sign, verify

LIST_VERSION: Final = 1
MAX_DELTA_BYTES: Final = 300_000
"""Of the compressed changes: an item of the table holds 400 KB."""
MAX_DELTA_INFLATED_BYTES: Final = 4 << 20
"""A door stops inflating a delta here: ids are random and hardly shrink, so that real changes are far below. What this
much JSON can come to in memory, 100 MB of empty lists, a small controller still bears."""
MAX_SNAPSHOT_BYTES: Final = 32 << 20
"""A door reads a snapshot no further: 250,000 cards and persons with random ids are 13 MB."""
MAX_INFLATED_BYTES: Final = 256 << 20
"""A door stops inflating here: 250,000 cards and persons are about 67 MB of JSON."""
MAX_ITEMS: Final = 1_000_000
"""Of a snapshot: a door walks over all of them several times."""
MAX_RIGHTS_BYTES: Final = 4 << 20
"""Of all items but cards and persons, in wire form: a door holds these in memory. A thousand groups of fifty doors
are 2 MB."""

# The fields that are signed, by document. No two documents have the same: none can be taken for another.
_HEAD: Final[Mapping[str, type]] = {
    "site": str, "epoch": int, "version": int, "snapshot_version": int, "snapshot_key": str, "snapshot_sha256": str,
    "oldest_delta": int, "at": str,
}  # fmt: skip
_DELTA: Final[Mapping[str, type]] = {
    "site": str, "epoch": int, "version": int, "prev_version": int, "at": str, "allow_shrink": bool,
    "changes_sha256": str,
}  # fmt: skip
_SNAPSHOT: Final[Mapping[str, type]] = {
    "site": str, "epoch": int, "version": int, "at": str, "allow_shrink": bool, "items": int, "body_sha256": str,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Head:
    """What a site's newest list is, and where to get it."""

    site: str
    epoch: int
    version: int
    snapshot_version: int
    snapshot_key: str
    snapshot_sha256: str
    oldest_delta: int
    """The lowest version whose delta is still there; equal to `version` + 1 when there is none."""
    at: str
    """When it was published, RFC 3339 UTC to the second: a floor for a door that does not know the time."""


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a delta: put the raw item, or delete by kind and id."""

    kind: str
    id: str
    item: Mapping[str, Any] | None
    """None: delete."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What changed from `prev_version` to `version`."""

    site: str
    epoch: int
    version: int
    prev_version: int
    at: str
    allow_shrink: bool
    """Signed as meant: this change may remove more than a fifth of the list."""
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole list; the items are raw, so that one of an unknown version spoils no other."""

    site: str
    epoch: int
    version: int
    at: str
    allow_shrink: bool
    items: Collection[Mapping[str, Any]]
    """May be walked more than once. Those of an opened snapshot are parsed anew on each walk."""


class PackedItems(Collection[Mapping[str, Any]]):
    """The items of a snapshot as they came: parsed while they are walked, and forgotten.

    A list of 250,000 cards and their persons takes half a gigabyte as objects and 7 MB like this.
    """

    __slots__ = ("_body", "_count")

    def __init__(self, body: bytes, count: int) -> None:
        """Walk the body once, so that later walks can't fail; raises ContractError, also unless it holds `count`."""
        self._body = body
        self._count = count
        if sum(1 for _ in islice(self, count + 1)) != count:
            raise ContractError("snapshot: number of items differs from the header")

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for lines in inflate_lines(self._body, MAX_INFLATED_BYTES, "snapshot"):
            for item in parse_lines(lines, "snapshot"):
                if not isinstance(item, dict):
                    raise ContractError("snapshot: an item is not an object")
                yield item

    def __contains__(self, item: object) -> bool:
        return any(item == each for each in self)


def head_key(site: str) -> tuple[str, str]:
    """Partition and sort key of a site's head."""
    return f"HEAD#{site}", "-"


def delta_key(site: str, epoch: int, version: int) -> tuple[str, str]:
    """Partition and sort key of a delta; sorts by epoch, then version."""
    return f"DELTA#{site}", f"{epoch:010d}#{version:012d}"


def snapshot_name(site: str, epoch: int, version: int) -> str:
    """Key of the snapshot object in the bucket of lists."""
    return f"lists/{site}/{epoch:010d}-{version:012d}.snapshot"


def seal_head(head: Head, key: Ed25519PrivateKey) -> str:
    """The signed text of a head."""
    document: dict[str, Any] = {"v": LIST_VERSION, **{name: getattr(head, name) for name in Head.__slots__}}
    return _sealed(document, "head", _HEAD, key).decode()


def open_head(text: str, keys: Sequence[Ed25519PublicKey]) -> Head:
    """Check and read a head; raises ContractError and its kinds."""
    document = _signed(_encoded(text, "head"), keys, "head")
    return Head(**_typed(document, "head", _HEAD))


def seal_delta(delta: Delta, key: Ed25519PrivateKey) -> tuple[str, bytes]:
    """The signed text of a delta, and its packed changes."""
    lines = [
        {"op": "del", "kind": change.kind, "id": change.id}
        if change.item is None
        else {"op": "put", "item": change.item}
        for change in delta.changes
    ]
    body = b"[" + b",".join(map(canonical_bytes, lines)) + b"]"
    packed = gzip.compress(body, mtime=0)
    if len(packed) > MAX_DELTA_BYTES or len(body) > MAX_DELTA_INFLATED_BYTES:
        raise ContractError(f"delta: {len(packed)} bytes packed, {MAX_DELTA_BYTES} fit; split it or take a snapshot")
    document: dict[str, Any] = {
        "v": LIST_VERSION, "site": delta.site, "epoch": delta.epoch, "version": delta.version,
        "prev_version": delta.prev_version, "at": delta.at, "allow_shrink": delta.allow_shrink,
        "changes_sha256": sha256_hex(packed),
    }  # fmt: skip
    return _sealed(document, "delta", _DELTA, key).decode(), packed


def open_delta(text: str, packed: bytes, keys: Sequence[Ed25519PublicKey]) -> Delta:
    """Check and read a delta; raises ContractError and its kinds."""
    document = _signed(_encoded(text, "delta"), keys, "delta")
    values = _typed(document, "delta", _DELTA)
    if values.pop("changes_sha256") != sha256_hex(packed):
        raise HashMismatchError("delta: changes are not the bytes that were signed")
    if len(packed) > MAX_DELTA_BYTES:
        raise ContractError(f"delta: above {MAX_DELTA_BYTES} bytes")
    lines = parse_json(inflate(packed, MAX_DELTA_INFLATED_BYTES, "delta"), "delta")
    if not isinstance(lines, list):
        raise ContractError("delta: changes are not a list")
    return Delta(**values, changes=tuple(_change(line) for line in lines))


def seal_snapshot(snapshot: Snapshot, key: Ed25519PrivateKey) -> bytes:
    """The bytes of a snapshot object: a signed line of JSON, then the items, one JSON line each, gzipped."""
    lines = b"".join(canonical_bytes(item) + b"\n" for item in snapshot.items)
    if len(lines) > MAX_INFLATED_BYTES:
        raise ContractError(f"snapshot: {len(lines)} bytes, {MAX_INFLATED_BYTES} fit")
    body = gzip.compress(lines, mtime=0)
    if len(body) > MAX_SNAPSHOT_BYTES or len(snapshot.items) > MAX_ITEMS:
        raise ContractError(f"snapshot: {len(body)} bytes and {len(snapshot.items)} items, more than fit")
    document: dict[str, Any] = {
        "v": LIST_VERSION, "site": snapshot.site, "epoch": snapshot.epoch, "version": snapshot.version,
        "at": snapshot.at, "allow_shrink": snapshot.allow_shrink, "items": len(snapshot.items),
        "body_sha256": sha256_hex(body),
    }  # fmt: skip
    return _sealed(document, "snapshot", _SNAPSHOT, key) + b"\n" + body


def open_snapshot(data: bytes, keys: Sequence[Ed25519PublicKey]) -> Snapshot:
    """Check and read a snapshot object; raises ContractError and its kinds."""
    header, separator, body = data.partition(b"\n")
    if not separator:
        raise ContractError("snapshot: no header line")
    document = _signed(header, keys, "snapshot")
    values = _typed(document, "snapshot", _SNAPSHOT)
    if values.pop("body_sha256") != sha256_hex(body):
        raise HashMismatchError("snapshot: body is not the bytes that were signed")
    count = values.pop("items")
    if count > MAX_ITEMS or len(body) > MAX_SNAPSHOT_BYTES:
        raise ContractError(f"snapshot: {count} items in {len(body)} bytes, more than fit")
    return Snapshot(**values, items=PackedItems(body, count))


def _change(line: Any) -> Change:
    if isinstance(line, Mapping) and line.get("op") == "del":
        kind, identifier, item = line.get("kind"), line.get("id"), None
    elif isinstance(line, Mapping) and line.get("op") == "put" and isinstance(line.get("item"), Mapping):
        item = line["item"]
        kind, identifier = item.get("kind"), item.get("id")
    else:
        raise ContractError("delta: a change is neither put nor del")
    if not isinstance(kind, str) or not isinstance(identifier, str):
        raise ContractError("delta: a change names no kind and id")
    return Change(kind=kind, id=identifier, item=item)


def _sealed(document: dict[str, Any], what: str, kinds: Mapping[str, type], key: Ed25519PrivateKey) -> bytes:
    _typed(document, what, kinds)  # what no door would take must not be published
    return canonical_bytes({**document, "sig": sign(document, key)})


def _encoded(text: str, what: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise ContractError(f"{what}: not JSON") from None


def _signed(data: bytes, keys: Sequence[Ed25519PublicKey], what: str) -> dict[str, Any]:
    document = parse_canonical(data, what)
    verify(document, keys)
    # After the signature: an unsigned stranger does not get to say "newer version".
    check_version(document, LIST_VERSION, what)
    return document


def _typed(document: Mapping[str, Any], what: str, kinds: Mapping[str, type]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, kind in kinds.items():
        value = document.get(name)
        if type(value) is not kind or (kind is int and not is_whole(value)):
            raise ContractError(f"{what}: {name} is missing or not {kind.__name__}")
        values[name] = value
    check_id(values["site"], f"{what}: site")
    instant(values["at"])
    return values
