"""How late an event came."""

import pytest

from cloud.domain.delays import Delay, arrival_text, delay_of, seconds_of


@pytest.mark.parametrize(
    ("arrived_at", "expected"),
    [
        ("2026-03-01T07:59:00.000Z", Delay.ONLINE),
        ("2026-03-01T08:00:00.000Z", Delay.ONLINE),
        ("2026-03-01T08:01:00.000Z", Delay.ONLINE),
        ("2026-03-01T08:01:00.001Z", Delay.GRACE),
        ("2026-03-02T08:00:00.000Z", Delay.GRACE),
        ("2026-03-02T08:00:00.001Z", Delay.OFFLINE),
    ],
)
def test_delay_is_classed_by_arrival(arrived_at: str, expected: Delay) -> None:
    """A minute, a day, and what lies beyond; a clock that is ahead makes nothing late."""
    assert delay_of("2026-03-01T08:00:00.000Z", arrived_at) is expected


def test_arrival_is_shown_to_the_millisecond() -> None:
    """What the stream gives as a fraction of a second is rounded, not cut, and read back the same."""
    assert arrival_text(1772352000.9996) == "2026-03-01T08:00:01.000Z"
    assert seconds_of(arrival_text(1772352000.25)) == 1772352000.25
