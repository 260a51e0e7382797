"""Which file system and which disk a folder lies on, from /proc/self/mountinfo and /sys. Pure but for `disk_of`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

_ESCAPED: Final = re.compile(r"\\([0-7]{3})")
_PARTITION: Final = re.compile(r"^(mmcblk\d+|nvme\d+n\d+)p\d+$|^([a-z]+)\d+$")


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system."""

    place: PurePath
    kind: str
    """ext4, tmpfs, ..."""
    source: str
    device: str
    """major:minor"""
    options: frozenset[str]
    """Of the mount and of the file system."""


def parse(mountinfo: str) -> list[Mount]:
    """The mounts of /proc/self/mountinfo, in its order; lines of another shape are left out."""
    found = []
    for line in mountinfo.splitlines():
        left, dash, right = line.partition(" - ")
        before, after = left.split(), right.split()
        if not dash or len(before) < 6 or len(after) < 2:
            continue
        options = frozenset(before[5].split(",")) | frozenset(after[2].split(",") if len(after) > 2 else ())
        found.append(Mount(PurePath(_plain(before[4])), after[0], _plain(after[1]), before[2], options))
    return found


def mount_of(path: PurePath, mounts: Iterable[Mount]) -> Mount | None:
    """The mount that an absolute path lies on: the longest prefix, of equal ones the last."""
    best: Mount | None = None
    for mount in mounts:
        inside = path == mount.place or mount.place in path.parents
        if inside and (best is None or len(mount.place.parts) >= len(best.place.parts)):
            best = mount
    return best


def disk_of(mount: Mount, root: Path) -> str | None:
    """The whole disk's name in /sys/block, such as mmcblk0; None for what lies on no disk of this machine."""
    link = root / "sys/dev/block" / mount.device
    name = link.resolve().name if link.exists() else PurePath(mount.source).name
    match = _PARTITION.match(name)
    disk = (match[1] or match[2]) if match else name
    return disk if (root / "sys/block" / disk).exists() else None


def is_card(disk: str | None) -> bool:
    """Whether a disk is an SD card or an eMMC chip."""
    return disk is not None and disk.startswith("mmcblk")


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)
