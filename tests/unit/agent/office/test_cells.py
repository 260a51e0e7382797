"""Cells that a spreadsheet opens, and card numbers that people type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.office.cardnumber import card_number
from agent.office.cells import RISKY, guarded, unguarded
from agent.office.errors import BadInput


@given(text=st.text() | st.text("=+-@'\t\r\n＝", max_size=4))
def test_a_guarded_cell_reads_as_it_was_and_is_no_formula(text: str) -> None:
    """Whatever the text is."""
    assert unguarded(guarded(text)) == text
    assert guarded(text)[:1] not in RISKY - {"'"}


@given(text=st.text().filter(lambda text: text[:1] not in RISKY))
def test_a_harmless_cell_is_not_touched(text: str) -> None:
    """Files of other programs read as they are."""
    assert guarded(text) == text
    assert unguarded(text) == text


@pytest.mark.parametrize("text", ["'tis", "'"])
def test_an_apostrophe_that_guards_nothing_stays(text: str) -> None:
    """Somebody's name may begin so."""
    assert unguarded(text) == text


@pytest.mark.parametrize(
    "text",
    ["04A1C3D2E45F80", "04a1c3d2e45f80", "04:A1:C3:D2:E4:5F:80", " 04 A1 C3 D2 E4 5F 80\n", "04-a1-c3-d2-e45f80"],
)
def test_a_card_number_is_taken_however_it_is_written(text: str) -> None:
    """As readers print it and people type it."""
    assert card_number(text) == "04A1C3D2E45F80"


@pytest.mark.parametrize("text", ["", "77B1C9", "77B1C9D", "77B1C9DG", "77B1C9D2" * 5, "٠٤B1C9D2", "4287654321x"])
def test_what_is_no_card_number_is_not_repeated(text: str) -> None:
    """It may be one of another kind."""
    with pytest.raises(BadInput) as caught:
        card_number(text)
    assert not text or text not in str(caught.value)
