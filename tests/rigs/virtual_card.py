"""A smart card in a virtual PC/SC reader (Debian's vsmartcard-vpcd): it speaks the reader's protocol over TCP.

Connecting inserts the card, closing the connection removes it. Each message is a length (2 bytes, big endian) and a
body; a body of one byte is a control byte: power off, power on, reset (no answer), or "your answer to reset, please".
"""

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

ATR_MIFARE_1K: Final = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")
"""A contactless storage card, type A, as PC/SC part 3 wants it."""
ATR_PROCESSOR_CARD: Final = bytes.fromhex("3B80800101")
"""A contactless processor card that says nothing about itself."""

_GET_ATR: Final = 4
_CONTROLS: Final = {0, 1, 2, _GET_ATR}


class VirtualCard:
    """A card that answers GET UID; everything else goes to `application`.

    Raising ConnectionError in `application` tears the card out in the middle of the exchange.
    """

    def __init__(
        self,
        uid: bytes,
        *,
        atr: bytes = ATR_MIFARE_1K,
        application: Callable[[bytes], bytes] = lambda _: b"\x6d\x00",
        gives_uid: bool = True,
    ) -> None:
        self.uid = uid
        self.atr = atr
        self.application = application
        self.gives_uid = gives_uid

    def answer(self, apdu: bytes) -> bytes:
        """The response APDU."""
        if apdu[:3] == b"\xff\xca\x00" and self.gives_uid:
            return self.uid + b"\x90\x00"
        return self.application(apdu)


class InsertedCard:
    """A card while it is in a reader: a thread that answers until `remove`."""

    def __init__(self, card: VirtualCard, connection: socket.socket) -> None:
        self._card = card
        self._connection = connection
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._thread = threading.Thread(target=self._serve, name="virtual-card", daemon=True)
        self._thread.start()

    def remove(self) -> None:
        """Take the card out; idempotent."""
        with suppress(OSError):  # the reader closed first
            self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._connection.close()

    def _serve(self) -> None:
        try:
            while True:
                (length,) = struct.unpack(">H", self._receive(2))
                body = self._receive(length)
                if length == 1 and body[0] in _CONTROLS:
                    if body[0] == _GET_ATR:
                        self._send(self._card.atr)
                else:
                    self._send(self._card.answer(body))
        except (EOFError, OSError):
            self._connection.close()

    def _send(self, body: bytes) -> None:
        self._connection.sendall(struct.pack(">H", len(body)) + body)

    def _receive(self, length: int) -> bytes:
        received = b""
        while len(received) < length:
            part = self._connection.recv(length - len(received))
            if not part:
                raise EOFError
            # vpcd writes length and body apart; a delayed acknowledgement between them costs 40 ms per message.
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            received += part
        return received
