"""Will the disk keep what it is given? Writes a few small files into the state directory, and nothing else."""

import configparser
import contextlib
import os
import stat
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from agent.doctor.finding import Area, Finding, Line
from agent.doctor.mounts import Mount, disk_of, is_card, mount_of, parse
from agent.doctor.scene import Account, Scene, read_text
from agent.storage.files import SET_ASIDE

FOLDER: Final = Line(
    Area.DISK,
    "state directory",
    "The agent's folder is there, the agent may write it and nobody else may look into it. Fails when it can't be "
    "written, warns when others may enter. The first start makes it.",
    "chown -R cardea:cardea FOLDER && chmod 750 FOLDER",
)
SPACE: Final = Line(
    Area.DISK,
    "free space",
    "There is room for what the journal may still grow by (`journal.max_mib`); warns when not. Fails below 16 MiB, or "
    "without free inodes.",
    "Remove what is not needed (journalctl --vacuum-size=50M, apt-get clean), or lower journal.max_mib.",
)
SYSTEM: Final = Line(
    Area.DISK,
    "file system",
    "A file system that keeps what was flushed. Fails where it is mounted read-only, lies in memory or on the network, "
    "or runs without barriers; warns for data=writeback, for an overlay, and where every read is a write (no noatime).",
    "Keep the state directory on an ext4 file system of its own, mounted with noatime,data=ordered.",
)
FLUSH: Final = Line(
    Area.DISK,
    "flush",
    "How long a small write takes to be on the disk, of a few: each tap waits for one. Warns above 50 ms in the "
    "middle, fails above 250 ms, where a granted door no longer waits for its record.",
    "The SD card is worn or slow: copy the state directory off and replace it by an industrial one, or by an SSD.",
)
CARD: Final = Line(
    Area.DISK,
    "card",
    "What the SD card or eMMC chip says of its wear; an SD card says nothing. Warns from 80 % on, fails at its end.",
    "Copy the state directory off and replace the card.",
)
SWAP: Final = Line(
    Area.DISK,
    "swap",
    "No swap on an SD card: it wears the card and stalls the agent.",
    "dphys-swapfile swapoff && systemctl disable dphys-swapfile, or use zram.",
)
SYSTEM_LOG: Final = Line(
    Area.DISK,
    "system log",
    "The system's own log does not go to the SD card all day: it wears it more than all events do.",
    "Storage=volatile in /etc/systemd/journald.conf, then systemctl restart systemd-journald.",
)
ASIDE: Final = Line(
    Area.DISK,
    "set aside",
    "No damaged database waits for a person. The agent moves one aside and begins anew; it never deletes it.",
    "Copy the folder off for whoever looks into it, find out why (worn card, power cuts), then remove it.",
)
LINES: Final = (FOLDER, SPACE, SYSTEM, FLUSH, CARD, SWAP, SYSTEM_LOG, ASIDE)

MIB: Final = 1 << 20
SPACE_FAILS_MIB: Final = 16
"""Below this the next hours of a busy door do not fit, log and checkpoint included."""
FLUSHES: Final = 9
FLUSH_BYTES: Final = 4096
FLUSH_BOUND_S: Final = 5.0
"""No further flush is tried after this long."""
FLUSH_WARNS_S: Final = 0.05
"""A card in good health takes 2 to 20 ms."""
FLUSH_FAILS_S: Final = 0.25
"""The recorder waits this long for a commit before the door opens without it."""

_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"})
_SIMPLE: Final = frozenset({"vfat", "exfat", "msdos", "ntfs", "ntfs3"})
_NO_BARRIERS: Final = frozenset({"nobarrier", "barrier=0"})
_LIFE_WARNS, _LIFE_ENDS = 0x09, 0x0B
"""JEDEC's steps: 0x09 is 80 to 90 % used, 0x0B beyond the end."""
_END_WARNS, _END_URGENT = 2, 3
_LOG_PLACES: Final = ("usr/lib/systemd/journald.conf.d", "run/systemd/journald.conf.d", "etc/systemd/journald.conf.d")
_ENTER_AND_WRITE: Final = 3


