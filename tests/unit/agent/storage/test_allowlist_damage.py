"""Content of the list that rotted where SQLite's check does not look, or that a later release wrote."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import StorageError
from agent.storage.allowlist import SqliteAllowListReader, SqliteAllowListStore
from tests.rigs.lists import card, credential, door, group, person, snapshot

_LIST = [card(1), person(1, "staff"), card(2), person(2), group("staff", "front"), door("front", "lockdown")]


@pytest.fixture
def change(tmp_path: Path) -> Callable[[str], SqliteAllowListReader]:
    """Change rows of a list on the disk by SQL, and read it."""
    with SqliteAllowListStore(tmp_path, on_set_aside=pytest.fail) as store:
        store.apply_snapshot(snapshot(_LIST))

    def changed(sql: str) -> SqliteAllowListReader:
        with closing(sqlite3.connect(tmp_path / "allowlist.db", isolation_level=None)) as db:
            assert db.execute(sql).rowcount > 0
        return SqliteAllowListReader(tmp_path)

    return changed


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("UPDATE item SET body = replace(body, 'lockdown', 'lockdosn') WHERE kind = 'door'", "door front"),
        ("UPDATE item SET body = replace(body, '{', '[') WHERE kind = 'group'", "group staff"),
        ("UPDATE item SET body = CAST(x'ff22' AS TEXT) WHERE kind = 'group'", "group staff"),
        ('UPDATE item SET body = \'{"v":1,"kind":"group","id":"x","later":1}\' WHERE kind = \'group\'', "later"),
        ("UPDATE list SET issued_s = 'yesterday'", "version"),
    ],
)
def test_a_site_that_can_not_be_read_is_a_storage_error(
    change: Callable[[str], SqliteAllowListReader], sql: str, named: str
) -> None:
    """It says what can't be read, from every question that needs it."""
    with change(sql) as reader:
        with pytest.raises(StorageError, match=named):
            reader.policy()
        with pytest.raises(StorageError, match=named):
            reader.find(credential(1))


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("UPDATE card SET status = 77 WHERE person = 'p-1'", "card of person p-1"),
        ("UPDATE card SET status = -1 WHERE person = 'p-1'", "card of person p-1"),
        ("UPDATE card SET valid_until = 'soon' WHERE person = 'p-1'", "card of person p-1"),
        ("UPDATE person SET groups = 'staff@17723a2000' WHERE id = 'p-1'", "person p-1"),
        ("UPDATE person SET groups = x'ff' WHERE id = 'p-1'", "person p-1"),
        ("UPDATE person SET groups = CAST(x'ff' AS TEXT) WHERE id = 'p-1'", "groups"),
    ],
)
def test_a_holder_that_can_not_be_read_is_a_storage_error_and_spoils_no_other(
    change: Callable[[str], SqliteAllowListReader], sql: str, named: str
) -> None:
    """Whoever it is is not admitted by a guess; the next card is found."""
    with change(sql) as reader:
        with pytest.raises(StorageError, match=named):
            reader.find(credential(1))
        holder, policy = reader.find(credential(2))
        assert holder is not None
        assert policy is not None


def test_what_is_no_keyed_hash_is_the_callers_fault(change: Callable[[str], SqliteAllowListReader]) -> None:
    """It says nothing of the list."""
    with change("UPDATE list SET version = 2") as reader, pytest.raises(ValueError, match="hexadecimal"):
        reader.find("Alice")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE item SET body = replace(body, 'lockdown', 'lockdosn') WHERE kind = 'door'",
        "UPDATE item SET body = CAST(x'ff22' AS TEXT) WHERE kind = 'group'",
        "UPDATE item SET kind = CAST(x'ff' AS TEXT), body = '{}' WHERE kind = 'group'",
        "UPDATE list SET issued_s = 'yesterday'",
    ],
)
def test_a_site_that_can_not_be_read_is_set_aside_at_the_start(
    change: Callable[[str], SqliteAllowListReader], sql: str, tmp_path: Path
) -> None:
    """The cloud would only confirm the version that is held, and nobody would be admitted until the next snapshot."""
    change(sql).close()
    told: list[str] = []
    with SqliteAllowListStore(tmp_path, on_set_aside=told.append) as store:
        assert len(told) == 1
        assert "can't be read" in told[0]
        assert store.position() is None
