"""checked_uid: which UIDs identify a card."""

import pytest

from hardware.credentials.uid import checked_uid
from hardware.errors import CardError
from hardware.protocols import Technology

A, B, F = Technology.ISO14443A, Technology.ISO14443B, Technology.FELICA


@pytest.mark.parametrize(
    ("uid", "technology"),
    [
        ("DEADBEEF", A),
        ("04A1B2C3D4E580", A),
        ("04A1B2C3D4E5806677 88".replace(" ", ""), A),
        ("08112233445566", A),
        ("08112233", B),
        ("88112233", B),
        ("0F112233", A),
        ("0101020304050607", F),
        ("E004010203040506", Technology.ISO15693),
        ("00" * 15 + "01", Technology.UNKNOWN),
    ],
)
def test_uid_that_identifies_is_given_back(uid: str, technology: Technology) -> None:
    """4 to 16 bytes that are no filler and not known to be random."""
    assert checked_uid(bytes.fromhex(uid), technology) == bytes.fromhex(uid)


@pytest.mark.parametrize(
    ("uid", "technology", "fault"),
    [
        ("", A, "0 bytes"),
        ("040102", A, "3 bytes"),
        ("04" * 17, A, "17 bytes"),
        ("00000000", A, "filler"),
        ("FFFFFFFFFFFFFF", F, "filler"),
        ("08112233", A, "random"),
        ("08112233", Technology.UNKNOWN, "random"),
        ("08112233", Technology.EMULATED, "random"),
        ("88041122", A, "first part"),
        ("01FE020304050607", F, "peer-to-peer"),
        ("04A1B2C3D4", A, "read in part"),
        ("04A1B2C3D4E58066", A, "read in part"),
        ("01010203040506", F, "read in part"),
        ("E0040102030405", Technology.ISO15693, "read in part"),
    ],
)
def test_uid_that_identifies_nobody_is_refused(uid: str, technology: Technology, fault: str) -> None:
    """The error names the fault and not the UID."""
    with pytest.raises(CardError, match=fault) as raised:
        checked_uid(bytes.fromhex(uid), technology)
    assert not uid or uid.lower() not in str(raised.value).lower()
