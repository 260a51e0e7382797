"""The journal under power cuts: appends, acks, room made at its bound, checkpoints, and rescue from damage."""

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final

from agent.core.events import StampedEvent
from agent.storage.journal_file import JournalFile, JournalSettings
from agent.storage.journal_rescue import open_journal
from agent.storage.journal_schema import epoch_and_seq, place_of
from agent.storage.verify import verify
from cloud.contract.events import GENESIS
from tests.rigs.power_cuts import Damaged, History, Lost, State
from tests.rigs.stamps import forced, opened, stamp

_TABLES: Final = ("event", "sent", "gone", "lost", "meta")
_PAGE: Final = 4096
_VERIFIED: Final = 0.05
"""Part of the points at which the journal's own check reads everything too."""


@dataclass(frozen=True, slots=True)
class Rows:
    """All that a journal holds."""

    event: tuple[Any, ...]
    sent: tuple[Any, ...]
    gone: tuple[Any, ...]
    lost: tuple[Any, ...]
    meta: tuple[Any, ...]


class JournalSubject:
    """`Subject` for a journal on a sound disk."""

    def prepare(self, folder: Path, chance: Random) -> None:
        """A new device."""

    def live(self, folder: Path, chance: Random, history: History) -> None:
        """See `Subject`."""
        settings = _settings(folder, chance.choice([24, 60, 10_000]), chance.choice([1 << 28, 120_000]))
        file = open_journal(settings)
        history.begin(_rows(file))
        for _ in range(chance.randint(8, 40)):
            file = self._act(file, settings, chance, history)
        if chance.random() < 0.8:
            file.close()

    def _act(self, file: JournalFile, settings: JournalSettings, chance: Random, history: History) -> JournalFile:
        what = chance.random()
        if what < 0.65:
            with history.change(lambda: _rows(file)):
                file.write(_events(chance))
        elif what < 0.90:
            run = file.next_unsent(chance.randint(1, 12), 100_000)
            if run:
                file.mark_sent(run[0].epoch, run[0].seq, run[-1].seq)
            if chance.random() < 0.5:
                with history.change(lambda: _rows(file), durable=False):
                    file.flush_acks()
        elif what < 0.97:
            file.checkpoint()
        else:
            file.close()
            return open_journal(settings, check=chance.random() < 0.5)
        return file

    def reopen(self, folder: Path, allowed: list[State], chance: Random) -> None:
        """See `Subject`."""
        settings = _settings(folder, 10_000, 1 << 28)
        with closing(open_journal(settings)) as file:
            (verdict,) = file._db.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                raise Damaged(f"pages: {verdict}")
            found = _rows(file)
            if found not in allowed:
                _explain(found, allowed)
            if (folder / "set-aside").exists():
                raise Damaged("a sound file was set aside")
            _go_on(file, found)
        _verify_some(settings.path, chance)


class RescueSubject:
    """`Subject` for a journal that is damaged: its rescue must survive power cuts like all the rest."""

    def prepare(self, folder: Path, chance: Random) -> None:
        """A journal as a crash leaves it, part of it in its log, and then damaged."""
        with tempfile.TemporaryDirectory(dir=folder.parent) as name:
            settings = _settings(Path(name), 10_000, 1 << 28)
            with closing(open_journal(settings)) as file:
                for _ in range(chance.randint(3, 12)):
                    file.write(_events(chance))
                    if chance.random() < 0.3:
                        run = file.next_unsent(chance.randint(1, 12), 100_000)
                        file.mark_sent(run[0].epoch, run[0].seq, run[-1].seq)
                    if chance.random() < 0.2:
                        file.checkpoint()
                for path in settings.state_dir.glob("journal.*[!m]"):
                    shutil.copy(path, folder)
        _damage(folder / "journal.db", chance)
        if chance.random() < 0.3:
            _flip(folder / "journal.db-wal", chance)

    def live(self, folder: Path, chance: Random, history: History) -> None:
        """See `Subject`. What a rescue finds that nothing cuts is what must be there after any cut."""
        history.begin(_rescued(folder))
        settings = _settings(folder, 10_000, 1 << 28)
        met = "met while it was open" if (folder / "journal.db").exists() and chance.random() < 0.3 else None
        with closing(open_journal(settings, met)) as file:
            history.begin(_rows(file))
            for _ in range(2):
                with history.change(lambda: _rows(file)):
                    file.write(_events(chance))

    def reopen(self, folder: Path, allowed: list[State], chance: Random) -> None:
        """See `Subject`."""
        settings = _settings(folder, 10_000, 1 << 28)
        with closing(open_journal(settings)) as file:
            found = _rows(file)
            if not any(_same_but_epoch(found, state) for state in allowed):
                _explain(found, allowed)
            _go_on(file, found)
        # Before a rescue a byte may be wrong that only shows when its event is read, or that makes up another epoch.
        if (folder / "set-aside").exists():
            _verify_some(settings.path, chance)


