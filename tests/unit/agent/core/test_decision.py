"""The decision as a truth table: every reason, the order of the checks, and the words."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from math import inf, nan
from zoneinfo import ZoneInfo

import pytest

from agent.core.decision import decide
from agent.core.model import (
    ClockPolicy,
    Decision,
    DecisionSettings,
    Direction,
    Holder,
    Now,
    Policy,
    Request,
    StalePolicy,
    Words,
)
from agent.core.rights import MAX_NAMED
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

ZONE = "Europe/Berlin"
ISSUED_S = int(datetime(2026, 3, 1, tzinfo=ZoneInfo(ZONE)).timestamp())
OFFICE_HOURS = Schedule("office-hours", ZONE, (Window(frozenset(range(5)), 7 * 60, 18 * 60),))
NIGHTS = Schedule("nights", ZONE, (Window(frozenset(range(5)), 22 * 60, 6 * 60),), "holidays")
SCHEDULES = {
    "office-hours": OFFICE_HOURS,
    "work-days": replace(OFFICE_HOURS, id="work-days", holidays="holidays"),
    "nights": NIGHTS,
    "lost-days": replace(OFFICE_HOURS, id="lost-days", holidays="no-such-holidays"),
}
HOLIDAYS = {"holidays": Holidays("holidays", frozenset({date(2026, 4, 3), date(2026, 4, 6)}))}
GROUPS = {
    "staff": Group("staff", (Grant("lobby", "office-hours"), Grant("lab", "office-hours"))),
    "wardens": Group("wardens", (Grant("lobby"),)),
    "visitors": Group("visitors", (Grant("canteen"),)),
    "ghosts": Group("ghosts", (Grant("lobby", "no-such-schedule"),)),
    "workers": Group("workers", (Grant("lobby", "work-days"),)),
    "watch": Group("watch", (Grant("lobby", "nights"),)),
    "losers": Group("losers", (Grant("lobby", "lost-days"),)),
}
DENY, UNTIMED_ONLY, IGNORE = ClockPolicy.DENY, ClockPolicy.UNTIMED_ONLY, ClockPolicy.IGNORE_SCHEDULES


def at(text: str) -> Now:
    """A moment of trusted Berlin time."""
    return Now(0.0, datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp(), known=True)


NOON, NIGHT, NO_CLOCK = at("2026-03-04 12:00"), at("2026-03-06 19:30"), Now(0.0, 0.0, known=False)
NOON_S = int(NOON.wall_s)
GOOD_FRIDAY, EASTER_MONDAY = at("2026-04-03 12:00"), at("2026-04-06 12:00")

PLAIN = DecisionSettings()


@dataclass(frozen=True)
class Scene:
    """A person of the staff at the lobby's way in at noon, unless told otherwise."""

    listed: bool = True
    known: bool = True
    person_listed: bool = True
    status: CardStatus = CardStatus.ACTIVE
    card_from: int | None = None
    card_until: int | None = None
    active: bool = True
    groups: tuple[str | Membership, ...] = ("staff",)
    from_s: int | None = None
    until_s: int | None = None
    door: str = "lobby"
    direction: Direction = Direction.IN
    mode: DoorMode = DoorMode.NORMAL
    inside: str | None = "building"
    anti_passback: AntiPassback = AntiPassback.HARD
    area: str | None = None
    age_s: float = 10.0
    settings: DecisionSettings = PLAIN
    now: Now = NOON

    def request(self) -> Request:
        policy = Policy(
            epoch=1,
            version=7,
            issued_s=ISSUED_S,
            groups=GROUPS,
            schedules=SCHEDULES,
            holidays=HOLIDAYS,
            doors={self.door: Door(self.door, self.mode, self.inside, "street")},
            areas={"building": Area("building", self.anti_passback)},
        )
        card = Card("0" * 32, "anna", self.status, self.card_from, self.card_until)
        groups = tuple(Membership(it) if isinstance(it, str) else it for it in self.groups)
        person = Person("anna", self.active, groups, self.from_s, self.until_s) if self.person_listed else None
        holder = Holder(card, person) if self.known else None
        return Request(self.door, self.direction, holder, policy if self.listed else None, self.age_s, self.area)

    def decide(self) -> Decision:
        return decide(self.request(), self.settings, self.now)


