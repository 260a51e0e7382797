"""The air between nfcpy's UDP device and a card: one ASCII datagram per frame, `106A 26`, or `RFOFF`.

    with UdpField() as field:
        reader at field.path
        field.insert(Type2(uid))
        field.remove()

Where no card answers, the field says RFOFF, so that the reader needn't wait a full second for each technology. A silent
field leaves it waiting, as nfcpy's own emulation does.
"""

import socket
import threading
from types import TracebackType
from typing import Final, Self

from tests.rigs.nfc_cards import Card


class UdpField:
    """A field on a free port of this machine."""

    def __init__(self, *, silent: bool = False) -> None:
        self._silence = None if silent else b"RFOFF"
        self._lock = threading.Lock()
        self._card: Card | None = None
        self._bind(0)
        while _has_a_name(self._socket.getsockname()[1]):
            self._socket.close()
            self._bind(0)
        self._port: Final[int] = self._socket.getsockname()[1]
        self.path: Final = f"udp:127.0.0.1:{self._port}"

    def insert(self, card: Card) -> None:
        """Put a card into the field, in place of the one there."""
        with self._lock:
            card.field_off()
            self._card = card

    def remove(self) -> None:
        """Take the card out."""
        with self._lock:
            self._card = None

    def vanish(self) -> None:
        """Let the whole field go, as if its program had ended."""
        self._end()

    def come_back(self) -> None:
        """Bring an empty field back at the same port."""
        self._card = None
        self._bind(self._port)
        self._thread.start()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _bind(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._serve, name="udp-field", daemon=True)

    def _end(self) -> None:
        # A datagram of our own ends the thread; closing a socket does not wake who reads it.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self._socket.getsockname())
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            datagram, sender = self._socket.recvfrom(2048)
            if not datagram:
                return
            answer = self._answer(datagram)
            if answer is not None:
                self._socket.sendto(answer, sender)

    def _answer(self, datagram: bytes) -> bytes | None:
        modulation, _, frame = datagram.decode("ascii").partition(" ")
        with self._lock:
            if modulation == "RFOFF":
                if self._card is not None:
                    self._card.field_off()
                return None
            answer = self._card.answer(modulation, bytes.fromhex(frame)) if self._card is not None else None
        return self._silence if answer is None else f"{modulation} {answer.hex()}".encode("ascii")


def _has_a_name(port: int) -> bool:
    """Whether /etc/services names it: nfcpy 1.0.4 takes that name for the number, and can't open such a port."""
    try:
        socket.getservbyport(port)
    except OSError:
        return False
    return True
