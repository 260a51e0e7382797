"""Heads, deltas and snapshots: signed, bounded, and never taken for one another."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.contract.allowlist import (
    MAX_DELTA_BYTES,
    MAX_DELTA_INFLATED_BYTES,
    Change,
    Delta,
    Head,
    Snapshot,
    delta_key,
    head_key,
    open_delta,
    open_head,
    open_snapshot,
    seal_delta,
    seal_head,
    seal_snapshot,
    snapshot_name,
)
from cloud.contract.canonical import sha256_hex
from cloud.contract.errors import ContractError, SignatureInvalidError, UnknownVersionError
from cloud.contract.itemcodec import item_json
from cloud.contract.signing import sign
from tests.rigs.wire import KEY, OTHER_KEY, items, json_values, mangled, nested, only_contract_errors, signed

KEYS = [OTHER_KEY.public_key(), KEY.public_key()]
STRANGERS = [OTHER_KEY.public_key()]
AT = "2026-03-01T08:00:00Z"
HEAD = Head("hq", 1, 7, 5, "lists/hq/x.snapshot", "ab" * 32, 6, AT)
DELTA = Delta("hq", 1, 7, 6, AT, False, (Change("person", "anna", None),))
SNAPSHOT = Snapshot("hq", 1, 7, AT, False, [{"v": 1, "kind": "door", "id": "lobby"}])
whole = st.integers(0, 2**53 - 1)
documents = items.map(item_json)
puts = documents.map(lambda item: Change(item["kind"], item["id"], item))
deletes = st.builds(Change, st.sampled_from(["card", "robot"]), st.text("abc", max_size=4), st.none())


def read_delta(sealed: tuple[str, bytes]) -> Delta:
    return open_delta(*sealed, KEYS)


@given(numbers=st.tuples(whole, whole, whole, whole))
def test_a_head_survives(numbers: tuple[int, int, int, int]) -> None:
    """What was sealed is opened, by either of two keys."""
    epoch, version, snapshot_version, oldest = numbers
    head = replace(HEAD, epoch=epoch, version=version, snapshot_version=snapshot_version, oldest_delta=oldest)
    assert open_head(seal_head(head, KEY), KEYS) == head
    assert open_head(seal_head(head, OTHER_KEY), KEYS) == head


@given(changes=st.lists(puts | deletes, max_size=6).map(tuple), shrink=st.booleans(), version=whole)
def test_a_delta_survives(changes: tuple[Change, ...], shrink: bool, version: int) -> None:
    """Puts and deletes in their order; the same delta has the same bytes."""
    delta = replace(DELTA, changes=changes, allow_shrink=shrink, version=version)
    assert read_delta(seal_delta(delta, KEY)) == delta
    assert seal_delta(delta, KEY) == seal_delta(delta, KEY)


@given(some=st.lists(documents, max_size=6), shrink=st.booleans())
def test_a_snapshot_survives(some: list[dict[str, Any]], shrink: bool) -> None:
    """Raw items in their order; the same snapshot has the same bytes."""
    snapshot = replace(SNAPSHOT, items=some, allow_shrink=shrink)
    opened = open_snapshot(seal_snapshot(snapshot, KEY), KEYS)
    assert replace(opened, items=list(opened.items)) == snapshot
    assert len(opened.items) == len(some)
    assert list(opened.items) == some, "a second walk sees the same"
    assert all(item in opened.items for item in some)
    assert {"v": 1} not in opened.items
    assert seal_snapshot(snapshot, KEY) == seal_snapshot(snapshot, KEY)


def test_an_item_of_a_future_kind_travels_unharmed() -> None:
    """It is for the door to keep it out, and for the others to get in."""
    future = {"v": 9, "kind": "robot", "id": "r2", "arms": [1.5, None]}
    delta = replace(DELTA, changes=(Change("robot", "r2", future),))
    assert read_delta(seal_delta(delta, KEY)) == delta
    snapshot = replace(SNAPSHOT, items=[future])
    assert list(open_snapshot(seal_snapshot(snapshot, KEY), KEYS).items) == [future]


def test_a_stranger_is_refused() -> None:
    """Each document, by keys that did not sign it and by no keys."""
    text, packed = seal_delta(DELTA, KEY)
    for keys in (STRANGERS, []):
        for read in (
            lambda keys=keys: open_head(seal_head(HEAD, KEY), keys),
            lambda keys=keys: open_delta(text, packed, keys),
            lambda keys=keys: open_snapshot(seal_snapshot(SNAPSHOT, KEY), keys),
        ):
            with pytest.raises(SignatureInvalidError):
                read()


def test_no_document_is_taken_for_another() -> None:
    """The same key signs all three: a signed delta must not pass as a head or a snapshot, nor the reverse."""
    head, (delta, packed) = seal_head(HEAD, KEY), seal_delta(DELTA, KEY)
    snapshot, _, body = seal_snapshot(SNAPSHOT, KEY).partition(b"\n")
    for text in (delta, snapshot.decode()):
        with pytest.raises(ContractError, match=r"head: .* missing"):
            open_head(text, KEYS)
    for text in (head, snapshot.decode()):
        with pytest.raises(ContractError, match=r"delta: .* missing"):
            open_delta(text, packed, KEYS)
    for text in (head, delta):
        with pytest.raises(ContractError, match=r"snapshot: .* missing"):
            open_snapshot(text.encode() + b"\n" + body, KEYS)


def flipped(data: bytes, draw: Callable[..., Any]) -> bytes:
    place = draw(st.integers(0, len(data) - 1))
    return data[:place] + bytes([data[place] ^ draw(st.integers(1, 255))]) + data[place + 1 :]


@given(data=st.data())
def test_no_byte_of_a_head_can_be_changed(data: st.DataObject) -> None:
    """Any other value of any byte is refused; what is no UTF-8 never gets as far as text."""
    changed = flipped(seal_head(HEAD, KEY).encode(), data.draw).decode("utf-8", "surrogateescape")
    assert not only_contract_errors(lambda: open_head(changed, KEYS))


@given(data=st.data())
def test_no_byte_of_a_delta_can_be_changed(data: st.DataObject) -> None:
    """Neither of the signed text nor of the packed changes."""
    text, packed = seal_delta(DELTA, KEY)
    changed = flipped(text.encode(), data.draw).decode("utf-8", "surrogateescape")
    assert not only_contract_errors(lambda: open_delta(changed, packed, KEYS))
    assert not only_contract_errors(lambda: open_delta(text, flipped(packed, data.draw), KEYS))


@given(data=st.data())
def test_no_byte_of_a_snapshot_can_be_changed(data: st.DataObject) -> None:
    """Header, separator or body; nor can it be cut or lengthened."""
    sealed = seal_snapshot(SNAPSHOT, KEY)
    assert not only_contract_errors(lambda: open_snapshot(flipped(sealed, data.draw), KEYS))
    assert not only_contract_errors(lambda: open_snapshot(sealed[: data.draw(st.integers(0, len(sealed) - 1))], KEYS))
    assert not only_contract_errors(lambda: open_snapshot(sealed + b"x", KEYS))


BAD_HEADS: list[tuple[str, dict[str, Any]]] = [
    ("epoch", {"epoch": True}),
    ("epoch", {"epoch": 1.0}),
    ("version", {"version": -1}),
    ("version", {"version": 2**53}),
    ("version", {"version": None}),
    ("snapshot_key", {"snapshot_key": 1}),
    ("site is not an id", {"site": "h q"}),
    ("not an instant", {"at": "2026-03-01T08:00:00.000Z"}),
    ("2026-02-30", {"at": "2026-02-30T08:00:00Z"}),
]


def head_document(**changes: Any) -> dict[str, Any]:
    return {"v": 1, **{name: getattr(HEAD, name) for name in Head.__slots__}, **changes}


@pytest.mark.parametrize(("what", "changes"), BAD_HEADS)
def test_a_signed_head_must_still_be_a_head(what: str, changes: dict[str, Any]) -> None:
    """A trusted publisher can be broken; and what is broken cannot be sealed in the first place."""
    with pytest.raises(ContractError, match=what):
        open_head(signed(head_document(**changes), sign).decode(), KEYS)
    with pytest.raises(ContractError, match=what):
        seal_head(replace(HEAD, **changes), KEY)


@pytest.mark.parametrize("version", [2, None, True, "1"])
def test_another_version_is_unknown_if_it_is_signed(version: Any) -> None:
    """An unsigned stranger does not get to say `newer version`."""
    document = signed(head_document(v=version), sign).decode()
    with pytest.raises(UnknownVersionError):
        open_head(document, KEYS)
    with pytest.raises(SignatureInvalidError):
        open_head(document, STRANGERS)


def packed_delta(body: bytes) -> tuple[str, bytes]:
    """A delta of a trusted but broken publisher: signed, around any bytes."""
    document = {
        "v": 1, "site": "hq", "epoch": 1, "version": 7, "prev_version": 6, "at": AT, "allow_shrink": False,
        "changes_sha256": sha256_hex(body),
    }  # fmt: skip
    return signed(document, sign).decode(), body


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("gzip", b"[]"),
        ("not JSON", gzip.compress(b"[", mtime=0)),
        ("not JSON", gzip.compress(nested(100_000), mtime=0)),
        ("not a list", gzip.compress(b"{}", mtime=0)),
        ("neither put nor del", gzip.compress(b"[1]", mtime=0)),
        ("neither put nor del", gzip.compress(b'[{"op":"put","item":[]}]', mtime=0)),
        ("neither put nor del", gzip.compress(b'[{"op":["del"]}]', mtime=0)),
        ("no kind and id", gzip.compress(b'[{"op":"del","kind":"card"}]', mtime=0)),
        ("no kind and id", gzip.compress(b'[{"op":"put","item":{"id":1,"kind":"card"}}]', mtime=0)),
        ("not JSON", gzip.compress(b'[{"op":"del","kind":"card","id":"\\ud800"}]', mtime=0)),
        (f"above {MAX_DELTA_INFLATED_BYTES} bytes", gzip.compress(bytes(MAX_DELTA_INFLATED_BYTES + 1), mtime=0)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_signed_changes_must_still_be_changes(what: str, body: bytes) -> None:
    """Bounded, JSON, a list, of puts and deletes."""
    with pytest.raises(ContractError, match=what):
        read_delta(packed_delta(body))


@given(changes=st.lists(json_values | mangled(puts.map(lambda it: {"op": "put", "item": dict(it.item or {})}))))
def test_open_delta_of_wild_changes_raises_only_contract_errors(changes: list[Any]) -> None:
    """Whatever a broken publisher signs; what is taken names text that a database can hold."""
    body = gzip.compress(json.dumps(changes).encode(), mtime=0)
    if only_contract_errors(lambda: read_delta(packed_delta(body))):
        for change in read_delta(packed_delta(body)).changes:
            (change.kind + change.id).encode()


def packed_snapshot(body: bytes, **changes: Any) -> bytes:
    document = {
        "v": 1, "site": "hq", "epoch": 1, "version": 7, "at": AT, "allow_shrink": False, "items": 1,
        "body_sha256": sha256_hex(body), **changes,
    }  # fmt: skip
    return signed(document, sign) + b"\n" + body


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("no header line", b""),
        ("no header line", b'{"v":1}'),
        ("not JSON", b"\xff\xfe\n"),
        ("gzip", packed_snapshot(b"{}")),
        ("number of items", packed_snapshot(gzip.compress(b"{}\n{}\n", mtime=0))),
        ("number of items", packed_snapshot(gzip.compress(b"", mtime=0))),
        ("not an object", packed_snapshot(gzip.compress(b"1\n", mtime=0))),
        ("not JSON", packed_snapshot(gzip.compress(b"{\n", mtime=0))),
        ("not JSON", packed_snapshot(gzip.compress(nested(100_000) + b"\n", mtime=0))),
        ("does not end", packed_snapshot(gzip.compress(b"{}", mtime=0))),
        ("items is missing", packed_snapshot(gzip.compress(b"{}\n", mtime=0), items=-1)),
        ("allow_shrink is missing", packed_snapshot(gzip.compress(b"{}\n", mtime=0), allow_shrink=1)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_signed_snapshot_must_still_be_one(what: str, data: bytes) -> None:
    """Header, gzip, lines, objects, count."""
    with pytest.raises(ContractError, match=what):
        open_snapshot(data, KEYS)


@settings(max_examples=100)
@given(text=st.text(max_size=60) | json_values.map(json.dumps), data=st.binary(max_size=100))
def test_openers_of_junk_raise_only_contract_errors(text: str, data: bytes) -> None:
    """Whatever lies in the table or the bucket."""
    assert not only_contract_errors(lambda: open_head(text, KEYS))
    assert not only_contract_errors(lambda: open_delta(text, data, KEYS))
    assert not only_contract_errors(lambda: open_snapshot(data, KEYS))
    assert not only_contract_errors(lambda: open_snapshot(text.encode("utf-8", "replace") + b"\n" + data, KEYS))


@settings(max_examples=100)
@given(broken=mangled(st.builds(head_document)))
def test_open_head_of_a_damaged_head_raises_only_contract_errors(broken: Any) -> None:
    """Damaged before it was signed."""
    only_contract_errors(lambda: open_head(signed(broken, sign).decode(), KEYS))


def test_a_delta_that_does_not_fit_is_not_sealed() -> None:
    """Neither packed nor inflated: the publisher takes a snapshot instead."""
    ids = (sha256_hex(str(number).encode()) for number in range(12_000))
    with pytest.raises(ContractError, match=f"{MAX_DELTA_BYTES} fit"):
        seal_delta(replace(DELTA, changes=tuple(Change("card", each, None) for each in ids)), KEY)
    with pytest.raises(ContractError, match="take a snapshot"):
        seal_delta(replace(DELTA, changes=(Change("card", "a" * MAX_DELTA_INFLATED_BYTES, None),)), KEY)


def test_keys_sort_as_versions_do() -> None:
    """Text order in the table is number order."""
    keys = [delta_key("hq", epoch, version)[1] for epoch, version in ((1, 9), (1, 10), (1, 100_000), (2, 1), (10, 1))]
    assert keys == sorted(keys)
    assert head_key("hq") == ("HEAD#hq", "-")
    assert delta_key("hq", 1, 2) == ("DELTA#hq", "0000000001#000000000002")
    assert snapshot_name("hq", 1, 2) == "lists/hq/0000000001-000000000002.snapshot"