def stale(policy: StalePolicy, *groups: str) -> DecisionSettings:
    return DecisionSettings(max_list_age_s=3600, stale_policy=policy, stale_groups=frozenset(groups))


def clock(policy: ClockPolicy) -> DecisionSettings:
    return DecisionSettings(clock_policy=policy)


S, R, M = Scene, Reason, Membership
TABLE = [
    # the list and the card
    (S(), R.ALLOWED),
    (S(listed=False), R.NO_ALLOWLIST),
    (S(known=False), R.UNKNOWN_CARD),
    (S(status=CardStatus.REVOKED), R.REVOKED),
    (S(status=CardStatus.LOST), R.LOST),
    (S(status=CardStatus.STOLEN), R.STOLEN),
    (S(status=CardStatus.INACTIVE), R.INACTIVE_CARD),
    # the person
    (S(person_listed=False), R.INACTIVE_PERSON),
    (S(active=False), R.INACTIVE_PERSON),
    # validity, to the second: from <= now < until
    (S(card_from=NOON_S), R.ALLOWED),
    (S(card_from=NOON_S + 1), R.NOT_YET_VALID),
    (S(card_until=NOON_S + 1), R.ALLOWED),
    (S(card_until=NOON_S), R.EXPIRED),
    (S(from_s=NOON_S), R.ALLOWED),
    (S(from_s=NOON_S + 1), R.NOT_YET_VALID),
    (S(until_s=NOON_S + 1), R.ALLOWED),
    (S(until_s=NOON_S), R.EXPIRED),
    (S(card_from=NOON_S - 1, card_until=NOON_S + 1, from_s=NOON_S - 1, until_s=NOON_S + 1), R.ALLOWED),
    (S(card_until=NOON_S, from_s=NOON_S + 1), R.EXPIRED),  # the card speaks first
    (S(card_from=NOON_S + 1, until_s=NOON_S), R.NOT_YET_VALID),
    (S(card_from=NOON_S + 1, card_until=NOON_S), R.NOT_YET_VALID),  # a start that never comes before its end
    # groups: the best outcome wins
    (S(groups=()), R.NO_GROUP),
    (S(groups=("visitors",)), R.NO_GROUP),
    (S(groups=("no-such-group",)), R.NO_GROUP),
    (S(groups=("ghosts",)), R.NO_GROUP),
    (S(groups=("ghosts", "no-such-group", "staff")), R.ALLOWED),
    (S(now=NIGHT), R.OUTSIDE_SCHEDULE),
    (S(now=NIGHT, groups=("visitors", "ghosts", "staff")), R.OUTSIDE_SCHEDULE),
    (S(now=NIGHT, groups=("staff", "wardens")), R.ALLOWED),
    (S(now=NIGHT, groups=("wardens", "staff")), R.ALLOWED),
    (S(door="cellar"), R.NO_GROUP),
    # memberships, to the second: from <= now < until; among what keeps a door shut the nearest to opening is told
    (S(groups=(M("staff", NOON_S),)), R.ALLOWED),
    (S(groups=(M("staff", NOON_S + 1),)), R.NOT_YET_VALID),
    (S(groups=(M("staff", None, NOON_S + 1),)), R.ALLOWED),
    (S(groups=(M("staff", None, NOON_S),)), R.EXPIRED),
    (S(groups=(M("staff", None, NOON_S), M("staff", NOON_S))), R.ALLOWED),  # again, without a gap
    (S(groups=(M("staff", None, NOON_S), M("wardens", NOON_S + 1))), R.NOT_YET_VALID),
    (S(groups=(M("wardens", None, 1), "staff")), R.ALLOWED),
    (S(groups=(M("wardens", None, 1), "staff"), now=NIGHT), R.OUTSIDE_SCHEDULE),
    (S(groups=(M("wardens", 2**40), "staff"), now=NIGHT), R.OUTSIDE_SCHEDULE),
    (S(groups=(M("staff", None, 1),), now=NIGHT), R.EXPIRED),  # at no hour would it open
    (S(groups=(M("visitors", None, 1), M("ghosts", 2**40), M("no-such-group", 2**40))), R.NO_GROUP),
    # holidays
    (S(groups=("workers",)), R.ALLOWED),
    (S(groups=("workers",), now=NIGHT), R.OUTSIDE_SCHEDULE),
    (S(groups=("workers",), now=GOOD_FRIDAY), R.HOLIDAY),
    (S(groups=("workers",), now=at("2026-04-03 18:00")), R.OUTSIDE_SCHEDULE),
    (S(groups=("workers", "staff"), now=GOOD_FRIDAY), R.ALLOWED),
    (S(groups=("watch", M("wardens", 2**40), "workers"), now=EASTER_MONDAY), R.HOLIDAY),
    (S(groups=("watch",), now=at("2026-04-03 05:59")), R.ALLOWED),  # the night before runs on to its end
    (S(groups=("watch",), now=at("2026-04-03 22:00")), R.HOLIDAY),
    (S(groups=("watch",), now=at("2026-04-04 05:59")), R.HOLIDAY),  # the night of a holiday never began
    (S(groups=("losers",)), R.NO_GROUP),  # a schedule whose calendar is missing opens nothing
    (S(groups=("losers", "wardens")), R.ALLOWED),
    # a door that stands unlocked asks for no group, but still for a good card and person
    (S(mode=DoorMode.UNLOCKED), R.DOOR_UNLOCKED),
    (S(mode=DoorMode.UNLOCKED, groups=()), R.DOOR_UNLOCKED),
    (S(mode=DoorMode.UNLOCKED, groups=(M("staff", None, 1),)), R.DOOR_UNLOCKED),
    (S(mode=DoorMode.UNLOCKED, now=NIGHT), R.DOOR_UNLOCKED),
    (S(mode=DoorMode.UNLOCKED, known=False), R.UNKNOWN_CARD),
    (S(mode=DoorMode.UNLOCKED, status=CardStatus.STOLEN), R.STOLEN),
    (S(mode=DoorMode.UNLOCKED, active=False), R.INACTIVE_PERSON),
    (S(mode=DoorMode.UNLOCKED, until_s=NOON_S), R.EXPIRED),
    (S(mode=DoorMode.UNLOCKED, area="building"), R.PASSBACK),
    # the age of the list
    (S(age_s=inf), R.ALLOWED),
    (S(age_s=3600.0, settings=stale(StalePolicy.GROUPS_ONLY)), R.ALLOWED),
    (S(age_s=3600.1, settings=stale(StalePolicy.CARRY_ON)), R.ALLOWED),
    (S(age_s=3600.1, settings=stale(StalePolicy.GROUPS_ONLY)), R.STALE_ALLOWLIST),
    (S(age_s=3600.1, settings=stale(StalePolicy.GROUPS_ONLY, "wardens")), R.STALE_ALLOWLIST),
    (S(age_s=3600.1, settings=stale(StalePolicy.GROUPS_ONLY, "wardens", "staff")), R.ALLOWED),
    (S(age_s=inf, settings=stale(StalePolicy.GROUPS_ONLY, "wardens"), groups=("staff", M("wardens", None, 1))),
     R.STALE_ALLOWLIST),
    (S(age_s=inf, settings=stale(StalePolicy.GROUPS_ONLY, "wardens"), groups=("staff", M("wardens", 1))), R.ALLOWED),
    (S(age_s=nan, settings=stale(StalePolicy.GROUPS_ONLY)), R.STALE_ALLOWLIST),
    (S(age_s=inf, settings=stale(StalePolicy.GROUPS_ONLY, "staff"), now=NIGHT), R.OUTSIDE_SCHEDULE),
    # the mode of the door
    (S(mode=DoorMode.LOCKDOWN), R.LOCKDOWN),
    (S(mode=DoorMode.LOCKDOWN, groups=("wardens",)), R.LOCKDOWN),
    (S(mode=DoorMode.DISABLED), R.DOOR_DISABLED),
    # anti-passback
    (S(area="building"), R.PASSBACK),
    (S(area="street"), R.ALLOWED),
    (S(area="building", anti_passback=AntiPassback.OFF), R.ALLOWED),
    (S(area="building", inside=None), R.ALLOWED),
    (S(area="annex", inside="annex"), R.ALLOWED),  # the list does not have the area: nothing makes it hard
    # without a clock
    (S(now=NO_CLOCK, settings=clock(DENY)), R.CLOCK_UNKNOWN),
    (S(now=NO_CLOCK, settings=clock(DENY), groups=("wardens",)), R.CLOCK_UNKNOWN),
    (S(now=NO_CLOCK, settings=clock(DENY), mode=DoorMode.UNLOCKED), R.CLOCK_UNKNOWN),
    (S(now=NO_CLOCK, settings=clock(DENY), status=CardStatus.LOST), R.LOST),
    (S(now=NO_CLOCK, settings=clock(UNTIMED_ONLY)), R.CLOCK_UNKNOWN),
    (S(now=NO_CLOCK, settings=clock(UNTIMED_ONLY), groups=("wardens",)), R.ALLOWED),
    (S(now=NO_CLOCK, settings=clock(UNTIMED_ONLY), groups=("staff", "wardens")), R.ALLOWED),
    (S(now=NO_CLOCK, settings=clock(UNTIMED_ONLY), groups=("visitors",)), R.NO_GROUP),
    (S(now=NO_CLOCK, settings=clock(UNTIMED_ONLY), groups=("ghosts",)), R.NO_GROUP),
    (S(now=NO_CLOCK, settings=clock(UNTIMED_ONLY), groups=("wardens",), card_from=1), R.CLOCK_UNKNOWN),
    (S(now=NO_CLOCK, settings=clock(UNTIMED_ONLY), groups=("wardens",), card_until=2**40), R.CLOCK_UNKNOWN),
    (S(now=NO_CLOCK, settings=clock(UNTIMED_ONLY), groups=("wardens",), from_s=1), R.CLOCK_UNKNOWN),
    (S(now=NO_CLOCK, settings=clock(UNTIMED_ONLY), groups=("wardens",), until_s=2**40), R.CLOCK_UNKNOWN),
    (S(now=NO_CLOCK, settings=clock(UNTIMED_ONLY), groups=(M("wardens", 1),)), R.CLOCK_UNKNOWN),
    (S(now=NO_CLOCK, settings=clock(UNTIMED_ONLY), groups=(M("wardens", None, 2**40),)), R.CLOCK_UNKNOWN),
    (S(now=NO_CLOCK, settings=clock(UNTIMED_ONLY), groups=(M("wardens", 1), "wardens")), R.ALLOWED),
    (S(now=NO_CLOCK, settings=clock(UNTIMED_ONLY), groups=(M("visitors", 1),)), R.NO_GROUP),
    (S(now=NO_CLOCK, settings=clock(UNTIMED_ONLY), groups=("workers",)), R.CLOCK_UNKNOWN),
    (S(now=NO_CLOCK, settings=clock(UNTIMED_ONLY), groups=("losers",)), R.NO_GROUP),
    (S(now=NO_CLOCK, settings=clock(UNTIMED_ONLY), mode=DoorMode.UNLOCKED), R.DOOR_UNLOCKED),
    (S(now=NO_CLOCK, settings=clock(UNTIMED_ONLY), mode=DoorMode.UNLOCKED, until_s=2**40), R.CLOCK_UNKNOWN),
    (S(now=NO_CLOCK, settings=clock(IGNORE)), R.ALLOWED),
    (S(now=NO_CLOCK, settings=clock(IGNORE), groups=("ghosts",)), R.NO_GROUP),
    (S(now=NO_CLOCK, settings=clock(IGNORE), groups=("visitors",)), R.NO_GROUP),
    (S(now=NO_CLOCK, settings=clock(IGNORE), card_from=2**40, from_s=2**40), R.ALLOWED),
    (S(now=NO_CLOCK, settings=clock(IGNORE), card_until=ISSUED_S), R.EXPIRED),
    (S(now=NO_CLOCK, settings=clock(IGNORE), card_until=ISSUED_S + 1), R.ALLOWED),
    (S(now=NO_CLOCK, settings=clock(IGNORE), until_s=ISSUED_S), R.EXPIRED),
    (S(now=NO_CLOCK, settings=clock(IGNORE), until_s=ISSUED_S + 1), R.ALLOWED),
    (S(now=NO_CLOCK, settings=clock(IGNORE), groups=(M("staff", 2**40),)), R.ALLOWED),
    (S(now=NO_CLOCK, settings=clock(IGNORE), groups=(M("staff", None, ISSUED_S),)), R.EXPIRED),
    (S(now=NO_CLOCK, settings=clock(IGNORE), groups=(M("staff", None, ISSUED_S + 1),)), R.ALLOWED),
    (S(now=NO_CLOCK, settings=clock(IGNORE), groups=("workers",)), R.ALLOWED),
    (S(now=NO_CLOCK, settings=clock(IGNORE), groups=("losers",)), R.NO_GROUP),
    (S(now=NO_CLOCK, settings=clock(IGNORE), mode=DoorMode.LOCKDOWN), R.LOCKDOWN),
    # a clock that shows no possible time is no clock
    (S(now=Now(0.0, nan, known=True), settings=clock(DENY)), R.CLOCK_UNKNOWN),
    (S(now=Now(0.0, inf, known=True), settings=clock(DENY)), R.CLOCK_UNKNOWN),
    (S(now=Now(0.0, 1e300, known=True)), R.CLOCK_UNKNOWN),
    (S(now=Now(0.0, -1.0, known=True)), R.CLOCK_UNKNOWN),
]  # fmt: skip
GRANTS = {Reason.ALLOWED, Reason.DOOR_UNLOCKED}


