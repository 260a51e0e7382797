"""The decision: may this holder go through this door now? One function for the door, for `why` and for tests.

The checks run in the order of `_entry_steps`; the first that fails gives the reason, and docs/decisions.md explains
it to guards. What the card is comes before what the time is, and that before what the door is: a stolen card is
called stolen even at midnight in a lockdown. A reader that leads out never refuses; the checks of the holder then
only say what they would have said. Must never do I/O, read a clock, or raise: whatever is missing denies entry.
"""

from collections.abc import Iterator
from typing import Final

from agent.core.model import (
    Check,
    ClockPolicy,
    Decision,
    DecisionSettings,
    Direction,
    Holder,
    Now,
    Policy,
    Request,
    StalePolicy,
)
from agent.core.rights import Finding, belongs, group_finding
from agent.core.schedule import FIRST_S, LAST_S
from agent.core.validity import Moment, denial_words, denies
from cloud.contract.items import AntiPassback, Card, CardStatus, Door, DoorMode, Person
from cloud.contract.reasons import Reason

_Step = tuple[str, Finding]
"""A check's name and its finding."""

_STATUS: Final[dict[CardStatus, Reason]] = {
    CardStatus.INACTIVE: Reason.INACTIVE_CARD,
    CardStatus.REVOKED: Reason.REVOKED,
    CardStatus.LOST: Reason.LOST,
    CardStatus.STOLEN: Reason.STOLEN,
}


def decide(request: Request, settings: DecisionSettings, now: Now) -> Decision:
    """Decide one request. Every input has an answer, and going out is always granted.

    `leads_to` is the area behind the reader (the door's `inside` for in, `outside` for out) when access is granted,
    None when it is denied. `person` is whom the card names, whether or not the list has that person.
    """
    # A clock that shows a time outside the calendar is not known, whatever it says of itself.
    known = now.known and FIRST_S <= now.wall_s < LAST_S
    policy, holder = request.policy, request.holder
    moment = Moment(now.wall_s if known else None, settings.clock_policy, policy.issued_s if policy else 0)
    door = None if policy is None else policy.doors.get(request.door)
    door = door or Door(request.door)
    entering = request.direction != Direction.OUT
    steps = _entry_steps(request, settings, door, moment) if entering else _holder_steps(request, moment)
    checks: list[Check] = []
    denied: Reason | None = None
    for name, (denied, words) in steps:
        checks.append(Check(name, denied is None, words))
        if denied is not None:
            break
    person = None if holder is None else holder.card.person
    if not entering:
        checks.append(Check("exit", True, "this reader leads out, and going out is never refused"))
        reason = Reason.ALLOWED if denied is None else Reason.EXIT
        return Decision(True, reason, person, door.outside, denied, tuple(checks))
    if denied is not None:
        return Decision(False, denied, person, None, None, tuple(checks))
    reason = Reason.DOOR_UNLOCKED if door.mode is DoorMode.UNLOCKED else Reason.ALLOWED
    return Decision(True, reason, person, door.inside, None, tuple(checks))


def _entry_steps(request: Request, settings: DecisionSettings, door: Door, moment: Moment) -> Iterator[_Step]:
    """All checks of an entry, in order. Lazy: what comes after a failed check is never worked out."""
    yield from _holder_steps(request, moment, unlocked=door.mode is DoorMode.UNLOCKED)
    # The steps before passed, so there are a list and a person.
    if request.policy is not None and request.holder is not None and request.holder.person is not None:
        yield "list_age", _list_age(request.list_age_s, settings, request.holder.person, moment)
        yield "door_mode", _door_mode(door)
        yield "passback", _passback(request.policy, door, request.area)


def _holder_steps(request: Request, moment: Moment, *, unlocked: bool = False) -> Iterator[_Step]:
    """The checks of list, card and person: all of an entry's that an exit has too."""
    policy, holder = request.policy, request.holder
    if policy is None:
        yield "list", (Reason.NO_ALLOWLIST, "this door has not received an allow-list yet")
        return
    yield "list", (None, f"allow-list {policy.epoch}.{policy.version}")
    if holder is None:
        yield "card", (Reason.UNKNOWN_CARD, "the card is not on the allow-list")
        return
    yield "card", (None, f"the card belongs to person {holder.card.person}")
    yield "card_status", _card_status(holder.card)
    yield "person", _person(holder)
    if holder.person is None:
        return
    if moment.at_s is None:
        yield "clock", _clock(moment.clock)
    yield "validity", _validity(holder.card, holder.person, moment)
    if unlocked:
        yield "groups", (None, "the door is in unlocked mode, so groups and schedules are not asked")
    else:
        yield "groups", group_finding(policy, holder.person, request.door, moment)


def _card_status(card: Card) -> Finding:
    return _STATUS.get(card.status), f"the card is {card.status.value}"


def _person(holder: Holder) -> Finding:
    if holder.person is None:
        return Reason.INACTIVE_PERSON, f"person {holder.card.person} is not on the allow-list"
    if not holder.person.active:
        return Reason.INACTIVE_PERSON, f"person {holder.person.id} is not active"
    return None, f"person {holder.person.id} is active"


def _clock(policy: ClockPolicy) -> Finding:
    if policy is ClockPolicy.DENY:
        return Reason.CLOCK_UNKNOWN, "this door does not know the time, and then admits nobody"
    return None, f"this door does not know the time, and then follows {policy.value}"


def _validity(card: Card, person: Person, moment: Moment) -> Finding:
    for what, item in (("the card", card), ("the person", person)):
        reason = denies(item, moment)
        if reason is not None:
            return reason, denial_words(what, item, reason, moment)
    if moment.at_s is None:
        return None, "no validity stands against card or person"
    return None, "card and person are within their validity"


def _list_age(age_s: float, settings: DecisionSettings, person: Person, moment: Moment) -> Finding:
    limit_s = settings.max_list_age_s
    if limit_s is None:
        return None, f"the allow-list was last known to be the newest {age_s:.0f} s ago, and no limit is set"
    if age_s <= limit_s:
        return None, f"the allow-list was last known to be the newest {age_s:.0f} s ago, within {limit_s:.0f} s"
    too_old = f"the allow-list was last known to be the newest {age_s:.0f} s ago, above {limit_s:.0f} s"
    if settings.stale_policy is StalePolicy.CARRY_ON:
        return None, f"{too_old}; this door carries on"
    group = belongs(person, settings.stale_groups, moment)
    if group is not None:
        return None, f"{too_old}; group {group} is admitted all the same"
    return Reason.STALE_ALLOWLIST, f"{too_old}, and no group of person {person.id} is admitted then"


def _door_mode(door: Door) -> Finding:
    match door.mode:
        case DoorMode.LOCKDOWN:
            return Reason.LOCKDOWN, f"{door.id} is in lockdown"
        case DoorMode.DISABLED:
            return Reason.DOOR_DISABLED, f"{door.id} is disabled"
        case DoorMode.NORMAL | DoorMode.UNLOCKED:
            return None, f"{door.id} is in {door.mode.value} mode"


def _passback(policy: Policy, door: Door, area: str | None) -> Finding:
    behind = None if door.inside is None else policy.areas.get(door.inside)
    if behind is None or behind.anti_passback is not AntiPassback.HARD:
        return None, f"{door.id} leads to no area with anti-passback"
    if area == behind.id:
        return Reason.PASSBACK, f"the person is already in {behind.id} and has not left it"
    return None, f"the person is not in {behind.id}"
