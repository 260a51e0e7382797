"""EmulatedReader: what the contract suite does not say about it."""

import threading
from collections.abc import Iterator

import pytest

from hardware.errors import CardError, ClosedError
from hardware.protocols import Indication, Technology
from hardware.readers.emulated import MOST_INDICATIONS, MOST_WAITING, EmulatedReader
from hardware.settings import ReaderSettings

UID = bytes.fromhex("04A1B2C3D4E580")


@pytest.fixture
def reader() -> Iterator[EmulatedReader]:
    """An open one, with a reread_s that would hide a second tap on a real reader."""
    made = EmulatedReader(ReaderSettings("lobby", "emulated", reread_s=60.0))
    made.open()
    yield made
    made.close()


def test_emulated_reader_makes_each_presentation_a_tap(reader: EmulatedReader) -> None:
    """The same card twice in a row is two taps, in the order they came."""
    for uid in (UID, UID, b"\x01\x02\x03\x04"):
        reader.present(uid)
    taps = [reader.wait_for_card(0) for _ in range(4)]
    assert [card and card.uid for card in taps] == [UID, UID, b"\x01\x02\x03\x04", None]


def test_emulated_reader_takes_cards_from_another_thread(reader: EmulatedReader) -> None:
    """A wait under way ends with a card that another thread presents."""
    thread = threading.Thread(target=reader.present, args=(UID,))
    thread.start()
    card = reader.wait_for_card(5)
    thread.join()
    assert card is not None
    assert card.technology is Technology.EMULATED


def test_emulated_reader_refuses_cards_beyond_its_limit(reader: EmulatedReader) -> None:
    """The newest is refused when the queue is full; those that wait are kept."""
    for _ in range(MOST_WAITING):
        reader.present(UID)
    with pytest.raises(CardError, match="waiting already"):
        reader.present(UID)
    assert all(reader.wait_for_card(0) for _ in range(MOST_WAITING))


def test_emulated_reader_closed_takes_no_card_and_keeps_none(reader: EmulatedReader) -> None:
    """present() on a closed reader is an error; cards that waited don't open a door after a restart of the reader."""
    reader.present(UID)
    reader.close()
    with pytest.raises(ClosedError):
        reader.present(UID)
    reader.open()
    assert reader.wait_for_card(0) is None


def test_emulated_reader_closed_under_a_wait_ends_it(reader: EmulatedReader) -> None:
    """A waiter learns that the reader was closed."""
    threading.Timer(0.02, reader.close).start()
    with pytest.raises(ClosedError):
        reader.wait_for_card(5)


def test_emulated_reader_remembers_indications_up_to_a_limit(reader: EmulatedReader) -> None:
    """The newest are kept."""
    for _ in range(MOST_INDICATIONS):
        reader.indicate(Indication.DENIED)
    reader.indicate(Indication.GRANTED)
    assert len(reader.indications) == MOST_INDICATIONS
    assert reader.indications[-1] is Indication.GRANTED


def test_emulated_card_gives_its_uid_and_refuses_the_rest(reader: EmulatedReader) -> None:
    """GET UID is answered as a PC/SC reader would, everything else is 6D00."""
    reader.present(UID)
    card = reader.wait_for_card(0)
    assert card is not None
    assert card.transmit(bytes.fromhex("FFCA000000")) == UID + b"\x90\x00"
    assert card.transmit(bytes.fromhex("00A4040000")) == b"\x6d\x00"
