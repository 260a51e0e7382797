"""Correcting the time of events that were made before the clock was trusted."""

from hypothesis import given
from hypothesis import strategies as st

from agent.core.clock import boot_at_ms, correct
from agent.core.model import Now
from cloud.contract.events import parse_event
from tests.rigs.memory_ports import make_event

BOOTED_MS = 1_772_352_000_000  # 2026-03-01T08:00:00Z


def test_an_event_of_this_boot_gets_its_true_time() -> None:
    """`at` is the boot's instant plus the event's age; what the clock said stays in `at_raw`."""
    event = make_event(1, clock="unsynced", at="1970-01-01T00:00:05.000Z", mono_ms=61_234)
    corrected = correct(event, "b-1", BOOTED_MS)
    assert (corrected.at, corrected.at_raw) == ("2026-03-01T08:01:01.234Z", "1970-01-01T00:00:05.000Z")


def test_other_events_are_left_alone() -> None:
    """Not one of another boot, not a synced one, and none while the time is unknown."""
    unsynced = make_event(1, clock="unsynced")
    assert correct(unsynced, "b-2", BOOTED_MS) is unsynced
    assert correct(unsynced, "b-1", None) is unsynced
    synced = make_event(1)
    assert correct(synced, "b-1", BOOTED_MS) is synced


def test_the_instant_of_the_boot_is_known_only_with_the_clock() -> None:
    """Wall time less time since boot, and None while the wall time means nothing."""
    assert boot_at_ms(Now(mono_s=5.0, wall_s=1_772_352_010.25, known=True), 10_250) == BOOTED_MS
    assert boot_at_ms(Now(mono_s=5.0, wall_s=5.0, known=False), 10_250) is None


@given(mono_ms=st.integers(0, (1 << 53) - 1), booted_ms=st.integers(-(1 << 60), 1 << 60))
def test_correcting_keeps_the_chain_and_happens_once(mono_ms: int, booted_ms: int) -> None:
    """Whatever the numbers: the hash stays, the result is a valid event, and a second time changes nothing."""
    event = make_event(7, clock="unsynced", mono_ms=mono_ms)
    corrected = correct(event, "b-1", booted_ms)
    assert corrected.chain_hash() == event.chain_hash()
    assert parse_event(corrected.to_json()) == corrected
    assert correct(corrected, "b-1", booted_ms) == corrected
