"""NfcReader through nfcpy's own drivers: over UDP, and on an emulated PN532 chip on a serial line."""

import threading
import time
from collections.abc import Iterator

import pytest

from hardware.errors import CardError, DeviceLost, OpenError
from hardware.protocols import PresentedCard, Technology
from hardware.readers.nfc import NfcReader
from hardware.settings import ReaderSettings
from tests.rigs.nfc_air import UdpField
from tests.rigs.nfc_cards import Card, Type2, Type3, Type4A, Type4B, TypeA
from tests.rigs.pn532 import Pn532Field
from tests.rigs.reader_bench import open_files, shout

pytestmark = [
    pytest.mark.system,
    pytest.mark.filterwarnings("ignore:unclosed file <_io.TextIOWrapper name='/dev/tty:ResourceWarning"),
]

UID = bytes.fromhex("04A1B2C3D4E580")
SHORT_UID = bytes.fromhex("DEADBEEF")
LONG_UID = bytes.fromhex("04A1B2C3D4E5F6071829")
IDM = bytes.fromhex("0101020304050607")
COMMAND = bytes.fromhex("00A4040000")
TAP_S = 3.0


@pytest.fixture
def air() -> Iterator[UdpField]:
    """A field over UDP."""
    with UdpField() as field:
        yield field


@pytest.fixture
def chip() -> Iterator[Pn532Field]:
    """A PN532."""
    with Pn532Field() as field:
        yield field


def nfc_reader(path: str, reread_s: float = 0.2) -> NfcReader:
    return NfcReader(ReaderSettings("lobby", "nfc", reread_s, path=path, poll_s=0.01))


def tap(reader: NfcReader) -> PresentedCard:
    card = reader.wait_for_card(TAP_S)
    assert card is not None
    return card


@pytest.mark.parametrize(
    ("card", "technology"),
    [
        (Type2(UID), Technology.ISO14443A),
        (Type2(SHORT_UID), Technology.ISO14443A),
        (Type2(LONG_UID), Technology.ISO14443A),
        (Type3(IDM), Technology.FELICA),
        (Type4A(UID), Technology.ISO14443A),
        (Type4B(SHORT_UID), Technology.ISO14443B),
    ],
)
def test_nfc_reader_reads_every_type_over_udp(air: UdpField, card: Card, technology: Technology) -> None:
    """UID and technology of a card of each type."""
    reader = nfc_reader(air.path)
    reader.open()
    air.insert(card)
    seen = tap(reader)
    reader.close()
    assert (seen.uid, seen.technology) == (card.uid, technology)


@pytest.mark.parametrize("card", [Type2(UID), Type2(SHORT_UID), Type2(LONG_UID), Type4A(UID), Type4A(SHORT_UID)])
def test_nfc_reader_reads_type_a_on_a_pn532(chip: Pn532Field, card: TypeA) -> None:
    """UIDs of each length through nfcpy's PN532 driver."""
    reader = nfc_reader(chip.path)
    reader.open()
    chip.insert(card)
    seen = tap(reader)
    reader.close()
    assert (seen.uid, seen.technology) == (card.uid, Technology.ISO14443A)


@pytest.mark.parametrize("size", [1, 59, 60, 61, 200, 255])
@pytest.mark.parametrize("kind", ["4A over UDP", "4B over UDP", "4A on a PN532"])
def test_nfc_card_takes_apdus_of_any_length(kind: str, size: int) -> None:
    """APDUs that fit one frame, fill it, and are chained both ways come through whole."""
    with Pn532Field() if kind.endswith("PN532") else UdpField() as field:
        reader = nfc_reader(field.path)
        reader.open()
        field.insert(Type4B(SHORT_UID, shout) if kind.startswith("4B") else Type4A(UID, shout))
        card = tap(reader)
        command = bytes(range(1, 256))[:size]
        assert card.transmit(command) == shout(command)
        assert card.transmit(COMMAND) == shout(COMMAND)
        reader.close()


@pytest.mark.parametrize("card", [Type2(UID), Type3(IDM)])
def test_nfc_card_without_a_processor_refuses_apdus(air: UdpField, card: Card) -> None:
    """Types 2 and 3 take no APDUs."""
    reader = nfc_reader(air.path)
    reader.open()
    air.insert(card)
    with pytest.raises(CardError, match="takes no APDUs"):
        tap(reader).transmit(COMMAND)
    reader.close()


