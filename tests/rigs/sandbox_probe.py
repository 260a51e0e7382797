"""Run under the service's sandbox: tries what must work there and what must not, and writes down how each went."""

import ctypes
import json
import mmap
import os
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

STATE = Path("/var/lib/cardea")


def called(result: int) -> None:
    """Raise what a call of the C library met."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def journal() -> None:
    """As the agent's journal: WAL, synced."""
    with sqlite3.connect(STATE / "probe.db") as db:
        db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS t (a);")


def usb() -> None:
    """nfcpy's way to USB: a callback of libusb into Python is code, which is not made at run time."""
    import usb1

    with usb1.USBContext() as context:
        context.getDeviceList()


def pcscd() -> None:
    """The readers that pcscd knows; systemd starts it for the first who asks."""
    from smartcard.scard import SCARD_S_SUCCESS, SCARD_SCOPE_USER, SCardEstablishContext, SCardReleaseContext

    result, context = SCardEstablishContext(SCARD_SCOPE_USER)
    if result != SCARD_S_SUCCESS:
        raise OSError(f"0x{result & 0xFFFFFFFF:08X}")
    SCardReleaseContext(context)


def kernel_clock(modes: int = 0) -> None:
    """Ask how the clock is kept; with ADJ_FREQUENCY (2) steer it, by the same value."""
    timex = ctypes.create_string_buffer(512)
    called(libc().adjtimex(timex))
    ctypes.c_uint.from_buffer(timex).value = modes
    called(libc().adjtimex(timex))


def writable_code() -> None:
    """A page that can be written and run: what an exploit needs."""
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


ALLOWED: dict[str, Callable[[], object]] = {
    "its journal": journal,
    "its runtime directory": lambda: Path("/run/cardea/probe").write_text("x"),
    "its configuration": lambda: Path("/etc/cardea/cardea.toml").read_text(),
    "a temporary file": lambda: Path("/tmp/probe").write_text("x"),
    "the boot's id": lambda: Path("/proc/sys/kernel/random/boot_id").read_text(),
    "how the clock is kept": kernel_clock,
    "which Pi it is": lambda: Path("/proc/cpuinfo").read_text(),
    "a socket to the cloud": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).close(),
    "the same by IPv6": lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM).close(),
    "USB": usb,
    "pcscd": pcscd,
}
REFUSED: dict[str, Callable[[], object]] = {
    "change the configuration": lambda: Path("/etc/cardea/cardea.toml").write_text("x"),
    "change a program": lambda: Path("/usr/local/lib/cardea/cardea-safe").write_text("x"),
    "change the unit": lambda: Path("/etc/systemd/system/cardea.service").write_text("x"),
    "look into homes": lambda: list(Path("/root").iterdir()),
    "become root": lambda: os.setuid(0),
    "a user namespace": lambda: called(libc().unshare(0x10000000)),
    "mount": lambda: called(libc().mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None)),
    "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
    "steer the clock": lambda: kernel_clock(2),
    "set the host's name": lambda: called(libc().sethostname(b"x", 1)),
    "a raw socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
    "another kind of socket": lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close(),
    "a kernel setting": lambda: Path("/proc/sys/kernel/sysrq").write_text("0"),
    "the kernel's log": lambda: called(libc().klogctl(3, ctypes.create_string_buffer(64), 64)),
    "real time": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "writable code": writable_code,
    "a program with its owner's rights": lambda: (STATE / "probe.db").chmod(0o4755),
    "other users' processes": lambda: Path("/proc/1/status").read_text(),
}


def attempt(trial: Callable[[], object]) -> str:
    """`ok`, or why not."""
    try:
        trial()
    except Exception as error:  # noqa: BLE001 - how it went is what is asked
        return f"{type(error).__name__}: {error}"
    return "ok"


if __name__ == "__main__":
    found = {
        "allowed": {name: attempt(trial) for name, trial in ALLOWED.items()},
        "refused": {name: attempt(trial) for name, trial in REFUSED.items()},
    }
    (STATE / "probe.json").write_text(json.dumps(found))
