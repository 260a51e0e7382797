"""How rows become requests."""

import json

from hypothesis import given
from hypothesis import strategies as st

from agent.office.importing import MAX_BODY_BYTES, batches
from cloud.domain.payloads import MAX_IMPORTED

ROW = {"line": 2, "person": "p-1", "name": "Ada"}


def test_five_thousand_rows_are_one_request() -> None:
    """All or nothing holds for all of them then."""
    assert [len(batch) for batch in batches([ROW] * 5000)] == [5000]


def test_more_than_a_request_takes_become_several_in_order() -> None:
    """None is lost and none comes twice."""
    rows = [{**ROW, "line": line} for line in range(2 * MAX_IMPORTED + 1)]
    made = list(batches(rows))
    assert [len(batch) for batch in made] == [MAX_IMPORTED, MAX_IMPORTED, 1]
    assert [row for batch in made for row in batch] == rows
    assert list(batches([])) == []


@given(sizes=st.lists(st.integers(0, 3 << 20), max_size=6))
def test_no_request_is_larger_than_the_service_takes(sizes: list[int]) -> None:
    """Unless one row alone is."""
    rows = [{**ROW, "name": "x" * size} for size in sizes]
    made = list(batches(rows))
    assert [row for batch in made for row in batch] == rows
    assert all(len(batch) == 1 or len(json.dumps(batch)) <= MAX_BODY_BYTES + 2 for batch in made)
