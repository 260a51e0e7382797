"""The real pcscd with virtual readers, for programs under test: any number side by side, the machine's own untouched.

    with PcscdRig(readers=2) as rig:
        program = subprocess.Popen([...], env=rig.env)
        card = rig.insert(VirtualCard(uid), reader=1)
        card.remove()

pcscd insists on /run/pcscd and vpcd listens on fixed ports on all addresses, so each pcscd runs in a mount and a
network namespace of its own: its /run/pcscd is a folder of ours, and cards connect from inside its network. Programs
find it by PCSCLITE_CSOCK_NAME, which pcsc-lite's library honours; they need no namespace.

Needs root (namespaces) and the Debian packages pcscd, vsmartcard-vpcd, libpcsclite1; says so if they are missing.
"""

import atexit
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from hardware.readers.pcsc import reader_names
from tests.rigs.virtual_card import InsertedCard, VirtualCard
from tests.rigs.waiting import wait_for

_PCSCD: Final = Path("/usr/sbin/pcscd")
_DRIVER: Final = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
_FIRST_PORT: Final = 0x8C7B
_SLOTS_PER_DRIVER: Final = 2
_CLONE_NEWNET: Final = 0x40000000

_START: Final = """
mount --make-rprivate / && mount -t tmpfs tmpfs /run && mkdir /run/pcscd && mount --bind "$0/run" /run/pcscd &&
ip link set lo up && exec setpriv --pdeathsig KILL /usr/sbin/pcscd --foreground --config "$0/config"
"""


class PcscdRig:
    """A pcscd with `readers` virtual readers, named `reader_name(0)` and so on."""

    def __init__(self, readers: int = 1, folder: Path | None = None) -> None:
        if missing := [str(path) for path in (_PCSCD, _DRIVER) if not path.exists()]:
            raise RuntimeError(f"missing {missing}: apt-get install pcscd vsmartcard-vpcd libpcsclite1")
        if os.geteuid() != 0:
            raise RuntimeError("this rig makes namespaces and needs root")
        self._own_folder = folder is None
        self._folder = folder or Path(tempfile.mkdtemp(prefix="pcscd-"))
        self._readers = readers
        self._process: subprocess.Popen[bytes] | None = None
        self._inserted: list[InsertedCard] = []
        for name in ("run", "config"):
            (self._folder / name).mkdir(exist_ok=True)
        self._configure()

    @property
    def socket_path(self) -> Path:
        """Where programs find this pcscd."""
        return self._folder / "run" / "pcscd.comm"

    @property
    def env(self) -> Mapping[str, str]:
        """The environment that leads a program to this pcscd."""
        return os.environ | {"PCSCLITE_CSOCK_NAME": str(self.socket_path)}

    @staticmethod
    def reader_name(reader: int) -> str:
        """The PC/SC name of a virtual reader."""
        driver, slot = divmod(reader, _SLOTS_PER_DRIVER)
        return f"Virtual {driver} 00 {slot:02}"

    def start(self, readers: int | None = None) -> None:
        """Start pcscd and wait until it answers; with another number of readers if told.

        It dies with the thread that starts it, so that a test run that is killed leaves nothing behind.
        """
        if readers is not None:
            self._readers = readers
            self._configure()
        self.socket_path.unlink(missing_ok=True)
        log = (self._folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "--net", "sh", "-c", _START, str(self._folder)], stdout=log, stderr=log
            )
        wait_for(self._answers, "pcscd to answer")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop pcscd, its cards with it; SIGKILL leaves its files behind, as in life."""
        for card in self._inserted:
            card.remove()
        self._inserted.clear()
        if self._process is not None:
            self._process.send_signal(how)
            self.resume()
            self._process.wait(10)
            self._process = None

    def hang(self) -> None:
        """Let pcscd hang: it lives and answers nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def insert(self, card: VirtualCard, reader: int = 0) -> InsertedCard:
        """Put a card into a reader."""
        connection = self._connect(_FIRST_PORT + reader)
        inserted = InsertedCard(card, connection)
        self._inserted.append(inserted)
        return inserted

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._own_folder:
            shutil.rmtree(self._folder)

    def _configure(self) -> None:
        # Entries that share one driver file share its state: all would answer with the last card. One copy each.
        for old in (self._folder / "config").iterdir():
            old.unlink()
        for driver in range(-(-self._readers // _SLOTS_PER_DRIVER)):
            copy = self._folder / f"driver{driver}.so"
            if not copy.exists():
                shutil.copy(_DRIVER.resolve(), copy)
            port = _FIRST_PORT + driver * _SLOTS_PER_DRIVER
            (self._folder / "config" / f"reader{driver}").write_text(
                f'FRIENDLYNAME "Virtual {driver}"\n'
                f"DEVICENAME /dev/null:0x{port:X}\nLIBPATH {copy}\nCHANNELID 0x{port:X}\n"
            )

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"pcscd ended:\n{(self._folder / 'log').read_text(errors='replace')}")
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket_path)) == 0

    def _connect(self, port: int) -> socket.socket:
        """A connection made inside pcscd's network; the thread that enters it ends there, so nobody else is moved."""
        assert self._process is not None
        results: list[socket.socket] = []

        def connect(pid: int) -> None:
            with Path(f"/proc/{pid}/ns/net").open() as namespace:
                if _libc().setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")

            def attempt() -> bool:
                connection = socket.socket()
                if connection.connect_ex(("127.0.0.1", port)) == 0:
                    results.append(connection)
                    return True
                connection.close()
                return False

            wait_for(attempt, "a virtual reader to listen")

        visitor = threading.Thread(target=connect, args=(self._process.pid,), name="virtual-card-insert")
        visitor.start()
        visitor.join()
        if not results:
            raise RuntimeError(
                f"no card can be put into the reader:\n{(self._folder / 'log').read_text(errors='replace')}"
            )
        return results[0]


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@cache
def pcscd_folder_of_this_process() -> Path:
    """Where the PC/SC library inside this process looks for pcscd, from now on; nothing runs there yet.

    The library reads PCSCLITE_CSOCK_NAME once, at its first use: all pcscds of this process take turns at one path.
    """
    folder = Path(tempfile.mkdtemp(prefix="pcscd-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["PCSCLITE_CSOCK_NAME"] = str(folder / "run" / "pcscd.comm")
    return folder


@contextmanager
def pcscd_for_this_process(readers: int = 1) -> Iterator[PcscdRig]:
    """A pcscd that the PC/SC library inside this very process finds; one at a time."""
    with PcscdRig(readers, pcscd_folder_of_this_process()) as rig:
        if reader_names()[:1] != [rig.reader_name(0)]:
            raise RuntimeError(
                "this process used PC/SC before the rig told it where: call pcscd_folder_of_this_process"
            )
        yield rig
