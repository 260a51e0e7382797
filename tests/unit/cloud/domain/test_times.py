"""Moments as text."""

from cloud.domain.times import moment_s, moment_text


def test_moment_is_shown_to_the_millisecond() -> None:
    """A fraction of a second is rounded, not cut, and read back the same."""
    assert moment_text(1772352000.9996) == "2026-03-01T08:00:01.000Z"
    assert moment_s(moment_text(1772352000.25)) == 1772352000.25
