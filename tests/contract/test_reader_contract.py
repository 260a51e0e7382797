"""What every Reader does, on every driver: emulated, through the real pcscd, through nfcpy over UDP and on a PN532."""

import threading
import time
from collections.abc import Iterator

import pytest

from hardware.errors import CardError, ClosedError, OpenError
from hardware.protocols import Indication, PresentedCard, Reader
from tests.rigs.reader_bench import GET_UID, OTHER_UID, UID, Bench, reader_bench
from tests.rigs.waiting import wait_for

DEVICES = [pytest.param(kind, marks=pytest.mark.system) for kind in ("pcsc", "nfc-udp", "nfc-pn532")]
TAP_S = 3.0
"""More than any driver needs for a tap: pcscd looks every 0.4 s for a virtual card."""
QUIET_S = 0.2
INTERRUPTS = 20
SLACK_S = 0.2
"""For a machine that is busy with other tests."""

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file <_io.TextIOWrapper name='/dev/tty:ResourceWarning")


@pytest.fixture(params=["emulated", *DEVICES])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Each driver with its field, closed."""
    with reader_bench(request.param) as made:
        yield made


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Each driver whose cards can be held."""
    with reader_bench(request.param) as made:
        yield made


def tap(reader: Reader) -> PresentedCard:
    card = reader.wait_for_card(TAP_S)
    assert card is not None
    return card


def none_for(reader: Reader, quiet_s: float = QUIET_S) -> None:
    until_s = time.monotonic() + quiet_s
    while time.monotonic() < until_s:
        assert reader.wait_for_card(until_s - time.monotonic()) is None


def test_reader_is_a_reader(bench: Bench) -> None:
    """Every driver has the protocol's methods and the configured name."""
    assert isinstance(bench.reader, Reader)
    assert bench.reader.name == "bench"


def test_reader_gives_one_tap_per_presentation(bench: Bench) -> None:
    """A card is given once with its UID and a plausible instant, and the next card after it."""
    bench.reader.open()
    before_s = time.monotonic()
    bench.insert(UID)
    card = tap(bench.reader)
    assert card.uid == UID
    assert before_s <= card.seen_s <= time.monotonic()
    none_for(bench.reader)
    bench.remove()
    bench.insert(OTHER_UID)
    assert tap(bench.reader).uid == OTHER_UID


def test_reader_gives_a_held_card_once(device: Bench) -> None:
    """A card that lies on the reader for longer than reread_s is one tap."""
    device.reader.open()
    device.insert(UID)
    tap(device.reader)
    none_for(device.reader, device.reread_s * 2)


def test_reader_gives_a_card_again_after_it_was_away(bench: Bench) -> None:
    """A card that comes back after reread_s is a second tap."""
    bench.reader.open()
    bench.insert(UID)
    tap(bench.reader)
    bench.remove()
    none_for(bench.reader, bench.reread_s + 0.5)
    bench.insert(UID)
    assert tap(bench.reader).uid == UID


@pytest.mark.parametrize("kind", DEVICES[1:])
def test_reader_takes_a_short_gap_for_a_shaky_hand(kind: str) -> None:
    """A card that comes back sooner than reread_s is still the same tap."""
    with reader_bench(kind) as device:
        device.reader.open()
        device.insert(UID)
        tap(device.reader)
        device.remove()
        none_for(device.reader, device.reread_s / 2)
        device.insert(UID)
        none_for(device.reader)


def test_reader_returns_none_after_the_time(bench: Bench) -> None:
    """Without a card the wait ends when it should."""
    bench.reader.open()
    started_s = time.monotonic()
    assert bench.reader.wait_for_card(QUIET_S) is None
    assert QUIET_S <= time.monotonic() - started_s < QUIET_S + 0.5


