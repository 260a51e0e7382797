"""Taps for hours: the real daemon behind real reader stacks, every decision checked, nothing leaked, all delivered.

Cards are held to six readers by as many people: two emulated readers, two of pcscd's, one behind nfcpy's PN532 driver
and one on nfcpy's UDP air. The stream misbehaves meanwhile, as in the kill loop. Latency is the daemon's own figure in
its log line per tap: from the driver handing the card over to the relay driven, the event on disk in between.
"""

import json
import queue
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from agent.control_client import ControlClient
from agent.errors import ControlError
from cloud.contract.events import EventType, parse_event
from tests.bench.result import measure
from tests.faults.busy_door import CLOUD
from tests.faults.ledger import Ledger, Life, Lives, Problems, Told
from tests.faults.storm import Storm
from tests.rigs import site
from tests.rigs.daemon import Daemon
from tests.rigs.fault_kinesis import FaultKinesis
from tests.rigs.long_run import LongRun, Progress
from tests.rigs.waiting import wait_for
from tests.soak import vitals
from tests.soak.stacks import EXPECTED, Place, stacks

DEVICE: Final = "soak-door-1"
DECIDED_S: Final = 15.0
"""A card that is held for so long without a decision is taken away and held again; twice in a row is a failure."""
DRAIN_S: Final = 120.0
_WARM_PART: Final = 0.1
_MOST_WARM_S: Final = 60.0
"""Before the first reading of threads, descriptors and memory: every path has been taken by then."""
_LIFE: Final = "life1"
_MOST_UNREAD: Final = 64
_ACCESS: Final = {EventType.ACCESS_GRANTED.value, EventType.ACCESS_DENIED.value}


class Decisions:
    """Follows the journal through the control socket, and hands each decision to who waits at its reader."""

    def __init__(self, daemon: Daemon, readers: Sequence[str], problems: Problems) -> None:
        self._client = daemon.client()
        self._events = daemon.client()
        self._problems = problems
        self._at = {reader: queue.Queue[dict[str, Any]](_MOST_UNREAD) for reader in readers}
        self._seen = 0
        self.lost: Counter[str] = Counter()
        """How often each reader was lost."""
        self._thread = threading.Thread(target=self._run, name="decisions")

    def __enter__(self) -> "Decisions":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._thread.join(DECIDED_S)
        self._events.close()

    def next(self, reader: str, timeout_s: float) -> dict[str, Any] | None:
        """The next decision at a reader; None after `timeout_s`."""
        try:
            return self._at[reader].get(timeout=timeout_s)
        except queue.Empty:
            return None

    def surplus(self, reader: str) -> int:
        """Decisions that nobody asked for."""
        return self._at[reader].qsize()

    def _run(self) -> None:
        try:
            for picture in self._client.watch():
                if picture["journal"]["seq"] > self._seen:
                    self._read()
        except ControlError:
            return  # the end: the client was closed, or the daemon is gone, which the visitors notice

    def _read(self) -> None:
        while some := self._events.request("events", since=self._seen)["events"]:
            self._seen = some[-1]["seq"]
            for event in some:
                if event["type"] == EventType.READER_LOST.value:
                    self.lost[event["reader"]] += 1
                if event["type"] in _ACCESS:
                    try:
                        self._at[event["reader"]].put_nowait(event)
                    except queue.Full:
                        self._problems.add(f"{_MOST_UNREAD} decisions at {event['reader']} that nobody asked for")


