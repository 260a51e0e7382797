"""Plain values as attributes of the table, and back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.adapters.entities import from_attributes, to_attributes
from cloud.contract.checks import MAX_INT
from cloud.errors import CloudError

_plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INT, MAX_INT) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1), _plain, max_size=5))
def test_item_comes_back_as_it_was(fields: dict[str, Any]) -> None:
    """Whole numbers as whole numbers, true as true, at every depth."""
    back = from_attributes(to_attributes(fields))
    assert back == fields
    assert repr(back) == repr(fields)


@pytest.mark.parametrize("value", [0.5, {"in": [1.0]}, object()])
def test_what_has_no_place_in_the_table_is_refused(value: object) -> None:
    """Before anything is written."""
    with pytest.raises(CloudError):
        to_attributes({"field": value})


def test_fraction_that_somebody_put_there_is_an_error() -> None:
    """Never a number that is nearly right."""
    with pytest.raises(CloudError):
        from_attributes({"field": {"N": "0.5"}})
