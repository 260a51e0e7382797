"""SIGKILL of the real daemon, again and again, while people tap and the cloud misbehaves; then: did all it told arrive?

Each round is one life of `cardea run` on the same state directory. It ends by SIGKILL to the whole process group at an
instant of one of several kinds: anywhere, during the start, in the middle of a commit, with a record in flight, during
an orderly stop. Some rounds are the birth of another controller, in a folder of its own. After every chapter of rounds
the endpoint is well, the daemon delivers what is left, and what came on the stream is held against what was told and
what the journal holds.
"""

import platform
import random
import signal
import statistics
import time
from collections import Counter
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Final

from agent.errors import AgentError
from cloud.contract.events import parse_event
from tests.faults.births import birth
from tests.faults.busy_door import CLOUD, CONFIG, DOORS, Visitors
from tests.faults.ledger import Ledger, Life, Lives, Problems, Told
from tests.faults.remains import check_remains
from tests.faults.storm import Storm
from tests.rigs import site
from tests.rigs.daemon import Daemon
from tests.rigs.fault_kinesis import FaultKinesis
from tests.rigs.long_run import LongRun, Progress
from tests.rigs.waiting import wait_for

DEVICE: Final = "test-door-1"
CHAPTER: Final = 30
"""Rounds between two settlements."""
MAX_EVENTS: Final = 6000
"""Of the journal: more than a chapter leaves unsent, and little enough that sent events are dropped meanwhile."""
DRAIN_S: Final = 60.0
_JOURNAL: Final = f"""
[journal]
max_events = {MAX_EVENTS}
"""
_KEYS: Final = {"card-hash.key": site.KEYS["card-hash.key"]}
"""Without the key of lists no sync runs: the list is there already, and a round costs less."""
_WRITING: Final = {"x86_64": {"18", "74", "75"}, "aarch64": {"68", "82", "83"}}.get(platform.machine(), set())
"""System calls pwrite64, fsync, fdatasync."""


class Moment(StrEnum):
    """When the daemon is killed."""

    ANYTIME = "anytime"
    STARTING = "starting"
    ANSWERED = "right after an answer"
    COMMIT = "in a write of the journal"
    DELIVERY = "with a record in flight"
    STOPPING = "during an orderly stop"
    BIRTH = "during a very first start"


_SHARES: Final = {
    Moment.ANYTIME: 4,
    Moment.STARTING: 4,
    Moment.ANSWERED: 3,
    Moment.COMMIT: 4,
    Moment.DELIVERY: 4,
    Moment.STOPPING: 1,
    Moment.BIRTH: 2,
}
"""Rounds of each kind in a deck."""
_DELIVERING: Final = 0.35
"""The part of the lives that are left alone until they deliver: loading boto3 takes longer than many a life."""
_DELIVERING_S: Final = 3.0


