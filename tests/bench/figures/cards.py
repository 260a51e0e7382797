"""Real reader stacks with cards that are not there: pcscd with virtual readers, nfcpy's PN532 driver on a pty.

Ours and the bare loop read the same card in the same reader, since it is pcscd's poll of 400 ms that decides. From the
card's event on each has a reader of its own, so that neither waits for the other's exchange.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TextIO

from tests.bench import doors, site
from tests.bench.commit import bare_table, commit_ms
from tests.bench.context import Context
from tests.bench.result import Figure, Measure, Row, at_most, measure
from tests.bench.watch import Seen, watcher
from tests.rigs.daemon import Daemon
from tests.rigs.nfc_cards import Type2
from tests.rigs.pcscd import PcscdRig
from tests.rigs.pn532 import Pn532Field
from tests.rigs.site import KEYS
from tests.rigs.virtual_card import VirtualCard
from tests.rigs.waiting import wait_for

TIMES_BARE = 1.05
ABOVE_COMMIT_MS = 5.0
_POLL_S = 0.4
"""How often pcscd looks at a virtual reader, for cards that come and for cards that went."""
_BODY = bytes(480)
_WARM = 2
"""Insertions before those that count: the first ones meet libraries that are not loaded yet."""
_SEED = 3


def run(context: Context) -> Sequence[Row]:
    """Insertions one after another, each at another moment of pcscd's poll; then the same over nfcpy."""
    return [*_over_pcsc(context), *_over_nfc(context)]


def _over_pcsc(context: Context) -> Iterator[Row]:
    rounds = context.rounds(100, 3)
    draw = random.Random(_SEED)
    ours, bare, alone, relay, commits = _lists(5)
    with ExitStack() as stack:
        shared, door, single = (stack.enter_context(PcscdRig()) for _ in range(3))
        name = shared.reader_name(0)
        driver = stack.enter_context(watcher("pcsc", name, **shared.env))
        loop = stack.enter_context(watcher("pcsc-bare", name, **shared.env))
        reading = stack.enter_context(watcher("pcsc-bare", name, **single.env))
        latency_ms = stack.enter_context(_daemon(context, f'driver = "pcsc"\nmatch = "{name}"', door.env))
        db = stack.enter_context(bare_table(context.folder() / "bare.db"))
        for number in range(_WARM + rounds):
            card = VirtualCard(bytes.fromhex(site.uid(number)))
            inserted_s = time.monotonic()
            cards = [shared.insert(card)]
            ours.append((driver.seen().uid_s - inserted_s) * 1000)
            bare.append((loop.seen().uid_s - inserted_s) * 1000)
            cards += [door.insert(card), single.insert(card)]
            relay.append(latency_ms())
            alone.append(_took_ms(reading.seen()))
            commits.append(commit_ms(db, _BODY))
            for each in cards:
                each.remove()
            time.sleep(_POLL_S * (1.1 + draw.random()))
    _without_warm_up(ours, bare, alone, relay, commits)
    insertion = measure(f"insertion to UID through pcscd, {rounds} insertions", "ms", ours)
    loops = measure("bare SCardGetStatusChange loop, the same insertions", "ms", bare)
    times = insertion.median / loops.median
    yield Row(insertion, loops, (at_most("median over the bare loop's", "x", TIMES_BARE, times),))
    to_relay = measure("card event to relay through pcscd, recorded on disk", "ms", relay)
    yield _to_relay(to_relay, measure("connect and read the UID alone", "ms", alone), commits)


def _over_nfc(context: Context) -> Iterator[Row]:
    rounds = context.rounds(200, 5)
    look, relay, commits = _lists(3)
    with ExitStack() as stack:
        door, single = (stack.enter_context(Pn532Field()) for _ in range(2))
        loop = stack.enter_context(watcher("nfc-bare", single.path))
        latency_ms = stack.enter_context(_daemon(context, f'driver = "nfc"\npath = "{door.path}"\npoll_ms = 20', {}))
        db = stack.enter_context(bare_table(context.folder() / "bare.db"))
        for number in range(_WARM + rounds):
            uid = bytes.fromhex(site.uid(number))
            single.insert(Type2(uid))
            look.append(_took_ms(loop.seen()))
            single.remove()
            door.insert(Type2(uid))
            relay.append(latency_ms())
            door.remove()
            commits.append(commit_ms(db, _BODY))
    _without_warm_up(look, relay, commits)
    to_relay = measure("card found to relay, nfcpy's PN532 driver on a pty, recorded on disk", "ms", relay)
    yield _to_relay(to_relay, measure("the look that finds the card, in a bare nfcpy loop", "ms", look), commits)


def _to_relay(ours: Measure, bare: Measure, commits_ms: Sequence[float]) -> Row:
    commit = measure("", "ms", commits_ms)
    limit = ABOVE_COMMIT_MS + commit.p99
    note = f"a bare commit meanwhile: median {commit.median:.2f} ms, p99 {commit.p99:.2f} ms"
    return Row(ours, bare, (at_most("p99, 5 ms and one commit", "ms", limit, ours.p99),), (note,))


@contextmanager
def _daemon(context: Context, reader: str, variables: Mapping[str, str]) -> Iterator[Callable[[], float]]:
    """A door with this reader; what is yielded waits for the next tap to be logged, and gives its latency."""
    daemon = Daemon(context.folder(), doors.door(reader), keys=KEYS, environment=variables)
    context.stocked(daemon.state_dir)
    with daemon, (daemon.home / "log").open(encoding="utf-8") as log:
        wait_for(lambda: daemon.status()["readers"][0]["state"] == "ready", "the reader to be ready")

        def next_ms() -> float:
            latency_ms = wait_for(lambda: _latency_ms(log), "the tap to be decided")
            assert latency_ms is not None
            return latency_ms

        yield next_ms
        daemon.stop()


def _latency_ms(log: TextIO) -> float | None:
    """Of the next tap in the log; None when there is none yet."""
    while True:
        place = log.tell()
        line = log.readline()
        if not line.endswith("\n"):
            log.seek(place)
            return None
        if line.startswith("{") and (told := json.loads(line))["event"].startswith("access."):
            assert told["decision"] == "granted", told["reason"]
            return float(told["latency_ms"])


def _lists(count: int) -> list[list[float]]:
    return [[] for _ in range(count)]


def _without_warm_up(*samples: list[float]) -> None:
    for each in samples:
        del each[:_WARM]


def _took_ms(seen: Seen) -> float:
    return (seen.uid_s - seen.event_s) * 1000


FIGURE = Figure("cards", "Readers", run)
