"""An HTTP endpoint that answers any bytes, for clients that must bear them: no header, length or end has to be true.

with RawHttp() as endpoint:
    endpoint.answer(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
    ... a client at endpoint.url ...
    endpoint.answer(endless(b"x" * 65536))     # until the client hangs up
"""

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Final, Self

REQUEST_S: Final = 10.0


Pieces = Callable[[], Iterable[bytes]]
"""Called anew for each request."""


def endless(piece: bytes, head: bytes = b"HTTP/1.1 200 OK\r\n\r\n", pause_s: float = 0.0) -> Pieces:
    """An answer whose body never ends."""

    def pieces() -> Iterator[bytes]:
        yield head
        while True:
            yield piece
            time.sleep(pause_s)

    return pieces


class RawHttp:
    """One thread, one connection at a time, closed after its answer. A context manager."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url: Final = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._answer: Pieces = tuple
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="raw-http")
        self.requests: list[bytes] = []
        """The heads of the requests that came."""
        self.sent_bytes = 0
        """Of the last answer, what the client's side took."""

    def answer(self, pieces: bytes | Pieces) -> None:
        """Answer all further requests so."""
        self._answer = (lambda: [pieces]) if isinstance(pieces, bytes) else pieces

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        with contextlib.suppress(OSError), socket.create_connection(self._listener.getsockname(), 1):
            pass  # wakes the thread
        self._thread.join(REQUEST_S)
        self._listener.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            connection, _ = self._listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(REQUEST_S)
                self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        head, _, body = self._until_blank_line(connection)
        if not head:
            return
        self.requests.append(head)
        left = _length(head) - len(body)
        while left > 0 and (part := connection.recv(left)):
            left -= len(part)
        self.sent_bytes = 0
        for piece in self._pieces():
            connection.sendall(piece)
            self.sent_bytes += len(piece)
        # Orderly, with all that was sent still on its way: closing with unread input would reset the connection.
        connection.shutdown(socket.SHUT_WR)

    def _pieces(self) -> Iterator[bytes]:
        return itertools.takewhile(lambda _: not self._stop.is_set(), self._answer())

    @staticmethod
    def _until_blank_line(connection: socket.socket) -> tuple[bytes, bytes, bytes]:
        received = b""
        while b"\r\n\r\n" not in received:
            part = connection.recv(65536)
            if not part:
                return b"", b"", b""
            received += part
        return received.partition(b"\r\n\r\n")


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0
