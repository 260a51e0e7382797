"""Strangers' text, made safe to show."""

from hypothesis import given
from hypothesis import strategies as st

from agent.printable import one_line


@given(st.text(max_size=400), st.integers(3, 300))
def test_text_is_one_printable_line_of_bounded_length(text: str, most: int) -> None:
    """Whatever was given; what is harmless and fits stays as it is."""
    shown = one_line(text, most)
    assert shown.isprintable()
    assert len(shown) <= most
    assert shown == text or not text.isprintable() or len(text) > most


def test_escapes_are_shown_not_sent() -> None:
    """A person sees that something was there."""
    assert one_line("a\x1b[2J\nb\ud800") == "a\\x1b[2J\\nb\\ud800"
