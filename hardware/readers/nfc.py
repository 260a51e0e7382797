"""A reader driven by nfcpy, at every device path that nfcpy knows: `usb:...`, `tty:...`, `udp:host:port`.

nfcpy looks for a card when asked; this driver asks for types A, B and F in turn, in a loop of its own rather than in
nfcpy's connect(), so that it can stop between two looks and decides itself what a tap is. Each look starts with the
field switched off. That costs a held card its session, but works for every card, whereas nfcpy's presence checks don't:
MIFARE Classic refuses the one for type 2.

The UID needs no activation of the card, so a tap waits for none; a card is activated by its first `transmit`.
A look takes milliseconds on a real reader, and 1 s over `udp:` with no card, which is what `interrupt` then takes.
nfcpy has no lamp that tells granted from denied, so `indicate` does nothing.

A look or an exchange that takes longer than a few seconds is cut off, and the device opened anew: nfcpy's chips were
seen to slow down to 20 s a look after hours without a card, and to stop to answer after an error (nfcpy#62, nfcpy#68).
"""

import logging
import os
import struct
import termios
import time
import traceback
from contextlib import suppress
from functools import partial
from threading import Event
from typing import Any, Final

from hardware.credentials.uid import checked_uid
from hardware.errors import CardError, ClosedError, DeviceLost, MissingLibrary, OpenError
from hardware.protocols import Indication, PresentedCard, Technology
from hardware.readers.nfc_line import Leash, bring_pn532_back
from hardware.readers.presence import UNREADABLE, Presence
from hardware.settings import ReaderSettings

try:
    import nfc
    import nfc.clf.device
    import nfc.clf.pn53x
    import nfc.clf.transport
    import nfc.tag
    import nfc.tag.tt4
except (ImportError, OSError) as error:  # OSError: libusb-1.0 itself is missing
    raise MissingLibrary(
        f"no NFC library ({error}): pip install 'cardea-access[nfc]'; it needs the Debian package libusb-1.0-0"
    ) from error

_LOOKS: Final = (
    (Technology.ISO14443A, "106A"),
    (Technology.ISO14443B, "106B"),
    (Technology.FELICA, "212F"),
)
_NONSENSE_LIMIT: Final = 8
"""Looks in a row without a clear answer, after which the device is at fault and not a card: reopening resets it."""
_ISO_DEP: Final = 0x20
"""Bit of a type A card's SEL_RES: it takes APDUs."""

_DEVICE_ERRORS: Final = (OSError, termios.error, nfc.clf.transport.libusb.USBError)
"""pyserial lets termios errors pass, and a few calls of nfcpy those of libusb."""
_CARD_ERRORS: Final = (
    nfc.clf.CommunicationError,
    nfc.tag.TagCommandError,
    nfc.clf.pn53x.Chipset.Error,
    ValueError,
    LookupError,
    AssertionError,
    AttributeError,
    TypeError,
    struct.error,
)
"""From ValueError on: how nfcpy's parsers take an answer that is too short, too long or no hexadecimal."""


class NfcCard:
    """A card in the field of an nfcpy device, usable until the next `wait_for_card`."""

    __slots__ = ("_frontend", "_leash", "_seen_s", "_tag", "_target", "_technology", "_uid")

    def __init__(
        self, frontend: Any, leash: Leash, target: Any, technology: Technology, uid: bytes, seen_s: float
    ) -> None:
        self._frontend = frontend
        self._leash = leash
        self._target = target
        self._technology = technology
        self._uid = uid
        self._seen_s = seen_s
        self._tag: Any = None

    @property
    def uid(self) -> bytes:
        """NFCID1 of type A, PUPI of type B, IDm of FeliCa."""
        return self._uid

    @property
    def technology(self) -> Technology:
        """The modulation that the card answered to."""
        return self._technology

    @property
    def seen_s(self) -> float:
        """time.monotonic() after the look that found the card."""
        return self._seen_s

    def transmit(self, apdu: bytes) -> bytes:
        """Send one APDU to a type 4 card; CardError for all others, which take none."""
        if self._target is None:
            raise CardError("the card has left the field")
        if self._technology is Technology.FELICA or not _takes_apdus(self._target, self._technology):
            raise CardError("the card takes no APDUs")
        self._leash.start()
        try:
            if self._tag is None:
                self._tag = nfc.tag.tt4.activate(self._frontend, self._target)
            answer = self._tag.transceive(bytearray(apdu))
        except _CARD_ERRORS as fault:
            raise CardError(f"the exchange with the card failed: {type(fault).__name__}") from fault
        except _DEVICE_ERRORS as fault:
            if self._leash.used_up:
                raise CardError("the card took too long") from fault
            raise DeviceLost(f"the reader failed in an exchange: {fault}") from fault
        if answer is None or len(answer) < 2:
            raise CardError("the card's answer has no status word")
        return bytes(answer)

    def release(self) -> None:
        """End the session: the next look switches the field off."""
        self._target = self._tag = None


