"""Taps for hours: the real daemon behind real reader stacks, every decision checked, nothing leaked, all delivered.

Cards are held to six readers by as many people: two emulated readers, two of pcscd's, one behind nfcpy's PN532 driver
and one on nfcpy's UDP air. The stream misbehaves meanwhile, as in the kill loop. Latency is the daemon's own figure in
its log line per tap: from the driver handing the card over to the relay driven, the event on disk in between.
"""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cloud.contract.events import parse_event
from tests.bench.result import measure
from tests.faults.busy_door import CLOUD
from tests.faults.ledger import Ledger, Life, Lives, Problems
from tests.faults.storm import Storm
from tests.rigs import site
from tests.rigs.daemon import Daemon
from tests.rigs.fault_kinesis import FaultKinesis
from tests.rigs.long_run import LongRun, Progress
from tests.rigs.waiting import wait_for
from tests.soak import vitals
from tests.soak.stacks import Place, stacks
from tests.soak.visitors import DECIDED_S, Decisions, Visitor

DEVICE: Final = "soak-door-1"
DRAIN_S: Final = 120.0
_WARM_PART: Final = 0.1
_MOST_WARM_S: Final = 60.0
"""Before the first reading of threads, descriptors and memory: every path has been taken by then."""
_LIFE: Final = "life1"


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
                place: Visitor(place, daemon, decisions, _LIFE, seed + number, problems)
                for number, place in enumerate(places)
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
            f"anonymous memory {when} (MiB)": reading.anonymous_mib,
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
    for stack in dict.fromkeys(stack_of.values()):
        values = relay_ms[stack]
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
