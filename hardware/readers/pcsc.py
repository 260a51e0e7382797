"""A reader behind PC/SC: pcscd tells when a card comes and goes, the UID is read by the command of PC/SC part 3.

The wait is pcscd's own (SCardGetStatusChange), which returns when a card comes; no monitor of pyscard's is used: their
thread dies for good when pcscd restarts. One context per reader, used by the reader's thread alone.

A wait is cut into slices so that `interrupt` needs no SCardCancel. In pcsc-lite 1.9.9, which Debian 12 has, a cancel
near the beginning or the end of a wait gets lost or leaves the context unusable (LudovicRousseau/PCSC#160; 20 cancelled
waits on a busy machine were enough to see both).

pcscd that stops, restarts or is killed means DeviceLost; the next `open` starts over with a new context.
PC/SC has no portable way to light a lamp, so `indicate` does nothing.
"""

import time
from fnmatch import fnmatchcase
from threading import Event
from typing import Any, Final

from hardware.credentials.uid import checked_uid
from hardware.errors import CardError, ClosedError, DeviceLost, MissingLibrary, OpenError
from hardware.protocols import Indication, PresentedCard, Technology
from hardware.readers.atr import technology_of
from hardware.readers.presence import UNREADABLE, Presence
from hardware.settings import ReaderSettings

try:
    from smartcard import scard
except ImportError as error:
    raise MissingLibrary(
        f"no PC/SC library ({error}): pip install 'cardea-access[pcsc]'; "
        "it needs the Debian packages libpcsclite1 and pcscd"
    ) from error

_GET_UID: Final = bytes.fromhex("FFCA000000")
_OK: Final = b"\x90\x00"
_PLUG_AND_PLAY: Final = r"\\?PnP?\Notification"
"""The name under which PC/SC tells that readers came or went."""
_GENERATION_SHIFT: Final = 16
"""The upper half of a reader's state counts cards in and out: it tells a card from the next when nobody looked."""
_SLICE_S: Final = 0.08
"""How long an interrupt may go unnoticed: below the 100 ms that readers promise. A card is noticed at once."""
_RETRY_S: Final = 0.5
"""How soon a card that could not be read is tried again while it stays: it may have left and come back, or another may
have taken its place, before the reader noticed; or another program held it."""
_READER_GONE: Final = frozenset(
    {
        scard.SCARD_E_INVALID_HANDLE,
        scard.SCARD_E_NO_READERS_AVAILABLE,
        scard.SCARD_E_NO_SERVICE,
        scard.SCARD_E_READER_UNAVAILABLE,
        scard.SCARD_E_SERVICE_STOPPED,
        scard.SCARD_E_UNKNOWN_READER,
        scard.SCARD_F_COMM_ERROR,
        scard.SCARD_F_INTERNAL_ERROR,
    }
)
"""What the library says when pcscd or the reader went; everything else is about the card."""