class NfcReader:
    """A Reader at nfcpy's path `settings.path`, which looks for cards every `settings.poll_s`."""

    def __init__(self, settings: ReaderSettings) -> None:
        self._name = settings.name
        self._path = settings.path or ""
        self._poll_s = settings.poll_s
        self._presence = {technology: Presence(settings.reread_s) for technology, _ in _LOOKS}
        self._interrupted = Event()
        self._frontend: Any = None
        self._leash = Leash(None)
        self._card: NfcCard | None = None
        self._unsupported: set[Technology] = set()
        self._next_look = 0
        self._nonsense = 0

    @property
    def name(self) -> str:
        """The name from the configuration."""
        return self._name

    def open(self) -> None:
        """Find the device and wake it up."""
        if self._frontend is not None:
            raise OpenError(f"{self._name} is open already")
        _keep_uids_out_of_the_log()
        try:
            frontend = _connect(self._path)
        except OpenError:
            if not _bring_back(self._path):
                raise
            frontend = _connect(self._path)
        self._frontend = frontend
        self._leash = Leash(_transport(frontend))
        self._unsupported.clear()
        self._next_look = self._nonsense = 0
        self._interrupted.clear()

    def wait_for_card(self, timeout_s: float) -> PresentedCard | None:
        """Look for cards until one is presented. An `interrupt` that comes before the wait ends it at once.

        At least one look is taken, so the time may be exceeded by one. The order of looks goes on from call to call.
        """
        if self._frontend is None:
            raise ClosedError(f"{self._name} is closed")
        self._release_card()
        until_s = time.monotonic() + timeout_s
        while not self._interrupted.is_set():
            card = self._look()
            if card is not None:
                return card
            pause_s = self._poll_s if self._next_look == 0 else 0.0
            left_s = until_s - time.monotonic()
            if left_s <= 0 or self._interrupted.wait(min(pause_s, left_s)):
                break
        self._interrupted.clear()
        return None

    def indicate(self, indication: Indication) -> None:
        """Nothing: nfcpy has no lamp that tells granted from denied."""

    def interrupt(self) -> None:
        """End the wait after the look that is under way, or the next wait before its first."""
        self._interrupted.set()

    def close(self) -> None:
        """Release the device."""
        self._release_card()
        now_s = time.monotonic()
        for presence in self._presence.values():
            presence.look(None, now_s)
        frontend, self._frontend = self._frontend, None
        if frontend is not None:
            self._leash.start()
            _close(frontend)

    def _look(self) -> NfcCard | None:
        """One look for one technology; the card if it is a tap."""
        technology, modulation = _LOOKS[self._next_look]
        self._next_look = (self._next_look + 1) % len(_LOOKS)
        if technology in self._unsupported:
            return None
        presence = self._presence[technology]
        try:
            target = self._sense(technology, modulation)
            now_s = time.monotonic()
            if target is None:
                presence.look(None, now_s)
                return None
            uid = checked_uid(_uid_of(target, technology), technology)
        except CardError:
            if presence.look(UNREADABLE, time.monotonic()):
                raise
            return None
        if not presence.look(uid, now_s):
            return None
        self._card = NfcCard(self._frontend, self._leash, target, technology, uid, now_s)
        return self._card

    def _sense(self, technology: Technology, modulation: str) -> Any:
        """What answers to one modulation, None for nothing."""
        self._leash.start()
        try:
            target = self._frontend.sense(nfc.clf.RemoteTarget(modulation))
        except _DEVICE_ERRORS as fault:
            raise DeviceLost(f"the reader stopped to answer: {fault}") from fault
        except (nfc.clf.UnsupportedTargetError, *_CARD_ERRORS) as fault:
            # The PN53x drivers say so by ValueError. "Unsupported operand", a TypeError, is what nonsense leads to.
            if "unsupported" in str(fault) and isinstance(fault, nfc.clf.UnsupportedTargetError | ValueError):
                self._unsupported.add(technology)
                return None
            self._nonsense += 1
            if self._nonsense >= _NONSENSE_LIMIT:
                raise DeviceLost(f"the reader gave no clear answer {self._nonsense} times running") from fault
            raise CardError(f"the card answered nonsense: {type(fault).__name__}") from fault
        self._nonsense = 0
        return target

    def _release_card(self) -> None:
        if self._card is not None:
            self._card.release()
            self._card = None


