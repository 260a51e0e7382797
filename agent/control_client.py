"""The client of the control socket, for the command line and the panel. See docs/control-socket.md for the protocol.

Must never hang: every wait and every size is bounded. Not thread-safe, but `close` may come from any thread.
"""

import contextlib
import json
import os
import socket as sockets
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from agent.errors import ControlError, Unreachable
from agent.printable import one_line

MAX_REPLY_BYTES: Final = 1 << 20


class ControlClient:
    """One connection to a running daemon; raises Unreachable when no daemon answers at `socket`."""

    def __init__(self, socket: Path, timeout_s: float = 10.0) -> None:
        self._path = socket
        self._pending = b""
        self._socket = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(os.fspath(socket))
        except OSError as error:
            self._socket.close()
            raise Unreachable(f"no daemon answers at {socket}: {error.strerror or error}") from error

    def request(self, op: str, **fields: object) -> dict[str, Any]:
        """The reply without its `ok`. Raises ControlError with the daemon's words, Unreachable when it went away."""
        self._send({"op": op, **fields})
        return self._receive()

    def watch(self) -> Iterator[dict[str, Any]]:
        """STATUS documents: one at once, then after every change and at least every second, until `close`."""
        self._send({"op": "watch"})
        while True:
            status = self._receive().get("status")
            if not isinstance(status, dict):
                raise ControlError("the daemon sent no status")
            yield status

    def close(self) -> None:
        """Let the daemon go; idempotent. Wakes a thread that waits for a reply: it gets Unreachable."""
        # Closing alone does not wake a thread that is blocked in recv.
        with contextlib.suppress(OSError):
            self._socket.shutdown(sockets.SHUT_RDWR)
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, request: dict[str, object]) -> None:
        try:
            self._socket.sendall(json.dumps(request, separators=(",", ":")).encode() + b"\n")
        except OSError as error:
            raise self._lost(error) from error

    def _receive(self) -> dict[str, Any]:
        try:
            reply = json.loads(self._line())
        except (ValueError, RecursionError) as error:
            raise ControlError("the daemon's reply is not JSON") from error
        if not isinstance(reply, dict):
            raise ControlError("the daemon's reply is not an object")
        if reply.pop("ok", None) is not True:
            # Shown on a terminal: whoever answers there may not be the daemon.
            raise ControlError(one_line(str(reply.get("error") or "the daemon refused without a word"), 1000))
        return reply

    def _line(self) -> bytes:
        parts = [self._pending]
        held_bytes = len(self._pending)
        while b"\n" not in parts[-1]:
            if held_bytes > MAX_REPLY_BYTES:
                raise ControlError(f"the daemon's reply is longer than {MAX_REPLY_BYTES} bytes")
            try:
                received = self._socket.recv(64 * 1024)
            except OSError as error:
                raise self._lost(error) from error
            if not received:
                raise Unreachable(f"the daemon at {self._path} closed the connection")
            parts.append(received)
            held_bytes += len(received)
        line, _, self._pending = b"".join(parts).partition(b"\n")
        return line

    def _lost(self, error: OSError) -> Unreachable:
        why = "it did not answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        return Unreachable(f"lost the daemon at {self._path}: {why}")
