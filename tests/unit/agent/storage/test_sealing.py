"""An event is sealed into its place and kept within its bound."""

import pytest

from agent.core.events import EventDraft
from agent.storage.sealing import fit, seal
from cloud.contract.errors import ContractError
from cloud.contract.events import GENESIS, MAX_EVENT_BYTES, EventType, parse_event
from tests.rigs.stamps import opened, stamp


def test_event_that_fits_is_left_alone() -> None:
    """A detail within the bound is not touched."""
    stamped = opened(note="short")
    assert fit(stamped, "door-1", "hq") is stamped


def test_detail_too_large_is_cut_with_a_note() -> None:
    """What fits is kept, smallest first; the note says how many entries went."""
    stamped = opened(a="x" * 500, b="y" * 3000, c=7, d="z" * 2500)
    cut = fit(stamped, "door-1", "hq")
    assert cut.draft.detail == {"a": "x" * 500, "c": 7, "cut": 2}
    event = seal(cut, "door-1", "hq", 10**6, 10**9, GENESIS)
    assert len(event.canonical()) <= MAX_EVENT_BYTES
    assert parse_event(event.to_json()) == event


def test_unreadable_event_is_the_callers_fault() -> None:
    """What no consumer could parse never gets into the chain."""
    draft = EventDraft(type=EventType.ACCESS_DENIED, credential="04A1B2C3")
    with pytest.raises(ContractError, match="credential"):
        fit(stamp(draft), "door-1", "hq")


def test_number_that_json_does_not_know_is_the_callers_fault() -> None:
    """NaN raises at the door, not on the journal's thread."""
    draft = EventDraft(type=EventType.DOOR_OPENED, detail={"late_s": float("nan")})
    with pytest.raises(ValueError, match="late_s"):
        fit(stamp(draft), "door-1", "hq")
