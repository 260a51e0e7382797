"""Reader stacks for an hour of taps: emulated, pcscd with virtual cards, nfcpy's PN532 driver on a pty, nfcpy over UDP.

A place is where a person holds a card: `held` puts one there for the length of a block.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from tests.rigs import site
from tests.rigs.nfc_air import UdpField
from tests.rigs.nfc_cards import Card, Type2, Type3, Type4A
from tests.rigs.pcscd import PcscdRig
from tests.rigs.pn532 import Pn532Field
from tests.rigs.virtual_card import VirtualCard

TYPE_A: Final = (site.ALICE, site.BOB, site.MALLORY, site.NOBODY)
FELICA_STRANGER: Final = "012E4CD3A1B2FFFF"
EXPECTED: Final[Mapping[str, str]] = {
    site.ALICE: "allowed",
    site.BOB: "allowed",
    site.FELICA_ALICE: "allowed",
    site.MALLORY: "stolen",
    site.NOBODY: "unknown_card",
    FELICA_STRANGER: "unknown_card",
}
"""The reason at a reader that leads in."""


@dataclass(frozen=True, slots=True)
class Place:
    """A reader as its visitors see it."""

    reader: str
    stack: str
    config: str
    """Lines of its table."""
    uids: Sequence[str]
    pause_s: float
    """At most so long between a card and the next; at least half of it."""
    held: Callable[[str], AbstractContextManager[None]] | None
    """Holds a card of this UID there; None: the card is presented through the control socket."""


@contextmanager
def stacks() -> Iterator[tuple[Sequence[Place], Mapping[str, str]]]:
    """All of them, running: the places, and the environment for the daemon."""
    with ExitStack() as running:
        pcscd = running.enter_context(PcscdRig(readers=2))
        pn532 = running.enter_context(Pn532Field())
        udp = running.enter_context(UdpField())
        places = [
            *(Place(f"emulated-{number}", "emulated", 'driver = "emulated"', TYPE_A, 0.3, None) for number in range(2)),
            *(_pcsc(pcscd, number) for number in range(2)),
            Place("pn532", "nfcpy, PN532", f'driver = "nfc"\npath = "{pn532.path}"', TYPE_A, 1.0, _in_field(pn532)),
            Place(
                "udp", "nfcpy, UDP", f'driver = "nfc"\npath = "{udp.path}"',
                (*TYPE_A, site.FELICA_ALICE, FELICA_STRANGER), 1.0, _in_field(udp),
            ),
        ]  # fmt: skip
        yield places, {"PCSCLITE_CSOCK_NAME": str(pcscd.socket_path)}


def _pcsc(pcscd: PcscdRig, number: int) -> Place:
    @contextmanager
    def held(uid: str) -> Iterator[None]:
        inserted = pcscd.insert(VirtualCard(bytes.fromhex(uid)), reader=number)
        try:
            yield
        finally:
            inserted.remove()

    # pcscd looks for a card every 400 ms: a card that comes and goes in between was never there.
    config = f'driver = "pcsc"\nmatch = "{pcscd.reader_name(number)}"'
    return Place(f"pcsc-{number}", "pcscd", config, TYPE_A, 2.0, held)


def _in_field(field: UdpField | Pn532Field) -> Callable[[str], AbstractContextManager[None]]:
    makes: Mapping[int, Sequence[Callable[[bytes], Card]]] = {7: (Type2, Type4A), 8: (Type3,)}

    @contextmanager
    def held(uid: str) -> Iterator[None]:
        number = bytes.fromhex(uid)
        kinds = makes[len(number)]
        field.insert(kinds[number[-2] % len(kinds)](number))
        try:
            yield
        finally:
            field.remove()

    return held
