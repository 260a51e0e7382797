"""Turns raw items into rows, in batches and without holding them all; keeps out and reports what can't be read."""

import re
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, Final

from agent.ports import RefusedItem
from agent.printable import one_line
from agent.storage import allowlist_schema as schema
from cloud.contract.allowlist import Change
from cloud.contract.errors import ContractError
from cloud.contract.itemcodec import parse_item
from cloud.contract.items import Card, Item, Kind, Person, kind_of

_BATCH: Final = 1000
_MOST_REPORTED: Final = 100
"""A list of a later release could refuse every item; the rest is counted in one entry."""
_CREDENTIAL: Final = re.compile(r"[0-9a-f]{32}")
_CARD_NUMBER: Final = re.compile(r"[0-9]{6,}|([0-9A-Fa-f]{2}[ :-]?){4,16}")
_REMOVED_IF_UNREADABLE: Final = frozenset({Kind.CARD, Kind.PERSON, Kind.GROUP, Kind.SCHEDULE, Kind.HOLIDAYS})
"""What admits somebody, or keeps a schedule closed, which without its calendar opens nothing. Of doors and areas the
last readable state stays: theirs are lockdown and anti-passback."""


class Changes:
    """Writes items within the caller's transaction; `refused` tells what was kept out."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._cards: list[tuple[Any, ...]] = []
        self._persons: list[tuple[Any, ...]] = []
        self._refused: list[RefusedItem] = []
        self._unreported = 0

    @property
    def refused(self) -> tuple[RefusedItem, ...]:
        """What was kept out; past 100, the last entry holds the number of the others."""
        more = [RefusedItem("*", "*", f"and {self._unreported} more")] if self._unreported else []
        return (*self._refused, *more)

    def put_all(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Put the items of a snapshot."""
        for raw in items:
            item = self._parse(raw)
            if item is not None:
                self._put(item)
        self._flush()

    def apply(self, changes: Iterable[Change]) -> None:
        """Take the steps of a delta in their order."""
        for change in changes:
            item = None if change.item is None else self._parse(change.item)
            if item is not None:
                self._put(item)
            elif change.item is None or change.kind in _REMOVED_IF_UNREADABLE:
                # What is not understood any more must not go on admitting.
                self._flush()
                self._delete(change.kind, change.id)
        self._flush()

    def _parse(self, raw: Mapping[str, Any]) -> Item | None:
        try:
            return parse_item(raw)
        except ContractError as error:
            if len(self._refused) < _MOST_REPORTED:
                self._refused.append(_refusal(raw, error))
            else:
                self._unreported += 1
            return None

    def _put(self, item: Item) -> None:
        match item:
            case Card():
                self._cards.append(schema.card_row(item))
            case Person():
                self._persons.append(schema.person_row(item))
            case _:
                self._db.execute(schema.PUT_ITEM, schema.item_row(kind_of(item), item))
        if len(self._cards) >= _BATCH or len(self._persons) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        self._db.executemany(schema.PUT_CARD, self._cards)
        self._db.executemany(schema.PUT_PERSON, self._persons)
        self._cards.clear()
        self._persons.clear()

    def _delete(self, kind: str, identifier: str) -> None:
        if kind == Kind.CARD:
            key = card_key(identifier)
            if key is not None:
                self._db.execute("DELETE FROM card WHERE id = ?", (key,))
        elif kind == Kind.PERSON:
            self._db.execute("DELETE FROM person WHERE id = ?", (identifier,))
        else:
            self._db.execute("DELETE FROM item WHERE kind = ? AND id = ?", (kind, identifier))


def card_key(identifier: object) -> bytes | None:
    """A card's key; None for what is no keyed hash, and so is not on any list."""
    if isinstance(identifier, str) and _CREDENTIAL.fullmatch(identifier):
        return bytes.fromhex(identifier)
    return None


def cards_taken_away(changes: Iterable[Change]) -> set[bytes]:
    """Keys of the cards that are gone after a delta, if they were there before: deleted, or put unreadable."""
    gone: set[bytes] = set()
    for change in changes:
        key = card_key(change.id) if change.kind == Kind.CARD else None
        if key is None:
            continue
        if change.item is not None and is_readable(change.item):
            gone.discard(key)
        else:
            gone.add(key)
    return gone


def is_readable(raw: Mapping[str, Any]) -> bool:
    """Whether this release understands the item."""
    try:
        parse_item(raw)
    except ContractError:
        return False
    return True


def _refusal(raw: Mapping[str, Any], error: ContractError) -> RefusedItem:
    kind, identifier, what = raw.get("kind"), raw.get("id"), str(error)[:200]
    if kind == Kind.CARD and card_key(identifier) is None:
        # The id could be a raw card number, and this goes into logs and events.
        return RefusedItem(Kind.CARD, "?", "id is not a keyed hash of 32 hex digits")
    if isinstance(kind, str) and kind in Kind._value2member_map_:
        return RefusedItem(kind, one_line(identifier, 64) if isinstance(identifier, str) else "?", what)
    # Of a kind that is not known the id may be anything, a card's number too.
    return RefusedItem(_harmless(kind), _harmless(identifier), what)


def _harmless(value: object) -> str:
    return one_line(value, 64) if isinstance(value, str) and not _CARD_NUMBER.fullmatch(value) else "?"
