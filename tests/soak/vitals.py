"""What a process holds: threads, descriptors, memory. Growth of these in a quiet process is a leak.

Memory is judged by the anonymous part alone: pages of files, which PSS shares out among the processes that use them,
come and go with the other Pythons on the machine. Descriptors may be more by the connections that boto3 keeps for the
next request: at one reading the stream has just cut them, at the other not.
"""

from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from agent.aws.session import POOL
from tests.rigs.waiting import wait_for

MOST_MORE_MIB: Final = 8.0
"""Memory may grow by so much: caches of SQLite, which fill up to a few megabytes, and arenas of Python. A leak of a
few hundred bytes a tap is more than that in an hour."""
_LOOKS: Final = 50
_SETTLE_S: Final = 20.0
"""Threads of answered clients and of requests that timed out end within this."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """A reading."""

    threads: int
    descriptors: int
    pss_mib: float
    anonymous_mib: float

    def more_than(self, before: "Vitals") -> tuple[str, ...]:
        """What has grown, in words."""
        found = []
        if self.threads > before.threads:
            found.append(f"threads grew from {before.threads} to {self.threads}")
        if self.descriptors > before.descriptors + POOL:
            found.append(f"descriptors grew from {before.descriptors} to {self.descriptors}")
        if self.anonymous_mib > before.anonymous_mib + MOST_MORE_MIB:
            found.append(f"memory grew from {before.anonymous_mib:.1f} to {self.anonymous_mib:.1f} MiB")
        return tuple(found)


def read(pid: int) -> Vitals:
    """As it is now."""
    process = Path(f"/proc/{pid}")
    lines = (process / "smaps_rollup").read_text("ascii").splitlines()[1:]
    mib = {name: round(int(rest.split()[0]) / 1024, 1) for name, _, rest in (line.partition(":") for line in lines)}
    return Vitals(_count(process / "task"), _count(process / "fd"), mib["Pss"], mib["Anonymous"])


def read_lowest(pid: int) -> Vitals:
    """The least that it held during a moment: a request in flight is a thread and a descriptor more."""
    readings: list[Vitals] = []

    def looked_enough() -> bool:
        readings.append(read(pid))
        return len(readings) >= _LOOKS

    wait_for(looked_enough, "a quiet process", _SETTLE_S)
    return Vitals(*(min(getattr(reading, field.name) for reading in readings) for field in fields(Vitals)))


def read_settled(pid: int, before: Vitals) -> Vitals:
    """As it is once nothing is more than it was, or when that did not come to hold in time."""
    with suppress(AssertionError):  # the caller compares, and says what has grown
        wait_for(lambda: not read(pid).more_than(before), "a quiet process", _SETTLE_S)
    return read_lowest(pid)


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())
