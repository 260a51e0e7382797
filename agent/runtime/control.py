"""The control socket: JSON lines over a Unix socket, for the command line and the panel. See docs/control-socket.md.

Who may connect is the file system's to say (mode 0660, group `cardea`). Every size and count is bounded.
"""

import contextlib
import grp
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from agent.errors import AgentError, ControlError

log = structlog.get_logger(__name__)

MAX_REQUEST_BYTES: Final = 16 * 1024
MAX_PATH_BYTES: Final = 107
"""Of a Unix socket's path, by the kernel."""
MAX_CLIENTS: Final = 16
"""Full policy: a further client is told so and let go."""
IDLE_S: Final = 30.0
"""A client that sends no whole request for this long is let go."""
SEND_S: Final = 5.0
"""A client that does not read for this long is let go."""
GROUP: Final = "cardea"

Handler = Callable[[Mapping[str, Any]], Mapping[str, Any] | Iterator[Mapping[str, Any]]]
"""Answers a request with one document, or with a stream of them. Raises ControlError with words for the client."""


class ControlServer:
    """`run` is the accepting thread's body; each client has a thread of its own."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path = path
        self._handler = handler
        self._listener: socket.socket | None = None
        self._inode = 0
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()

    def open(self) -> None:
        """Bind the socket; raises ControlError when another agent answers there or the path can't be used."""
        # Made under another name: whoever finds the socket can use it, and nobody could before its mode was set.
        making = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        if len(os.fsencode(making)) > MAX_PATH_BYTES:
            raise ControlError(f"{self._path}: too long for a Unix socket's path")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._refuse_open_folder()
            self._refuse_second()
            making.unlink(missing_ok=True)
            listener.bind(os.fspath(making))
            with contextlib.suppress(KeyError, PermissionError):
                os.chown(making, -1, grp.getgrnam(GROUP).gr_gid)
            making.chmod(0o660)
            listener.listen(MAX_CLIENTS)
            making.rename(self._path)
            self._inode = self._path.lstat().st_ino
        except (OSError, ControlError) as error:
            listener.close()
            with contextlib.suppress(OSError):
                making.unlink(missing_ok=True)
            if isinstance(error, ControlError):
                raise
            raise ControlError(f"{self._path}: {error.strerror or error}") from error
        listener.settimeout(0.5)
        self._listener = listener

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Accept clients until `stop`."""
        if self._listener is None:
            raise ControlError("the control socket is not open")
        while not stop.is_set():
            beat()
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            with self._lock:
                full = len(self._clients) >= MAX_CLIENTS
                if not full:
                    self._clients.add(client)
            if full:
                self._refuse(client)
                continue
            thread = threading.Thread(target=self._serve, args=(client, stop), name="control-client", daemon=True)
            try:
                thread.start()
            except (RuntimeError, MemoryError) as error:
                # The system has no thread to spare: this client goes, or it would keep its place for ever.
                log.warning("control.refused", why=str(error))
                self._forget(client)
                client.close()

    def close(self) -> None:
        """Let all clients go and remove the socket; idempotent."""
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None
        with contextlib.suppress(FileNotFoundError):
            # Only our own: another agent may have the place by now.
            if self._path.lstat().st_ino == self._inode:
                self._path.unlink()
        with self._lock:
            for client in self._clients:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)

    def _refuse_open_folder(self) -> None:
        """Raise when anybody could put a socket of his own in place of ours: our clients would tell him of cards."""
        mode = self._path.parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise ControlError(f"{self._path.parent}: anybody may replace files there (mode {stat.S_IMODE(mode):04o})")

    def _refuse_second(self) -> None:
        """Raise when a living agent has the socket, or something else the name; a dead agent's socket is replaced."""
        try:
            mode = self._path.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            what = "a symbolic link" if stat.S_ISLNK(mode) else "a file that is no socket"
            raise ControlError(f"{self._path}: is {what}; remove it, or name another place")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(2.0)
            try:
                probe.connect(os.fspath(self._path))
            except ConnectionRefusedError:
                return
        raise ControlError(f"{self._path}: another agent is running there")

    def _refuse(self, client: socket.socket) -> None:
        log.warning("control.refused", why="too many clients", limit=MAX_CLIENTS)
        with client, contextlib.suppress(OSError):
            client.settimeout(SEND_S)
            client.sendall(_line({"ok": False, "error": f"too many clients: {MAX_CLIENTS} are connected"}))

    def _serve(self, client: socket.socket, stop: threading.Event) -> None:
        try:
            with client:
                pending = b""
                give_up_s = time.monotonic() + IDLE_S
                while not stop.is_set():
                    line, separator, rest = pending.partition(b"\n")
                    if separator:
                        pending = rest
                        self._answer(client, line)
                        give_up_s = time.monotonic() + IDLE_S
                        continue
                    if len(pending) > MAX_REQUEST_BYTES:
                        client.sendall(_line({"ok": False, "error": f"request over {MAX_REQUEST_BYTES} bytes"}))
                        return
                    # Of the whole request: a byte now and then does not keep a place.
                    client.settimeout(max(0.001, give_up_s - time.monotonic()))
                    received = client.recv(MAX_REQUEST_BYTES)
                    if not received:
                        return
                    pending += received
        except OSError as error:
            log.debug("control.client_gone", error=str(error))
        finally:
            self._forget(client)

    def _forget(self, client: socket.socket) -> None:
        with self._lock:
            self._clients.discard(client)

    def _answer(self, client: socket.socket, line: bytes) -> None:
        client.settimeout(SEND_S)
        try:
            reply = self._handler(_request(line))
            documents = iter([reply]) if isinstance(reply, Mapping) else reply
            for document in documents:
                client.sendall(_line({"ok": True, **document}))
        except AgentError as error:
            client.sendall(_line({"ok": False, "error": str(error)}))
        except OSError:
            raise
        except Exception as error:
            # A fault of ours must reach the log, and must not cost the daemon its control socket.
            log.exception("control.failed")
            client.sendall(_line({"ok": False, "error": f"internal error: {type(error).__name__}"}))


def _request(line: bytes) -> Mapping[str, Any]:
    try:
        # Decoded here: json.loads would take UTF-16 too, and half characters.
        request = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ControlError("the request is not JSON") from None
    if not isinstance(request, dict) or not isinstance(request.get("op"), str):
        raise ControlError('the request is not an object with "op"')
    return request


def _line(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"