class Visitor:
    """One person at one place, tap after tap. `run` is a thread's body."""

    def __init__(self, place: Place, daemon: Daemon, decisions: Decisions, seed: int, problems: Problems) -> None:
        self._place = place
        self._daemon = daemon
        self._decisions = decisions
        self._chosen = random.Random(seed)
        self._problems = problems
        self._uid = ""
        self._missed_in_a_row = 0
        self.told: list[Told] = []
        self.waited_s: list[float] = []
        """From holding the card there to the decision in hand."""
        self.again = 0
        """Cards that had to be held again."""

    def run(self, stop: threading.Event) -> None:
        """Tap until `stop`."""
        place = self._place
        try:
            with self._daemon.client() as client:
                while not stop.wait(self._chosen.uniform(place.pause_s / 2, place.pause_s)):
                    lost = self._decisions.lost[place.reader]
                    self._check_surplus(lost)
                    self._tap(client)
        except (ControlError, AssertionError, OSError, RuntimeError) as error:
            self._problems.add(f"{place.reader}: {type(error).__name__}: {error}")

    def _tap(self, client: ControlClient) -> None:
        place = self._place
        # Another card than before: it is a tap at once, however soon it comes.
        self._uid = self._chosen.choice([uid for uid in place.uids if uid != self._uid])
        began_s = time.monotonic()
        if place.held is None:
            result = client.request("tap", card=self._uid, reader=place.reader)["result"]
            event = self._decisions.next(place.reader, DECIDED_S)
            if event is not None and result["event_id"] not in (None, event["id"]):
                self._problems.add(f"{place.reader}: told of event {result['seq']}, recorded as {event['seq']}")
        else:
            with place.held(self._uid):
                event = self._decisions.next(place.reader, DECIDED_S)
        if event is None:
            self._missed()
            return
        self._missed_in_a_row = 0
        self.waited_s.append(time.monotonic() - began_s)
        self._check(event)

    def _missed(self) -> None:
        self.again += 1
        self._missed_in_a_row += 1
        if self._missed_in_a_row > 1:
            self._problems.add(
                f"{self._place.reader}: no decision within {DECIDED_S:g} s, {self._missed_in_a_row} times"
            )

    def _check(self, event: Mapping[str, Any]) -> None:
        expected, granted = EXPECTED[self._uid], event["type"] == EventType.ACCESS_GRANTED.value
        credential = site.credential(self._uid)
        if (event["reason"], event["credential"], granted) != (expected, credential, expected == "allowed"):
            self._problems.add(f"{self._place.reader}: {event['type']} ({event['reason']}) where {expected} was due")
        self.told.append(
            Told(_LIFE, event["id"], granted, event["reason"], event["door"], event["reader"], event["seq"], credential)
        )

    def _check_surplus(self, lost_before: int) -> None:
        """A card that is held is one tap, unless its reader was lost and found again meanwhile."""
        surplus = self._decisions.surplus(self._place.reader)
        if surplus and not lost_before:
            self._problems.add(f"{self._place.reader}: {surplus} decisions more than cards")
        while self._decisions.surplus(self._place.reader):
            self._decisions.next(self._place.reader, 0.0)


def run(hours: float, seed: int, progress: Progress, home: Path) -> LongRun:
    """So many hours in `home`, an empty folder with a short path."""
    began_s = time.monotonic()
    problems, storm, lives = Problems(), Storm(seed), Lives()
    ledger = Ledger(DEVICE, lives, problems)
    with stacks() as (places, environment), FaultKinesis() as kinesis:
        kinesis.otherwise(storm.script)
        daemon = _daemon(places, {**environment, **_cloud(kinesis)}, home)
        born_ms = _boot_ms()
        with daemon, Decisions(daemon, [place.reader for place in places], problems) as decisions:
            visitors = {
                place: Visitor(place, daemon, decisions, seed + number, problems) for number, place in enumerate(places)
            }
            readings = _visits(list(visitors.values()), hours * 3600, daemon, progress, problems)
            storm.calm()
            wait_for(lambda: daemon.status()["journal"]["unsent"] == 0, "all to be delivered", DRAIN_S)
            stored = daemon.all_events()
            daemon.kill()
        lives.add(Life(_LIFE, born_ms, _boot_ms()))
        ledger.take(kinesis.take_records(), daemon.public_key())
    told = [each for visitor in visitors.values() for each in visitor.told]
    for each in stored:
        each.pop("sent")
    ledger.settle([parse_event(each) for each in stored], told)
    figures: dict[str, int | float] = {
        "taps decided": len(told),
        "events": ledger.events,
        "records": ledger.records,
        "events that came again": ledger.repeated,
        "readers lost": sum(decisions.lost.values()),
        "cards held again": sum(visitor.again for visitor in visitors.values()),
        **_vital_figures(readings),
        **_latencies(daemon, visitors),
        **storm.figures(),
    }
    return LongRun(seed, round(time.monotonic() - began_s, 1), figures, problems.told())


