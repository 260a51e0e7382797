"""Cards and reader chips that answer anything: an error of ours or a UID that may identify a card, and no more.

Nothing of ours reads a tag's memory or NDEF, and nfcpy is not asked to: the last test shows that a tag's content is
never fetched, so that it can't decide anything.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.credentials.uid import checked_uid
from hardware.errors import CardError, DeviceLost
from hardware.protocols import PresentedCard, Technology
from hardware.readers.atr import technology_of
from hardware.readers.nfc import NfcReader
from hardware.readers.pcsc import PcscCard, PcscReader
from hardware.settings import ReaderSettings
from tests.fuzz.budget import cases
from tests.fuzz.damage import damaged, raw
from tests.rigs.nfc_air import UdpField
from tests.rigs.nfc_cards import Card, Type2, Type3, Type4A, Type4B
from tests.rigs.pcscd import pcscd_for_this_process
from tests.rigs.pn532 import Pn532Field
from tests.rigs.reader_bench import shout
from tests.rigs.virtual_card import ATR_MIFARE_1K, ATR_PROCESSOR_CARD, VirtualCard
from tests.rigs.waiting import wait_for

UID: Final = bytes.fromhex("04A1B2C3D4E580")
IDM: Final = bytes.fromhex("0101020304050607")
PUPI: Final = bytes.fromhex("A1B2C3D4")
SELECT: Final = bytes.fromhex("00A4040000")

Damage = tuple[int, str, int, int]
"""Which frame of the card, what is done to it, and two numbers to do it with."""
damages = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from(["cut", "flip", "set", "grow", "drop", "replace"]),
        st.integers(0, 300),
        st.integers(0, 255),
    ),
    min_size=1,
    max_size=4,
)


def damage(frame: bytes, what: str, place: int, number: int) -> bytes:
    """One fault of the air, or of a card that means it."""
    at = place % (len(frame) + 1)
    match what:
        case "cut":
            return frame[:at]
        case "flip":
            return frame[:at] + bytes(byte ^ 1 << number % 8 for byte in frame[at : at + 1]) + frame[at + 1 :]
        case "set":
            return frame[:at] + bytes([number]) + frame[at + 1 :]
        case "grow":
            return frame + bytes([number]) * (place % 60 + 1)
        case "drop":
            return frame[:at] + frame[at + 1 :]
        case _:
            return bytes([number]) * (place % 40)


def error_text(fault: Exception) -> str:
    """Its words, which go into the log and into an event."""
    text = str(fault)
    assert len(text) < 300
    assert not any(uid.hex() in text.replace(" ", "").lower() for uid in (UID, IDM, PUPI))
    return text


# ---- PC/SC ----------------------------------------------------------------------------------------------------------


@cases(800)
@given(st.one_of(damaged(ATR_MIFARE_1K, ATR_PROCESSOR_CARD), raw(40)))
def test_an_answer_to_reset_of_any_bytes_has_a_technology(atr: bytes) -> None:
    """A total function."""
    assert technology_of(atr) in Technology


@cases(800)
@given(st.one_of(st.binary(max_size=20), damaged(UID)), st.sampled_from(Technology))
def test_a_uid_of_any_bytes_is_one_or_an_error(uid: bytes, technology: Technology) -> None:
    """What is taken is taken as it is; the error does not repeat it."""
    try:
        assert checked_uid(uid, technology) == uid
    except CardError as fault:
        error_text(fault)
    else:
        assert 4 <= len(uid) <= 16
        assert len(set(uid)) > 1 or uid[0] not in (0x00, 0xFF)


class AnyAnswerCard(VirtualCard):
    """Answers every command, GET UID too, as told."""

    said = UID + b"\x90\x00"

    def answer(self, apdu: bytes) -> bytes:
        return self.said


@pytest.fixture(scope="module")
def pcsc() -> Iterator[tuple[AnyAnswerCard, PcscCard]]:
    """A card on the real pcscd, and what answers for it."""
    card = AnyAnswerCard(UID)
    with pcscd_for_this_process() as rig:
        reader = PcscReader(ReaderSettings("lobby", "pcsc", 0.5, match=rig.reader_name(0)))
        reader.open()
        rig.insert(card)
        channel = wait_for(lambda: reader.wait_for_card(1.0), "the card")
        assert isinstance(channel, PcscCard)
        yield card, channel
        reader.close()


apdu_answers = st.one_of(
    st.binary(min_size=1, max_size=270),
    st.builds(lambda data, word: data + word, st.binary(max_size=20), st.sampled_from([b"\x90\x00", b"\x63\x00"])),
    damaged(UID + b"\x90\x00").filter(bool).filter(lambda answer: len(answer) < 300),
)


@pytest.mark.system
@cases(300)
@given(apdu_answers)
def test_answers_to_get_uid_of_any_bytes(pcsc: tuple[AnyAnswerCard, PcscCard], answer: bytes) -> None:
    """Through the real pcscd: a UID, or an error that repeats no part of the answer but a status."""
    card, channel = pcsc
    card.said = answer
    try:
        channel.identify()
    except CardError as fault:
        text = error_text(fault)
        assert UID[-2:].hex() not in text.lower(), "two bytes of a UID without its status word"
    else:
        assert answer == channel.uid + b"\x90\x00"
        assert 4 <= len(channel.uid) <= 16


# ---- nfcpy ----------------------------------------------------------------------------------------------------------


class DamagedCard(Card):
    """A card whose frames are damaged on their way."""

    def __init__(self, card: Card, faults: Sequence[Damage] = ()) -> None:
        super().__init__(card.uid)
        self._card = card
        self._faults = faults
        self._sent = 0
        self.heard: list[bytes] = []

    def field_off(self) -> None:
        self._card.field_off()

    def answer(self, modulation: str, frame: bytes) -> bytes | None:
        self.heard.append(frame)
        said = self._card.answer(modulation, frame)
        if said is None:
            return None
        for number, what, place, byte in self._faults:
            if number == self._sent % 7:
                said = damage(said, what, place, byte)
        self._sent += 1
        return said


_numbers = itertools.count(1)


def good_card() -> Card:
    """One that was never there: a card that is held is a tap only once."""
    return Type4A(b"\x04" + next(_numbers).to_bytes(6, "big"), shout)


def make_card(kind: str) -> Card:
    """A card of its own for each case."""
    match kind:
        case "2":
            return Type2(UID)
        case "3":
            return Type3(IDM)
        case "4A":
            return Type4A(UID, shout)
        case _:
            return Type4B(PUPI, shout)


@contextmanager
def opened(path: str) -> Iterator[NfcReader]:
    """An open reader for which each look may be a tap."""
    reader = NfcReader(ReaderSettings("lobby", "nfc", 0.0, path=path, poll_s=0.0))
    reader.open()
    try:
        yield reader
    finally:
        reader.close()


def look(reader: NfcReader) -> PresentedCard | None:
    """One wait; a device that is lost is opened again, as the agent does."""
    try:
        return reader.wait_for_card(0.0)
    except CardError as fault:
        error_text(fault)
    except DeviceLost as fault:
        error_text(fault)
        reader.close()
        reader.open()
    return None


def tap(reader: NfcReader, what: str) -> PresentedCard:
    """The card that comes within a bounded time."""
    card = wait_for(lambda: look(reader), what)
    assert card is not None
    return card


def talk(card: PresentedCard) -> None:
    """Its UID may identify it, and what it says to a command is an answer or an error."""
    assert checked_uid(card.uid, card.technology) == card.uid
    try:
        assert len(card.transmit(SELECT)) >= 2
    except (CardError, DeviceLost) as fault:
        error_text(fault)


@pytest.fixture(scope="module")
def air() -> Iterator[tuple[UdpField, NfcReader]]:
    """nfcpy over UDP."""
    with UdpField() as field, opened(field.path) as reader:
        yield field, reader


@pytest.mark.system
@cases(300)
@given(st.sampled_from(["2", "3", "4A", "4B"]), damages)
def test_frames_of_any_bytes_over_the_air(air: tuple[UdpField, NfcReader], kind: str, faults: list[Damage]) -> None:
    """Anticollision, activation and exchange, each damaged somewhere."""
    field, reader = air
    field.insert(DamagedCard(make_card(kind), faults))
    for _ in range(3):
        card = look(reader)
        if card is not None:
            talk(card)
    good = good_card()
    field.insert(good)
    assert tap(reader, "a good card after a bad one").uid == good.uid
    field.remove()


@pytest.fixture(scope="module")
def chip() -> Iterator[tuple[Pn532Field, NfcReader]]:
    """nfcpy's PN532 driver on a serial line."""
    with Pn532Field() as field, opened(field.path) as reader:
        yield field, reader
        field.damage = lambda _, answer: answer


