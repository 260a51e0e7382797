"""What has arrived of a device's events, whatever order the records come in."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cloud.contract.events import Event, EventType
from cloud.domain.streams import (
    HOLES,
    MAX_RUNS,
    ChainBroken,
    Finding,
    GivenUp,
    Stream,
    merge,
    settled,
    unexplained,
)
from tests.rigs.histories import Device

AT = "2026-03-01T09:00:00.000Z"
LATER = "2026-03-01T09:10:00.000Z"


def device(count: int) -> Device:
    made = Device("d-1")
    made.many(count)
    return made


def arrived(
    records: Sequence[Sequence[Event]], at: str = AT, stream: Stream | None = None
) -> tuple[Stream, list[int], list[Finding]]:
    """The stream after these records, the seqs that were new, and what was found."""
    stream = Stream("d-1", 1) if stream is None else stream
    new: list[int] = []
    found: list[Finding] = []
    for events in records:
        merged = merge(stream, events, at)
        stream = merged.stream
        new += [event.seq for event in merged.new]
        found += merged.findings
    return stream, new, found


_LENGTH = 30
_spans = st.lists(
    st.tuples(st.integers(1, _LENGTH), st.integers(1, _LENGTH)).map(lambda ends: (min(ends), max(ends))),
    min_size=1,
    max_size=12,
)
_HISTORY = device(_LENGTH)
_BROKEN = device(_LENGTH)
for _seq in (7, 8, 21):
    _BROKEN.events[_seq - 1] = replace(_BROKEN.events[_seq - 1], prev="f" * 64)


@given(_spans, st.randoms(use_true_random=False))
def test_stream_does_not_depend_on_the_order_of_records(spans: list[tuple[int, int]], random: object) -> None:
    """Any overlapping records in any order, repeated, give one state, and each event is new exactly once."""
    records = [_HISTORY.run(*span) for span in spans]
    shuffled = records + records[::2]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis has no public type for it
    one, new, found = arrived(records)
    other, new_too, found_too = arrived(shuffled)
    assert one == other
    assert sorted(new) == sorted(new_too) == sorted({event.seq for record in records for event in record})
    assert found == found_too == []


@given(_spans, st.randoms(use_true_random=False))
def test_each_break_of_the_chain_is_found_once(spans: list[tuple[int, int]], random: object) -> None:
    """Whether it lies inside a record or between two, in whatever order and however often they come."""
    records = [_BROKEN.run(*span) for span in [*spans, (1, _LENGTH)]]
    random.shuffle(records)  # type: ignore[attr-defined]  # as above
    _, _, found = arrived([*records, *records])
    # The event after a changed one does not follow on it either.
    assert sorted(found, key=str) == sorted((ChainBroken(1, seq) for seq in (7, 8, 9, 21, 22)), key=str)


@given(_spans)
def test_stream_survives_being_stored(spans: list[tuple[int, int]]) -> None:
    """What is read back is what was written."""
    stream, _, _ = arrived([_HISTORY.run(*span) for span in spans])
    assert Stream.read("d-1", 1, stream.fields()) == stream


def test_whole_history_has_no_hole_and_is_in_no_index() -> None:
    """One run, from the first event on."""
    stream, _, _ = arrived([_HISTORY.run(1, 10), _HISTORY.run(11, 30)])
    assert [(run.first, run.last) for run in stream.runs] == [(1, 30)]
    assert stream.holes == ()
    assert "g1pk" not in stream.fields()


def test_alarm_that_goes_ahead_leaves_a_hole_until_the_rest_comes() -> None:
    """A hole is seen, findable, and gone once it is filled."""
    merged = merge(Stream("d-1", 1), _HISTORY.run(20, 20), AT)
    assert merged.opened_hole
    assert [(hole.first, hole.last, hole.since) for hole in merged.stream.holes] == [(1, 19, AT)]
    assert merged.stream.fields()["g1pk"] == HOLES
    filled, _, _ = arrived([_HISTORY.run(1, 19)], stream=merged.stream)
    assert filled.holes == ()


def test_hole_that_becomes_smaller_is_young_again() -> None:
    """While a backlog is on its way nothing is missing yet."""
    stream, _, _ = arrived([_HISTORY.run(20, 20)])
    stream, _, _ = arrived([_HISTORY.run(1, 5)], LATER, stream)
    assert [(hole.first, hole.last, hole.since) for hole in stream.holes] == [(6, 19, LATER)]


def test_later_events_do_not_make_a_hole_younger() -> None:
    """Its age runs from when it was first seen."""
    stream, _, _ = arrived([_HISTORY.run(20, 20)])
    stream, _, _ = arrived([_HISTORY.run(21, 25)], LATER, stream)
    assert [(hole.since) for hole in stream.holes] == [AT]


def test_first_event_of_an_epoch_follows_on_nothing() -> None:
    """An epoch that begins with a `prev` is a break."""
    first = replace(_HISTORY.events[0], prev="a" * 64)
    assert merge(Stream("d-1", 1), [first], AT).findings == (ChainBroken(1, 1),)


def test_event_that_was_rewritten_is_found_where_records_met() -> None:
    """The same place with other content does not replace what arrived first."""
    stream, _, _ = arrived([_HISTORY.run(1, 10)])
    forged = [*_HISTORY.run(5, 9), replace(_HISTORY.events[9], reason="other")]
    _, new, found = arrived([forged], stream=stream)
    assert (new, found) == ([], [ChainBroken(1, 10)])


def test_loss_that_the_device_tells_of_explains_the_hole() -> None:
    """A journal.gap event names what is missing, of its own epoch or an earlier one."""
    made = device(9)
    made.add(EventType.JOURNAL_GAP, detail={"epoch": 1, "first": 3, "last": 9, "count": 7, "reason": "full"})
    stream, _, _ = arrived([made.run(1, 2), made.run(10, 10)])
    (hole,) = stream.holes
    assert unexplained(1, hole, [stream]) == []
    assert "g1pk" not in stream.fields()


def test_loss_explains_no_more_than_it_names() -> None:
    """The rest of the hole stays unexplained."""
    made = device(9)
    made.add(EventType.JOURNAL_GAP, detail={"epoch": 1, "first": 4, "last": 6, "count": 3, "reason": "full"})
    stream, _, _ = arrived([made.run(10, 10)])
    (hole,) = stream.holes
    assert unexplained(1, hole, [stream]) == [(1, 3), (7, 9)]


def test_journal_set_aside_explains_earlier_epochs_only() -> None:
    """What the lost journal held is known to be lost; what is missing of the new one is not."""
    later = Device("d-1", epoch=2)
    later.add(EventType.JOURNAL_SET_ASIDE, detail={"reason": "damaged", "rescued": 2})
    later.many(5)
    new_epoch = merge(Stream("d-1", 2), later.run(1, 1), AT).stream
    new_epoch = merge(new_epoch, later.run(4, 5), AT).stream
    old_epoch, _, _ = arrived([_HISTORY.run(5, 6)])
    assert unexplained(1, old_epoch.holes[0], [old_epoch, new_epoch]) == []
    assert unexplained(2, new_epoch.holes[0], [old_epoch, new_epoch]) == [(2, 3)]


def test_settled_hole_stays_settled_while_it_is_filled() -> None:
    """Who was told of a hole is not told again of what is left of it."""
    stream, _, _ = arrived([_HISTORY.run(20, 20)])
    stream = settled(stream, stream.holes)
    stream, _, _ = arrived([_HISTORY.run(10, 12)], LATER, stream)
    assert [(hole.first, hole.last, hole.settled) for hole in stream.holes] == [(1, 9, True), (13, 19, True)]
    assert "g1pk" not in stream.fields()


def test_too_many_holes_are_given_up_aloud() -> None:
    """The bound holds, a finding tells of it, and what comes later into the hole is still taken."""
    made = device(2 * MAX_RUNS + 2)
    stream, _, found = arrived([made.run(seq, seq) for seq in range(2, 2 * MAX_RUNS + 3, 2)])
    assert len(stream.runs) == MAX_RUNS
    assert found == [GivenUp(1, 3, 3)]
    _, late, found = arrived([made.run(3, 3)], stream=stream)
    assert (late, found) == ([3], [])
