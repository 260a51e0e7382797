"""The sync thread: polling, nudges, retries, state."""

import threading
from collections.abc import Callable, Iterator

from agent.errors import FailureKind, StorageError, Transient
from agent.ports import AllowListStore, ListPosition
from agent.runtime.follow import Told
from agent.runtime.link import Link
from agent.runtime.retry import waits
from agent.runtime.sync import JITTER, REFUSED, Sync
from cloud.contract.allowlist import Delta
from cloud.contract.errors import SignatureInvalidError
from tests.rigs.memory_ports import MemoryListSource, MemoryListStore
from tests.rigs.running import eventually, running
from tests.rigs.site_lists import Site, put

SITE = Site()
QUIET = Told(applied=lambda _: None, refused=lambda *_: None, confirmed=lambda: None)


def make_sync(
    source: MemoryListSource,
    store: AllowListStore,
    *,
    poll_s: float = 0.01,
    max_wait_s: float = 0.01,
    uniform: Callable[[float, float], float] = lambda low, high: (low + high) / 2,
) -> Sync:
    table = waits(first_s=0.001, max_s=max_wait_s)
    return Sync(source, lambda: store, waits=table, poll_s=poll_s, told=QUIET, uniform=uniform)


def offer(source: MemoryListSource, version: int) -> None:
    snapshot = SITE.snapshot(version, [1])
    source.object = snapshot
    source.offered = SITE.head(version, snapshot)


def test_polling_finds_every_new_version() -> None:
    """Without any push, a new head is taken at the next poll."""
    source, store = MemoryListSource(), MemoryListStore()
    offer(source, 1)
    sync = make_sync(source, store)
    with running(sync.run):
        eventually(lambda: store.held == ListPosition(1, 1))
        source.delta_log = {2: SITE.delta(2, put(2))}
        source.offered = SITE.head(2, SITE.snapshot(1, [1]))
        eventually(lambda: store.held == ListPosition(1, 2))
        eventually(lambda: sync.report.state is Link.ONLINE)
        assert sync.report.last_ok_s is not None
    assert sync.report.state is Link.OFF


def test_a_nudge_ends_the_wait() -> None:
    """A push is followed at once, however long the poll."""
    source, store = MemoryListSource(), MemoryListStore()
    sync = make_sync(source, store, poll_s=3600.0)
    with running(sync.run) as worker:
        eventually(lambda: source.reads == ["head"])
        offer(source, 1)
        sync.nudge()
        eventually(lambda: store.held == ListPosition(1, 1))
        beats = len(worker.beats)
        eventually(lambda: len(worker.beats) > beats + 2)
    assert worker.longest_silence_s() < 5.0


def test_a_nudge_ends_a_back_off() -> None:
    """What was pushed came over the network, so the network is back."""
    source, store = MemoryListSource(), MemoryListStore()
    source.offered = Transient("no route", FailureKind.CREDENTIALS_OR_CLOCK)
    table = waits(first_s=0.001, max_s=3600.0)
    slow = dict.fromkeys(table, table[FailureKind.POISON])
    sync = Sync(source, lambda: store, waits=slow, poll_s=3600.0, told=QUIET)
    with running(sync.run):
        eventually(lambda: sync.report.attempts == 1)
        assert (sync.report.state, sync.report.error) == (Link.OFFLINE, "no route")
        offer(source, 1)
        sync.nudge()
        eventually(lambda: store.held == ListPosition(1, 1))


def test_polls_are_jittered() -> None:
    """The doors of a site do not poll in step."""
    source = MemoryListSource()
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    with running(make_sync(source, MemoryListStore(), uniform=uniform).run):
        eventually(lambda: len(source.reads) > 3)
    assert set(asked) == {(1 - JITTER, 1)}


def test_progress_forgets_the_failures() -> None:
    """A link that breaks after every delta still gets through, without growing waits."""
    store = MemoryListStore()
    store.held = ListPosition(1, 0)
    reads = iter(range(1000))

    class Breaking(MemoryListSource):
        def deltas(self, epoch: int, after: int, upto: int) -> Iterator[Delta]:
            next(reads)
            yield SITE.delta(after + 1, put(after))
            raise Transient("reset", FailureKind.TRANSPORT)

    source = Breaking()
    source.offered = SITE.head(30, SITE.snapshot(1, [1]), oldest_delta=1)
    table = waits(first_s=3600.0, max_s=3600.0)
    never_wait = Sync(source, lambda: store, waits=table, poll_s=0.01, told=QUIET)
    with running(never_wait.run):
        eventually(lambda: store.held is not None and store.held.version == 30)
    assert next(reads) == 30


def test_a_refused_list_degrades_until_a_good_one_comes() -> None:
    """The cloud is reached, and a person must look."""
    source, store = MemoryListSource(), MemoryListStore()
    source.offered = SignatureInvalidError("forged")
    sync = make_sync(source, store)
    with running(sync.run):
        eventually(lambda: sync.report.trouble == REFUSED)
        assert sync.report.state is Link.ONLINE
        offer(source, 1)
        eventually(lambda: store.held == ListPosition(1, 1))
        eventually(lambda: sync.report.trouble is None)


def test_the_store_is_opened_used_and_closed_in_one_thread() -> None:
    """SQLite connections belong to their thread; a disk that refuses at first is tried again."""
    threads: list[int] = []
    refusals = iter([True, True])

    class Store(MemoryListStore):
        def position(self) -> ListPosition | None:
            threads.append(threading.get_ident())
            return super().position()

        def close(self) -> None:
            threads.append(threading.get_ident())

    def open_store() -> AllowListStore:
        if next(refusals, False):
            raise StorageError("the disk is busy")
        threads.append(threading.get_ident())
        return Store()

    source = MemoryListSource()
    offer(source, 1)
    table = waits(first_s=0.001, max_s=0.01)
    with running(Sync(source, open_store, waits=table, poll_s=0.01, told=QUIET).run):
        eventually(lambda: len(threads) > 2)
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()
