"""A process of its own that records events as the controller does; prints what was written to the disk for each.

`python -m tests.bench.store STATE_DIR BODIES journal|table ack|keep`: in the journal, or as rows of a bare table. With
`ack` each event is acknowledged before the next one comes, as at a door with a cloud.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from agent.core.events import EventDraft, StampedEvent
from cloud.contract.events import Event, read_event
from tests.bench.commit import bare_table, commit_ms
from tests.rigs.journals import open_journal

BEGIN: Final = "/bench/begin"
END: Final = "/bench/end"
"""Asking for these marks the measured part in a trace of system calls."""
_LIMIT_S: Final = 10.0
Put = Callable[[Event], object]


def main() -> None:
    """Record all."""
    state_dir, bodies, where, how = sys.argv[1:]
    place = Path(state_dir)
    events = [read_event(line) for line in Path(bodies).read_bytes().splitlines()]
    with _journal(place, how) if where == "journal" else _table(place) as put:
        put(events[0])
        took_ms = []
        before = _written()
        os.access(BEGIN, os.F_OK)
        for event in events:
            start = time.perf_counter()
            put(event)
            took_ms.append((time.perf_counter() - start) * 1000)
        os.access(END, os.F_OK)
        print(json.dumps({"took_ms": took_ms, "written": _written() - before}))


@contextmanager
def _journal(place: Path, how: str) -> Iterator[Put]:
    with open_journal(place) as journal:

        def put(event: Event) -> None:
            stored = journal.append(_drafted(event), _LIMIT_S)
            if how == "ack":
                journal.mark_sent(stored.epoch, stored.seq, stored.seq)

        yield put


@contextmanager
def _table(place: Path) -> Iterator[Put]:
    with bare_table(place / "bare.db") as db:
        yield lambda event: commit_ms(db, event.wire())


def _drafted(event: Event) -> StampedEvent:
    """What the event was before it had a place."""
    draft = EventDraft(
        type=event.type,
        door=event.door,
        reader=event.reader,
        direction=event.direction,
        reason=event.reason,
        credential=event.credential,
        person=event.person,
        policy=event.policy,
        detail=event.detail,
    )
    return StampedEvent(
        draft=draft, at=event.at, clock=event.clock, boot=event.boot, mono_ms=event.mono_ms, online=event.online
    )


def _written() -> int:
    """Bytes that this process caused to be sent to the disk."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text("ascii").splitlines())
    return int(fields["write_bytes"])


if __name__ == "__main__":
    main()
