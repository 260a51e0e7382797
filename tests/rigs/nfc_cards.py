"""Contactless cards as far as a reader's frames can tell: types 2, 3, 4A and 4B. No transport here, and no CRC.

`answer(modulation, frame)` is what the card sends back, None for silence; `field_off` is what a card forgets by.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import reduce
from operator import xor
from typing import Final

Application = Callable[[bytes], bytes | None]
"""Command APDU -> response APDU; None when the card is torn out of the field in the middle."""

_SENSE_A: Final = {b"\x26", b"\x52"}
_SELECT: Final = 0x93


class Card(ABC):
    """Something in the field."""

    def __init__(self, uid: bytes) -> None:
        self.uid = uid

    @abstractmethod
    def answer(self, modulation: str, frame: bytes) -> bytes | None: ...

    @abstractmethod
    def field_off(self) -> None:
        """Forget the session."""


class TypeA(Card):
    """Anticollision of ISO/IEC 14443-3; `command` gets what comes afterwards."""

    sens_res: Final = b"\x44\x00"
    sel_res = 0x00

    def __init__(self, uid: bytes) -> None:
        super().__init__(uid)
        parts, rest = [], uid
        while len(rest) > 4:
            parts.append(b"\x88" + rest[:3])
            rest = rest[3:]
        self.levels: Final = [part + bytes([reduce(xor, part)]) for part in [*parts, rest]]
        self._selected = False

    def field_off(self) -> None:
        self._selected = False

    def answer(self, modulation: str, frame: bytes) -> bytes | None:
        if modulation != "106A" or not frame:
            return None
        if frame in _SENSE_A:
            self.field_off()
            return self.sens_res
        level, odd = divmod(frame[0] - _SELECT, 2)
        if not odd and 0 <= level < len(self.levels) and len(frame) >= 2:
            return self._select(level, frame[1:])
        return self.command(frame) if self._selected else None

    def command(self, frame: bytes) -> bytes | None:
        """The answer of the selected card."""
        return None

    def _select(self, level: int, rest: bytes) -> bytes | None:
        if rest == b"\x20":
            return self.levels[level]
        if rest != b"\x70" + self.levels[level]:
            return None
        last = level == len(self.levels) - 1
        self._selected = last
        return bytes([self.sel_res if last else self.sel_res | 0x04])


class Type2(TypeA):
    """A tag with pages of 4 bytes, NTAG-like: READ only, NAK for the rest."""

    def command(self, frame: bytes) -> bytes | None:
        return (self.uid + bytes(16))[:16] if frame[:1] == b"\x30" else b"\x00"


class Type3(Card):
    """A FeliCa card that answers polling; it keeps no session."""

    def field_off(self) -> None:
        pass

    def answer(self, modulation: str, frame: bytes) -> bytes | None:
        if modulation != "212F" or frame[:2] != b"\x06\x00":
            return None
        body = b"\x01" + self.uid + bytes(8) + (b"\x12\xfc" if frame[4] == 1 else b"")
        return bytes([len(body) + 1]) + body


class IsoDep:
    """The block protocol of ISO/IEC 14443-4 on the card's side: blocks, chaining both ways, repetition on request."""

    def __init__(self, application: Application, frame_bytes: int = 64) -> None:
        self._application = application
        self._chunk = frame_bytes - 3
        self._number = 1
        self._received = b""
        self._rest = b""
        self._last: bytes | None = None

    def answer(self, block: bytes) -> bytes | None:
        pcb = block[0]
        if pcb & 0xE2 == 0x02:
            return self._information(pcb, block[1:])
        repeat = pcb & 1 == self._number and self._last is not None
        if pcb & 0xF6 == 0xB2:  # R(NAK): again, or still there
            return self._last if repeat else bytes([0xA2 | self._number])
        if pcb & 0xF6 == 0xA2:  # R(ACK): the next part
            if repeat:
                return self._last
            self._number ^= 1
            return self._send_part()
        return bytes([pcb]) if pcb & 0xF7 == 0xC2 else None  # S(DESELECT)

    def _information(self, pcb: int, body: bytes) -> bytes | None:
        self._number ^= 1
        self._received += body
        if pcb & 0x10:
            return bytes([0xA2 | self._number])
        command, self._received = self._received, b""
        response = self._application(command)
        if response is None:
            self._last = None
            return None
        self._rest = response
        return self._send_part()

    def _send_part(self) -> bytes:
        part, self._rest = self._rest[: self._chunk], self._rest[self._chunk :]
        self._last = bytes([(0x12 if self._rest else 0x02) | self._number]) + part
        return self._last


def no_application(_: bytes) -> bytes:
    """A card that refuses every command."""
    return b"\x6d\x00"


class Type4A(TypeA):
    """A processor card of type A, its answer to select shaped like a DESFire's (64-byte frames, 77 ms)."""

    sel_res = 0x20
    _ats: Final = bytes.fromhex("067577810280")

    def __init__(self, uid: bytes, application: Application = no_application) -> None:
        super().__init__(uid)
        self._application = application
        self._session: IsoDep | None = None

    def field_off(self) -> None:
        super().field_off()
        self._session = None

    def command(self, frame: bytes) -> bytes | None:
        if frame[0] == 0xE0:
            self._session = IsoDep(self._application)
            return self._ats
        return self._session.answer(frame) if self._session else None


class Type4B(Card):
    """A processor card of type B; its 4-byte UID is the PUPI."""

    _about: Final = bytes.fromhex("00000000 008171")

    def __init__(self, uid: bytes, application: Application = no_application) -> None:
        super().__init__(uid)
        self._application = application
        self._session: IsoDep | None = None

    def field_off(self) -> None:
        self._session = None

    def answer(self, modulation: str, frame: bytes) -> bytes | None:
        if modulation != "106B" or not frame:
            return None
        if frame[0] == 0x05 and len(frame) == 3:
            return b"\x50" + self.uid + self._about
        if frame[:5] == b"\x1d" + self.uid:
            self._session = IsoDep(self._application)
            return b"\x00"
        return self._session.answer(frame) if self._session else None


class TornAway(Card):
    """A card that leaves after `answers` answers, the last of them cut to `cut` bytes; None leaves it whole."""

    def __init__(self, card: Card, answers: int, cut: int | None = None) -> None:
        super().__init__(card.uid)
        self._card = card
        self._left = answers
        self._cut = cut

    @property
    def gone(self) -> bool:
        """Whether it has left."""
        return self._left <= 0

    def answer(self, modulation: str, frame: bytes) -> bytes | None:
        if self.gone or (answer := self._card.answer(modulation, frame)) is None:
            return None
        self._left -= 1
        return answer[: self._cut] if self._left == 0 else answer

    def field_off(self) -> None:
        self._card.field_off()


class TwoCards(Card):
    """Two cards of type A on each other: both answer, and what the reader hears is the one over the other."""

    def __init__(self, one: TypeA, other: TypeA) -> None:
        super().__init__(b"")
        self._cards = (one, other)

    def answer(self, modulation: str, frame: bytes) -> bytes | None:
        answers = [answer for card in self._cards if (answer := card.answer(modulation, frame)) is not None]
        if len(answers) < 2:
            return answers[0] if answers else None
        return bytes(a | b for a, b in zip(*answers, strict=False))

    def field_off(self) -> None:
        for card in self._cards:
            card.field_off()


class Stalling(Type4A):
    """A processor card that answers every command with a request for more time."""

    def command(self, frame: bytes) -> bytes | None:
        return super().command(frame) if frame[0] == 0xE0 else b"\xf2\x01"
