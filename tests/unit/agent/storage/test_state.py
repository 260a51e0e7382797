"""Small state: kept over restarts, emptied when damaged, durable when asked."""

import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import StorageError
from agent.storage.state import SqliteStateStore


def _open(directory: Path) -> SqliteStateStore:
    return SqliteStateStore(directory, on_set_aside=pytest.fail)


def test_entries_survive_a_restart(tmp_path: Path) -> None:
    """Set, replace and remove are all kept."""
    with _open(tmp_path) as state:
        state.save("presence", "p-1", "lobby")
        state.save("presence", "p-1", "office", durable=True)
        state.save("presence", "p-2", "lobby")
        state.save("presence", "p-2", None)
        state.save("latch", "fire", "1")
    with _open(tmp_path) as state:
        assert state.load("presence") == {"p-1": "office"}
        assert state.load("latch") == {"fire": "1"}
        assert state.load("nothing") == {}


def test_damaged_state_is_set_aside_and_begins_empty(tmp_path: Path) -> None:
    """The damage is told, the file kept, and the store works."""
    with _open(tmp_path) as state:
        state.save("latch", "fire", "1")
    (tmp_path / "state.db").write_bytes(b"?" * 8192)
    told: list[str] = []
    with SqliteStateStore(tmp_path, on_set_aside=told.append) as state:
        assert told == ["file is not a database; kept in 1"]
        assert state.load("latch") == {}
        state.save("latch", "fire", "0")
        assert state.load("latch") == {"fire": "0"}
    assert (tmp_path / "set-aside" / "1" / "state.db").exists()


def test_foreign_database_is_set_aside(tmp_path: Path) -> None:
    """Another schema under our name is not written into."""
    import sqlite3

    with sqlite3.connect(tmp_path / "state.db") as db:
        db.execute("CREATE TABLE other (x)")
    db.close()
    told: list[str] = []
    SqliteStateStore(tmp_path, on_set_aside=told.append).close()
    assert told == ["its schema is 0, known is 1; kept in 1"]


def test_table_whose_text_rots_is_set_aside(tmp_path: Path) -> None:
    """A byte of it gives a column another name: no fault of a page, and no query would work again."""
    with _open(tmp_path) as state:
        state.save("latch", "fire", "1", durable=True)
    path = tmp_path / "state.db"
    data = path.read_bytes()
    assert data.count(b"value TEXT") == 1
    path.write_bytes(data.replace(b"value TEXT", b"valve TEXT"))
    told: list[str] = []
    with SqliteStateStore(tmp_path, on_set_aside=told.append) as state:
        assert told == ["its tables are not those that were made; kept in 1"]
        assert state.load("latch") == {}


def test_text_that_rots_in_one_entry_hides_no_other(tmp_path: Path) -> None:
    """A value is there still, if not as it was; an entry whose key rotted is nobody's."""
    with _open(tmp_path) as state:
        for key in ("first", "second", "third"):
            state.save("latch", key, f"value of {key}", durable=True)
    path = tmp_path / "state.db"
    data = path.read_bytes()
    for text, rotted in ((b"value of first", b"value of f\xffrst"), (b"secondvalue", b"s\xffcondvalue")):
        assert data.count(text) == 1
        data = data.replace(text, rotted)
    path.write_bytes(data)
    with _open(tmp_path) as state:
        assert state.load("latch") == {"first": "value of f\ufffdrst", "third": "value of third"}


def test_refusing_disk_raises_storage_error_until_it_takes_entries_again(tmp_path: Path) -> None:
    """A directory that is a file is no place for state; a door must start all the same, and heal."""
    (tmp_path / "state").write_text("")
    with _open(tmp_path / "state") as state:
        with pytest.raises(StorageError):
            state.load("latch")
        with pytest.raises(StorageError):
            state.save("latch", "fire", "1")
        (tmp_path / "state").unlink()
        state.save("latch", "fire", "1")
        assert state.load("latch") == {"fire": "1"}
    with pytest.raises(StorageError, match="closed"):
        state.load("latch")


@pytest.mark.system
def test_durable_entry_costs_one_flush_and_others_none(tmp_path: Path) -> None:
    """strace counts: 50 entries that are not durable do not flush, 20 that are flush once each."""
    script = (
        "import sys; from pathlib import Path; from agent.storage.state import SqliteStateStore\n"
        "state = SqliteStateStore(Path(sys.argv[1]), on_set_aside=print)\n"
        "open(sys.argv[1] + '/begin', 'w').close()\n"
        "for n in range(50): state.save('presence', f'p-{n}', 'lobby')\n"
        "open(sys.argv[1] + '/middle', 'w').close()\n"
        "for n in range(20): state.save('latch', f'l-{n}', '1', durable=True)\n"
        "open(sys.argv[1] + '/end', 'w').close()\n"
    )
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-e", "trace=fdatasync,fsync,openat", "-o", str(trace)]
    subprocess.run([*command, sys.executable, "-c", script, str(tmp_path)], check=True, timeout=60)
    text = trace.read_text()
    _, quick = text.split("/begin", 1)
    quick, durable = quick.split("/middle", 1)
    durable, _ = durable.split("/end", 1)
    assert quick.count("sync(") == 0
    assert 20 <= durable.count("sync(") <= 22
