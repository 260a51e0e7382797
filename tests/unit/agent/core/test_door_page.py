"""The page about the door's states says what the door does."""

import pytest

from agent.core.door import REX_STUCK_S
from agent.core.door_acts import MAX_WAITING
from agent.core.door_state import DoorStateName
from agent.core.door_table import Trigger
from tests.rigs.door_diagram import PAGE, diagram, render, table


def test_page_is_drawn_from_the_table_as_it_is() -> None:
    """Run `python -m tests.rigs.door_diagram` after changing the table."""
    page = PAGE.read_text(encoding="utf-8")
    assert render(page) == page


def test_diagram_and_table_show_everything() -> None:
    """No state and no trigger is left out."""
    assert all(f" {state}" in diagram() for state in DoorStateName)
    assert all(f"| {trigger} |" in table() for trigger in Trigger)


def test_page_names_the_constants_as_they_are() -> None:
    """The prose repeats two numbers of the code, and the table's words one of them."""
    page = PAGE.read_text(encoding="utf-8")
    assert f"{REX_STUCK_S:.0f} s" in page
    assert f"{MAX_WAITING} grants" in page
    assert f"REX pressed for {REX_STUCK_S / 60:.0f} min" == Trigger.REX_STUCK


def test_page_without_its_marks_is_refused() -> None:
    """A block that was renamed by hand is not silently left to rot."""
    with pytest.raises(ValueError, match="no block"):
        render("# A page")
