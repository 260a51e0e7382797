"""Card numbers in bodies: hashed wherever they may stand, and nowhere else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.api.problems import Problem
from cloud.api.uids import SPOTS, hashed_uid, holds_numbers, without_numbers
from cloud.contract.signing import credential_hash
from cloud.domain.payloads import RequestType

KEY = bytes(range(32))
UID = "04A224B2C35E80"


@given(uid=st.binary(min_size=4, max_size=16))
def test_number_has_one_hash_in_every_spelling(uid: bytes) -> None:
    """The one that the door's reader makes of its bytes."""
    assert hashed_uid(uid.hex(), KEY) == hashed_uid(uid.hex().upper(), KEY) == credential_hash(KEY, uid)


@pytest.mark.parametrize(
    "value", ["", "04A2", "04A224B2C35E8", "04 A2 24 B2", "0x04A224B2", "é4A224B2", "0" * 34, 4, None, ["04A224B2"]]
)
def test_what_is_no_number_has_none(value: object) -> None:
    """3 or 17 bytes, half a byte, other characters, other types."""
    assert hashed_uid(value, KEY) is None


@pytest.mark.parametrize("kind", list(RequestType))
def test_body_without_numbers_is_left_alone(kind: RequestType) -> None:
    """And needs no key."""
    body = {"cards": [{"card": "a" * 32}, 7], "rows": "nonsense", "card": "b" * 32, "by": None}

    assert not holds_numbers(kind, body)
    assert without_numbers(kind, body, KEY) == body


@pytest.mark.parametrize("kind", list(SPOTS))
def test_number_beside_its_card_is_refused(kind: RequestType) -> None:
    """They could be two different cards."""
    spot = SPOTS[kind]
    place: dict[str, Any] = {spot.number: UID, spot.card: "a" * 32}
    body = place if spot.within is None else {spot.within: [{}, place]}

    assert holds_numbers(kind, body)
    with pytest.raises(Problem) as refused:
        without_numbers(kind, body, KEY)
    where = "" if spot.within is None else f"/{spot.within}/1"
    assert [fault.pointer for fault in refused.value.faults] == [f"{where}/{spot.number}"]


@pytest.mark.parametrize("kind", list(SPOTS))
def test_number_is_replaced_by_its_hash(kind: RequestType) -> None:
    """In each entry of a list, and in the body itself."""
    spot = SPOTS[kind]
    place = {spot.number: UID, "label": "x"}
    body = place if spot.within is None else {spot.within: [{"card": "a" * 32}, place, "nonsense"]}

    hashed = without_numbers(kind, body, KEY)

    expected = {spot.card: hashed_uid(UID, KEY), "label": "x"}
    assert hashed == (expected if spot.within is None else {spot.within: [{"card": "a" * 32}, expected, "nonsense"]})
