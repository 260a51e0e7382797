"""NfcReader on devices and cards that fail: silence, nonsense, slowness, an end in the middle, and what that leaks."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardware.errors import CardError, DeviceLost, HardwareError, OpenError
from hardware.protocols import PresentedCard
from hardware.readers import nfc_line
from hardware.readers.nfc import NfcReader
from hardware.settings import ReaderSettings
from tests.rigs.nfc_air import UdpField
from tests.rigs.nfc_cards import Card, Stalling, TornAway, TwoCards, Type2, Type3, Type4A, Type4B
from tests.rigs.pn532 import Mood, Pn532Field
from tests.rigs.reader_bench import open_files, shout
from tests.rigs.waiting import wait_for

pytestmark = [
    pytest.mark.system,
    pytest.mark.filterwarnings("ignore:unclosed file <_io.TextIOWrapper name='/dev/tty:ResourceWarning"),
]

UID = bytes.fromhex("04A1B2C3D4E580")
OTHER_UID = bytes.fromhex("04112233445566")
SHORT_UID = bytes.fromhex("DEADBEEF")
IDM = bytes.fromhex("0101020304050607")
COMMAND = bytes.fromhex("00A4040000")
READ_REGISTER, IN_LIST_PASSIVE_TARGET = 0x06, 0x4A
"""Commands of the PN532."""
TAP_S = 5.0
BOUND_S = 20.0
"""Far above every limit of the driver's, for a busy machine; without a limit these tests would hang."""
Field = UdpField | Pn532Field
TAPS = int(os.environ.get("CARDEA_READER_TAPS", "10000"))
PN532_TAPS = TAPS // 10
"""nfcpy takes 7 ms for a look at its PN532."""
BRIEF_MS = 400
"""For reads that end in vain."""

KILLED_WHILE_OPEN = """
import os, signal, sys
from hardware.readers.nfc import NfcReader
from hardware.settings import ReaderSettings
reader = NfcReader(ReaderSettings("lobby", "nfc", 0.2, path=sys.argv[1]))
reader.open()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def chip() -> Iterator[Pn532Field]:
    """A PN532 that nfcpy doesn't wait long for."""
    with Pn532Field(patience_ms=BRIEF_MS) as field:
        yield field


@contextlib.contextmanager
def opened(path: str, reread_s: float = 0.1) -> Iterator[NfcReader]:
    """A reader, open; closed at the end."""
    reader = NfcReader(ReaderSettings("lobby", "nfc", reread_s, path=path, poll_s=0.0))
    reopen(reader)
    try:
        yield reader
    finally:
        reader.close()


def tap(reader: NfcReader) -> PresentedCard:
    """The next card, whatever faults an earlier one left."""
    until_s = time.monotonic() + TAP_S
    while time.monotonic() < until_s:
        with contextlib.suppress(CardError):
            card = reader.wait_for_card(0.2)
            if card is not None:
                return card
    raise AssertionError("no card")


def reopen(reader: NfcReader) -> None:
    """As the agent does after DeviceLost, which tries again and again."""
    reader.close()

    def works() -> bool:
        with contextlib.suppress(OpenError):
            reader.open()
            return True
        return False

    wait_for(works, "the reader to open again", BOUND_S)


def wait_until_lost(reader: NfcReader) -> None:
    """Nonsense may be taken for a card's fault a few times."""
    with contextlib.suppress(DeviceLost):
        while True:
            with contextlib.suppress(CardError):
                reader.wait_for_card(0.1)


def within_bound(call: Callable[[], object]) -> float:
    """How long the call takes, in seconds."""
    started_s = time.monotonic()
    call()
    took_s = time.monotonic() - started_s
    assert took_s < BOUND_S
    return took_s


# The chip


@pytest.mark.parametrize("mood", [Mood.SILENT, Mood.ONLY_ACKNOWLEDGES, Mood.ACKNOWLEDGES_FOR_EVER, Mood.GARBLES])
def test_a_chip_that_is_not_well_is_lost_within_a_bound_and_works_again(mood: Mood) -> None:
    """Under a wait, and while it is opened; then it is well again and nobody unplugs it."""
    with Pn532Field(patience_ms=BRIEF_MS) as chip, opened(chip.path) as reader:
        chip.mood = mood

        within_bound(lambda: wait_until_lost(reader))
        within_bound(reader.close)
        if mood is not Mood.ACKNOWLEDGES_FOR_EVER:  # nfcpy has no limit there, and we none inside its open()
            with pytest.raises(OpenError):
                reader.open()
        chip.mood = Mood.WELL
        reopen(reader)
        chip.insert(Type2(UID))
        assert tap(reader).uid == UID


def test_a_chip_that_is_slow_still_reads(chip: Pn532Field) -> None:
    """Late answers make a late tap, no loss."""
    with opened(chip.path) as reader:
        chip.lame_s = 0.05
        chip.mood = Mood.LAMES
        chip.insert(Type2(UID))
        assert tap(reader).uid == UID