def look(scene: Scene) -> Iterator[Finding]:
    """All lines of this area but the flush."""
    folder = scene.state_dir
    if not folder.exists():
        yield FOLDER.passes(f"{folder}: none yet, the first start makes it")
    else:
        yield judge_folder(folder, folder.stat(), scene.account)
        yield _aside(folder / SET_ASIDE)
    above = next(place for place in (folder, *folder.parents) if place.exists())
    yield _space(above, scene)
    mounts = parse(read_text(scene.root / "proc/self/mountinfo") or "")
    mount = mount_of(above.resolve(), mounts)
    if mount is not None:
        yield from judge_mount(mount)
        disk = disk_of(mount, scene.root)
        if disk is not None and is_card(disk):
            yield _card(disk, scene.root / "sys/block" / disk / "device")
    root = mount_of(Path("/"), mounts)
    root_disk = None if root is None else disk_of(root, scene.root)
    yield judge_swap(read_text(scene.root / "proc/swaps") or "", root_on_card=is_card(root_disk))
    log = mount_of(Path("/var/log/journal"), mounts)
    on_card = log is not None and is_card(disk_of(log, scene.root))
    yield judge_log(_log_storage(scene.root), (scene.root / "var/log/journal").exists(), on_card=on_card)


def judge_folder(folder: Path, status: os.stat_result, account: Account) -> Finding:
    """Who may do what in the state directory."""
    remedy = FOLDER.remedy.replace("FOLDER", str(folder))
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISDIR(status.st_mode):
        return FOLDER.fails(f"{folder} is no folder", f"Move {folder} away.")
    if mode & stat.S_IWOTH:
        return FOLDER.fails(f"{folder}: everybody may write it (mode {mode:o})", remedy)
    if not account.may(status, _ENTER_AND_WRITE):
        return FOLDER.fails(f"{folder}: {account.name} may not write it (mode {mode:o})", remedy)
    if mode & stat.S_IRWXO:
        return FOLDER.warns(f"{folder}: everybody may look into it (mode {mode:o})", remedy)
    return FOLDER.passes(f"{folder} (mode {mode:o})")


def judge_space(free_bytes: int, inodes: int | None, growth_bytes: int) -> Finding:
    """`inodes`: free ones, None where the file system has no such number; `growth_bytes`: by the journal, to come."""
    text = f"{free_bytes / MIB:.0f} MiB free"
    if inodes == 0:
        return SPACE.fails("no free inode: no new file can be made", "Remove files; many small ones are the cause.")
    if free_bytes < SPACE_FAILS_MIB * MIB:
        return SPACE.fails(text)
    if free_bytes < growth_bytes:
        return SPACE.warns(f"{text}, the journal may need {growth_bytes / MIB:.0f} MiB more")
    return SPACE.passes(text)


def judge_mount(mount: Mount) -> Iterator[Finding]:
    """The file system below the state directory; one line, or several where several things are wrong."""
    kind, options = mount.kind, mount.options
    where = f"{kind} at {mount.place}"
    bad = []
    if "ro" in options:
        bad.append(
            SYSTEM.fails(
                f"{where} is read-only",
                f"Find out why (dmesg: errors turn it read-only; a worn card), then mount -o remount,rw {mount.place}",
            )
        )
    if kind in _MEMORY:
        bad.append(SYSTEM.fails(f"{where} lies in memory: all is lost at power-off"))
    if kind in _NETWORK:
        bad.append(SYSTEM.fails(f"{where} lies on the network: the door would stop with it"))
    if kind in _SIMPLE:
        bad.append(SYSTEM.fails(f"{where} has no permissions and no log of its own"))
    if options & _NO_BARRIERS:
        bad.append(SYSTEM.fails(f"{where} is mounted without barriers: a flush is not on the disk"))
    if kind == "overlay":
        bad.append(SYSTEM.warns(f"{where}: kept only if the upper folder is on a disk"))
    if "data=writeback" in options:
        bad.append(SYSTEM.warns(f"{where} is mounted with data=writeback"))
    if not options & {"noatime", "relatime"} and kind not in _MEMORY:
        bad.append(SYSTEM.warns(f"{where} writes at every read (no noatime)"))
    yield from bad or [SYSTEM.passes(f"{where} from {mount.source}")]


def flush(scene: Scene) -> Iterator[Finding]:
    """How long a small write takes."""
    folder = scene.state_dir
    if not folder.is_dir():
        yield FLUSH.passes(f"not measured: there is no {folder} yet")
        return
    try:
        times_s = _flush_times(folder)
    except PermissionError:
        raise  # told by the runner; whether the agent may is told by the line of the folder
    except OSError as error:
        yield FLUSH.fails(
            f"{folder}: a file can't be written: {error.strerror}",
            "See the lines on free space, file system and state directory.",
        )
        return
    yield judge_flush(times_s)


def judge_flush(times_s: Sequence[float]) -> Finding:
    """The middle counts: a card in good health stalls now and then to tidy up."""
    middle_s, worst_s = statistics.median(times_s), max(times_s)
    text = f"{middle_s * 1000:.1f} ms in the middle, {worst_s * 1000:.0f} ms at worst, of {len(times_s)}"
    if middle_s > FLUSH_FAILS_S:
        return FLUSH.fails(text)
    return FLUSH.warns(text) if middle_s > FLUSH_WARNS_S else FLUSH.passes(text)


