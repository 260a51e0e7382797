"""The daemon behind real reader stacks: from a card in pcscd, on nfcpy's air or at its PN532 driver to the decision."""

import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from hardware.protocols import Technology
from tests.rigs import site
from tests.rigs.daemon import Daemon
from tests.rigs.nfc_air import UdpField
from tests.rigs.nfc_cards import Card, Type2, Type3, Type4A
from tests.rigs.pcscd import PcscdRig
from tests.rigs.pn532 import Pn532Field
from tests.rigs.virtual_card import VirtualCard
from tests.rigs.waiting import wait_for

pytestmark = pytest.mark.system

DOOR = """
[[door]]
id = "front"
[door.lock]
driver = "emulated"
fail = "secure"
strike_s = 1.0
"""


def reader(name: str, lines: str, direction: str = "in") -> str:
    """A reader's table."""
    return f'[[door.reader]]\nname = "{name}"\ndirection = "{direction}"\nreread_s = 0.2\n{lines}\n'


def door_with(tmp_path: Path, readers: str, environment: Mapping[str, str] | None = None) -> Daemon:
    """The daemon behind these readers, with the small site's list."""
    daemon = Daemon(tmp_path, DOOR + readers, keys=site.KEYS, environment=environment)
    site.install(daemon.state_dir, site.items())
    return daemon


@pytest.fixture
def pcscd() -> Iterator[PcscdRig]:
    """A pcscd of our own with two virtual readers."""
    with PcscdRig(readers=2) as rig:
        yield rig


def test_a_card_in_pcscd_opens_the_door_once_while_it_is_held(tmp_path: Path, pcscd: PcscdRig) -> None:
    """Insertion is one tap; the next insertion is another; a stolen card is told from a good one."""
    with door_with(tmp_path, reader("in", 'driver = "pcsc"\nmatch = "Virtual 0 00 00"'), pcscd.env) as daemon:
        card = pcscd.insert(VirtualCard(bytes.fromhex(site.ALICE)))
        granted = daemon.wait_event("access.granted")
        assert (granted["person"], granted["reader"]) == ("alice", "in")
        # The event is on disk before the lock moves.
        wait_for(lambda: daemon.door()["lock"] == "unlocked", "the unlock")
        wait_for(lambda: daemon.door()["lock"] == "locked", "relock while the card is still held")
        card.remove()
        pcscd.insert(VirtualCard(bytes.fromhex(site.MALLORY)))
        assert daemon.wait_event("access.denied")["reason"] == "stolen"
        assert len(daemon.events("access.granted")) == 1


def test_pcscd_that_is_killed_and_comes_back_is_used_again(tmp_path: Path, pcscd: PcscdRig) -> None:
    """The loss and the recovery are recorded; nobody restarts the agent."""
    with door_with(tmp_path, reader("in", 'driver = "pcsc"\nmatch = "Virtual 0 00 00"'), pcscd.env) as daemon:
        pcscd.stop(signal.SIGKILL)
        daemon.wait_event("reader.lost")
        wait_for(lambda: "reader_lost:in" in daemon.status()["degraded"], "the status to say so")
        pcscd.start()
        daemon.wait_event("reader.recovered")
        pcscd.insert(VirtualCard(bytes.fromhex(site.ALICE)))
        daemon.wait_event("access.granted")


@pytest.mark.parametrize(
    ("make", "uid", "technology"),
    [
        (Type2, site.ALICE, Technology.ISO14443A),
        (Type3, site.FELICA_ALICE, Technology.FELICA),
        (Type4A, site.ALICE, Technology.ISO14443A),
    ],
)
def test_tags_on_nfcpys_air_open_the_door(
    tmp_path: Path, make: Callable[[bytes], Card], uid: str, technology: Technology
) -> None:
    """Tags of three types through nfcpy's own UDP driver; the same tag again after it left."""
    with UdpField() as field, door_with(tmp_path, reader("in", f'driver = "nfc"\npath = "{field.path}"')) as daemon:
        for count in (1, 2):
            field.insert(make(bytes.fromhex(uid)))
            assert daemon.wait_event("access.granted", count=count)["person"] == "alice", technology
            # Recorded before the lock opens: whoever looks for a locked door now may be too early.
            wait_for(lambda: daemon.door()["lock"] == "unlocked", "the lock to open")
            field.remove()
            wait_for(lambda: daemon.door()["lock"] == "locked", "relock, long after the tag left")