CARD_COMMANDS: Final = (0x06, 0x40, 0x42, 0x4A)
"""ReadRegister, InDataExchange, InCommunicateThru, InListPassiveTarget: what carries a card's bytes."""


@pytest.mark.system
@pytest.mark.filterwarnings("ignore:unclosed file <_io.TextIOWrapper name='/dev/tty:ResourceWarning")
@cases(100)
@given(st.sampled_from(["2", "4A"]), damages)
def test_answers_of_any_bytes_from_a_pn532(chip: tuple[Pn532Field, NfcReader], kind: str, faults: list[Damage]) -> None:
    """What the chip reports of cards, damaged behind its own checks."""
    field, reader = chip
    sent = 0

    def mangle(command: int, answer: bytes) -> bytes:
        nonlocal sent
        if command not in CARD_COMMANDS:
            return answer
        for number, what, place, byte in faults:
            if number == sent % 7:
                answer = damage(answer, what, place, byte)
        sent += 1
        return answer[:250]

    field.insert(make_card(kind))
    field.damage = mangle
    for _ in range(3):
        card = look(reader)
        if card is not None:
            talk(card)
    field.damage = lambda _, answer: answer
    good = good_card()
    field.insert(good)
    assert tap(reader, "a good card after a bad one").uid == good.uid
    field.remove()


READS: Final = {0x30, 0x3A, 0x1B, 0x60, 0xA2, 0xE0}
"""READ, FAST_READ, PWD_AUTH, GET_VERSION, WRITE, and the activation that precedes every APDU."""


@pytest.mark.system
@pytest.mark.parametrize("kind", ["2", "3", "4A", "4B"])
def test_a_tags_memory_is_not_read(air: tuple[UdpField, NfcReader], kind: str) -> None:
    """Until a credential asks for it: the UID is all that is known, so no content can decide."""
    field, reader = air
    for _ in range(3):
        look(reader)  # at the empty field, for each technology: the card is new to the reader
    card = DamagedCard(make_card(kind))
    field.insert(card)
    assert tap(reader, "the tap").uid == card.uid
    field.remove()
    assert card.heard
    assert not any(frame[:1] and frame[0] in READS and len(frame) > 1 for frame in card.heard)
