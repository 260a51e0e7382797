"""technology_of: a card's interface from its answer to reset."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.protocols import Technology
from hardware.readers.atr import technology_of


def storage_card(standard: int, name: str = "0001") -> bytes:
    """An answer to reset as PC/SC part 3 builds it for a card without a processor."""
    return bytes.fromhex(f"3B8F8001804F0CA000000306{standard:02X}{name}000000006A")


@pytest.mark.parametrize(
    ("atr", "technology"),
    [
        (storage_card(0x03), Technology.ISO14443A),
        (storage_card(0x07), Technology.ISO14443B),
        (storage_card(0x0B), Technology.ISO15693),
        (storage_card(0x11, "003B"), Technology.FELICA),
        (storage_card(0x03, "F011"), Technology.FELICA),
        (storage_card(0x00), Technology.UNKNOWN),
        (bytes.fromhex("3B80800101"), Technology.UNKNOWN),
        (bytes.fromhex("3B8180018080"), Technology.UNKNOWN),
        (bytes.fromhex("3B6500002063CBA000"), Technology.CONTACT),
        (bytes.fromhex("3F6525082204689000"), Technology.CONTACT),
        (b"", Technology.UNKNOWN),
        (b"\x3b", Technology.UNKNOWN),
    ],
)
def test_technology_is_what_the_atr_tells(atr: bytes, technology: Technology) -> None:
    """Storage cards name their standard; processor cards don't tell type A from B; the rest has contacts."""
    assert technology_of(atr) is technology


@given(st.one_of(st.binary(max_size=40), st.binary(max_size=40).map(lambda tail: storage_card(3)[:12] + tail)))
def test_technology_of_any_bytes_is_an_answer(atr: bytes) -> None:
    """Nonsense raises nothing."""
    assert technology_of(atr) in Technology
