"""PcscReader on cards that fail through the real pcscd: torn at any point, nonsense, many taps, and what that leaks."""

import contextlib
import itertools
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardware.errors import CardError, DeviceLost, OpenError
from hardware.protocols import PresentedCard
from hardware.readers.pcsc import PcscCard, PcscReader
from hardware.settings import ReaderSettings
from tests.rigs.pcscd import PcscdRig, pcscd_for_this_process
from tests.rigs.reader_bench import GET_UID, open_files, shout
from tests.rigs.virtual_card import VirtualCard
from tests.rigs.waiting import wait_for

pytestmark = pytest.mark.system

UID = bytes.fromhex("04A1B2C3D4E580")
OTHER_UID = bytes.fromhex("04112233445566")
COMMANDS = [bytes.fromhex("00A4040002F00100"), bytes.fromhex("90600000"), bytes.fromhex("00B0000010")]
TAP_S = 10.0
READERS = 4
TAPS_S = 8.0
"""pcscd looks for a virtual card every 0.4 s: this is what bounds the number of taps."""


@pytest.fixture
def rig() -> Iterator[PcscdRig]:
    """pcscd with four readers."""
    with pcscd_for_this_process(READERS) as running:
        yield running


@pytest.fixture
def reader(rig: PcscdRig) -> Iterator[PcscReader]:
    """The first of them, open."""
    made = pcsc_reader(rig, 0)
    made.open()
    yield made
    made.close()


def pcsc_reader(rig: PcscdRig, number: int) -> PcscReader:
    return PcscReader(ReaderSettings("lobby", "pcsc", 0.05, match=rig.reader_name(number)))


def tap(reader: PcscReader) -> PresentedCard:
    """The next card, whatever faults an earlier one left."""
    until_s = time.monotonic() + TAP_S
    while time.monotonic() < until_s:
        with contextlib.suppress(CardError):
            card = reader.wait_for_card(0.5)
            if card is not None:
                return card
    raise AssertionError("no card")


class TearingCard(VirtualCard):
    """Is torn out at the `torn_at`th exchange, GET UID being the first."""

    def __init__(self, uid: bytes, torn_at: int) -> None:
        super().__init__(uid, application=shout)
        self._left = torn_at

    def answer(self, apdu: bytes) -> bytes:
        self._left -= 1
        if self._left == 0:
            raise ConnectionError
        return super().answer(apdu)


def test_a_card_torn_out_at_any_exchange_is_an_error_and_the_next_is_read(rig: PcscdRig, reader: PcscReader) -> None:
    """Also if the next takes its place before pcscd has noticed that the first one left."""
    for torn_at in range(1, len(COMMANDS) + 2):
        inserted = rig.insert(TearingCard(UID, torn_at))
        if torn_at == 1:
            with pytest.raises(CardError):
                reader.wait_for_card(TAP_S)
        else:
            card = tap(reader)
            assert card.uid == UID
            for command in COMMANDS[: torn_at - 2]:
                assert card.transmit(command) == shout(command)
            with pytest.raises(CardError):
                card.transmit(COMMANDS[torn_at - 2])
        inserted.remove()
        other = rig.insert(VirtualCard(OTHER_UID))
        assert tap(reader).uid == OTHER_UID
        other.remove()


def test_a_card_that_came_back_before_anybody_noticed_is_read_after_all(rig: PcscdRig, reader: PcscReader) -> None:
    """Torn in the first exchange and held again at once: for pcscd it never left, and it still opens the door."""
    answers = iter([b"\x6f\x00"])

    class Hasty(VirtualCard):
        def answer(self, apdu: bytes) -> bytes:
            return next(answers, None) or super().answer(apdu)

    rig.insert(Hasty(UID))
    with pytest.raises(CardError):
        reader.wait_for_card(TAP_S)
    card = reader.wait_for_card(TAP_S)
    assert card is not None
    assert card.uid == UID


def test_nonsense_from_a_card_is_an_error_or_the_answer_as_it_came(rig: PcscdRig, reader: PcscReader) -> None:
    """Any bytes: an answer without a status word is a CardError. (vpcd itself hangs on an answer of no bytes.)"""
    answers: list[bytes] = []
    rig.insert(VirtualCard(UID, application=lambda apdu: answers[0]))
    card = tap(reader)
    assert isinstance(card, PcscCard)

    @settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(min_size=1, max_size=258))
    def ask(answer: bytes) -> None:
        answers[:] = [answer]
        try:
            assert card.transmit(COMMANDS[0]) == answer
        except CardError:
            assert len(answer) < 2

    ask()
    assert card.transmit(GET_UID) == UID + b"\x90\x00"


@pytest.mark.parametrize("answer", ["90", "9000", "0401029000", "000000009000", "6300", "04A1B2C3D4E5806A82"])
def test_what_is_no_uid_is_no_card(rig: PcscdRig, reader: PcscReader, answer: str) -> None:
    """Each of these in answer to GET UID is a CardError, once."""
    inserted = rig.insert(VirtualCard(UID, application=lambda _: bytes.fromhex(answer), gives_uid=False))
    with pytest.raises(CardError):
        reader.wait_for_card(TAP_S)
    assert reader.wait_for_card(0.6) is None
    inserted.remove()


def test_as_many_taps_as_pcscd_can_give_leak_nothing(rig: PcscdRig) -> None:
    """On four readers side by side, each tap the right card's; threads and descriptors counted."""

    def tap_on(number: int) -> int:
        with contextlib.closing(pcsc_reader(rig, number)) as reader:
            reader.open()
            until_s = time.monotonic() + TAPS_S
            for count in itertools.count():
                if time.monotonic() > until_s:
                    break
                uid = bytes([4, number]) + count.to_bytes(5, "big")
                inserted = rig.insert(VirtualCard(uid), number)
                assert tap(reader).uid == uid
                inserted.remove()
            return count

    before = len(open_files()), threading.active_count()
    with ThreadPoolExecutor(READERS) as pool:
        taps = sum(pool.map(tap_on, range(READERS)))
    print(f"{taps} taps in {TAPS_S:g} s")
    assert taps > 2 * READERS
    assert (len(open_files()), threading.active_count()) == before


def test_pcscd_restarted_again_and_again_leaks_nothing(rig: PcscdRig, reader: PcscReader) -> None:
    """Stopped, killed, hung and killed: threads and descriptors are as before."""
    files, threads = len(open_files()), threading.active_count()
    for number in range(12):
        if number % 3 == 2:
            rig.hang()
            killer = threading.Timer(0.3, rig.stop, (signal.SIGKILL,))
            killer.start()
            with pytest.raises(DeviceLost):
                reader.wait_for_card(TAP_S)
            killer.join()
        else:
            rig.stop((signal.SIGTERM, signal.SIGKILL)[number % 3])
            with pytest.raises(DeviceLost):
                reader.wait_for_card(TAP_S)
        reader.close()
        with pytest.raises(OpenError):
            reader.open()
        rig.start()
        reader.open()
        inserted = rig.insert(VirtualCard(UID))
        assert tap(reader).uid == UID
        inserted.remove()
    wait_for(lambda: threading.active_count() == threads, "the cards' threads to end")
    assert len(open_files()) == files
