"""PcscReader against the real pcscd: restarts, several readers, torn and swapped cards."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from hardware.errors import CardError, DeviceLost, OpenError
from hardware.protocols import PresentedCard, Technology
from hardware.readers.pcsc import PcscReader
from hardware.settings import ReaderSettings
from tests.rigs.pcsc_unplug import Unplugging
from tests.rigs.pcscd import PcscdRig, pcscd_for_this_process
from tests.rigs.virtual_card import ATR_PROCESSOR_CARD, VirtualCard

pytestmark = pytest.mark.system

UID = bytes.fromhex("04A1B2C3D4E580")
OTHER_UID = bytes.fromhex("04112233445566")
TAP_S = 3.0
REREAD_S = 0.1


@pytest.fixture
def rig() -> Iterator[PcscdRig]:
    """pcscd with two readers."""
    with pcscd_for_this_process(readers=2) as running:
        yield running


@pytest.fixture
def reader(rig: PcscdRig) -> Iterator[PcscReader]:
    """The first of them, open."""
    made = pcsc_reader(rig.reader_name(0))
    made.open()
    yield made
    made.close()


def pcsc_reader(match: str) -> PcscReader:
    return PcscReader(ReaderSettings("lobby", "pcsc", REREAD_S, match=match))


def tap(reader: PcscReader) -> PresentedCard:
    card = reader.wait_for_card(TAP_S)
    assert card is not None
    return card


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_pcsc_reader_survives_the_end_of_pcscd(rig: PcscdRig, reader: PcscReader, how: signal.Signals) -> None:
    """pcscd that ends under a wait is DeviceLost; open() fails while it is away, and works on the next one."""
    ender = threading.Timer(0.1, rig.stop, (how,))
    ender.start()
    with pytest.raises(DeviceLost):
        reader.wait_for_card(10.0)
    ender.join()
    reader.close()
    with pytest.raises(OpenError, match="pcscd"):
        reader.open()
    rig.start()
    reader.open()
    rig.insert(VirtualCard(UID))
    assert tap(reader).uid == UID


def test_pcsc_card_whose_pcscd_died_loses_the_device(rig: PcscdRig, reader: PcscReader) -> None:
    """An exchange after pcscd's death is DeviceLost, not the card's fault."""
    rig.insert(VirtualCard(UID))
    card = tap(reader)
    rig.stop(signal.SIGKILL)
    with pytest.raises(DeviceLost):
        card.transmit(b"\x00\xa4\x04\x00")


def test_pcsc_readers_wait_side_by_side(rig: PcscdRig) -> None:
    """Two readers in two threads each get their own card, at the same time."""
    uids = {0: UID, 1: OTHER_UID}
    taps: dict[int, bytes] = {}

    def run(number: int) -> None:
        reader = pcsc_reader(rig.reader_name(number))
        reader.open()
        taps[number] = tap(reader).uid
        reader.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in uids]
    for thread in threads:
        thread.start()
    cards = [rig.insert(VirtualCard(uid), number) for number, uid in uids.items()]
    for thread in threads:
        thread.join(10)
    for card in cards:
        card.remove()
    assert taps == uids


def test_pcsc_reader_that_is_unplugged_under_a_wait_is_lost() -> None:
    """Unplugged while pcscd runs on: DeviceLost, then OpenError, and the reader works when it is back."""
    with pcscd_for_this_process(readers=4) as rig, Unplugging(rig) as usb:
        reader = pcsc_reader(rig.reader_name(0))
        reader.open()
        assert reader.wait_for_card(0.1) is None
        unplugger = threading.Timer(0.1, usb.unplug, (0,))
        unplugger.start()
        with pytest.raises(DeviceLost):
            reader.wait_for_card(10.0)
        unplugger.join()
        reader.close()
        with pytest.raises(OpenError, match=r"no PC/SC reader matches .*; attached: 'Virtual 0 00 01'"):
            reader.open()
        usb.plug(0)
        reader.open()
        rig.insert(VirtualCard(UID))
        assert tap(reader).uid == UID
        reader.close()


def test_pcsc_reader_that_was_unplugged_between_waits_is_lost() -> None:
    """Unplugged while nobody waits: the next wait says so."""
    with pcscd_for_this_process(readers=4) as rig, Unplugging(rig) as usb:
        reader = pcsc_reader(rig.reader_name(0))
        reader.open()
        assert reader.wait_for_card(0.1) is None
        usb.unplug(0)
        with pytest.raises(DeviceLost):
            reader.wait_for_card(1.0)
        reader.close()


def test_pcsc_reader_that_stops_to_answer_pcscd_is_lost() -> None:
    """A reader that is still listed but doesn't answer its driver is DeviceLost: it must not look like a quiet one."""
    with pcscd_for_this_process(readers=4) as rig, Unplugging(rig) as usb:
        reader = pcsc_reader(rig.reader_name(0))
        reader.open()
        assert reader.wait_for_card(0.1) is None
        usb.fail(0)
        with pytest.raises(DeviceLost):
            reader.wait_for_card(TAP_S)
        reader.close()


def test_pcsc_reader_shrugs_at_another_reader_that_comes_and_goes() -> None:
    """Plugging another reader doesn't disturb a wait."""
    with pcscd_for_this_process(readers=4) as rig, Unplugging(rig) as usb:
        reader = pcsc_reader(rig.reader_name(1))
        reader.open()
        changes = [threading.Timer(0.05, usb.unplug, (0,)), threading.Timer(0.6, usb.plug, (0,))]
        for change in changes:
            change.start()
        assert reader.wait_for_card(1.2) is None
        for change in changes:
            change.join()
        rig.insert(VirtualCard(UID), reader=1)
        assert tap(reader).uid == UID
        reader.close()