class PcscCard:
    """A card on a PC/SC reader: an APDU channel that stays open until the card leaves or the reader is closed."""

    __slots__ = ("_handle", "_protocol", "_seen_s", "_technology", "_uid", "failed")

    def __init__(self, handle: int, protocol: int, technology: Technology, seen_s: float) -> None:
        self._handle: int | None = handle
        self._protocol = protocol
        self._technology = technology
        self._seen_s = seen_s
        self._uid = b""
        self.failed = False
        """Whether an exchange failed: who knows what lies on the reader now."""

    @property
    def uid(self) -> bytes:
        """What the reader's GET UID command said."""
        return self._uid

    @property
    def technology(self) -> Technology:
        """From the answer to reset; UNKNOWN for contactless processor cards, which may be type A or B."""
        return self._technology

    @property
    def seen_s(self) -> float:
        """time.monotonic() when pcscd reported the card."""
        return self._seen_s

    def identify(self) -> None:
        """Ask for the UID; raises CardError when the card has none that identifies it."""
        answer = self.transmit(_GET_UID)
        if answer[-2:] != _OK:
            # A status word begins with 6 or 9 (ISO/IEC 7816-4); anything else may be part of a UID.
            status = f"status {answer[-2:].hex().upper()}" if answer[-2] >> 4 in (6, 9) else "no status word"
            raise CardError(f"the reader or the card gives no UID: {status}")
        self._uid = checked_uid(answer[:-2], self._technology)

    def transmit(self, apdu: bytes) -> bytes:
        """Send one command APDU, return data and status word."""
        if self._handle is None:
            raise CardError("the card has left the reader")
        code, answer = scard.SCardTransmit(self._handle, self._protocol, list(apdu))
        self.failed = code != scard.SCARD_S_SUCCESS or len(answer) < 2
        _check(code, "the exchange with the card failed")
        if len(answer) < 2:
            # Seen with pcscd 1.9: a card torn in the middle of an exchange gives success and an empty answer.
            raise CardError("the card left in the middle of an exchange")
        return bytes(answer)

    def release(self) -> None:
        """Give the connection back to pcscd; what pcscd says to that is of no use."""
        if self._handle is not None:
            scard.SCardDisconnect(self._handle, scard.SCARD_LEAVE_CARD)
            self._handle = None


class PcscReader:
    """A Reader on the one PC/SC reader whose name matches `settings.match`, a case-sensitive glob.

    No reader that matches, or several, is an OpenError that lists what is attached: to take any of several would tie
    the door to the order in which they were plugged.
    """

    def __init__(self, settings: ReaderSettings) -> None:
        self._name = settings.name
        self._match = settings.match or "*"
        self._presence = Presence(settings.reread_s)
        self._interrupted = Event()
        self._context: int | None = None
        self._reader = ""
        self._state = 0
        self._plug_and_play = 0
        self._generation: int | None = None
        self._retry_s: float | None = None
        self._card: PcscCard | None = None

    @property
    def name(self) -> str:
        """The name from the configuration."""
        return self._name

    def open(self) -> None:
        """Connect to pcscd and find the reader."""
        if self._context is not None:
            raise OpenError(f"{self._name} is open already")
        context = _new_context()
        try:
            self._reader = _only_match(self._match, _names(context))
        except OpenError:
            scard.SCardReleaseContext(context)
            raise
        except DeviceLost as lost:
            scard.SCardReleaseContext(context)
            raise OpenError(str(lost)) from lost
        self._state = self._plug_and_play = scard.SCARD_STATE_UNAWARE
        self._generation = self._retry_s = None
        self._context = context
        self._interrupted.clear()

    def wait_for_card(self, timeout_s: float) -> PresentedCard | None:
        """Wait inside pcscd for a card. An `interrupt` that comes before the wait ends it at once."""
        if self._context is None:
            raise ClosedError(f"{self._name} is closed")
        now_s = time.monotonic()
        if self._card is not None and self._card.failed and self._retry_s is None:
            self._retry_s = now_s + _RETRY_S
        until_s = now_s + timeout_s
        while self._wait_for_change(self._context, until_s):
            card = self._card_of_this_change()
            if card is not None:
                return card
        return None

    def indicate(self, indication: Indication) -> None:
        """Nothing: PC/SC has no portable lamp or buzzer."""

    def interrupt(self) -> None:
        """End the wait after its slice, or the next wait if nobody waits."""
        self._interrupted.set()

    def close(self) -> None:
        """Release the card and the context."""
        self._release_card(time.monotonic())
        if self._context is not None:
            scard.SCardReleaseContext(self._context)
            self._context = None

    def _wait_for_change(self, context: int, until_s: float) -> bool:
        """Whether the reader's state changed, or a card is to be tried again; False after the time, or an interrupt."""
        while not self._interrupted.is_set():
            if self._retry_s is not None and time.monotonic() >= self._retry_s:
                self._generation = self._retry_s = None
                return True
            left_s = max(0.0, until_s - time.monotonic())
            watched = [(self._reader, self._state), (_PLUG_AND_PLAY, self._plug_and_play)]
            code, states = scard.SCardGetStatusChange(context, int(min(left_s, _SLICE_S) * 1000), watched)
            if code == scard.SCARD_E_TIMEOUT:
                if time.monotonic() >= until_s:
                    return False
                continue
            if code != scard.SCARD_S_SUCCESS:
                raise DeviceLost(f"waiting for a card failed: {_text(code)}")
            (_, self._state, _), (_, plug_and_play, _) = states
            if plug_and_play & scard.SCARD_STATE_CHANGED and self._reader not in _names(context):
                raise DeviceLost(f"{self._reader} was unplugged")
            self._plug_and_play = plug_and_play & ~scard.SCARD_STATE_CHANGED
            return True
        self._interrupted.clear()
        return False

    def _card_of_this_change(self) -> PcscCard | None:
        """The card, if the state that was just read means a tap."""
        now_s = time.monotonic()
        if self._state & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE | scard.SCARD_STATE_IGNORE):
            raise DeviceLost(f"{self._reader} went away")
        generation = self._state >> _GENERATION_SHIFT
        self._state &= ~scard.SCARD_STATE_CHANGED
        if not self._state & scard.SCARD_STATE_PRESENT:
            self._generation = self._retry_s = None
            self._release_card(now_s)
            return None
        if generation == self._generation:
            return None
        self._release_card(now_s)
        self._generation = generation
        return self._read_card(now_s)

    def _read_card(self, now_s: float) -> PcscCard | None:
        self._retry_s = None
        try:
            self._card = self._connect(now_s)
            self._card.identify()
        except CardError:
            self._retry_s = now_s + _RETRY_S
            if self._presence.look(UNREADABLE, now_s):
                raise
            return None
        return self._card if self._presence.look(self._card.uid, now_s) else None

    def _connect(self, now_s: float) -> PcscCard:
        code, handle, protocol = scard.SCardConnect(
            self._context, self._reader, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        )
        _check(code, "the card can't be connected")
        code, _, _, _, atr = scard.SCardStatus(handle)
        technology = technology_of(bytes(atr)) if code == scard.SCARD_S_SUCCESS else Technology.UNKNOWN
        return PcscCard(handle, protocol, technology, now_s)

    def _release_card(self, now_s: float) -> None:
        self._presence.look(None, now_s)
        if self._card is not None:
            self._card.release()
            self._card = None


