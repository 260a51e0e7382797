"""The bill: every priced thing is used, and it grows as it should."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cloud.adapters.registered import KEEP_S
from cloud.cost.measured import MEASURED
from cloud.cost.prices import PRICES
from cloud.cost.report import as_markdown, bill
from cloud.cost.usage import Assumed, Fleet, monthly
from cloud.domain.routes import Family
from tests.rigs.templates import resources

_FLEETS = st.builds(Fleet, st.integers(1, 20_000), st.integers(0, 20_000), st.integers(1, 50))


@given(_FLEETS)
def test_usage_names_every_price_and_no_other(fleet: Fleet) -> None:
    """A price without a use, or a use without a price, would make the bill wrong in silence."""
    assert set(monthly(fleet, MEASURED, Assumed())) == set(PRICES)
    assert all(units >= 0 for units in monthly(fleet, MEASURED, Assumed()).values())


@given(_FLEETS)
def test_bill_never_falls_when_the_fleet_grows(fleet: Fleet) -> None:
    """More doors, more events, more sites: no line gets cheaper."""
    before = bill(fleet)
    for bigger in (
        replace(fleet, doors=fleet.doors + 1),
        replace(fleet, events_per_day=fleet.events_per_day + 1),
        replace(fleet, sites=fleet.sites + 1),
    ):
        after = bill(bigger)
        assert all(after[name] >= before[name] for name in before)


def test_shards_follow_the_busiest_minute() -> None:
    """10,000 doors with 5,000 events each and a peak of six times the mean need two shards' worth of records."""
    fleet = Fleet(10_000, 5_000)
    assumed = Assumed(events_per_record=2.0, peak=6.0)
    hours = 30.4 * 24
    assert monthly(fleet, MEASURED, assumed)["shard"] == 2 * hours
    assert monthly(Fleet(10, 500), MEASURED, assumed)["shard"] == hours


def test_read_units_of_polling_are_one_per_look() -> None:
    """A head is below 4 KB: one consistent read is one unit."""
    quiet = monthly(Fleet(100, 0), MEASURED, Assumed(poll_s=60.0, changes_per_day=0))
    assert round(quiet["read_units"]) == round(100 * 30.4 * 24 * 60)


def test_transform_looks_at_a_controller_as_seldom_as_it_forgets_it() -> None:
    """Few records cost a look each, many a look a minute."""
    assert Assumed().registry_s == KEEP_S
    units = replace(MEASURED, record_read_units=0.0)
    assumed = Assumed(events_per_record=1.0, poll_s=1e12, changes_per_day=0, registry_s=60.0)
    assert round(monthly(Fleet(1, 100), units, assumed)["read_units"]) == round(100 * 30.4)
    assert round(monthly(Fleet(1, 9_000), units, assumed)["read_units"]) == round(1440 * 30.4)


def test_bill_has_every_alarm() -> None:
    """Each costs by the month; those of a family come with each family."""
    alarms = [alarm.template == "processor.yaml" for alarm in resources("AWS::CloudWatch::Alarm")]
    assert Assumed().alarms == sum(len(Family) if of_family else 1 for of_family in alarms)


def test_page_shows_each_fleet_and_each_price() -> None:
    """The page is for people: totals first, then what they are made of, then where the numbers are from."""
    page = as_markdown()
    assert all(f"{price.unit}" in page and price.source in page for price in PRICES.values())
    assert "| 10,000 | 5,000 | $" in page
