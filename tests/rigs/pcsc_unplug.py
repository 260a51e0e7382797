"""Unplug a virtual PC/SC reader from a running pcscd, or break it, which virtual readers don't do by themselves.

    with PcscdRig(readers=4) as rig, Unplugging(rig) as usb:
        usb.unplug(0)
        usb.plug(0)
        usb.fail(0)

Stands between pcscd's socket and its clients and changes the reader's entry in every table of readers that pcscd sends:
clients see what pcscd shows after a real unplugging, or while a reader doesn't answer it. A card in the fourth reader
makes pcscd tell them of a change.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from tests.rigs.pcscd import PcscdRig
from tests.rigs.virtual_card import InsertedCard, VirtualCard

_NAME_BYTES: Final = 128
_ENTRY_BYTES: Final = 184
"""READER_STATE of pcsc-lite 1.8 to 2.x: name, counter, state, sharing, ATR, its length, protocol."""
_STATE: Final = slice(132, 136)
"""Where the state is in an entry."""
_STATE_UNKNOWN: Final = (1).to_bytes(4, "little")
"""pcscd's word for a reader that it can't talk to (SCARD_UNKNOWN)."""
_SIGNALLING_READER: Final = 3


class Unplugging:
    """pcscd's socket, in between; programs need no change."""

    def __init__(self, rig: PcscdRig) -> None:
        self._rig = rig
        self._gone: frozenset[bytes] = frozenset()
        self._failing: frozenset[bytes] = frozenset()
        self._signal: InsertedCard | None = None
        self._real = rig.socket_path.with_name("behind.comm")
        self._listener = socket.socket(socket.AF_UNIX)
        self._connections: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []

    def unplug(self, reader: int) -> None:
        """Take the reader away and let clients know."""
        self._gone |= {self._field(reader)}
        self._tell()

    def fail(self, reader: int) -> None:
        """Let the reader stay but stop to answer pcscd, and let clients know."""
        self._failing |= {self._field(reader)}
        self._tell()

    def plug(self, reader: int) -> None:
        """Bring it back, well."""
        self._gone -= {self._field(reader)}
        self._failing -= {self._field(reader)}
        if self._signal is not None:
            self._signal.remove()

    def __enter__(self) -> Self:
        self._rig.socket_path.rename(self._real)
        self._listener.bind(str(self._rig.socket_path))
        self._listener.listen()
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._connections:
            _shut(connection)
        for thread in self._threads:
            thread.join(5)
        for connection in self._connections:
            connection.close()
        self._real.rename(self._rig.socket_path)

    def _tell(self) -> None:
        self._signal = self._rig.insert(VirtualCard(b"\x04\x00\x00\x01"), _SIGNALLING_READER)

    def _field(self, reader: int) -> bytes:
        return self._rig.reader_name(reader).encode().ljust(_NAME_BYTES, b"\0")

    def _start(self, target: Callable[..., None], *args: socket.socket) -> None:
        thread = threading.Thread(target=target, args=args, name="pcsc-unplugging", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # shut down
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._real))
            self._connections += [client, server]
            self._start(self._pass_on, client, server)
            self._start(self._pass_on_without_gone, server, client)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        _shut(target)

    def _pass_on_without_gone(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            # pcscd writes its table in one piece, and a Unix socket hands over one piece at a time.
            while data := bytearray(source.recv(1 << 16)):
                for name in self._gone | self._failing:
                    start = data.find(name)
                    if start >= 0:
                        entry = data[start : start + _ENTRY_BYTES]
                        entry[_STATE] = _STATE_UNKNOWN
                        data[start : start + _ENTRY_BYTES] = bytes(_ENTRY_BYTES) if name in self._gone else entry
                target.sendall(data)
        _shut(target)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # not connected any more
        connection.shutdown(socket.SHUT_RDWR)
