"""What a device says of events that it lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.contract.events import EventType
from cloud.domain.losses import MAX_EXPLAINED, Explained, Explanations, explained_by, united, without
from tests.rigs.histories import Device

AT = "2026-03-01T09:00:00.000Z"
_losses = st.lists(st.builds(Explained, st.just(1), st.integers(1, 40), st.integers(1, 40)), max_size=8).map(
    lambda losses: [loss for loss in losses if loss.first <= loss.last]
)


@given(st.integers(1, 40), st.integers(0, 20), _losses)
def test_what_is_left_is_exactly_what_no_loss_names(first: int, more: int, losses: list[Explained]) -> None:
    """Place by place, whether they overlap or not, and united or not."""
    named = {place for loss in losses for place in range(loss.first, loss.last + 1)}
    expected = [place for place in range(first, first + more + 1) if place not in named]
    for told in (losses, united(losses)):
        parts = without((first, first + more), told)
        assert [place for start, end in parts for place in range(start, end + 1)] == expected


def test_losses_of_other_epochs_explain_nothing() -> None:
    """A hole is held against what was said of its own epoch, and against a journal that was set aside later."""
    told = Explanations([Explained(3, 7, 8), Explained(4, 1, 9), Explained(3, 1, 2)], lost_before=3)
    assert [told.left_of(epoch, (1, 9)) for epoch in (2, 3, 4, 5)] == [[], [(3, 6), (9, 9)], [], [(1, 9)]]


@pytest.mark.parametrize(
    "detail",
    [
        None,
        {"reason": "memory", "count": 3, "first_at": AT, "last_at": AT},
        {"epoch": 1, "first": 5, "last": 4, "count": 1, "reason": "full"},
        {"epoch": 1, "first": 0, "last": 4, "count": 1, "reason": "full"},
        {"epoch": 1, "first": "1", "last": 4, "count": 1, "reason": "full"},
    ],
)
def test_event_that_names_no_places_explains_none(detail: dict[str, object] | None) -> None:
    """A loss in memory, and whatever a device of another release may write."""
    assert explained_by(Device("d-1").add(EventType.JOURNAL_GAP, detail=detail)) is None


def test_losses_are_bounded() -> None:
    """The lowest go first: their holes are then reported, never the other way round."""
    losses = united(Explained(7, 1 + 3 * number, 2 + 3 * number) for number in range(MAX_EXPLAINED + 1))
    assert len(losses) == MAX_EXPLAINED
    assert losses[0] == Explained(7, 4, 5)