@pytest.mark.parametrize("make", [Type2, Type4A])
def test_tags_at_the_pn532_open_the_door(tmp_path: Path, make: Callable[[bytes], Card]) -> None:
    """nfcpy's own PN532 driver over a serial line."""
    with Pn532Field() as field, door_with(tmp_path, reader("in", f'driver = "nfc"\npath = "{field.path}"')) as daemon:
        field.insert(make(bytes.fromhex(site.ALICE)))
        assert daemon.wait_event("access.granted")["person"] == "alice"
        assert not daemon.events("access.denied")


def test_both_stacks_at_once_on_one_door(tmp_path: Path, pcscd: PcscdRig) -> None:
    """In by PC/SC and out by NFC in one process; out is granted to the stolen card too, with a note."""
    with Pn532Field() as field:
        readers = reader("in", 'driver = "pcsc"\nmatch = "Virtual 0 00 01"')
        readers += reader("out", f'driver = "nfc"\npath = "{field.path}"', "out")
        with door_with(tmp_path, readers, pcscd.env) as daemon:
            pcscd.insert(VirtualCard(bytes.fromhex(site.ALICE)), reader=1)
            assert daemon.wait_event("access.granted")["reader"] == "in"
            field.insert(Type2(bytes.fromhex(site.MALLORY)))
            left = daemon.wait_event("access.granted", count=2)
            assert (left["reader"], left["direction"], left["detail"]) == ("out", "out", {"noted": "stolen"})


class TornCard(VirtualCard):
    """Answers GET UID with nonsense, as a card does that is torn away."""

    def answer(self, apdu: bytes) -> bytes:
        """One byte: not even a status word."""
        return b"\x90"


def test_a_card_that_answers_nonsense_is_recorded_and_the_reader_goes_on(tmp_path: Path, pcscd: PcscdRig) -> None:
    """Nonsense is a denial with a reason, and the next card is read."""
    with door_with(tmp_path, reader("in", 'driver = "pcsc"\nmatch = "Virtual 0 00 00"'), pcscd.env) as daemon:
        pcscd.insert(TornCard(bytes.fromhex(site.ALICE))).remove()
        pcscd.insert(VirtualCard(bytes.fromhex(site.BOB)))
        assert daemon.wait_event("access.granted")["person"] == "bob"


def test_a_random_uid_opens_nothing(tmp_path: Path, pcscd: PcscdRig) -> None:
    """A UID that is new at every tap is a denial with a reason, never a credential."""
    with door_with(tmp_path, reader("in", 'driver = "pcsc"\nmatch = "Virtual 0 00 00"'), pcscd.env) as daemon:
        pcscd.insert(VirtualCard(bytes.fromhex("08010203")))
        denied = daemon.wait_event("access.denied")
        assert (denied["reason"], denied["credential"]) == ("card_unreadable", None)


def test_a_reader_that_is_not_there_is_said_and_does_not_stop_the_door(tmp_path: Path, pcscd: PcscdRig) -> None:
    """One line says what is attached instead; the door runs on."""
    daemon = door_with(tmp_path, reader("in", 'driver = "pcsc"\nmatch = "ACS*"'), pcscd.env)
    daemon.start(ready=False)
    try:
        lost = wait_for(lambda: daemon.log_lines("reader.lost"), "the line", 20)
        assert "Virtual 0 00 00" in lost[0]["error"]
        wait_for(daemon.socket.exists, "the control socket")
        wait_for(lambda: daemon.status()["doors"], "the door")
        assert not daemon.status()["ready"]
        assert daemon.door()["state"] == "locked"
    finally:
        daemon.kill()