@pytest.mark.parametrize(("scene", "reason"), TABLE)
def test_decide_gives_the_reason_of_the_table(scene: Scene, reason: Reason) -> None:
    """Every row: the reason, granted or not, who, and where it leads."""
    decision = scene.decide()
    assert decision.reason is reason
    assert decision.granted is (reason in GRANTS)
    assert decision.noted is None
    assert decision.person == ("anna" if scene.known else None)
    assert decision.leads_to == (scene.inside if decision.granted else None)


def test_the_table_has_every_reason_that_a_decision_can_give() -> None:
    """A new check needs its rows here."""
    elsewhere = {
        # of exits, below
        R.EXIT,
        # of readers, doors and lists: not of decisions
        R.CARD_UNREADABLE, R.MODE, R.FIRE, R.ROLLBACK, R.BAD_SIGNATURE, R.BAD_HASH, R.SHRINK,
        R.MALFORMED, R.UNKNOWN_VERSION, R.WRONG_SITE,
    }  # fmt: skip
    assert {reason for _, reason in TABLE} == set(Reason) - elsewhere


def test_the_first_reason_in_the_order_wins() -> None:
    """With everything wrong at once, each repair brings out the next reason, in the documented order."""
    scene = Scene(
        listed=False, known=False, status=CardStatus.STOLEN, active=False, card_until=NOON_S, groups=(),
        age_s=inf, settings=stale(StalePolicy.GROUPS_ONLY), mode=DoorMode.LOCKDOWN, area="building",
    )  # fmt: skip
    repairs: list[tuple[Reason, dict[str, object]]] = [
        (Reason.NO_ALLOWLIST, {"listed": True}),
        (Reason.UNKNOWN_CARD, {"known": True}),
        (Reason.STOLEN, {"status": CardStatus.ACTIVE}),
        (Reason.INACTIVE_PERSON, {"active": True}),
        (Reason.EXPIRED, {"card_until": None}),
        (Reason.NO_GROUP, {"groups": ("staff",)}),
        (Reason.STALE_ALLOWLIST, {"age_s": 0.0}),
        (Reason.LOCKDOWN, {"mode": DoorMode.NORMAL}),
        (Reason.PASSBACK, {"area": None}),
        (Reason.ALLOWED, {}),
    ]
    for reason, repair in repairs:
        assert scene.decide().reason is reason
        scene = replace(scene, **repair)  # type: ignore[arg-type]  # names and types stand side by side above