def test_a_look_that_takes_too_long_is_cut_off(chip: Pn532Field, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chip that slows down is opened anew instead of waited for (nfcpy#62)."""
    monkeypatch.setattr(nfc_line, "LOOK_LIMIT_S", 0.1)
    with opened(chip.path) as reader:
        chip.lame_s = 0.05
        chip.mood = Mood.LAMES
        with pytest.raises(DeviceLost):
            reader.wait_for_card(1.0)


def test_a_line_that_takes_nothing_does_not_hold_the_reader() -> None:
    """A write that blocks ends too."""
    with Pn532Field(patience_ms=BRIEF_MS) as chip, opened(chip.path) as reader:
        chip.mood = Mood.SILENT
        line = os.open(chip.device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(line, bytes(512))
        os.close(line)
        with pytest.raises(DeviceLost):
            reader.wait_for_card(0.1)
        within_bound(reader.close)


def test_a_chip_whose_program_was_killed_is_found_again(chip: Pn532Field) -> None:
    """A killed program leaves the chip at the speed that nfcpy raised it to; no power cut is needed (nfcpy#68)."""
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_OPEN, chip.path], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert chip.speed > 115200
    with opened(chip.path) as reader:
        chip.insert(Type2(UID))
        assert tap(reader).uid == UID


def test_a_chip_that_lost_its_power_alone_works_again(chip: Pn532Field) -> None:
    """It listens at 115200 baud while nfcpy talks faster: lost, then found."""
    with opened(chip.path) as reader:
        chip.forget_speed()
        with pytest.raises(DeviceLost):
            reader.wait_for_card(1.0)
        reopen(reader)
        chip.insert(Type2(UID))
        assert tap(reader).uid == UID


def test_unplugging_again_and_again_leaks_nothing(chip: Pn532Field) -> None:
    """Threads and descriptors are as many after many outages as before, whatever the chip did when it went."""
    reader = NfcReader(ReaderSettings("lobby", "nfc", 0.1, path=chip.path, poll_s=0.0))
    files, threads = open_files(), threading.active_count()
    for count in range(12):
        reopen(reader)
        chip.insert(Type2(b"\x04" + count.to_bytes(6, "big")))
        tap(reader)
        chip.vanish()
        with pytest.raises(DeviceLost):
            reader.wait_for_card(BOUND_S)
        reader.close()
        with pytest.raises(OpenError):
            reader.open()
        chip.plug()
        if count % 3 == 0:
            chip.mood = Mood.GARBLES
            chip.garbage = lambda _: b"\x00"  # less than a frame, for which nfcpy leaves the line open
            with pytest.raises(OpenError) as failed:
                reader.open()
            assert failed.value.__cause__ is not None
            assert not [name for name in open_files() - files if name.startswith(chip.device)]
            chip.mood = Mood.WELL
    reader.close()
    assert threading.active_count() == threads
    assert len(open_files()) == len(files)


@pytest.mark.parametrize(("make_field", "count"), [(UdpField, TAPS), (Pn532Field, PN532_TAPS)])
def test_thousands_of_taps_leak_nothing(make_field: type[Field], count: int) -> None:
    """Each tap is its own card's; threads, descriptors and memory are counted."""
    with make_field() as field, opened(field.path) as reader:
        for number in range(count):
            if number == count // 5:
                before = (threading.active_count(), len(open_files()), memory_kib())
            uid = b"\x04" + number.to_bytes(6, "big")
            field.insert(Type2(uid))
            assert tap(reader).uid == uid
        assert (threading.active_count(), len(open_files())) == before[:2]
        assert memory_kib() - before[2] < 2048


def memory_kib() -> int:
    """What of this process is in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


# The card

CARDS: dict[str, Callable[[], Card]] = {
    "2": lambda: Type2(UID),
    "3": lambda: Type3(IDM),
    "4A": lambda: Type4A(UID, shout),
    "4B": lambda: Type4B(SHORT_UID, shout),
}


@pytest.mark.parametrize("cut", [None, 0, 1, 2])
@pytest.mark.parametrize("kind", ["2 UDP", "3 UDP", "4A UDP", "4B UDP", "4A PN532"])
def test_a_card_torn_away_after_any_answer_is_no_crash_and_no_other_card(kind: str, cut: int | None) -> None:
    """It is read whole or not at all, and the next card is read."""
    with Pn532Field() if kind.endswith("PN532") else UdpField() as field, opened(field.path) as reader:
        for answers in range(1, 40):
            card = CARDS[kind.split()[0]]()
            torn = TornAway(card, answers, cut)
            field.insert(torn)
            seen = None
            with contextlib.suppress(CardError):
                for _ in range(4):
                    seen = seen or reader.wait_for_card(0.0)
                    if seen is not None:
                        assert seen.uid == card.uid
                        answers_whole = [seen.transmit(command) == shout(command) for command in (COMMAND, bytes(100))]
                        # Frames over UDP have no checksum: a cut one passes there for a shorter one.
                        assert all(answers_whole) or (cut is not None and kind.endswith("UDP"))
                        break
            whole = not torn.gone
            field.remove()
            wait_until_away(reader)
            if whole:
                break
        field.insert(Type2(OTHER_UID))
        assert tap(reader).uid == OTHER_UID


def wait_until_away(reader: NfcReader) -> None:
    """Let the reader look at an empty field for longer than `reread_s`."""
    until_s = time.monotonic() + 0.12
    while time.monotonic() < until_s:
        assert reader.wait_for_card(0.02) is None


def test_two_cards_over_each_other_are_one_of_the_two_or_none() -> None:
    """A reader that can't tell them apart reads nothing; it never makes up a third card."""
    with UdpField() as field, opened(field.path) as reader:
        for number in range(200):
            one, other = (Type2(b"\x04" + bytes([number, n, 7 * number % 256, 3, 4, 5])) for n in (0x55, 0xAA))
            field.insert(TwoCards(one, other))
            with contextlib.suppress(CardError):
                for _ in range(3):
                    seen = reader.wait_for_card(0.0)
                    assert seen is None or seen.uid in (one.uid, other.uid)
        field.insert(Type2(UID))
        assert tap(reader).uid == UID


def test_a_card_that_asks_for_time_for_ever_is_a_card_error(chip: Pn532Field, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rogue card can't hold the reader: the exchange ends, and the next card is read."""
    monkeypatch.setattr(nfc_line, "LOOK_LIMIT_S", 1.0)
    with opened(chip.path) as reader:
        chip.insert(Stalling(UID))
        card = tap(reader)
        with pytest.raises(CardError):
            card.transmit(COMMAND)
        chip.insert(Type2(OTHER_UID))
        try:
            found = tap(reader)
        except DeviceLost:  # on a machine that stalls, the chip's answer to the cut-off exchange may come too late
            reopen(reader)
            found = tap(reader)
        assert found.uid == OTHER_UID


class Nonsense(Card):
    """Answers each frame with the next of these."""

    def __init__(self, answers: list[bytes]) -> None:
        super().__init__(b"")
        self._answers = iter(answers)

    def answer(self, modulation: str, frame: bytes) -> bytes | None:
        return next(self._answers, None)

    def field_off(self) -> None:
        pass


FRAMES = st.lists(
    st.one_of(
        st.binary(max_size=24),
        st.sampled_from([b"\x44\x00", b"\x0c\x0c", b"\x88\x04\x01\x02\x8f", b"\x04", b"\x00", b"\x50" + bytes(11)]),
    ),
    max_size=8,
)


def test_nonsense_from_a_card_is_an_error_of_the_card() -> None:
    """Whatever it answers: a UID of a length that exists, nothing, or CardError; at worst the device is opened anew."""
    with UdpField() as field, opened(field.path, reread_s=0.0) as reader:

        @settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(FRAMES)
        def look_at(answers: list[bytes]) -> None:
            field.insert(Nonsense(answers))
            for _ in range(3):
                try:
                    seen = reader.wait_for_card(0.0)
                except DeviceLost:
                    reopen(reader)
                except HardwareError:
                    continue
                else:
                    assert seen is None or len(seen.uid) in (4, 7, 8, 10)

        look_at()
        field.remove()
        wait_until_away(reader)
        field.insert(Type2(UID))
        assert tap(reader).uid == UID


def test_nonsense_from_the_chip_is_an_error_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that are no frame, or a frame full of it: the device is lost at worst, and works when it is well."""
    monkeypatch.setattr(nfc_line, "LOOK_LIMIT_S", 0.5)
    with Pn532Field(patience_ms=BRIEF_MS) as chip, opened(chip.path) as reader:

        @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(st.binary(min_size=1, max_size=40), st.booleans())
        def look_at(data: bytes, framed: bool) -> None:
            chip.garbage = lambda command: chip.framed(command, data) if framed else data
            chip.mood = Mood.GARBLES
            try:
                with contextlib.suppress(CardError):
                    seen = reader.wait_for_card(0.0)
                    assert seen is None or len(seen.uid) in (4, 7, 8, 10)
                chip.mood = Mood.WELL
            except DeviceLost:
                chip.mood = Mood.WELL
                reopen(reader)

        look_at()
        chip.insert(Type2(UID))
        assert tap(reader).uid == UID


def test_nonsense_costs_no_technology(chip: Pn532Field) -> None:
    """What nfcpy trips over ("unsupported operand") must not pass for a technology that the chip lacks."""
    asked: list[int] = []
    spoils = False

    def heard(command: int, answer: bytes) -> bytes:
        asked.append(command)
        return answer + bytes(8) if spoils and command == READ_REGISTER else answer

    def looks(reader: NfcReader) -> int:
        asked.clear()
        for _ in range(3):
            with contextlib.suppress(CardError):
                reader.wait_for_card(0.0)
        return asked.count(IN_LIST_PASSIVE_TARGET)

    with opened(chip.path) as reader:
        chip.damage = heard
        before = looks(reader)
        spoils = True
        looks(reader)
        spoils = False
        assert looks(reader) == before