def _verify_some(path: Path, chance: Random) -> None:
    if chance.random() < _VERIFIED and (broken := verify(path)) is not None:
        raise Damaged(f"{broken}")


def _rescued(folder: Path) -> Rows:
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        copy = Path(name, "state")
        shutil.copytree(folder, copy)
        with closing(open_journal(_settings(copy, 10_000, 1 << 28))) as file:
            return _rows(file)


def _damage(path: Path, chance: Random) -> None:
    """Whatever happens to a file of an old card."""
    data = bytearray(path.read_bytes())
    pages = len(data) // _PAGE
    match chance.choice(["page", "bytes", "short", "head", "gone"]):
        case "page" if pages > 1:
            at = chance.randrange(1, pages) * _PAGE
            data[at : at + _PAGE] = chance.choice([bytes(_PAGE), chance.randbytes(_PAGE)])
        case "bytes":
            for _ in range(8):
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        case "short":
            del data[chance.randrange(len(data)) :]
        case "gone":
            path.unlink()
            return
        case _:
            data[:100] = bytes(100)
    path.write_bytes(data)


def _flip(path: Path, chance: Random) -> None:
    data = bytearray(path.read_bytes()) if path.exists() else bytearray()
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)


def _same_but_epoch(found: Rows, state: State) -> bool:
    """A rescue that a cut made begin anew begins a later epoch, and what it tells is the same."""
    assert isinstance(state, Rows)
    old, new = dict(state.meta), dict(found.meta)
    later = new.pop("epoch") >= old.pop("epoch")
    return later and ("notice" in new) == ("notice" in old) and replace(found, meta=()) == replace(state, meta=())


def _settings(folder: Path, max_events: int, max_bytes: int) -> JournalSettings:
    return JournalSettings(folder, "door-1", "hq", stamp, max_events, max_bytes)


def _events(chance: Random) -> Sequence[StampedEvent]:
    return [
        # No two are alike: what an earlier life was cut off from writing must not pass for what this one wrote.
        forced(n=chance.getrandbits(40)) if chance.random() < 0.1 else opened(n=chance.getrandbits(40), filler=filler)
        for filler in chance.choices(["", "", "x" * 40, "x" * 600], k=chance.choice([1, 1, 1, 2, 5, 20]))
    ]


def _rows(file: JournalFile) -> Rows:
    """Through its own connection: while that is recorded, no other SQLite in the process must open the file."""
    return Rows(*(tuple(file._db.execute(f"SELECT * FROM {table}").fetchall()) for table in _TABLES))  # noqa: S608


def _go_on(file: JournalFile, found: Rows) -> None:
    """The next event follows the newest one that is there, after the one that tells of a loss."""
    head = place_of(file.epoch, 0)
    head = max([head, *(row[0] for row in found.event[-1:])]) + (file.notice() is not None)
    (event,) = file.write([opened()])
    before = file._db.execute("SELECT hash FROM event WHERE place = ?", (head,)).fetchone()
    prev = bytes.fromhex(GENESIS) if before is None else before[0]
    if (event.epoch, event.seq, event.prev) != (*epoch_and_seq(head + 1), prev.hex()):
        raise Damaged(f"the next event is {event.epoch}/{event.seq} after {epoch_and_seq(head)}, or not chained")


def _explain(found: Rows, allowed: list[State]) -> None:
    oldest = allowed[-1]
    assert isinstance(oldest, Rows)
    missing = {row[0] for row in oldest.event} - {row[0] for row in found.event}
    why = f"{len(found.event)} events found, {len(missing)} missing of {len(oldest.event)}; meta {found.meta}"
    raise (Lost if missing else Damaged)(why)
