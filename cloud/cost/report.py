"""The bill as a page: per door and month for fleets of each size, what it is made of, and what was assumed."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

from cloud.cost.measured import MEASURED
from cloud.cost.prices import AS_OF, PRICES, REGION
from cloud.cost.usage import Assumed, Fleet, Measured, monthly

DOORS: Final = (10, 1_000, 10_000)
EVENTS: Final = (500, 5_000)


def bill(fleet: Fleet, measured: Measured = MEASURED, assumed: Assumed | None = None) -> Mapping[str, float]:
    """US dollars a month by price."""
    return {name: PRICES[name].of(units) for name, units in monthly(fleet, measured, assumed or Assumed()).items()}


def as_markdown() -> str:
    """The generated part of docs/cost.md."""
    blocks = [_summary(), _lines(), _assumptions(), _sources()]
    return "\n\n".join("\n".join(block) for block in blocks)


def _fleets() -> Iterator[Fleet]:
    for events in EVENTS:
        for doors in DOORS:
            yield Fleet(doors, events)


def _summary() -> list[str]:
    rows = ["| doors | events a day and door | per door and month | in all a month |", "|--:|--:|--:|--:|"]
    for fleet in _fleets():
        total = sum(bill(fleet).values())
        rows.append(f"| {fleet.doors:,} | {fleet.events_per_day:,} | ${total / fleet.doors:,.3f} | ${total:,.2f} |")
    return rows


def _lines() -> list[str]:
    bills = [(fleet, bill(fleet)) for fleet in _fleets()]
    heads = " | ".join(f"{fleet.doors:,} x {fleet.events_per_day:,}" for fleet, _ in bills)
    rows = [f"| US dollars a month | {heads} |", "|---|" + "--:|" * len(bills)]
    dearest_first = sorted(PRICES, key=lambda each: -max(found[each] for _, found in bills))
    for name in dearest_first:
        amounts = " | ".join(f"{found[name]:,.2f}" for _, found in bills)
        rows += [f"| {PRICES[name].unit} | {amounts} |"]
    return rows


def _assumptions() -> list[str]:
    rows = ["| assumed or measured | |", "|---|--:|"]
    for what, values in (("assumed", Assumed()), ("measured", MEASURED)):
        rows += [f"| {what}: {_words(each.name)} | {getattr(values, each.name):,} |" for each in _fields(values)]
    return rows


def _sources() -> list[str]:
    rows = [f"| price ({REGION}, {AS_OF}) | US dollars | source |", "|---|--:|---|"]
    rows += [f"| {each.per:,.0f} {each.unit} | {each.usd:g} | {each.source} |" for each in PRICES.values()]
    return rows


def _fields(values: Any) -> tuple[Any, ...]:
    return fields(values)


def _words(name: str) -> str:
    return name.replace("_", " ")