def usb_candidates() -> list[tuple[int, int, int, int]]:
    """USB devices that nfcpy has a driver for: vendor, product, bus, address. Nothing is opened. Raises OpenError."""
    try:
        found = nfc.clf.transport.USB.find("usb") or []
    except _DEVICE_ERRORS as fault:
        raise OpenError(f"USB devices can't be listed: {fault}") from fault
    return [device for device in found if device[:2] in nfc.clf.device.usb_device_map]


def may_open(bus: int, address: int) -> bool:
    """Whether this user may use a USB device."""
    return os.access(f"/dev/bus/usb/{bus:03}/{address:03}", os.R_OK | os.W_OK)


def _connect(path: str) -> Any:
    """nfcpy's device at a path; raises OpenError."""
    frontend = nfc.ContactlessFrontend()
    try:
        found = frontend.open(path)
    except (*_DEVICE_ERRORS, *_CARD_ERRORS, ImportError) as fault:
        # For some errors nfcpy leaves the line open, and it stays open for as long as the fault knows who opened it.
        traceback.clear_frames(fault.__traceback__)
        raise OpenError(f"{path}: {fault}; is another program or the kernel driver pn533_usb on it?") from fault
    if not found:
        raise OpenError(f"{path}: no such device, or no permission to use it")
    return frontend


def _bring_back(path: str) -> bool:
    """Whether a PN532 on a line that the path names was found at another speed, and is now where nfcpy looks for it."""
    lines = nfc.clf.transport.TTY
    with suppress(*_DEVICE_ERRORS):
        ports, chip, many = lines.find(path) or ([], "", True)
        return chip == "pn532" and not many and bool(ports) and bring_pn532_back(partial(lines, ports[0]), ports[0])
    return False


def _transport(frontend: Any) -> Any:
    return getattr(getattr(frontend.device, "chipset", None), "transport", None)


def _close(frontend: Any) -> None:
    """Close an nfcpy device, and its line or USB handle even if the device is gone.

    nfcpy says goodbye to the chip first, and where that fails leaves the line open; while it is, a replugged ttyUSB0
    comes back as ttyUSB1.
    """
    transport = _transport(frontend)
    line = getattr(transport, "tty", None) or getattr(transport, "usb_dev", None)
    with suppress(*_DEVICE_ERRORS, *_CARD_ERRORS):
        frontend.close()
    if line is not None:
        with suppress(*_DEVICE_ERRORS):
            line.close()


def _uid_of(target: Any, technology: Technology) -> bytes:
    match technology:
        case Technology.ISO14443B:
            return bytes((target.sensb_res or b"")[1:5])
        case Technology.FELICA:
            return bytes((target.sensf_res or b"")[1:9])
        case _:
            # Type 1 tags have no anticollision; they give their UID after two bytes of header.
            return bytes(target.sdd_res) if target.sdd_res else bytes((target.rid_res or b"")[2:6])


def _takes_apdus(target: Any, technology: Technology) -> bool:
    return technology is Technology.ISO14443B or bool(target.sel_res and target.sel_res[0] & _ISO_DEP)


def _keep_uids_out_of_the_log() -> None:
    """nfcpy logs UIDs and frames at DEBUG; whatever level somebody has set for it, these must not come out."""
    logging.getLogger("nfc").setLevel(logging.INFO)