def judge_card(name: str, life: str | None, end: str | None) -> Finding:
    """`life`: the chip's two estimates, in steps of 10 % used; `end`: its warning that spare blocks run out."""
    steps = [value for value in map(_number, (life or "").split()) if value is not None]
    warned = _number(end or "") or 0
    if not steps:
        return CARD.passes(f"{name} tells nothing of its wear")
    text = f"{name}: about {min(max(steps), 10) * 10} % of its life used"
    if max(steps) >= _LIFE_ENDS or warned >= _END_URGENT:
        return CARD.fails(text)
    return CARD.warns(text) if max(steps) >= _LIFE_WARNS or warned >= _END_WARNS else CARD.passes(text)


def judge_swap(swaps: str, *, root_on_card: bool) -> Finding:
    """The content of /proc/swaps. A swap file is taken to lie on the root file system."""
    on_card = []
    for line in swaps.splitlines()[1:]:
        name, kind, *_ = [*line.split(), "", ""]
        if name.startswith("/dev/mmcblk") or (kind == "file" and root_on_card):
            on_card.append(name)
    return SWAP.warns(f"on the SD card: {', '.join(on_card)}") if on_card else SWAP.passes("none on an SD card")


def judge_log(storage: str, persistent: bool, *, on_card: bool) -> Finding:
    """`storage` as journald is told; `persistent`: whether /var/log/journal is there, which decides for `auto`."""
    kept = storage == "persistent" or (storage == "auto" and persistent)
    if kept and on_card:
        return SYSTEM_LOG.warns(f"kept on the SD card (Storage={storage})")
    return SYSTEM_LOG.passes(f"{'kept, on no SD card' if kept else 'not kept on a disk'} (Storage={storage})")


def judge_aside(entries: Sequence[str]) -> Finding:
    """What lies in the folder of damaged databases."""
    return ASIDE.warns(f"{len(entries)} in {SET_ASIDE}/: {', '.join(entries)}") if entries else ASIDE.passes("nothing")


def _aside(folder: Path) -> Finding:
    try:
        return judge_aside(sorted(entry.name for entry in folder.iterdir()))
    except FileNotFoundError:
        return judge_aside([])
    except OSError as error:
        return ASIDE.warns(f"{folder}: {error.strerror}", "Run the self-test as root.")


def _space(above: Path, scene: Scene) -> Finding:
    disk = os.statvfs(above)
    held = sum(_size(scene.state_dir / name) for name in ("journal.db", "journal.db-wal"))
    growth = max(0, scene.config.journal.max_mib * MIB - held)
    return judge_space(disk.f_bavail * disk.f_frsize, disk.f_favail if disk.f_files else None, growth)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _flush_times(folder: Path) -> list[float]:
    """Seconds per flush. The file has no name, so that nothing is left whatever happens. Raises OSError."""
    times_s: list[float] = []
    until_s = time.monotonic() + FLUSH_BOUND_S
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        while len(times_s) < FLUSHES and time.monotonic() < until_s:
            begun_s = time.monotonic()
            file.write(os.urandom(FLUSH_BYTES))
            os.fdatasync(file.fileno())
            times_s.append(time.monotonic() - begun_s)
    return times_s


def _card(disk: str, device: Path) -> Finding:
    name = " ".join(filter(None, (disk, read_text(device / "type"), read_text(device / "name"))))
    made = read_text(device / "date")
    return judge_card(
        f"{name}{f' of {made}' if made else ''}",
        read_text(device / "life_time"),
        read_text(device / "pre_eol_info"),
    )


def _number(text: str) -> int | None:
    with contextlib.suppress(ValueError):
        return int(text, 16)
    return None


def _log_storage(root: Path) -> str:
    """journald's Storage=, as its files say; the last one counts."""
    dropped = {path.name: path for place in _LOG_PLACES for path in sorted((root / place).glob("*.conf"))}
    files = [root / "etc/systemd/journald.conf", *(dropped[name] for name in sorted(dropped))]
    return _storage([text for text in map(read_text, files) if text is not None])


def _storage(texts: Sequence[str]) -> str:
    storage = "auto"
    for text in texts:
        parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
        with contextlib.suppress(configparser.Error):
            parser.read_string(text)
            found: Mapping[str, str] = dict(parser.items("Journal")) if parser.has_section("Journal") else {}
            storage = (found.get("storage") or storage).strip().lower()
    return storage
