"""What became of a device's events is counted from the records alone."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from cloud.contract.records import pack
from tests.bench.tally import Tally, tally
from tests.rigs.wire import events

KEY = Ed25519PrivateKey.generate()


def flat(*seqs: int) -> list[bytes]:
    """Each event in a record of its own."""
    return [json.dumps({"seq": seq}).encode() for seq in seqs]


@pytest.mark.parametrize(
    ("seqs", "came_to"),
    [
        ((1, 2, 3, 4), Tally(0, 0, 0)),
        ((0, 1, 2, 3, 4), Tally(0, 0, 0)),
        ((1, 2, 4), Tally(1, 0, 0)),
        ((), Tally(4, 0, 0)),
        ((1, 3, 2, 4), Tally(0, 0, 1)),
        ((4, 1, 2, 3), Tally(0, 0, 3)),
        ((1, 2, 3, 4, 2, 3), Tally(0, 2, 0)),
        ((1, 1, 3), Tally(2, 1, 0)),
    ],
)
def test_lost_twice_and_out_of_order_are_told_apart(seqs: tuple[int, ...], came_to: Tally) -> None:
    """A repetition is no inversion, and what never came is lost."""
    assert tally(flat(*seqs), 4) == came_to


@given(data=st.data())
def test_packed_records_count_by_their_events(data: st.DataObject) -> None:
    """Ours are opened, gzipped or not."""
    first, second = ([data.draw(events(seq=seq)) for seq in run] for run in ((1, 2, 3), (4, 5)))
    records = [pack(run, KEY) for run in (first, second)]
    assert tally(records, 5) == Tally(0, 0, 0)
    assert tally(reversed(records), 5) == Tally(0, 0, 3)
    assert tally([*records, records[0]], 6) == Tally(1, 3, 0)
