"""A backlog delivered from the journal on disk, beside bare requests and other clients, in all weathers.

Every client is a process of its own and every run has an endpoint of its own, which counts what became of the events.
Our peers send each event as a record of its own, which is how they are used; ours packs up to 200 into one. So the
same part of failing records, and the same bursts of throttling, meet each client in the shape in which it sends.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from agent.storage.journal_schema import FILE_NAME
from tests.bench.context import ROOT, Context, environment
from tests.bench.deliver import STREAM
from tests.bench.endpoint import endpoint
from tests.bench.peers import python as peers_python
from tests.bench.result import Better, Figure, Measure, Row, Target, at_least, at_most, measure
from tests.bench.tally import Tally
from tests.rigs.journals import fill, open_journal

PER_S = 10_000.0
TIMES_CLEAN = 2.0
GROWN_MIB = 16.0
"""What counts as flat: a hundred times less than the backlog would take as objects."""
_DEVICE = "door-1"
_LIMIT_S: Final = 60.0
"""A peer that has not delivered all by then is stopped."""
_OURS_LIMIT_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class _Delivered:
    """One client's run."""

    took_s: float
    used_s: float
    grown_mib: float
    tally: Tally


class _Runs:
    """Starts clients on a backlog of `count` events."""

    def __init__(self, context: Context, count: int) -> None:
        self._context = context
        self.count = count
        self._filled = context.folder()
        fill(self._filled, count)
        self._lines = context.folder() / "events"
        with open_journal(self._copy()) as journal:
            bodies = (stored.event.wire() for stored in journal.events(limit=count))
            self._lines.write_bytes(b"\n".join(bodies) + b"\n")

    def ours(self, weather: str, *more: str) -> _Delivered:
        """The uplink; `bare`: its records alone, packed before."""
        place = self._copy()
        try:
            module = ["-m", "tests.bench.deliver", str(place), _DEVICE, str(_OURS_LIMIT_S), *more]
            return self._run(weather, [sys.executable, *module])
        finally:
            shutil.rmtree(place)  # a copy of the backlog for each run adds up

    def peer(self, weather: str, script: str) -> _Delivered:
        """A client that lives in the environment of the peers."""
        place = Path(__file__).parents[1] / "peers" / script
        return self._run(weather, [str(peers_python()), str(place), str(self._lines), STREAM, _DEVICE, str(_LIMIT_S)])

    def _run(self, weather: str, command: Sequence[str]) -> _Delivered:
        with endpoint(weather, self.count) as cloud:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environment(**cloud.variables),
                stdout=subprocess.PIPE,
                check=True,
                timeout=_OURS_LIMIT_S + 60,
            )
            return _Delivered(**json.loads(done.stdout.splitlines()[-1]), tally=cloud.finish())

    def _copy(self) -> Path:
        place = self._context.folder()
        shutil.copyfile(self._filled / FILE_NAME, place / FILE_NAME)
        return place


def run(context: Context) -> Sequence[Row]:
    """Ours and the bare requests in turns, then each peer; then the same under faults and throttling."""
    runs = _Runs(context, context.rounds(100_000, 2_000))
    clean, bare = [], []
    for _ in range(context.rounds(3, 1)):
        clean.append(runs.ours("clean"))
        bare.append(runs.ours("clean", "bare"))
    rows = [*_clean(runs, clean, bare)]
    for weather, words in (("faults", "5 % of the records fail"), ("throttling", "shards throttled in bursts")):
        rows += _rough(runs, [runs.ours(weather) for _ in range(context.rounds(2, 1))], weather, words, clean)
    return rows


def _clean(runs: _Runs, ours: list[_Delivered], bare: list[_Delivered]) -> list[Row]:
    rate = _rate(runs, f"{runs.count:,} stored events delivered", ours)
    grown_mib = max(each.grown_mib for each in ours)
    first = Row(
        rate,
        _rate(runs, "bare PutRecords of the same records, packed before", bare),
        (
            at_least("median", "events/s", PER_S, rate.median),
            at_most("growth of resident memory", "MiB", GROWN_MIB, grown_mib),
            *_whole(ours),
        ),
        (
            f"by processor time alone: {runs.count / min(each.used_s for each in ours):,.0f} events/s",
            f"resident memory grew by {grown_mib:.1f} MiB meanwhile",
            _became(ours),
        ),
    )
    return [first, *_beside(runs, rate, "clean")]


def _rough(runs: _Runs, ours: list[_Delivered], weather: str, words: str, clean: list[_Delivered]) -> list[Row]:
    rate = _rate(runs, f"{runs.count:,} stored events delivered, {words}", ours)
    times = median(each.took_s for each in ours) / median(each.took_s for each in clean)
    targets = (*_whole(ours), at_most("time over the clean time", "x", TIMES_CLEAN, times))
    first, *others = _beside(runs, rate, weather)
    return [Row(rate, first.beside, targets, (*first.notes, f"ours: {_became(ours)}")), *others]


def _beside(runs: _Runs, rate: Measure, weather: str) -> list[Row]:
    rows = []
    for name, script in (("async-kinesis", "async_producer.py"), ("naive boto3", "naive_boto3.py")):
        done = runs.peer(weather, script)
        what = f"{name}: {_became([done])}{' when it was stopped' if done.took_s >= _LIMIT_S else ''}"
        grown = f"{name}: resident memory grew by {done.grown_mib:.1f} MiB; processor time {done.used_s:.1f} s"
        rows.append(Row(rate, _rate(runs, what, [done]), (), (grown,)))
    return rows


def _rate(runs: _Runs, what: str, done: Sequence[_Delivered]) -> Measure:
    """Events that arrived, by the time that it took."""
    return measure(what, "events/s", [(runs.count - each.tally.lost) / each.took_s for each in done], Better.MORE)


def _whole(done: Sequence[_Delivered]) -> tuple[Target, Target]:
    return (
        at_most("events lost", "", 0.0, float(max(each.tally.lost for each in done))),
        at_most("events out of order", "", 0.0, float(max(each.tally.inversions for each in done))),
    )


def _became(done: Sequence[_Delivered]) -> str:
    """The worst of several runs."""
    worst = max((each.tally for each in done), key=lambda tally: (tally.lost, tally.inversions, tally.duplicates))
    return str(worst)


FIGURE = Figure("delivery", "Delivering a backlog", run)
