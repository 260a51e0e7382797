"""Every reader driver on a bench, with cards to hold to it: what the contract suite runs on."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from hardware.protocols import Reader
from hardware.readers.emulated import EmulatedReader
from hardware.registry import make_reader
from hardware.settings import ReaderSettings
from tests.rigs.nfc_air import UdpField
from tests.rigs.nfc_cards import Card, Type4A
from tests.rigs.pcscd import PcscdRig, pcscd_for_this_process
from tests.rigs.pn532 import Pn532Field
from tests.rigs.virtual_card import InsertedCard, VirtualCard

UID: Final = bytes.fromhex("04A1B2C3D4E580")
OTHER_UID: Final = bytes.fromhex("04112233445566")
GET_UID: Final = bytes.fromhex("FFCA000000")
_REREAD_S: Final = 0.2
_PCSC_REREAD_S: Final = 0.6
"""Longer than pcscd takes to notice that a virtual card left (0.4 s)."""


def shout(command: bytes) -> bytes:
    """The application on every card that has one."""
    return command[::-1] + b"\x90\x00"


class Bench(ABC):
    """A reader and a field. A card stays in the field until `remove`."""

    def __init__(self, settings: ReaderSettings) -> None:
        self.reader: Final[Reader] = make_reader(settings)
        self.reread_s: Final = settings.reread_s

    @abstractmethod
    def insert(self, uid: bytes) -> None:
        """Hold a card to the reader; it has an APDU channel. UIDs of zeros make a card that can't be read."""

    @abstractmethod
    def remove(self) -> None:
        """Take the card away."""

    def answer(self, command: bytes) -> bytes:
        """What the card answers to an APDU."""
        return shout(command)


class EmulatedBench(Bench):
    """A card that is presented is gone at once."""

    def __init__(self) -> None:
        super().__init__(ReaderSettings("bench", "emulated", _REREAD_S))

    def insert(self, uid: bytes) -> None:
        assert isinstance(self.reader, EmulatedReader)
        self.reader.present(uid)

    def remove(self) -> None:
        pass

    def answer(self, command: bytes) -> bytes:
        return b"\x6d\x00"


class PcscBench(Bench):
    """The real pcscd with a virtual card."""

    def __init__(self, rig: PcscdRig) -> None:
        super().__init__(ReaderSettings("bench", "pcsc", _PCSC_REREAD_S, match=rig.reader_name(0)))
        self._rig = rig
        self._card: InsertedCard | None = None

    def insert(self, uid: bytes) -> None:
        self._card = self._rig.insert(VirtualCard(uid, application=shout))

    def remove(self) -> None:
        assert self._card is not None
        self._card.remove()


class NfcBench(Bench):
    """nfcpy on a field of ours."""

    def __init__(self, field: UdpField | Pn532Field) -> None:
        super().__init__(ReaderSettings("bench", "nfc", _REREAD_S, path=field.path, poll_s=0.02))
        self._field = field

    def insert(self, uid: bytes) -> None:
        card: Card = Type4A(uid, shout)
        self._field.insert(card)

    def remove(self) -> None:
        self._field.remove()


def open_files() -> set[str]:
    """What this process holds open, to see that a driver releases its device."""
    links = set()
    for number in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            links.add(str(number.readlink()))
    return links


@contextmanager
def reader_bench(kind: str) -> Iterator[Bench]:
    """The bench of one kind: emulated, pcsc, nfc-udp, nfc-pn532. Its reader is closed at the end."""
    match kind:
        case "emulated":
            bench: Bench = EmulatedBench()
            yield bench
            bench.reader.close()
        case "pcsc":
            with pcscd_for_this_process() as rig:
                bench = PcscBench(rig)
                try:
                    yield bench
                finally:
                    bench.reader.close()
        case _:
            with UdpField() if kind == "nfc-udp" else Pn532Field() as field:
                bench = NfcBench(field)
                try:
                    yield bench
                finally:
                    bench.reader.close()