class KillLoop:
    """The rounds of one run; `home` is an empty folder."""

    def __init__(self, home: Path, seed: int) -> None:
        self._chosen = random.Random(seed)
        self._storm = Storm(seed)
        self._kinesis = FaultKinesis()
        self._daemon = Daemon(home, CONFIG + CLOUD + _JOURNAL, device=DEVICE, keys=_KEYS)
        self._problems = Problems()
        self._lives = Lives()
        self._ledger = Ledger(DEVICE, self._lives, self._problems)
        self._told: list[Told] = []
        self._deck: list[Moment] = []
        self._moments: Counter[str] = Counter()
        self._starts_s: list[float] = []
        self._in_write = 0
        self._newborn_kills = 0
        self._decisions = 0
        self._unplaced = 0
        self._fire: bool | None = False
        """Whether both doors are known to be in a fire state; None: killed before it was seen."""
        site.install(self._daemon.state_dir, site.items(DOORS))

    def run(self, rounds: int, seed: int, progress: Progress) -> LongRun:
        """All rounds, with a settlement after each chapter and at the end."""
        began_s = time.monotonic()
        with self._kinesis:
            self._kinesis.otherwise(self._storm.script)
            try:
                for number in range(1, rounds + 1):
                    self._round(self._next_moment())
                    if number % CHAPTER == 0 or number == rounds:
                        self._settle()
                    progress(number, rounds)
                    if self._problems.count:
                        break
            except (AssertionError, AgentError) as error:
                self._problems.add(f"after {len(self._lives)} lives: {error}")
            finally:
                if self._daemon.process is not None:
                    self._daemon.kill()
        return LongRun(seed, round(time.monotonic() - began_s, 1), self._figures(), self._problems.told())

    def _figures(self) -> dict[str, int | float]:
        ledger = self._ledger
        return {
            "SIGKILLs": len(self._lives) + self._newborn_kills,
            **{f"killed {moment}": count for moment, count in sorted(self._moments.items())},
            "of these inside write or fsync of the journal": self._in_write,
            "decisions told": self._decisions,
            "told while the disk was late": self._unplaced,
            "events": ledger.events,
            "records": ledger.records,
            "events that came again": ledger.repeated,
            "records of an alarm ahead of older events": ledger.alarms_ahead,
            "live records ahead of older events": ledger.live_ahead,
            "median start (s)": round(statistics.median(self._starts_s), 2) if self._starts_s else 0.0,
            **self._storm.figures(),
        }

    # One life

    def _next_moment(self) -> Moment:
        if not self._deck:
            self._deck = [moment for moment, share in _SHARES.items() for _ in range(share)]
            self._chosen.shuffle(self._deck)
        return self._deck.pop()

    def _round(self, moment: Moment) -> None:
        self._moments[moment] += 1
        if moment is Moment.BIRTH:
            self._newborn_kills += birth(self._daemon.home / "b", self._chosen, self._usual_s(), self._problems)
            return
        name, born_ms = self._begin()
        if moment is Moment.STARTING:
            time.sleep(self._chosen.uniform(0.0, 1.2 * self._usual_s()))
            self._end(name, born_ms)
            return
        self._wait_ready()
        visitors = Visitors(self._daemon, name, self._chosen.randrange(1 << 32), self._problems)
        try:
            self._wait_moment(moment, visitors)
        finally:
            self._end(name, born_ms)
            visitors.leave()
        self._told += visitors.told

    def _usual_s(self) -> float:
        """How long a start takes on this machine, busy as it is."""
        return statistics.median(self._starts_s[-20:]) if self._starts_s else 1.0

    def _begin(self) -> tuple[str, int]:
        name = f"life{len(self._lives) + 1}"
        self._daemon.set_environment(
            AWS_ENDPOINT_URL_KINESIS=self._kinesis.endpoint, AWS_ACCESS_KEY_ID=name, AWS_SECRET_ACCESS_KEY="test"
        )
        born_ms = _boot_ms()
        self._daemon.start(ready=False)
        return name, born_ms

    def _end(self, name: str, born_ms: int) -> None:
        self._daemon.kill()
        self._lives.add(Life(name, born_ms, _boot_ms()))

    def _wait_ready(self) -> None:
        """A tap would work; whatever the last life left, the doors are locked, but for a fire."""
        began_s = time.monotonic()
        self._daemon.wait_ready()
        self._starts_s.append(time.monotonic() - began_s)
        for door in self._daemon.status()["doors"]:
            if (door["lock"] == "unlocked") != door["fire"]:
                self._problems.add(f"door {door['id']} is {door['lock']} after a restart, fire {door['fire']}")
            if self._fire is not None and door["fire"] != self._fire:
                self._problems.add(f"door {door['id']}: fire {door['fire']} after a restart, {self._fire} before")

    def _wait_moment(self, moment: Moment, visitors: Visitors) -> None:
        chosen = self._chosen
        if chosen.random() < _DELIVERING:
            seen = self._kinesis.requests
            with suppress(AssertionError):  # a life may be waiting out a fault
                wait_for(lambda: self._kinesis.requests > seen, "a request", _DELIVERING_S)
        match moment:
            case Moment.ANSWERED:
                visitors.wait_answers(chosen.randint(1, 60), 5.0)
            case Moment.COMMIT:
                visitors.wait_answers(chosen.randint(1, 30), 5.0)
                self._in_write += self._wait_write(1.0)
            case Moment.DELIVERY:
                self._storm.hold(chosen.randint(0, 30)).wait(3.0)
            case _:
                if chosen.random() < 0.3:
                    self._play_with_fire()
                time.sleep(chosen.uniform(0.0, 0.7))
        if moment is Moment.STOPPING:
            self._daemon.signal(signal.SIGTERM)
            time.sleep(chosen.uniform(0.0, 0.3))

    def _play_with_fire(self) -> None:
        """A fire alarm begins, or is reset; a state that the daemon has shown must outlive it."""
        wanted = not self._fire
        self._fire = None
        with self._daemon.client() as client:
            client.request("input", name="front.fire", action="on" if wanted else "off")
            if not wanted:
                client.request("fire-reset", door=None)
            with suppress(AssertionError):
                wait_for(
                    lambda: all(door["fire"] is wanted for door in client.request("status")["status"]["doors"]), "", 5
                )
                self._fire = wanted

    def _wait_write(self, timeout_s: float) -> bool:
        """Return in the middle of a write or fsync of the journal's log, if it can be caught."""
        assert self._daemon.process is not None
        process = Path(f"/proc/{self._daemon.process.pid}")
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s:
            for task in (process / "task").iterdir():
                with suppress(OSError):  # the thread ended, or the file was closed, while we looked
                    call, *arguments = (task / "syscall").read_text("ascii").split()
                    if call in _WRITING and "journal.db" in _name(process, int(arguments[0], 16)):
                        return True
        return False

    # A settlement

    def _settle(self) -> None:
        """Deliver the rest, compare, and kill once more, so that the next chapter begins as the last one did."""
        self._storm.calm()
        name, born_ms = self._begin()
        self._wait_ready()
        wait_for(lambda: self._daemon.status()["journal"]["unsent"] == 0, "all to be delivered", DRAIN_S)
        stored = self._daemon.all_events(since=self._ledger.settled)
        self._end(name, born_ms)
        self._storm.rise()
        self._ledger.take(self._kinesis.take_records(), self._daemon.public_key())
        if not all(each.pop("sent") for each in stored):
            self._problems.add("the journal holds unsent events although it says that there are none")
        self._ledger.settle([parse_event(each) for each in stored], self._told)
        self._decisions += len({told.event_id for told in self._told if told.event_id is not None})
        self._unplaced += sum(told.event_id is None for told in self._told)
        self._told.clear()
        check_remains(self._daemon, self._problems)


def _name(process: Path, descriptor: int) -> str:
    return (process / "fd" / str(descriptor)).readlink().name


def _boot_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def run(rounds: int, seed: int, progress: Progress, home: Path) -> LongRun:
    """So many rounds in `home`, an empty folder with a short path (a socket lies in it)."""
    return KillLoop(home, seed).run(rounds, seed, progress)