def test_the_trace_lists_each_check_and_stops_at_the_first_that_fails() -> None:
    """A grant shows all checks in order, a denial ends with the one that denied."""
    order = ["list", "card", "card_status", "person", "validity", "groups", "list_age", "door_mode", "passback"]
    granted = Scene().decide()
    assert [check.name for check in granted.checks] == order
    assert all(check.passed for check in granted.checks)
    denied = Scene(now=NIGHT).decide()
    assert [check.name for check in denied.checks] == order[:6]
    assert [check.passed for check in denied.checks] == [True] * 5 + [False]
    without_clock = Scene(now=NO_CLOCK, groups=("wardens",)).decide()
    assert [check.name for check in without_clock.checks] == [*order[:4], "clock", *order[4:]]


@pytest.mark.parametrize(
    ("scene", "text"),
    [
        (S(), "group staff opens lobby: schedule office-hours is open until 18:00 (Europe/Berlin)"),
        (
            S(now=NIGHT),
            "group staff opens lobby: schedule office-hours is closed since 18:00, opens Mon 07:00 (Europe/Berlin)",
        ),
        (
            S(now=at("2026-03-08 10:00")),
            "group staff opens lobby: schedule office-hours is closed since Fri 18:00, opens Mon 07:00 (Europe/Berlin)",
        ),
        (S(groups=("wardens",)), "group wardens opens lobby at any time"),
        (
            S(groups=("ghosts", "no-such-group")),
            (
                "no group of person anna opens lobby; "
                "group ghosts opens nothing here: its schedule no-such-schedule is not on the allow-list; "
                "group no-such-group is not on the allow-list and opens nothing"
            ),
        ),
        (
            S(now=NIGHT, groups=("ghosts", "staff")),
            (
                "group staff opens lobby: schedule office-hours is closed since 18:00, opens Mon 07:00 "
                "(Europe/Berlin); group ghosts opens nothing here: its schedule no-such-schedule is not on the "
                "allow-list"
            ),
        ),
        (S(now=NO_CLOCK), "group staff opens lobby: schedule office-hours needs a known time"),
        (
            S(groups=("workers",), now=GOOD_FRIDAY),
            (
                "group workers opens lobby: schedule work-days is closed because 2026-04-03 is a holiday in calendar "
                "holidays, opens Tue 07:00 (Europe/Berlin)"
            ),
        ),
        (
            S(groups=("losers",)),
            (
                "no group of person anna opens lobby; group losers opens nothing here: "
                "calendar no-such-holidays of its schedule lost-days is not on the allow-list"
            ),
        ),
        (
            S(groups=(M("wardens", None, NOON_S), M("staff", NOON_S + 60))),
            (
                "group staff opens lobby: the membership is valid from 2026-03-04T11:01:00Z; "
                "group wardens opens lobby: the membership was valid until 2026-03-04T11:00:00Z"
            ),
        ),
        (
            S(now=NO_CLOCK, groups=(M("wardens", 1),)),
            "group wardens opens lobby: the membership has a validity, and this door does not know the time",
        ),
        (
            S(now=NO_CLOCK, settings=clock(IGNORE), groups=(M("wardens", None, ISSUED_S),)),
            (
                "group wardens opens lobby: the membership was valid until 2026-02-28T23:00:00Z, "
                "and the list was published at 2026-02-28T23:00:00Z"
            ),
        ),
        (S(mode=DoorMode.UNLOCKED), "the door is in unlocked mode, so groups and schedules are not asked"),
        (S(now=NIGHT, groups=("staff",) * 10), "and 7 more"),
        (S(groups=tuple(f"gone-{n}" for n in range(10))), "and 8 more"),
    ],
)  # fmt: skip
def test_the_words_of_the_group_check(scene: Scene, text: str) -> None:
    """What a guard or an operator reads of rights and times."""
    said = next(check.text for check in scene.decide().checks if check.name == "groups")
    assert said == text or (text.startswith("and ") and said.endswith(f"; {text}"))
    assert said.count("; ") <= MAX_NAMED


