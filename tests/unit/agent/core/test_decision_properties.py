"""What must hold of the decision for any request at all: exits, coherence, and that facts only ever take away."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import inf
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from agent.core.decision import decide
from agent.core.model import ClockPolicy, DecisionSettings, Direction, Holder, Now, Policy, Request, StalePolicy
from cloud.contract.items import (
    AntiPassback,
    Area,
    Card,
    CardStatus,
    Door,
    DoorMode,
    Grant,
    Group,
    Holidays,
    Membership,
    Person,
    Schedule,
    Window,
)
from cloud.contract.reasons import Reason

NOON_S = 1_772_622_000
"""Noon in Berlin, Wednesday 4 March 2026."""
GRANTS = {Reason.ALLOWED, Reason.DOOR_UNLOCKED}

T = TypeVar("T")


def mostly(good: SearchStrategy[T], bad: SearchStrategy[T]) -> SearchStrategy[T]:
    """Seven times in eight the good: were every fact bad half the time, nobody would ever get in."""
    return st.sampled_from(range(8)).flatmap(lambda drawn: bad if drawn == 7 else good)


def by_id(build: Callable[[str], SearchStrategy[T]]) -> SearchStrategy[dict[str, T]]:
    """Items a and b, and sometimes c: what refers to c may find nothing."""
    return st.fixed_dictionaries({name: build(name) for name in "ab"}, optional={"c": build("c")})


NONE = st.none()
ids = mostly(st.sampled_from("ab"), st.just("c"))
bounds = mostly(NONE, st.integers(NOON_S - 2, NOON_S + 2) | st.integers(-(2**70), 2**70))
modes = mostly(st.sampled_from([DoorMode.NORMAL, DoorMode.UNLOCKED]), st.sampled_from(DoorMode))
zones = mostly(st.sampled_from(["Europe/Berlin", "Pacific/Apia"]), st.just("Atlantis/Poseidonis"))
windows = st.builds(Window, st.frozensets(st.integers(0, 6), min_size=3), st.integers(0, 1439), st.integers(0, 1440))
memberships = st.lists(st.builds(Membership, ids, bounds, bounds), min_size=1, max_size=3).map(tuple)
days_off = st.frozensets(st.dates(date(2026, 3, 2), date(2026, 3, 6)), max_size=3)
grants = st.builds(Grant, ids, NONE | ids)
policies = st.builds(
    Policy,
    epoch=st.just(1),
    version=st.just(1),
    issued_s=st.integers(NOON_S - 2, NOON_S + 2),
    groups=by_id(lambda name: st.builds(Group, st.just(name), st.lists(grants, min_size=1, max_size=3).map(tuple))),
    schedules=by_id(
        lambda name: st.builds(Schedule, st.just(name), zones, st.lists(windows, max_size=2).map(tuple), NONE | ids)
    ),
    holidays=by_id(lambda name: st.builds(Holidays, st.just(name), days_off)),
    doors=by_id(lambda name: st.builds(Door, st.just(name), modes, NONE | ids)),
    areas=by_id(lambda name: st.builds(Area, st.just(name), st.sampled_from(AntiPassback))),
)
persons = st.builds(Person, st.just("p"), mostly(st.just(True), st.just(False)), memberships, bounds, bounds)
cards = st.builds(
    Card,
    st.just("0" * 32),
    st.just("p"),
    mostly(st.just(CardStatus.ACTIVE), st.sampled_from(CardStatus)),
    bounds,
    bounds,
)
requests = st.builds(
    Request,
    door=ids,
    direction=st.sampled_from(Direction),
    holder=mostly(st.builds(Holder, cards, mostly(persons, NONE)), NONE),
    policy=mostly(policies, NONE),
    list_age_s=st.floats(),
    area=NONE | ids,
)
choices = st.builds(
    DecisionSettings,
    st.sampled_from(ClockPolicy),
    NONE | st.floats(),
    st.sampled_from(StalePolicy),
    st.frozensets(ids),
)
walls = mostly(st.floats(NOON_S - 1e6, NOON_S + 1e6) | st.just(float(NOON_S)), st.floats())
nows = st.builds(Now, st.just(0.0), walls, mostly(st.just(True), st.just(False)))


@settings(max_examples=150, deadline=None)
@given(request=requests, chosen=choices, now=nows)
def test_an_exit_is_never_refused(request: Request, chosen: DecisionSettings, now: Now) -> None:
    """No list, card, clock or mode holds anybody in."""
    decision = decide(replace(request, direction=Direction.OUT), chosen, now)
    assert decision.granted
    assert decision.reason in {Reason.ALLOWED, Reason.EXIT}
    assert (decision.noted is None) is (decision.reason is Reason.ALLOWED)


@settings(max_examples=150, deadline=None)
@given(request=requests, chosen=choices, now=nows)
def test_every_request_has_one_coherent_answer(request: Request, chosen: DecisionSettings, now: Now) -> None:
    """Granted means that every check passed; denied, that exactly the last one did not; each has its words."""
    decision = decide(request, chosen, now)
    assert decision == decide(request, chosen, now)
    assert all(check.text for check in decision.checks)
    if request.direction is Direction.OUT:
        return
    assert decision.granted is (decision.reason in GRANTS)
    assert [check.passed for check in decision.checks[:-1]] == [True] * (len(decision.checks) - 1)
    assert decision.checks[-1].passed is decision.granted


@dataclass(frozen=True)
class Worse:
    """One fact made worse for the holder."""

    name: str
    apply: Callable[[Request], Request]


def on_card(**facts: object) -> Callable[[Request], Request]:
    def apply(request: Request) -> Request:
        if request.holder is None:
            return request
        card = replace(request.holder.card, **facts)  # type: ignore[arg-type]
        return replace(request, holder=replace(request.holder, card=card))

    return apply


def on_person(change: Callable[[Person], Person | None]) -> Callable[[Request], Request]:
    def apply(request: Request) -> Request:
        if request.holder is None or request.holder.person is None:
            return request
        return replace(request, holder=replace(request.holder, person=change(request.holder.person)))

    return apply


def on_policy(change: Callable[[Policy, str], Policy]) -> Callable[[Request], Request]:
    def apply(request: Request) -> Request:
        return request if request.policy is None else replace(request, policy=change(request.policy, request.door))

    return apply


def in_mode(mode: DoorMode) -> Callable[[Policy, str], Policy]:
    def change(policy: Policy, door: str) -> Policy:
        return replace(policy, doors={**policy.doors, door: replace(policy.doors.get(door, Door(door)), mode=mode)})

    return change


def over(person: Person) -> Person:
    return replace(person, groups=tuple(replace(it, valid_until=0) for it in person.groups))


def to_come(person: Person) -> Person:
    return replace(person, groups=tuple(replace(it, valid_from=2**70) for it in person.groups))


def always_off(policy: Policy) -> dict[str, Holidays]:
    every_day = frozenset(date(2026, 2, 1) + timedelta(days=day) for day in range(60))
    return {name: Holidays(name, every_day) for name in policy.holidays}


WORSE = [
    Worse("the list is lost", lambda request: replace(request, policy=None)),
    Worse("the card is not listed", lambda request: replace(request, holder=None)),
    *(Worse(f"the card is {it.value}", on_card(status=it)) for it in CardStatus if it is not CardStatus.ACTIVE),
    Worse("the card has expired", on_card(valid_until=0)),
    Worse("the person is not listed", on_person(lambda _person: None)),
    Worse("the person is not active", on_person(lambda person: replace(person, active=False))),
    Worse("the person has expired", on_person(lambda person: replace(person, valid_until=0))),
    Worse("the person leaves a group", on_person(lambda person: replace(person, groups=person.groups[1:]))),
    Worse("the memberships are over", on_person(over)),
    Worse("the memberships begin later", on_person(to_come)),
    Worse("the groups are gone", on_policy(lambda policy, _door: replace(policy, groups={}))),
    Worse("the schedules are gone", on_policy(lambda policy, _door: replace(policy, schedules={}))),
    Worse("the holidays are gone", on_policy(lambda policy, _door: replace(policy, holidays={}))),
    Worse("every day is a holiday", on_policy(lambda policy, _door: replace(policy, holidays=always_off(policy)))),
    Worse("lockdown", on_policy(in_mode(DoorMode.LOCKDOWN))),
    Worse("disabled", on_policy(in_mode(DoorMode.DISABLED))),
    Worse("the list grows old", lambda request: replace(request, list_age_s=inf)),
]


@pytest.mark.parametrize("worse", WORSE, ids=lambda worse: worse.name)
@settings(max_examples=60, deadline=None)
@given(request=requests, chosen=choices, now=nows)
def test_no_worse_fact_turns_a_denial_into_a_grant(
    worse: Worse, request: Request, chosen: DecisionSettings, now: Now
) -> None:
    """Taking a right away can only take access away."""
    entry = replace(request, direction=Direction.IN)
    if decide(worse.apply(entry), chosen, now).granted:
        assert decide(entry, chosen, now).granted


@settings(max_examples=200, deadline=None)
@given(request=requests, chosen=choices, now=nows)
def test_the_order_of_a_persons_groups_does_not_matter(request: Request, chosen: DecisionSettings, now: Now) -> None:
    """The best outcome wins wherever it stands."""
    turned = on_person(lambda person: replace(person, groups=person.groups[::-1]))(request)
    one, other = decide(request, chosen, now), decide(turned, chosen, now)
    assert (one.granted, one.reason, one.noted) == (other.granted, other.reason, other.noted)
