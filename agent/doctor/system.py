"""What machine this is, and whether it can run the agent at all."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.doctor.finding import Area, Finding, Line
from agent.doctor.mounts import mount_of, parse
from agent.doctor.scene import Scene, read_text

PYTHON: Final = Line(
    Area.SYSTEM,
    "python",
    "Python 3.11 to 3.13.",
    "Make the virtual environment with one of these: python3.11 -m venv /opt/cardea",
)
MODEL: Final = Line(
    Area.SYSTEM,
    "model",
    "Which machine this is, and its kernel. For people; always passes.",
    "Nothing to do.",
)
MEMORY: Final = Line(
    Area.SYSTEM,
    "memory",
    "There is memory to spare. Warns below 100 MiB, fails below 30 MiB: the kernel may end the agent.",
    "End what else runs there (a desktop?): ps aux --sort=-rss | head",
)
ROOT: Final = Line(
    Area.SYSTEM,
    "root file system",
    "It is as /etc/fstab has it. Warns when it is read-only and should not be: the kernel does that after errors.",
    "dmesg shows the error. Copy the state directory off, then check the card with fsck from another machine.",
)
LINES: Final = (PYTHON, MODEL, MEMORY, ROOT)

_MIB: Final = 1 << 20
_OLDEST, _NEWEST = (3, 11), (3, 13)
MEMORY_WARNS_MIB: Final = 100
MEMORY_FAILS_MIB: Final = 30


def look(scene: Scene) -> Iterator[Finding]:
    """All lines of this area."""
    yield judge_python(sys.version_info[:2])
    model = read_text(scene.root / "proc/device-tree/model") or "no Raspberry Pi"
    kernel = read_text(scene.root / "proc/sys/kernel/osrelease") or "unknown"
    yield MODEL.passes(f"{model}, Linux {kernel}")
    yield judge_memory(_available(read_text(scene.root / "proc/meminfo") or ""))
    mount = mount_of(Path("/"), parse(read_text(scene.root / "proc/self/mountinfo") or ""))
    yield judge_root(
        read_only=mount is not None and "ro" in mount.options, fstab=read_text(scene.root / "etc/fstab") or ""
    )


def judge_python(version: tuple[int, int]) -> Finding:
    """The interpreter that runs this, which is the agent's."""
    text = ".".join(map(str, version))
    return PYTHON.passes(text) if _OLDEST <= version <= _NEWEST else PYTHON.fails(f"{text} is not supported")


def judge_memory(available_bytes: int | None) -> Finding:
    """None: the kernel does not say."""
    if available_bytes is None:
        return MEMORY.passes("the kernel does not say")
    text = f"{available_bytes / _MIB:.0f} MiB available"
    if available_bytes < MEMORY_FAILS_MIB * _MIB:
        return MEMORY.fails(text)
    return MEMORY.warns(text) if available_bytes < MEMORY_WARNS_MIB * _MIB else MEMORY.passes(text)


def judge_root(*, read_only: bool, fstab: str) -> Finding:
    """A read-only root is good practice where /etc/fstab wants it."""
    if not read_only:
        return ROOT.passes("read and write")
    wanted = any(
        len(words) >= 4 and words[1] == "/" and "ro" in words[3].split(",")
        for words in (line.split() for line in fstab.splitlines() if not line.lstrip().startswith("#"))
    )
    return ROOT.passes("read-only, as /etc/fstab has it") if wanted else ROOT.warns("read-only, but not by /etc/fstab")


def _available(meminfo: str) -> int | None:
    for line in meminfo.splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable" and rest.split():
            return int(rest.split()[0]) * 1024
    return None