def test_pcsc_reader_that_is_not_attached_is_an_open_error_that_lists_what_is(rig: PcscdRig) -> None:
    """The message names the pattern and the readers there; a reader that came later is found."""
    reader = pcsc_reader("Virtual 1*00")
    with pytest.raises(OpenError, match=r"no PC/SC reader matches 'Virtual 1\*00'.*'Virtual 0 00 00'"):
        reader.open()
    rig.stop()
    rig.start(readers=4)
    reader.open()
    rig.insert(VirtualCard(UID), reader=2)
    assert tap(reader).uid == UID
    reader.close()


def test_pcsc_reader_refuses_an_ambiguous_match(rig: PcscdRig) -> None:
    """Several readers that match are an error that lists them."""
    with pytest.raises(OpenError, match=r"several .*'Virtual 0 00 00', 'Virtual 0 00 01'"):
        pcsc_reader("Virtual*").open()


def test_pcsc_card_torn_in_the_middle_of_an_exchange_is_a_card_error(rig: PcscdRig, reader: PcscReader) -> None:
    """The exchange fails, further ones too, and the next card is read."""

    def torn(_: bytes) -> bytes:
        raise ConnectionError

    rig.insert(VirtualCard(UID, application=torn))
    card = tap(reader)
    for _ in range(2):
        with pytest.raises(CardError):
            card.transmit(b"\x00\xa4\x04\x00")
    assert reader.wait_for_card(REREAD_S + 0.5) is None
    rig.insert(VirtualCard(OTHER_UID))
    assert tap(reader).uid == OTHER_UID


@pytest.mark.parametrize("answer", [b"\x6a\x81", b"\x6d"])
def test_pcsc_card_without_a_uid_is_a_card_error_once(rig: PcscdRig, reader: PcscReader, answer: bytes) -> None:
    """A contact card, or nonsense, in answer to GET UID: reported once while it stays, then the next card is read."""
    card = rig.insert(VirtualCard(UID, application=lambda _: answer, gives_uid=False))
    with pytest.raises(CardError):
        reader.wait_for_card(TAP_S)
    assert reader.wait_for_card(0.1) is None
    card.remove()
    assert reader.wait_for_card(REREAD_S + 0.5) is None
    rig.insert(VirtualCard(UID))
    assert tap(reader).uid == UID


def test_pcsc_card_swapped_while_nobody_waits_is_seen(rig: PcscdRig, reader: PcscReader) -> None:
    """A card that took another's place between two waits is a tap, and the first one's channel is closed."""
    first = rig.insert(VirtualCard(UID))
    card = tap(reader)
    watcher = pcsc_reader(rig.reader_name(0))
    watcher.open()
    tap(watcher)
    first.remove()
    rig.insert(VirtualCard(OTHER_UID))
    assert tap(watcher).uid == OTHER_UID  # pcscd has noticed the swap; our reader hasn't looked since
    watcher.close()
    assert tap(reader).uid == OTHER_UID
    with pytest.raises(CardError):
        card.transmit(b"\x00\xa4\x04\x00")


@pytest.mark.parametrize(("size", "word"), [(16, "6D00"), (255, "9000")])
def test_pcsc_card_keeps_its_channel_between_waits(rig: PcscdRig, reader: PcscReader, size: int, word: str) -> None:
    """A card that stays can be talked to after further waits."""
    rig.insert(VirtualCard(UID, application=lambda command: command[5:] + bytes.fromhex(word)))
    card = tap(reader)
    assert reader.wait_for_card(0.1) is None
    assert card.transmit(bytes.fromhex(f"00010000{size:02X}") + bytes(size)) == bytes(size) + bytes.fromhex(word)


def test_pcsc_card_technology_comes_from_its_answer_to_reset(rig: PcscdRig, reader: PcscReader) -> None:
    """A MIFARE Classic says type A; a processor card says nothing, and its random UID is refused all the same."""
    card = rig.insert(VirtualCard(UID))
    assert tap(reader).technology is Technology.ISO14443A
    card.remove()
    assert reader.wait_for_card(0.6) is None
    rig.insert(VirtualCard(bytes.fromhex("08A1B2C3"), atr=ATR_PROCESSOR_CARD))
    with pytest.raises(CardError, match="random"):
        reader.wait_for_card(TAP_S)


def test_pcscd_rigs_stand_side_by_side_for_other_programs() -> None:
    """Programs outside any namespace reach the pcscd that their environment names, each its own card."""
    program = (
        "from hardware.readers.pcsc import PcscReader; from hardware.settings import ReaderSettings;"
        "reader = PcscReader(ReaderSettings('lobby', 'pcsc', 1.0, match='* 00 00'));"
        "reader.open(); print(reader.wait_for_card(5).uid.hex()); reader.close()"
    )
    with PcscdRig() as one, PcscdRig() as two:
        one.insert(VirtualCard(UID))
        two.insert(VirtualCard(OTHER_UID))
        outputs = [
            subprocess.run([sys.executable, "-c", program], env=rig.env, capture_output=True, text=True, timeout=30)
            for rig in (one, two)
        ]
    assert [output.stdout.strip() for output in outputs] == [UID.hex(), OTHER_UID.hex()], outputs
