"""Hypothesis strategies and helpers for the wire contract: valid documents, junk, and damage."""

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from cloud.contract.canonical import canonical_bytes
from cloud.contract.errors import ContractError
from cloud.contract.events import GENESIS, Event, EventType, event_id
from cloud.contract.items import (
    AntiPassback,
    Area,
    Card,
    CardStatus,
    Door,
    DoorMode,
    Grant,
    Group,
    Holidays,
    Item,
    Membership,
    Person,
    Schedule,
    Window,
)

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"o" * 32)

ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,20}", fullmatch=True)
hashes = st.text("0123456789abcdef", min_size=32, max_size=32)
seconds = st.integers(-62_135_596_800, 253_402_300_799)
"""Every second that RFC 3339 can write: the years 1 to 9999."""
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
"""Any characters but half ones, which UTF-8 can't hold."""

_maybe_id = st.none() | ids
_grants = st.lists(st.builds(Grant, ids, _maybe_id), max_size=4).map(tuple)
_days = st.frozensets(st.integers(0, 6), min_size=1)
_windows = st.lists(st.builds(Window, _days, st.integers(0, 1439), st.integers(0, 1440)), max_size=4).map(tuple)
_bounds = st.none() | seconds
_memberships = st.lists(st.builds(Membership, ids, _bounds, _bounds), max_size=4).map(tuple)
_zones = st.sampled_from(["UTC", "Europe/Berlin", "America/Argentina/Ushuaia"])
items: SearchStrategy[Item] = st.one_of(
    st.builds(Card, hashes, ids, st.sampled_from(CardStatus), _bounds, _bounds),
    st.builds(Person, ids, st.booleans(), _memberships, _bounds, _bounds),
    st.builds(Group, ids, _grants),
    st.builds(Schedule, ids, _zones, _windows, _maybe_id),
    st.builds(Holidays, ids, st.frozensets(st.dates(), max_size=4)),
    st.builds(Door, ids, st.sampled_from(DoorMode), _maybe_id, _maybe_id),
    st.builds(Area, ids, st.sampled_from(AntiPassback)),
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
json_values: SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)
"""What json.loads can return, NaN and half characters included."""


@st.composite
def events(draw: st.DrawFn, device: str = "d-1", epoch: int = 1, seq: int | None = None) -> Event:
    """A valid event at a place of a device's journal."""
    place = draw(st.integers(1, 2**53 - 1)) if seq is None else seq
    at = draw(st.datetimes()).isoformat(timespec="milliseconds") + "Z"
    return Event(
        id=event_id(device, epoch, place),
        device=device,
        site="hq",
        epoch=epoch,
        seq=place,
        prev=draw(st.sampled_from([GENESIS, "ab" * 32])),
        type=draw(st.sampled_from(EventType)),
        at=at,
        clock=draw(st.sampled_from(["synced", "unsynced"])),
        boot=draw(texts),
        mono_ms=draw(st.integers(0, 2**53 - 1)),
        online=draw(st.booleans()),
        door=draw(_maybe_id),
        reader=draw(_maybe_id),
        direction=draw(st.sampled_from([None, "in", "out"])),
        reason=draw(st.sampled_from([None, "allowed", "no_group"])),
        credential=draw(st.none() | hashes),
        person=draw(_maybe_id),
        policy=draw(st.none() | st.integers(0, 2**53 - 1)),
        detail=draw(st.none() | st.dictionaries(texts, scalars, max_size=3)),
        at_raw=draw(st.sampled_from([None, "1970-01-01T00:00:07.000Z"])),
    )


@st.composite
def runs(draw: st.DrawFn, max_size: int = 4) -> list[Event]:
    """Consecutive events of one device and epoch."""
    first = draw(st.integers(1, 1000))
    return [draw(events(seq=first + place)) for place in range(draw(st.integers(1, max_size)))]


@st.composite
def mangled(draw: st.DrawFn, whole: SearchStrategy[dict[str, Any]]) -> Any:
    """A valid document with one value, at any depth, replaced, dropped, or renamed."""
    document = draw(whole)
    holder: Any = document
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return document
        key = draw(st.sampled_from(keys))
        if isinstance(holder[key], dict | list) and draw(st.booleans()):
            holder = holder[key]
            continue
        action = draw(st.sampled_from(["replace", "drop", "rename"]))
        value = holder.pop(key)
        if action == "replace":
            replacement = draw(json_values)
            holder.insert(key, replacement) if isinstance(holder, list) else holder.__setitem__(key, replacement)
        elif action == "rename" and isinstance(holder, dict):
            holder[draw(st.text(max_size=8))] = value
        return document


def only_contract_errors(read: Callable[[], object]) -> bool:
    """Whether reading succeeded; anything but a ContractError escapes, and its message must be short."""
    try:
        read()
    except ContractError as error:
        message = str(error)
    else:
        return True
    assert len(message) < 400, "an error repeats what a stranger sent"
    assert message.isprintable()
    return False


def nested(depth: int, inside: bytes = b"0") -> bytes:
    """JSON lists in lists."""
    return b"[" * depth + inside + b"]" * depth


def signed(document: dict[str, Any], sign: Callable[[dict[str, Any], Ed25519PrivateKey], str]) -> bytes:
    """A document with KEY's signature, for what a trusted but broken publisher might send."""
    return canonical_bytes({**document, "sig": sign(document, KEY)})
