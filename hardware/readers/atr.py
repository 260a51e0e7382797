"""What a PC/SC answer to reset says about the card's interface (PC/SC part 3, 3.1.3.2.3). Pure; takes any bytes."""

from typing import Final

from hardware.protocols import Technology

_CONTACTLESS: Final = b"\x80\x01"
"""TD1 and TD2 that a reader puts into every answer to reset that it makes up for a contactless card."""
_STORAGE_CARD: Final = bytes.fromhex("A000000306")
"""The PC/SC workgroup's identifier, followed by the standard (1 byte) and the card's name (2 bytes)."""
_STANDARDS: Final = {
    0x01: Technology.ISO14443A,
    0x02: Technology.ISO14443A,
    0x03: Technology.ISO14443A,
    0x05: Technology.ISO14443B,
    0x06: Technology.ISO14443B,
    0x07: Technology.ISO14443B,
    0x09: Technology.ISO15693,
    0x0A: Technology.ISO15693,
    0x0B: Technology.ISO15693,
    0x0C: Technology.ISO15693,
    0x11: Technology.FELICA,
}
_FELICA_ON_ACS: Final = {b"\xf0\x11", b"\xf0\x12"}
"""ACS readers file FeliCa under ISO 14443 A, with card names of their own (ACR122U API, 4.2)."""


def technology_of(atr: bytes) -> Technology:
    """The card's interface. UNKNOWN for a contactless processor card, which may be type A or B, and for nonsense."""
    if len(atr) < 2:
        return Technology.UNKNOWN
    if atr[0] != 0x3B or atr[1] & 0xF0 != 0x80 or atr[2:4] != _CONTACTLESS:
        return Technology.CONTACT
    start = atr.find(_STORAGE_CARD)
    if start < 0:
        return Technology.UNKNOWN
    standard, name = atr[start + 5 : start + 6], atr[start + 6 : start + 8]
    if name in _FELICA_ON_ACS:
        return Technology.FELICA
    return _STANDARDS.get(standard[0], Technology.UNKNOWN) if standard else Technology.UNKNOWN