def test_what_schedules_say_is_worked_out_when_it_is_read() -> None:
    """It takes as long as all the rest of a decision, and a tap does not wait for what nobody reads."""
    for scene in (Scene(), Scene(now=NIGHT)):
        (groups,) = (check for check in scene.decide().checks if check.name == "groups")
        assert isinstance(groups.words, Words)


def words_at_noon(zone: str, *windows: Window) -> str:
    policy = replace(
        Scene().request().policy or Policy(1, 1, 0), schedules={"office-hours": Schedule("office-hours", zone, windows)}
    )
    decision = decide(replace(Scene().request(), policy=policy), DecisionSettings(), NOON)
    return decision.checks[5].text


def test_the_words_for_schedules_that_do_not_change_soon() -> None:
    """Always, never, a week away, and a zone that this machine lacks."""
    assert words_at_noon(ZONE, Window(frozenset(range(7)), 0, 1440)).endswith("is open (Europe/Berlin)")
    assert words_at_noon(ZONE).endswith("is closed, does not open within 8 days (Europe/Berlin)")
    assert words_at_noon("Atlantis/Poseidonis", Window(frozenset(range(7)), 0, 1440)).endswith(
        "is closed: this door does not know its time zone Atlantis/Poseidonis"
    )
    wednesday_morning = Window(frozenset([2]), 8 * 60, 9 * 60)
    assert words_at_noon(ZONE, wednesday_morning).endswith(
        "is closed since 09:00, opens Wed 2026-03-11 08:00 (Europe/Berlin)"
    )


