"""How late an event came."""

import pytest

from cloud.domain.delays import Delay, delay_of


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
