"""20,000 power cuts, inside writes and syncs too, cost nothing that was promised; and weaker settings are caught."""

import pytest

from tests.faults.power_cut import run
from tests.faults.power_cut_journal import JournalSubject
from tests.faults.power_cut_stores import StateSubject
from tests.rigs.power_cuts import cut_power

_POINTS = 20_000
_SHARES = 4


@pytest.mark.timeout(900)  # a busy machine is no defect
@pytest.mark.parametrize("share", range(_SHARES))
def test_power_cut_costs_nothing_that_was_promised(share: int) -> None:
    """Every event whose write returned is there, whole and chained; nothing else is; every file opens and goes on."""
    report = run(_POINTS // _SHARES, seed=share)
    assert report.failures == 0, report
    assert report.points == _POINTS // _SHARES
    assert report.in_write > report.points // 4
    assert report.in_sync > report.points // 20


def test_power_cuts_catch_commits_that_do_not_wait_for_the_disk() -> None:
    """With synchronous=NORMAL the files stay whole and events are lost that write() had returned."""
    report = cut_power(JournalSubject(), 250, synchronous="NORMAL")
    assert report.lost > 50
    assert report.unopenable == 0


def test_power_cuts_catch_a_disk_that_is_never_waited_for() -> None:
    """With synchronous=OFF files are damaged as well."""
    report = cut_power(JournalSubject(), 250, synchronous="OFF")
    assert report.lost > 50
    assert report.damaged > 10


def test_power_cuts_catch_an_entry_that_is_saved_durable_and_is_not() -> None:
    """The same for the small state."""
    assert cut_power(StateSubject(), 250, synchronous="NORMAL").lost > 20