def _visits(
    visitors: Sequence[Visitor], seconds: float, daemon: Daemon, progress: Progress, problems: Problems
) -> tuple[vitals.Vitals, vitals.Vitals]:
    """Two spells of visits, one to warm up; what the process holds after each, when it is quiet."""
    assert daemon.process is not None
    pid = daemon.process.pid
    warm_s = min(_MOST_WARM_S, seconds * _WARM_PART)
    with _visiting(visitors):
        time.sleep(warm_s)
    before = vitals.read_lowest(pid)
    begun_s = time.monotonic() - warm_s
    with _visiting(visitors):
        while (passed_s := time.monotonic() - begun_s) < seconds and not problems.count:
            progress(int(passed_s), int(seconds))
            time.sleep(min(1.0, seconds - passed_s))
    after = vitals.read_settled(pid, before)
    for growth in after.more_than(before):
        problems.add(growth)
    progress(int(seconds), int(seconds))
    return before, after


@contextmanager
def _visiting(visitors: Sequence[Visitor]) -> Iterator[None]:
    stop = threading.Event()
    threads = [threading.Thread(target=visitor.run, args=(stop,), name="visitor") for visitor in visitors]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(2 * DECIDED_S)


def _daemon(places: Sequence[Place], environment: Mapping[str, str], home: Path) -> Daemon:
    stack_doors: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        stack_doors[f"door-{len(place.stack)}"].append(place)
    doors = ""
    for door, there in stack_doors.items():
        doors += f'[[door]]\nid = "{door}"\n[door.lock]\ndriver = "emulated"\nfail = "secure"\nstrike_s = 1.0\n'
        for place in there:
            doors += f'[[door.reader]]\nname = "{place.reader}"\ndirection = "in"\nreread_s = 0.2\n{place.config}\n'
    keys = {"card-hash.key": site.KEYS["card-hash.key"]}
    daemon = Daemon(home, doors + CLOUD, device=DEVICE, environment=environment, keys=keys)
    site.install(daemon.state_dir, site.items(list(stack_doors)))
    return daemon


def _cloud(kinesis: FaultKinesis) -> Mapping[str, str]:
    return {
        "AWS_ENDPOINT_URL_KINESIS": kinesis.endpoint,
        "AWS_ACCESS_KEY_ID": _LIFE,
        "AWS_SECRET_ACCESS_KEY": "test",
    }


def _vital_figures(readings: tuple[vitals.Vitals, vitals.Vitals]) -> dict[str, int | float]:
    figures: dict[str, int | float] = {}
    for when, reading in zip(("at the start", "at the end"), readings, strict=True):
        figures |= {
            f"threads {when}": reading.threads,
            f"descriptors {when}": reading.descriptors,
            f"PSS {when} (MiB)": reading.pss_mib,
        }
    return figures


def _latencies(daemon: Daemon, visitors: Mapping[Place, Visitor]) -> dict[str, int | float]:
    """By stack: card to relay as the daemon logs it, and from holding the card to the decision in hand."""
    stack_of = {place.reader: place.stack for place in visitors}
    relay_ms: dict[str, list[float]] = defaultdict(list)
    with (daemon.home / "log").open(encoding="utf-8") as lines:
        for line in lines:
            if '"latency_ms"' in line:
                tap = json.loads(line)
                relay_ms[stack_of[tap["reader"]]].append(tap["latency_ms"])
    figures: dict[str, int | float] = {}
    for stack, values in relay_ms.items():
        held_ms = [
            seconds * 1000
            for place, visitor in visitors.items()
            if place.stack == stack
            for seconds in visitor.waited_s
        ]
        figures[f"{stack}: taps"] = len(values)
        for what, some in (("card to relay", values), ("card held to decision known", held_ms)):
            if some:
                found = measure(what, "ms", some)
                figures[f"{stack}: {what}, median (ms)"] = round(found.median, 2)
                figures[f"{stack}: {what}, p99 (ms)"] = round(found.p99, 2)
                figures[f"{stack}: {what}, most (ms)"] = round(max(some), 2)
    return figures


def _boot_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
