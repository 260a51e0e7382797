"""A peer: persist-queue's SQLiteAckQueue, the one queue library of its kind that loses nothing at a power cut.

Runs in the environment of the peers: `python ack_queue.py PLACE BODIES ack|keep`. With `ack` each item is taken and
acknowledged before the next one comes.
"""

import json
import os
import sys
import time
from pathlib import Path

import persistqueue

BEGIN, END = "/bench/begin", "/bench/end"
"""Asking for these marks the measured part in a trace of system calls."""


def main() -> None:
    """Store one item a line; print what was written for each."""
    place, bodies, how = sys.argv[1:]
    lines = Path(bodies).read_bytes().splitlines()
    queue = persistqueue.SQLiteAckQueue(place, auto_commit=True)
    put(queue, lines[0], how)
    took_ms = []
    before = written()
    os.access(BEGIN, os.F_OK)
    for line in lines:
        start = time.perf_counter()
        put(queue, line, how)
        took_ms.append((time.perf_counter() - start) * 1000)
    os.access(END, os.F_OK)
    print(json.dumps({"took_ms": took_ms, "written": written() - before}))


def put(queue: persistqueue.SQLiteAckQueue, line: bytes, how: str) -> None:
    """As a sender would use it."""
    queue.put(line)
    if how == "ack":
        queue.ack(queue.get())


def written() -> int:
    """Bytes that this process caused to be sent to the disk."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["write_bytes"])


if __name__ == "__main__":
    main()