@pytest.mark.parametrize("make_field", [UdpField, Pn532Field])
def test_nfc_card_torn_in_the_middle_of_an_exchange_is_a_card_error(
    make_field: type[UdpField | Pn532Field],
) -> None:
    """The exchange fails within a bound, and the next card is read."""
    with make_field() as field:
        reader = nfc_reader(field.path)
        reader.open()

        def torn(_: bytes) -> None:
            return None

        field.insert(Type4A(UID, torn))
        card = tap(reader)
        with pytest.raises(CardError):
            card.transmit(COMMAND)
        field.insert(Type2(SHORT_UID))
        assert tap(reader).uid == SHORT_UID
        reader.close()


class NonsenseB(Type4B):
    """A card whose answer to the first question is cut short."""

    def answer(self, modulation: str, frame: bytes) -> bytes | None:
        return (super().answer(modulation, frame) or b"")[:2] or None


class BrokenA(TypeA):
    """A card that answers, and then selects itself with an empty frame."""

    def command(self, frame: bytes) -> bytes | None:
        return b""


@pytest.mark.parametrize("card", [NonsenseB(SHORT_UID), BrokenA(bytes(4))])
def test_nfc_reader_outlives_nonsense(air: UdpField, card: Card) -> None:
    """A card that talks nonsense is no tap, at most a CardError, and the next card is read."""
    reader = nfc_reader(air.path)
    reader.open()
    air.insert(card)
    faults = 0
    until_s = time.monotonic() + 0.5
    while time.monotonic() < until_s:
        try:
            assert reader.wait_for_card(0.1) is None
        except CardError:
            faults += 1
    assert faults <= 1
    air.insert(Type2(UID))
    assert tap(reader).uid == UID
    reader.close()


def test_nfc_reader_reports_a_random_uid_once_though_it_changes(chip: Pn532Field) -> None:
    """A phone's UID is another one at every look; while it is held it is one CardError."""

    class Phone(Type4A):
        count = 0

        def field_off(self) -> None:
            super().field_off()
            self.count += 1
            self.uid = b"\x08" + self.count.to_bytes(3, "big")

    reader = nfc_reader(chip.path)
    reader.open()
    chip.insert(Phone(bytes.fromhex("08000000")))
    with pytest.raises(CardError, match="random"):
        reader.wait_for_card(TAP_S)
    assert reader.wait_for_card(0.5) is None
    reader.close()


def test_nfc_reader_that_is_unplugged_is_lost_and_lets_go_of_its_line(chip: Pn532Field) -> None:
    """A serial reader that vanishes is DeviceLost; after close() nothing holds its line, so that it can come back."""
    reader = nfc_reader(chip.path)
    reader.open()
    chip.insert(Type2(UID))
    tap(reader)
    chip.vanish()
    with pytest.raises(DeviceLost) as lost:
        reader.wait_for_card(TAP_S)
    reader.close()
    # The exception is still alive here, and with it every frame of nfcpy's that knew the line.
    assert lost.value.__cause__ is not None
    assert not [name for name in open_files() if name.startswith(chip.device)]
    with pytest.raises(OpenError):
        reader.open()


def test_nfc_card_whose_reader_was_unplugged_loses_the_device(chip: Pn532Field) -> None:
    """An exchange on a dead line is DeviceLost, not the card's fault."""
    reader = nfc_reader(chip.path)
    reader.open()
    chip.insert(Type4A(UID, shout))
    card = tap(reader)
    chip.vanish()
    with pytest.raises(DeviceLost):
        card.transmit(COMMAND)
    reader.close()


def test_nfc_reader_opens_again_on_the_same_line(chip: Pn532Field) -> None:
    """close() leaves the chip so that the next open() finds it."""
    reader = nfc_reader(chip.path)
    for _ in range(3):
        reader.open()
        reader.close()
    reader.open()
    chip.insert(Type2(UID))
    assert tap(reader).uid == UID
    reader.close()


@pytest.mark.parametrize(
    "path", ["tty:USB899:pn532", "usb:ffff:ffff", "usb:zz", "tty:USB899:nosuchchip", "nonsense", ""]
)
def test_nfc_reader_at_a_wrong_path_is_an_open_error(path: str) -> None:
    """A device that isn't there, or a path that means nothing, is an OpenError; the next open() is possible."""
    reader = nfc_reader(path)
    for _ in range(2):
        with pytest.raises(OpenError):
            reader.open()


def test_nfc_reader_on_a_silent_field_stops_between_two_technologies() -> None:
    """Where each look takes a second, an interrupt takes no longer than one, and every technology gets its turn."""
    with UdpField(silent=True) as field:
        reader = nfc_reader(field.path)
        reader.open()
        interrupter = threading.Timer(0.1, reader.interrupt)
        interrupter.start()
        started_s = time.monotonic()
        assert reader.wait_for_card(30.0) is None
        assert time.monotonic() - started_s < 1.5
        field.insert(Type4B(SHORT_UID))
        assert reader.wait_for_card(0.0) is not None  # type B's turn, after type A's above
        reader.close()