EXITS = [
    (S(), None),
    (S(listed=False), R.NO_ALLOWLIST),
    (S(known=False), R.UNKNOWN_CARD),
    (S(status=CardStatus.STOLEN), R.STOLEN),
    (S(active=False), R.INACTIVE_PERSON),
    (S(until_s=NOON_S), R.EXPIRED),
    (S(groups=()), R.NO_GROUP),
    (S(now=NIGHT), R.OUTSIDE_SCHEDULE),
    (S(now=NO_CLOCK, settings=clock(DENY)), R.CLOCK_UNKNOWN),
    # what only an entry is asked
    (S(mode=DoorMode.LOCKDOWN), None),
    (S(mode=DoorMode.DISABLED), None),
    (S(age_s=inf, settings=stale(StalePolicy.GROUPS_ONLY)), None),
    (S(area="building"), None),
    (S(area="street"), None),
    # an unlocked door waives nothing on the way out: the note tells that somebody is in who has no right to be
    (S(mode=DoorMode.UNLOCKED), None),
    (S(mode=DoorMode.UNLOCKED, groups=()), R.NO_GROUP),
]


@pytest.mark.parametrize(("scene", "noted"), EXITS)
def test_an_exit_is_granted_and_notes_what_would_have_been_denied(scene: Scene, noted: Reason | None) -> None:
    """Nobody is held in; the note is for those who look into it later."""
    decision = replace(scene, direction=Direction.OUT).decide()
    assert decision.granted
    assert decision.reason is (Reason.ALLOWED if noted is None else Reason.EXIT)
    assert decision.noted is noted
    assert decision.leads_to == ("street" if scene.listed else None)
    assert decision.checks[-1].name == "exit"
    assert {check.name for check in decision.checks}.isdisjoint({"list_age", "door_mode", "passback"})


def test_a_door_that_the_list_lacks_is_in_normal_mode_and_leads_nowhere() -> None:
    """The site may not have described the door yet; groups still decide."""
    request = Scene(door="lab").request()
    assert request.policy is not None
    decision = decide(replace(request, policy=replace(request.policy, doors={})), DecisionSettings(), NOON)
    assert (decision.granted, decision.reason, decision.leads_to) == (True, Reason.ALLOWED, None)
