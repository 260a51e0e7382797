"""What an event costs the disk: syncs, by a trace of system calls, and bytes, by the kernel's own account."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloud.contract.canonical import sha256_hex
from cloud.contract.events import GENESIS, Event, EventType, event_id
from cloud.contract.reasons import Reason
from tests.bench import site
from tests.bench.context import ROOT, Context, environment
from tests.bench.peers import python as peers_python
from tests.bench.result import Figure, Row, at_most, measure
from tests.bench.store import BEGIN, END
from tests.rigs.site import credential

SYNCS: Final = 1.05
WRITTEN_KB: Final = 10.0
_STRACE: Final = ("strace", "-f", "-q", "-e", "trace=fsync,fdatasync,sync_file_range,msync,access,faccessat,faccessat2")
_CALLS_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class _Stored:
    """One way to store events."""

    syncs: float
    """For one event."""
    kb: float
    """For one event: 1,000 bytes."""
    median_ms: float
    """To store one, untraced."""


def run(context: Context) -> Sequence[Row]:
    """Taps at a door with a cloud: each event is acknowledged before the next one comes."""
    count = context.rounds(5_000, 100)
    bodies = context.folder() / "bodies"
    bodies.write_bytes(b"\n".join(_bodies(count)) + b"\n")
    journal = _stored(context, bodies, count, "journal", "ack")
    alone = _stored(context, bodies, count, "journal", "keep")
    table = _stored(context, bodies, count, "table", "keep")
    queue = _stored(context, bodies, count, "queue", "ack")
    kept = _stored(context, bodies, count, "queue", "keep")
    return [
        Row(
            measure("syncs for an event, recorded and acknowledged", "syncs", [journal.syncs]),
            measure("SQLiteAckQueue of persist-queue", "syncs", [queue.syncs]),
            (at_most("syncs", "syncs", SYNCS, journal.syncs),),
            (f"not acknowledged: {alone.syncs:.2f}, {kept.syncs:.2f}; a row of a bare table: {table.syncs:.2f}",),
        ),
        Row(
            measure("written for an event, recorded and acknowledged", "KB", [journal.kb]),
            measure("SQLiteAckQueue of persist-queue", "KB", [queue.kb]),
            (at_most("bytes written", "KB", WRITTEN_KB, journal.kb),),
            (
                f"not acknowledged: {alone.kb:.1f} KB, {kept.kb:.1f} KB; a row of a bare table: {table.kb:.1f} KB",
                f"time for one: {journal.median_ms:.2f} ms, {queue.median_ms:.2f} ms; bare: {table.median_ms:.2f} ms",
                f"{bodies.stat().st_size // count} bytes for an event as JSON",
            ),
        ),
    ]


def _bodies(count: int) -> list[bytes]:
    """Granted taps, in their canonical form and their chain."""
    made, prev = [], GENESIS
    for seq in range(1, count + 1):
        event = Event(
            id=event_id("door-1", 1, seq),
            device="door-1",
            site=site.NAME,
            epoch=1,
            seq=seq,
            prev=prev,
            type=EventType.ACCESS_GRANTED,
            at=f"2026-03-01T08:{seq // 60 % 60:02}:{seq % 60:02}.000Z",
            clock="synced",
            boot="0f0e0d0c-0b0a-4908-8706-050403020100",
            mono_ms=1000 * seq,
            online=True,
            door=site.DOOR,
            reader=f"{site.DOOR}-in",
            direction="in",
            reason=Reason.ALLOWED.value,
            credential=credential(site.uid(seq)),
            person=f"p-{seq}",
            policy=1,
        )
        made.append(event.canonical())
        prev = sha256_hex(made[-1])
    return made


def _stored(context: Context, bodies: Path, count: int, where: str, how: str) -> _Stored:
    def command() -> list[str]:
        place = context.folder()
        if where == "queue":
            script = Path(__file__).parents[1] / "peers/ack_queue.py"
            return [str(peers_python()), str(script), str(place), str(bodies), how]
        return [sys.executable, "-m", "tests.bench.store", str(place), str(bodies), where, how]

    trace = context.folder() / "trace"
    _run([*_STRACE, "-o", str(trace), *command()])
    found = json.loads(_run(command()))
    took = measure("", "ms", found["took_ms"])
    return _Stored(_syncs(trace.read_text("utf-8")) / count, found["written"] / count / 1000, took.median)


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, check=True, timeout=_CALLS_S, text=True
    )
    return done.stdout


def _syncs(trace: str) -> int:
    """Calls between the two marks; a call that another thread interrupts in the trace stands on two lines."""
    measured = trace.partition(BEGIN)[2].partition(END)[0]
    return sum("sync" in line and "resumed>" not in line for line in measured.splitlines())


FIGURE = Figure("storage", "What an event costs the disk", run)