def reader_names() -> list[str]:
    """The names of all PC/SC readers that pcscd knows; raises OpenError when there is no pcscd."""
    context = _new_context()
    try:
        return _names(context)
    except DeviceLost as lost:
        raise OpenError(str(lost)) from lost
    finally:
        scard.SCardReleaseContext(context)


def _new_context() -> int:
    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    if code != scard.SCARD_S_SUCCESS:
        raise OpenError(f"no PC/SC service ({_text(code)}): is pcscd installed and running?")
    handle: int = context
    return handle


def _names(context: int) -> list[str]:
    code, names = scard.SCardListReaders(context, [])
    if code == scard.SCARD_E_NO_READERS_AVAILABLE:
        return []
    if code != scard.SCARD_S_SUCCESS:
        raise DeviceLost(f"the PC/SC service went away: {_text(code)}")
    return sorted(names)


def _only_match(pattern: str, names: list[str]) -> str:
    matching = [name for name in names if fnmatchcase(name, pattern)]
    if len(matching) == 1:
        return matching[0]
    problem = f"several PC/SC readers match {pattern!r}" if matching else f"no PC/SC reader matches {pattern!r}"
    raise OpenError(f"{problem}; attached: {', '.join(map(repr, matching or names)) or 'none'}")


def _check(code: int, problem: str) -> None:
    if code in _READER_GONE:
        raise DeviceLost(f"{problem}: {_text(code)}")
    if code != scard.SCARD_S_SUCCESS:
        raise CardError(f"{problem}: {_text(code)}")


def _text(code: Any) -> str:
    return f"{scard.SCardGetErrorMessage(code)} ({code & 0xFFFFFFFF:08X})"
