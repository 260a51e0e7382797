"""Which UIDs identify a card. Every driver asks here before it hands a card over.

A UID that is random, incomplete or made of one filler byte is the same for many cards or new at every tap: it must
never open a door, and must never be enrolled. The messages name the fault, never the UID.
"""

from typing import Final

from hardware.errors import CardError
from hardware.protocols import Technology

MIN_BYTES: Final = 4
MAX_BYTES: Final = 16

_RANDOM_ID: Final = 0x08
"""First byte of a 4-byte UID that a type A card makes up at every activation (ISO/IEC 14443-3, 6.5.4)."""
_CASCADE_TAG: Final = 0x88
"""Never the first byte of a 4-byte UID; there it is the first part of a longer one."""
_NFC_DEP: Final = b"\x01\xfe"
"""Start of a FeliCa identifier that a phone makes up for peer-to-peer (NFC Forum Digital)."""

_LENGTHS: Final = {
    Technology.ISO14443A: frozenset({4, 7, 10}),
    Technology.ISO15693: frozenset({8}),
    Technology.FELICA: frozenset({8}),
}
"""What there is (ISO/IEC 14443-3, 6.5.4; ISO/IEC 15693-3, 4.1; JIS X 6319-4): another length was read in part."""

_NOT_TYPE_A: Final = {Technology.ISO14443B, Technology.ISO15693, Technology.FELICA, Technology.CONTACT}


def checked_uid(uid: bytes, technology: Technology) -> bytes:
    """The UID, if it can identify one card; CardError otherwise.

    PC/SC can't always tell type A from type B; a UID of unknown technology is judged as type A. The identifier of a
    type B card may be random too, and nothing in it says so: whoever enrols type B cards has to know them.
    """
    if not MIN_BYTES <= len(uid) <= MAX_BYTES:
        raise CardError(f"the card's UID has {len(uid)} bytes instead of {MIN_BYTES} to {MAX_BYTES}")
    if set(uid) <= {0x00} or set(uid) <= {0xFF}:
        raise CardError("the card's UID is a filler: all bytes 00 or FF")
    if len(uid) not in _LENGTHS.get(technology, {len(uid)}):
        raise CardError(f"the card's UID has {len(uid)} bytes, which no {technology.value} card has: read in part")
    if technology not in _NOT_TYPE_A and len(uid) == MIN_BYTES:
        if uid[0] == _RANDOM_ID:
            raise CardError("the card's UID is random (first byte 08): it is another one at every tap")
        if uid[0] == _CASCADE_TAG:
            raise CardError("the reader gave the first part of a longer UID (first byte 88)")
    if technology is Technology.FELICA and uid.startswith(_NFC_DEP):
        raise CardError("the identifier is a phone's random peer-to-peer address (01FE)")
    return uid
