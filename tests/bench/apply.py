"""A process of its own that takes a list as the sync thread does, or inserts the raw rows of it; prints what it took.

`python -m tests.bench.apply SNAPSHOT STATE_DIR DELTAS CHANGES CARDS [raw]`
"""

import gc
import gzip
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from agent.runtime.follow import Follower, Told
from agent.storage import allowlist_schema as schema
from agent.storage.allowlist import SqliteAllowListStore
from cloud.contract.allowlist import Delta, Head, Snapshot, open_delta, open_snapshot, seal_delta
from cloud.contract.reasons import Reason
from tests.bench import site
from tests.rigs.site import LIST_KEY

T = TypeVar("T")
_KEYS = (LIST_KEY.public_key(),)
Sealed = tuple[str, bytes]
Taken = tuple[float, float]
"""Seconds by the clock, and of the processor."""


class Source:
    """`agent.ports.ListSource` without a network: everything is still verified, inflated and parsed when asked for."""

    def __init__(self, snapshot: bytes) -> None:
        self._snapshot = snapshot
        self.newest = site.head(snapshot)
        self.sealed: dict[int, Sealed] = {}

    def head(self) -> Head:
        """The newest version."""
        return self.newest

    def deltas(self, epoch: int, after: int, upto: int) -> Iterator[Delta]:
        """Opens what was sealed; every delta here is of the one epoch."""
        assert epoch == self.newest.epoch
        for version in range(after + 1, upto + 1):
            yield open_delta(*self.sealed[version], _KEYS)

    def snapshot(self, head: Head) -> Snapshot:
        """Opens the snapshot."""
        assert head.snapshot_version == 1
        return open_snapshot(self._snapshot, _KEYS)


def _timed(work: Callable[[], object]) -> Taken:
    gc.collect()
    start_s, used_s = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start_s, time.process_time() - used_s


def _peak_mib() -> float:
    """Not from getrusage: that begins with the peak of the process that started this one."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def _refused(reason: Reason, detail: str, epoch: int, version: int) -> NoReturn:
    raise SystemExit(f"version {epoch}/{version} was refused: {reason}: {detail}")


def _as_the_agent(snapshot: bytes, state_dir: Path, deltas: Mapping[int, Sealed]) -> Iterator[Taken]:
    source = Source(snapshot)
    with SqliteAllowListStore(state_dir, on_set_aside=sys.exit) as store:
        told = Told(applied=lambda _: None, refused=_refused, confirmed=lambda: None)
        follower = Follower(source, store, told, hold_s=60.0)

        def follow() -> None:
            follower.follow(lambda function: function())

        yield _timed(follow)
        for version, sealed in deltas.items():
            source.sealed[version] = sealed
            source.newest = site.head(snapshot, version)
            yield _timed(follow)
        assert follower.applied == 1 + len(deltas), "not every version was applied"


def _raw(snapshot: bytes, state_dir: Path, deltas: Mapping[int, Sealed]) -> Iterator[Taken]:
    """JSON in, rows out, one transaction and no questions: nothing is verified and no field is looked at."""
    state_dir.mkdir(parents=True)
    db = schema.open_writer(state_dir / schema.FILE_NAME)
    db.execute("PRAGMA cache_size = -12288")

    def put(rows: Iterator[Mapping[str, Any]]) -> None:
        db.execute("BEGIN IMMEDIATE")
        cards: list[tuple[Any, ...]] = []
        persons: list[tuple[Any, ...]] = []
        for raw in rows:
            if raw["kind"] == "card":
                cards.append((bytes.fromhex(raw["id"]), raw["person"], 0, None, None))
            elif raw["kind"] == "person":
                persons.append((raw["id"], True, " ".join(raw["groups"]), None, None))
            if len(cards) + len(persons) >= 2000:
                _insert(db, cards, persons)
        _insert(db, cards, persons)
        db.execute("COMMIT")

    yield _timed(lambda: put(map(json.loads, gzip.decompress(snapshot.partition(b"\n")[2]).splitlines())))
    for _, packed in deltas.values():
        yield _timed(lambda packed=packed: put(_steps(db, packed)))  # type: ignore[misc]  # a lambda's default
    db.close()


def _steps(db: sqlite3.Connection, packed: bytes) -> Iterator[Mapping[str, Any]]:
    for step in json.loads(gzip.decompress(packed)):
        if step["op"] == "put":
            yield step["item"]
        else:
            db.execute("DELETE FROM card WHERE id = ?", (bytes.fromhex(step["id"]),))


def _insert(db: sqlite3.Connection, cards: list[tuple[Any, ...]], persons: list[tuple[Any, ...]]) -> None:
    db.executemany(schema.PUT_CARD, cards)
    db.executemany(schema.PUT_PERSON, persons)
    cards.clear()
    persons.clear()


def main(snapshot: str, state_dir: str, deltas: str, changes: str, cards: str, how: str = "agent") -> None:
    """Print what the snapshot and each delta took, and the peak of resident memory."""
    sealed = {
        version: seal_delta(site.delta(version, int(changes), int(cards)), LIST_KEY)
        for version in range(2, 2 + int(deltas))
    }
    work = _raw if how == "raw" else _as_the_agent
    first, *more = work(Path(snapshot).read_bytes(), Path(state_dir), sealed)
    print(json.dumps({"first": first, "deltas": more, "peak_mib": _peak_mib()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
