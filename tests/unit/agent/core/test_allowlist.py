"""The plan leads from any position to the head, and never back."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.allowlist import (
    MOST_DELTAS,
    Nothing,
    Refuse,
    TakeDeltas,
    TakeSnapshot,
    check_delta,
    check_snapshot,
    plan,
    shrinks_too_much,
)
from cloud.contract.allowlist import Delta, Head
from cloud.contract.reasons import Reason
from tests.rigs.lists import AT, delta

_HEAD = Head(
    "hq", epoch=2, version=500, snapshot_version=400, snapshot_key="k", snapshot_sha256="", oldest_delta=250, at=AT
)


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (None, TakeSnapshot()),
        ((1, 9000), TakeSnapshot()),
        ((2, 500), Nothing()),
        ((2, 501), Refuse(Reason.ROLLBACK)),
        ((3, 1), Refuse(Reason.ROLLBACK)),
        ((2, 499), TakeDeltas(499, 500)),
        ((2, 300), TakeDeltas(300, 500)),
        ((2, 299), TakeSnapshot()),
        ((2, 248), TakeSnapshot()),
    ],
)
def test_plan_follows_from_position_and_head(position: tuple[int, int] | None, expected: object) -> None:
    """The table of what a door does."""
    assert plan(position, _HEAD) == expected


def test_many_deltas_are_taken_when_no_newer_snapshot_is_there() -> None:
    """A snapshot older than what is held is no way forward."""
    head = dataclasses.replace(_HEAD, snapshot_version=255)
    assert plan((2, 260), head) == TakeDeltas(260, 500)
    assert MOST_DELTAS < 500 - 260


def test_head_that_leads_nowhere_is_refused() -> None:
    """Deltas gone and the snapshot older than the list: the publisher's fault, and said so."""
    assert plan((2, 100), dataclasses.replace(_HEAD, snapshot_version=90)) == Refuse(Reason.MALFORMED)
    assert plan(None, dataclasses.replace(_HEAD, snapshot_version=501)) == Refuse(Reason.MALFORMED)
    assert plan(None, dataclasses.replace(_HEAD, oldest_delta=502)) == Refuse(Reason.MALFORMED)


@pytest.mark.parametrize(
    ("offered", "reason"),
    [
        (delta(epoch=2, version=6, prev=5), None),
        (delta(epoch=2, version=9, prev=5), None),
        (delta(epoch=2, version=5, prev=4), Reason.ROLLBACK),
        (delta(epoch=1, version=9, prev=5), Reason.ROLLBACK),
        (delta(epoch=2, version=7, prev=6), Reason.MALFORMED),
        (delta(epoch=3, version=6, prev=5), Reason.MALFORMED),
    ],
)
def test_delta_must_follow_the_position(offered: Delta, reason: Reason | None) -> None:
    """Only the next link of the chain is applied."""
    assert check_delta((2, 5), offered) is reason


def test_snapshot_must_be_newer() -> None:
    """Any first one, a higher version, or a higher epoch."""
    assert check_snapshot(None, 1, 1) is None
    assert check_snapshot((2, 5), 2, 6) is None
    assert check_snapshot((2, 5), 3, 1) is None
    assert check_snapshot((2, 5), 2, 5) is Reason.ROLLBACK
    assert check_snapshot((2, 5), 1, 9) is Reason.ROLLBACK


@pytest.mark.parametrize(
    ("removed", "held", "allow", "too_much"),
    [
        (0, 0, False, False),
        (20, 100, False, False),
        (21, 100, False, True),
        (100, 100, True, False),
        (1, 4, False, True),
    ],
)
def test_shrink_guard_trips_above_a_fifth(removed: int, held: int, allow: bool, too_much: bool) -> None:
    """A fifth may go; more needs to be signed as meant."""
    assert shrinks_too_much(removed, held, allow_shrink=allow) is too_much


@st.composite
def _heads(draw: st.DrawFn) -> Head:
    version = draw(st.integers(1, 600))
    snapshot_version = draw(st.integers(1, version))
    # A publisher keeps the deltas that follow its snapshot, and maybe older ones.
    oldest = draw(st.integers(1, snapshot_version + 1))
    return Head("hq", draw(st.integers(1, 3)), version, snapshot_version, "k", "", oldest, AT)


@given(_heads(), st.none() | st.tuples(st.integers(1, 3), st.integers(1, 600)))
def test_following_the_plan_reaches_the_head_and_never_goes_back(head: Head, position: tuple[int, int] | None) -> None:
    """With any publisher that keeps its rules, from any position: the head, or a refusal of what is older."""
    for _ in range(3):
        step = plan(position, head)
        before = position
        match step:
            case Nothing():
                assert position == (head.epoch, head.version)
                return
            case Refuse(reason):
                assert reason is Reason.ROLLBACK
                assert position is not None
                assert position > (head.epoch, head.version)
                return
            case TakeSnapshot():
                assert check_snapshot(position, head.epoch, head.snapshot_version) is None
                position = head.epoch, head.snapshot_version
            case TakeDeltas(after, upto):
                assert position is not None
                assert head.oldest_delta <= after + 1
                for version in range(after + 1, upto + 1):
                    assert check_delta(position, delta(epoch=head.epoch, version=version)) is None
                    position = head.epoch, version
        assert before is None or position > before
    pytest.fail("the plan did not end")