def test_reader_interrupt_ends_a_wait(bench: Bench) -> None:
    """A blocked wait returns None within 100 ms of an interrupt, time after time."""
    bench.reader.open()
    returned = threading.Event()
    results: list[PresentedCard | None] = []

    def wait() -> None:
        for _ in range(INTERRUPTS):
            results.append(bench.reader.wait_for_card(30.0))
            returned.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    for count in range(INTERRUPTS):
        if count % 2:
            assert not returned.wait(0.02), "the wait ended by itself"
        # Otherwise the interrupt races with the thread's way into its wait.
        started_s = time.monotonic()
        bench.reader.interrupt()
        assert returned.wait(5)
        returned.clear()
        assert time.monotonic() - started_s < 0.1 + SLACK_S
    waiter.join(5)
    assert results == [None] * INTERRUPTS


def test_reader_interrupt_before_the_wait_is_not_lost(bench: Bench) -> None:
    """An interrupt that comes just before the wait ends it at once, and only that one."""
    bench.reader.open()
    bench.reader.interrupt()
    started_s = time.monotonic()
    assert bench.reader.wait_for_card(30.0) is None
    assert time.monotonic() - started_s < 1.0
    bench.insert(UID)
    assert tap(bench.reader).uid == UID


def test_reader_closes_twice_and_opens_again(bench: Bench) -> None:
    """close() is idempotent, before the first open() too; afterwards open() makes a working reader."""
    bench.reader.close()
    bench.reader.open()
    bench.reader.close()
    bench.reader.close()
    bench.reader.open()
    bench.insert(UID)
    assert tap(bench.reader).uid == UID


def test_reader_refuses_to_open_twice(bench: Bench) -> None:
    """A second open() is a mistake of the caller, and the reader goes on."""
    bench.reader.open()
    with pytest.raises(OpenError, match="open already"):
        bench.reader.open()
    bench.insert(UID)
    assert tap(bench.reader).uid == UID


def test_reader_refuses_to_wait_when_closed(bench: Bench) -> None:
    """Waiting before open() or after close() raises ClosedError."""
    with pytest.raises(ClosedError):
        bench.reader.wait_for_card(0.1)
    bench.reader.open()
    bench.reader.close()
    with pytest.raises(ClosedError):
        bench.reader.wait_for_card(0.1)


def test_reader_reports_an_unreadable_card_once_and_goes_on(bench: Bench) -> None:
    """A card without a usable UID raises CardError once; the next card is read."""
    bench.reader.open()
    bench.insert(bytes(7))
    with pytest.raises(CardError):
        bench.reader.wait_for_card(TAP_S)
    none_for(bench.reader)
    bench.remove()
    bench.insert(UID)
    assert tap(bench.reader).uid == UID


def test_reader_card_speaks_apdus(bench: Bench) -> None:
    """transmit() carries an APDU to the card and its answer back."""
    bench.reader.open()
    bench.insert(UID)
    command = bytes.fromhex("00A4040002F001")
    assert tap(bench.reader).transmit(command) == bench.answer(command)


def test_reader_card_that_left_is_an_error(bench: Bench) -> None:
    """transmit() to a card that has left raises CardError, and the reader goes on."""
    bench.reader.open()
    bench.insert(UID)
    card = tap(bench.reader)
    bench.remove()
    none_for(bench.reader, 0.5)
    with pytest.raises(CardError):
        card.transmit(GET_UID)
    bench.insert(OTHER_UID)
    assert tap(bench.reader).uid == OTHER_UID


def test_reader_indicate_never_raises(bench: Bench) -> None:
    """indicate() is accepted at any time, from any thread."""
    bench.reader.indicate(Indication.DENIED)
    bench.reader.open()
    thread = threading.Thread(target=bench.reader.indicate, args=(Indication.GRANTED,))
    thread.start()
    wait_for(lambda: not thread.is_alive(), "indicate to return", 1.0)
    bench.reader.close()
    bench.reader.indicate(Indication.GRANTED)


def test_reader_keeps_the_uid_out_of_logs_and_reprs(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the log level, neither a log record nor a repr holds the UID."""
    caplog.set_level(0)
    for library in ("nfc", "smartcard"):
        caplog.set_level(0, logger=library)
    bench.reader.open()
    bench.insert(UID)
    card = tap(bench.reader)
    card.transmit(GET_UID)
    texts = [record.getMessage() for record in caplog.records] + [repr(card), repr(bench.reader)]
    assert not [text for text in texts if UID.hex() in text.lower() or repr(UID) in text]
