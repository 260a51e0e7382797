"""What the benchmarks run on, and how busy others keep it."""

import os
import platform
import resource
import sqlite3
import sys
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

_LIBRARIES: Final = ("boto3", "botocore", "cryptography", "pydantic", "structlog", "tenacity")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_IDLE_COLUMNS: Final = (3, 4)
"""Of /proc/stat: idle, iowait. Stolen time counts as busy: somebody else had the processor."""
_BUSY_COLUMNS: Final = 8
"""Up to steal; guest time behind it is part of user time already."""


def describe(disk: Path) -> dict[str, Any]:
    """Machine, system, Python and libraries, and the file system that `disk` lies on. Names no host."""
    cpu = _first("/proc/cpuinfo", ("model name", "Model")) or platform.machine()
    memory_kib = int((_first("/proc/meminfo", ("MemTotal",)) or "0").split()[0])
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_mib": memory_kib // 1024,
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "file_system": _file_system(disk),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name)) is not None},
    }


def load_1min() -> float:
    """The load average of the last minute."""
    return round(os.getloadavg()[0], 1)


@dataclass(frozen=True, slots=True)
class Usage:
    """A reading of who used the processors so far."""

    at_s: float
    machine_s: float
    own_s: float

    @classmethod
    def now(cls) -> "Usage":
        """Read it. Own processes count once they have ended and been waited for."""
        columns = [int(text) for text in Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:]]
        busy = sum(value for at, value in enumerate(columns[:_BUSY_COLUMNS]) if at not in _IDLE_COLUMNS)
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        own_s = sum(each.ru_utime + each.ru_stime for each in used)
        return cls(time.monotonic(), busy / _TICKS_PER_S, own_s)

    def others_since(self, before: "Usage") -> float:
        """Part of the machine that others used between two readings, 0 to 1."""
        spent_s = (self.machine_s - before.machine_s) - (self.own_s - before.own_s)
        room_s = (self.at_s - before.at_s) * (os.cpu_count() or 1)
        return min(1.0, max(0.0, spent_s / room_s)) if room_s > 0 else 0.0


def _first(path: str, names: tuple[str, ...]) -> str | None:
    for line in Path(path).read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in names:
            return value.strip()
    return None


def _file_system(place: Path) -> str:
    """Type of the file system, such as ext4."""
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text("utf-8").splitlines()]
    real = str(place.resolve())
    holding = [(point, kind) for point, kind in mounts if point == "/" or f"{real}/".startswith(f"{point}/")]
    return max(holding, key=lambda each: len(each[0]), default=("", "unknown"))[1]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        print(f"bench: {name} is not installed", file=sys.stderr)
        return None
