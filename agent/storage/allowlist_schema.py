"""The list's file: its tables, and how items become rows and back.

Cards and persons are rows, looked up one by one; the rest of a list is small, kept as JSON, and read as a whole.
A card's 16 raw bytes are the key, so that 250,000 cards take about 12 MB and a lookup reads three or four pages.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from agent.core.model import Holder, Policy
from agent.storage.database import BUSY_S
from agent.storage.files import make_private
from cloud.contract.allowlist import MAX_RIGHTS_BYTES as MAX_WIRE_RIGHTS_BYTES
from cloud.contract.errors import ContractError
from cloud.contract.itemcodec import item_json, parse_item
from cloud.contract.items import Area, Card, CardStatus, Door, Group, Holidays, Item, Membership, Person, Schedule

FILE_NAME: Final = "allowlist.db"
SCHEMA_VERSION: Final = 1
MAX_RIGHTS_BYTES: Final = 2 * MAX_WIRE_RIGHTS_BYTES
"""Of all items but cards and persons, as they are kept: with what the wire leaves out. All are held in memory, at
every start: more than fits would end the agent again and again."""
_STATUSES: Final = tuple(CardStatus)
_STATUS_OF: Final = dict(enumerate(_STATUSES))
TABLES: Final = f"""
BEGIN;
CREATE TABLE list (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL, version INTEGER NOT NULL,
                   issued_s INTEGER NOT NULL, cards INTEGER NOT NULL);
CREATE TABLE card (id BLOB PRIMARY KEY, person TEXT NOT NULL, status INTEGER NOT NULL, valid_from INTEGER,
                   valid_until INTEGER) WITHOUT ROWID;
CREATE TABLE person (id TEXT PRIMARY KEY, active INTEGER NOT NULL, groups TEXT NOT NULL, valid_from INTEGER,
                     valid_until INTEGER) WITHOUT ROWID;
CREATE TABLE item (kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
_FIND: Final = """
SELECT list.epoch, list.version, card.person, card.status, card.valid_from, card.valid_until,
       person.id, person.active, person.groups, person.valid_from, person.valid_until
FROM list LEFT JOIN card ON card.id = ? LEFT JOIN person ON person.id = card.person
"""
PUT_CARD: Final = "INSERT OR REPLACE INTO card VALUES (?, ?, ?, ?, ?)"
PUT_PERSON: Final = "INSERT OR REPLACE INTO person VALUES (?, ?, ?, ?, ?)"
PUT_ITEM: Final = "INSERT OR REPLACE INTO item VALUES (?, ?, ?)"


def open_writer(path: Path) -> sqlite3.Connection:
    """The one connection that writes; makes an empty list in an empty file. Raises sqlite3.Error, OSError."""
    make_private(path)
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S, check_same_thread=False)
    try:
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA mmap_size = 0;")
        connection.executescript("PRAGMA journal_size_limit = 1048576; PRAGMA temp_store = MEMORY;")
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            connection.executescript(TABLES)
    except BaseException:
        connection.close()
        raise
    return connection


def card_row(card: Card) -> tuple[bytes, str, int, int | None, int | None]:
    """The row of a card."""
    return bytes.fromhex(card.id), card.person, _STATUSES.index(card.status), card.valid_from, card.valid_until


def person_row(person: Person) -> tuple[str, bool, str, int | None, int | None]:
    """The row of a person."""
    groups = " ".join(map(_membership_text, person.groups))
    return person.id, person.active, groups, person.valid_from, person.valid_until


def _membership_text(membership: Membership) -> str:
    """`staff`, or with bounds `staff@FROM,UNTIL`, each of which may be left out; no id holds ` `, `@` or `,`.

    An earlier release takes the second for a group that the list lacks, which opens nothing.
    """
    if membership.valid_from is None and membership.valid_until is None:
        return membership.group
    bounds = ("" if bound is None else str(bound) for bound in (membership.valid_from, membership.valid_until))
    return f"{membership.group}@{','.join(bounds)}"


def _membership(text: str) -> Membership:
    group, separator, bounds = text.partition("@")
    if not separator:
        return Membership(group)
    since, _, until = bounds.partition(",")
    return Membership(group, int(since) if since else None, int(until) if until else None)


def item_row(kind: str, item: Item) -> tuple[str, str, str]:
    """The row of anything else."""
    return kind, item.id, json.dumps(item_json(item), separators=(",", ":"))


def find(db: sqlite3.Connection, key: bytes) -> tuple[tuple[int, int] | None, Holder | None]:
    """Epoch and version of the list, None before the first; and the holder. One statement, so of one version.

    Raises ContractError for a damaged row.
    """
    row = db.execute(_FIND, (key,)).fetchone()
    if row is None:
        return None, None
    epoch, version, holder, status, valid_from, valid_until, person_id, active, groups, since, until = row
    if holder is None:
        return (epoch, version), None
    with _named(f"a card of person {holder}"):
        card = Card(key.hex(), holder, _STATUS_OF[status], _instant(valid_from), _instant(valid_until))
    person = None
    if person_id is not None:
        with _named(f"person {person_id}"):
            memberships = tuple(map(_membership, groups.split()))
            person = Person(person_id, bool(active), memberships, _instant(since), _instant(until))
    return (epoch, version), Holder(card, person)


def read_policy(db: sqlite3.Connection) -> Policy | None:
    """Everything but cards and persons; call within a transaction. Raises ContractError for a damaged row."""
    row = db.execute("SELECT epoch, version, issued_s FROM list").fetchone()
    if row is None:
        return None
    groups: dict[str, Group] = {}
    schedules: dict[str, Schedule] = {}
    holidays: dict[str, Holidays] = {}
    doors: dict[str, Door] = {}
    areas: dict[str, Area] = {}
    # As bytes: what rotted need not be text any more.
    for kind, identifier, body in db.execute(
        "SELECT CAST(kind AS BLOB), CAST(id AS BLOB), CAST(body AS BLOB) FROM item"
    ):
        with _named(f"{_shown(kind)} {_shown(identifier)}"):
            item = parse_item(json.loads(body))
        match item:
            case Group() as group:
                groups[group.id] = group
            case Schedule() as schedule:
                schedules[schedule.id] = schedule
            case Holidays() as calendar:
                holidays[calendar.id] = calendar
            case Door() as door:
                doors[door.id] = door
            case Area() as area:
                areas[area.id] = area
            case _:
                pass
    with _named("the list's version"):
        epoch, version, issued_s = map(_integer, row)
    return Policy(
        epoch, version, issued_s, groups=groups, schedules=schedules, holidays=holidays, doors=doors, areas=areas
    )


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Whatever a row's content makes fail is damage to that row: it rotted, or a later release wrote it."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise ContractError(f"{what} can't be read: {error}") from error


def _shown(raw: bytes | None) -> str:
    return "?" if raw is None else raw.decode(errors="replace")


def _integer(value: object) -> int:
    # SQLite keeps a text in a column of numbers as it is.
    if not isinstance(value, int):
        raise ContractError(f"{value!r:.40} is no number")
    return value


def _instant(value: object) -> int | None:
    return None if value is None else _integer(value)


def in_one_transaction(db: sqlite3.Connection, read: Callable[[], Any]) -> Any:
    """What `read` returns; all that it reads is of one version."""
    db.execute("BEGIN")
    try:
        return read()
    finally:
        db.execute("COMMIT")
