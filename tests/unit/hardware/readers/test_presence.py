"""Presence: one tap until the card was away for reread_s."""

from hypothesis import given
from hypothesis import strategies as st

from hardware.readers.presence import Presence

A = b"\x04\x01\x02\x03"
B = b"\x04\x0a\x0b\x0c"


def test_presence_counts_a_held_card_once() -> None:
    """Looks that all see the card are one tap, however far apart they are."""
    presence = Presence(1.0)
    assert [presence.look(A, at_s) for at_s in (0.0, 0.1, 5.0, 60.0)] == [True, False, False, False]


def test_presence_counts_again_after_reread_s() -> None:
    """A card that was missed for exactly reread_s counts again."""
    presence = Presence(1.0)
    presence.look(A, 0.0)
    presence.look(None, 1.0)
    assert presence.look(A, 2.0)


def test_presence_takes_a_short_gap_for_the_same_tap() -> None:
    """A card that is back before reread_s does not count, and its next gap is measured anew."""
    presence = Presence(1.0)
    presence.look(A, 0.0)
    presence.look(None, 1.0)
    assert not presence.look(A, 1.9)
    presence.look(None, 2.0)
    assert not presence.look(A, 2.9)


def test_presence_measures_from_the_first_look_that_missed() -> None:
    """Later looks that miss the card don't prolong its tap."""
    presence = Presence(1.0)
    presence.look(A, 0.0)
    for at_s in (1.0, 1.5, 1.9):
        presence.look(None, at_s)
    assert presence.look(A, 2.0)


def test_presence_lets_another_card_count_at_once() -> None:
    """A card that takes another's place is a tap without any gap; the first one counts again only after reread_s."""
    presence = Presence(1.0)
    presence.look(A, 0.0)
    assert presence.look(B, 0.1)
    assert not presence.look(A, 0.2)
    assert not presence.look(B, 0.3)


def test_presence_with_no_reread_counts_every_return() -> None:
    """With reread_s 0 each gap makes a tap."""
    presence = Presence(0.0)
    presence.look(A, 0.0)
    presence.look(None, 0.1)
    assert presence.look(A, 0.1)


def test_presence_stays_bounded() -> None:
    """However many cards an attacker shows, memory is bounded, and new cards still count."""
    presence = Presence(1e9)
    assert all(presence.look(number.to_bytes(4, "big"), float(number)) for number in range(5000))
    assert len(presence._away_since_s) <= 64


@given(st.lists(st.tuples(st.floats(0.01, 3.0), st.sampled_from([None, A, B])), max_size=60), st.floats(0.0, 2.0))
def test_presence_never_counts_one_card_twice_within_reread_s_of_absence(
    looks: list[tuple[float, bytes | None]], reread_s: float
) -> None:
    """Between two taps of a card there is a look that missed it, at least reread_s before the second."""
    presence = Presence(reread_s)
    at_s = 0.0
    missed_since_s: dict[bytes, float | None] = {}
    for gap_s, uid in looks:
        at_s += gap_s
        tap = presence.look(uid, at_s)
        for card in (A, B):
            if card == uid:
                since_s = missed_since_s.get(card)
                assert tap == (card not in missed_since_s or (since_s is not None and at_s - since_s >= reread_s))
                missed_since_s[card] = None
            elif card in missed_since_s and missed_since_s[card] is None:
                missed_since_s[card] = at_s
