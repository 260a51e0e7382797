"""A reader without a device: `present` puts a card into its field. For demonstrations and tests, equal to others."""

import time
from collections import deque
from threading import Condition
from typing import Final

from hardware.credentials.uid import checked_uid
from hardware.errors import CardError, ClosedError, OpenError
from hardware.protocols import Indication, PresentedCard, Technology
from hardware.settings import ReaderSettings

MOST_WAITING: Final = 16
"""Cards that wait to be read. More than a queue of people at a door; beyond it `present` refuses the newest."""
MOST_INDICATIONS: Final = 64
"""Indications kept; the oldest are dropped."""

_GET_UID: Final = bytes.fromhex("FFCA000000")
_OK: Final = b"\x90\x00"
_INSTRUCTION_UNKNOWN: Final = b"\x6d\x00"


class EmulatedCard:
    """A card that knows its UID and nothing else."""

    __slots__ = ("_present", "_seen_s", "_uid")

    technology: Final = Technology.EMULATED

    def __init__(self, uid: bytes, seen_s: float) -> None:
        self._uid = uid
        self._seen_s = seen_s
        self._present = True

    @property
    def uid(self) -> bytes:
        """The number it was presented with."""
        return self._uid

    @property
    def seen_s(self) -> float:
        """time.monotonic() when it was presented."""
        return self._seen_s

    def transmit(self, apdu: bytes) -> bytes:
        """Answer the PC/SC command for the UID; refuse every other with 6D00."""
        if not self._present:
            raise CardError("the card has left the field")
        return self._uid + _OK if apdu == _GET_UID else _INSTRUCTION_UNKNOWN

    def leave(self) -> None:
        """Take the card out of the field."""
        self._present = False


class EmulatedReader:
    """A Reader whose cards come from `present`. Each call is one tap, held and removed at once, whatever `reread_s`.

    A card stays usable until the next `wait_for_card`.
    """

    def __init__(self, settings: ReaderSettings) -> None:
        self._name = settings.name
        self.indications: Final = deque[Indication](maxlen=MOST_INDICATIONS)
        self._changed = Condition()
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._open = False
        self._interrupted = False
        self._card: EmulatedCard | None = None

    @property
    def name(self) -> str:
        """The name from the configuration."""
        return self._name

    def open(self) -> None:
        """Take an empty field into use."""
        with self._changed:
            if self._open:
                raise OpenError(f"{self._name} is open already")
            self._open = True
            self._interrupted = False
            self._waiting.clear()

    def present(self, uid: bytes) -> None:
        """Tap a card; from any thread. ClosedError on a closed reader, CardError when too many cards wait."""
        with self._changed:
            if not self._open:
                raise ClosedError(f"{self._name} is closed")
            if len(self._waiting) >= MOST_WAITING:
                raise CardError(f"{self._name} has {MOST_WAITING} cards waiting already")
            self._waiting.append((uid, time.monotonic()))
            self._changed.notify_all()

    def wait_for_card(self, timeout_s: float) -> PresentedCard | None:
        """The next card; None after `timeout_s`, or after `interrupt`, which counts even before the wait."""
        with self._changed:
            self._drop_card()
            self._changed.wait_for(lambda: self._waiting or self._interrupted or not self._open, timeout_s)
            if not self._open:
                raise ClosedError(f"{self._name} is closed")
            if self._interrupted:
                self._interrupted = False
                return None
            if not self._waiting:
                return None
            uid, seen_s = self._waiting.popleft()
            self._card = EmulatedCard(checked_uid(uid, Technology.EMULATED), seen_s)
            return self._card

    def indicate(self, indication: Indication) -> None:
        """Remember what was shown."""
        self.indications.append(indication)

    def interrupt(self) -> None:
        """Make the wait return, or the next one if nobody waits."""
        with self._changed:
            self._interrupted = True
            self._changed.notify_all()

    def close(self) -> None:
        """Empty the field; cards that wait are gone."""
        with self._changed:
            self._open = False
            self._drop_card()
            self._waiting.clear()
            self._changed.notify_all()

    def _drop_card(self) -> None:
        if self._card is not None:
            self._card.leave()
            self._card = None
