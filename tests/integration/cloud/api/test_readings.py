"""Readings through the function's handler, on the real table."""

import io
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.adapters.aws import AwsAccess
from cloud.adapters.entities import EntityStore
from cloud.adapters.new_items import NewItems
from cloud.api.route import Function
from cloud.api.routes import ROUTES
from cloud.domain import keys
from cloud.domain.roles import EVERY_SITE, Role
from cloud.handlers import api_read
from cloud.handlers.api_service import connect, serve
from tests.integration.cloud.api.conftest import Desk
from tests.rigs.api_place import ApiPlace
from tests.rigs.http_events import Reply, Staff, event, recorded, reply

UID = "04A224B2C35E80"


@pytest.fixture
def filled(desk: Desk) -> Desk:
    """A site with one of everything."""
    place, site = desk.place, desk.site
    card = place.card(site, UID)
    permission = {"permission": "pm-1", "group": "staff", "granted_by": "s-1"}
    place.person(site, "p-1", email="p1@example.org", cards=[card], permissions=[permission], status_at="x")
    place.add_card(site, card, person="p-1", label="000123", changed_at="2026-01-01T00:00:00Z")
    places: dict[str, dict[str, Any]] = {
        "building": {"building": "b-1", "name": "HQ", "uses": 3},
        "area": {"area": "a-1", "name": "Lobby", "building": "b-1", "anti_passback": "hard"},
        "door": {"door": "d-1", "name": "Front", "mode": "normal", "inside": "a-1"},
        "group": {"group": "staff", "name": "Staff", "grants": [{"door": "d-1", "schedule": "s-1"}]},
        "schedule": {
            "schedule": "s-1", "name": "Day", "zone": "UTC",
            "windows": [{"days": ["mon"], "start": "07:00", "end": "19:00"}],
        },
        "holidays": {"holidays": "h-1", "name": "Public", "dates": ["2026-12-25"]},
    }  # fmt: skip
    for kind, fields in places.items():
        place.put(keys.place(site, kind, str(fields[kind])), fields)
    place.put(
        keys.presence(site, "p-1"),
        {"person": "p-1", "building": "b-1", "area": "a-1", "at": "2026-03-01T08:00:00.000Z", "door": "d-1",
         "trail": [["x"]], "g1pk": f"INSIDE#{site}#b-1", "g1sk": "p-1"},
    )  # fmt: skip
    device = f"{site}-dev"
    place.put(
        keys.device(device),
        {
            "device": device,
            "status": "registered",
            "site": site,
            "keys": ["ab"],
            "doors": ["d-1"],
            "g2pk": f"DEVICES#{site}",
            "g2sk": device,
        },
    )
    place.event(site, "d-1", "2026-03-01T08:00:00.000Z", 1, "p-1")
    place.event(site, "d-1", "2026-03-01T08:00:00.500Z", 2, "p-1")
    place.event(site, "d-1", "2026-03-01T09:00:00.000Z", 3)
    return desk


def _page(desk: Desk, target: str) -> list[Any]:
    answer = desk.read(target)
    assert (answer.status, answer.body["next"]) == (200, None), answer.body
    items: list[Any] = answer.body["items"]
    return items


def test_person_is_read_with_cards_and_permissions(filled: Desk) -> None:
    """All that keepers of people's records work with; nothing of how it is stored."""
    answer = filled.read("/people/p-1")

    assert answer.status == 200
    assert answer.body == {
        "person": "p-1",
        "name": "Name of p-1",
        "email": "p1@example.org",
        "status": "active",
        "created_at": "2026-01-01T00:00:00Z",
        "valid_from": None,
        "valid_until": None,
        "cards": [filled.place.card(filled.site, UID)],
        "permissions": [
            {"permission": "pm-1", "group": "staff", "granted_by": "s-1", "valid_from": None, "valid_until": None}
        ],
    }
    assert filled.read("/people/p-1/permissions").body["items"] == answer.body["permissions"]
    assert [card["label"] for card in filled.read("/people/p-1/cards").body["items"]] == ["000123"]


@pytest.mark.parametrize("role", [Role.GUARD, Role.AUDITOR])
def test_address_of_a_person_is_for_those_who_keep_their_records(filled: Desk, role: Role) -> None:
    """Others see who it is, and no more."""
    answer = filled.read("/people/p-1", filled.somebody(role))

    assert (answer.status, answer.body["name"], answer.body["email"]) == (200, "Name of p-1", None)


@pytest.mark.parametrize(
    ("target", "field", "expected"),
    [
        ("/buildings/b-1", "name", "HQ"),
        ("/areas/a-1", "anti_passback", "hard"),
        ("/doors/d-1", "inside", "a-1"),
        ("/groups/staff", "grants", [{"door": "d-1", "schedule": "s-1"}]),
        ("/schedules/s-1", "windows", [{"days": ["mon"], "start": "07:00", "end": "19:00"}]),
        ("/holidays/h-1", "dates", ["2026-12-25"]),
    ],
)
def test_place_is_read_and_listed(filled: Desk, target: str, field: str, expected: object) -> None:
    """What was put can be read, alone and in its list."""
    listing = target.rpartition("/")[0]

    assert filled.read(target).body[field] == expected
    assert [item[field] for item in _page(filled, listing)] == [expected]


def test_cards_are_listed_by_state(filled: Desk) -> None:
    """The pool and what is out are different lists."""
    filled.place.add_card(filled.site, "b" * 32, status="unissued")

    assert [card["status"] for card in _page(filled, "/cards?status=unissued")] == ["unissued"]
    assert len(_page(filled, "/cards")) == 2
    assert filled.read(f"/cards/{'b' * 32}").body["person"] is None


def test_card_is_found_by_its_number(filled: Desk, log: io.StringIO) -> None:
    """Whoever finds a card holds it to a reader; its number goes nowhere."""
    answer = filled.post("/cards/lookup", {"uid": UID.lower()})

    assert (answer.status, answer.body["person"]) == (200, "p-1")
    assert UID not in (json.dumps(answer.body) + log.getvalue()).upper()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"uid": "04A224B2C35E81"}, (404, "card-unknown")),
        ({"uid": "04A2"}, (422, "body-invalid")),
        ({"uid": 4}, (422, "body-invalid")),
        ({"card": "a" * 32}, (422, "body-invalid")),
        ("{", (400, "body-malformed")),
    ],
)
def test_lookup_of_what_is_no_card_is_refused(desk: Desk, body: Any, expected: tuple[int, str]) -> None:
    """Unknown is 404, nonsense is not."""
    answer = desk.post("/cards/lookup", body)

    assert (answer.status, answer.kind) == expected


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("/people/p-9", "person-unknown"),
        ("/people/p-9/cards", "person-unknown"),
        ("/people/p-9/presence", "person-unknown"),
        ("/people/p-9/usage", "person-unknown"),
        (f"/cards/{'9' * 32}", "card-unknown"),
        ("/buildings/b-9", "building-unknown"),
        ("/buildings/b-9/occupancy", "building-unknown"),
        ("/doors/d-9/events", "door-unknown"),
        ("/schedules/s-9", "schedule-unknown"),
        ("/devices/x-9", "device-unknown"),
        ("/requests/r-9", "request-unknown"),
        ("/nothing", "route-unknown"),
    ],
)
def test_what_is_unknown_is_not_found(desk: Desk, target: str, kind: str) -> None:
    """Never an empty answer that looks like knowledge."""
    answer = desk.read(target)

    assert (answer.status, answer.kind) == (404, kind)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=201", "limit=x", "limit=", "limit=1,2", "limit=-1", "limit=1.0", "limit=%D9%A1",
        "cursor=x", "cursor=%00", "cursor=", "prefix=%20", "prefix=", "lmit=5",
    ],
)  # fmt: skip
def test_bad_parameter_is_refused(desk: Desk, query: str) -> None:
    """A 400 with a word on what is wanted; a misspelt one is no default."""
    answer = desk.read(f"/people?{query}")

    assert answer.status == 400
    assert answer.kind in ("parameter-invalid", "cursor-invalid")


@pytest.mark.parametrize(
    "query", ["from=2026-13-01T00:00:00Z", "to=yesterday", "from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z"]
)
def test_bad_time_is_refused(filled: Desk, query: str) -> None:
    """No time, or none between the two."""
    assert filled.read(f"/doors/d-1/events?{query}").kind == "parameter-invalid"


def test_events_of_a_door_come_newest_first_and_within_bounds(filled: Desk) -> None:
    """From is included, to is not; an event of the very second counts as after it."""

    def seqs(query: str) -> list[int]:
        return [item["seq"] for item in _page(filled, f"/doors/d-1/events{query}")]

    assert seqs("") == [3, 2, 1]
    assert seqs("?from=2026-03-01T08:00:00Z&to=2026-03-01T09:00:00Z") == [2, 1]
    assert seqs("?from=2026-03-01T08:00:01Z") == [3]


def test_presence_and_occupancy_say_where_people_are(filled: Desk) -> None:
    """By name, for whoever has to fetch them; the trail stays inside."""
    filled.place.person(filled.site, "p-2")

    assert filled.read("/people/p-1/presence").body == {
        "person": "p-1",
        "building": "b-1",
        "area": "a-1",
        "door": "d-1",
        "at": "2026-03-01T08:00:00.000Z",
    }
    assert filled.read("/people/p-2/presence").body["building"] is None
    occupancy = filled.read("/buildings/b-1/occupancy").body
    assert (occupancy["count"], [who["name"] for who in occupancy["items"]]) == (1, ["Name of p-1"])


def test_occupancy_counts_all_and_lists_some(filled: Desk) -> None:
    """The count is of the building, not of the page; later pages do not count again."""
    for number in range(2, 6):
        filled.place.put(
            keys.presence(filled.site, f"p-{number}"),
            {"person": f"p-{number}", "g1pk": f"INSIDE#{filled.site}#b-1", "g1sk": f"p-{number}"},
        )

    first = filled.read("/buildings/b-1/occupancy?limit=2").body
    second = filled.read(f"/buildings/b-1/occupancy?limit=2&cursor={first['next']}").body

    assert (first["count"], len(first["items"])) == (5, 2)
    assert (second["count"], [who["person"] for who in second["items"]]) == (None, ["p-3", "p-4"])


def test_devices_of_other_sites_are_unknown(filled: Desk) -> None:
    """A device's key does not hold its site."""
    other = filled.place.site()
    filled.place.put(keys.device(f"{other}-dev"), {"device": f"{other}-dev", "site": other})

    assert filled.read(f"/devices/{filled.site}-dev").body["doors"] == ["d-1"]
    assert filled.read(f"/devices/{other}-dev").kind == "device-unknown"
    assert [device["device"] for device in _page(filled, "/devices")] == [f"{filled.site}-dev"]


def test_operators_are_listed_with_their_roles(desk: Desk) -> None:
    """Who may do what at this site: first those who may do it everywhere, once, then its own, page by page."""
    desk.place.grant(f"{desk.site}-all", Role.AUDITOR, EVERY_SITE)
    desk.somebody(Role.GUARD)

    first = desk.read("/operators?limit=1").body
    second = desk.read(f"/operators?limit=1&cursor={first['next']}").body

    everywhere = [entry for entry in first["items"] if entry["site"] == EVERY_SITE]
    assert (f"{desk.site}-all", "auditor") in [(entry["subject"], entry["role"]) for entry in everywhere]
    assert first["items"][: len(everywhere)] == everywhere
    here = first["items"][len(everywhere) :] + second["items"]
    assert [(entry["subject"], entry["role"], entry["site"]) for entry in here] == [
        (desk.staff.subject, "administrator", desk.site),
        (f"{desk.site}-s0", "guard", desk.site),
    ]


def _audited(desk: Desk, month: str) -> list[Any]:
    return [item for item in desk.place.items(f"AUDIT#{desk.site}#{month}") if item["action"].endswith(".read")]


def test_reading_a_persons_usage_is_recorded(filled: Desk) -> None:
    """Who read whose, when; for each page."""
    auditor = filled.somebody(Role.AUDITOR)

    first = filled.read("/people/p-1/usage?limit=1", auditor)
    second = filled.read(f"/people/p-1/usage?limit=1&cursor={first.body['next']}", auditor)

    assert [item["seq"] for item in first.body["items"] + second.body["items"]] == [2, 1]
    audit = filled.read("/audit", auditor)
    entries = [entry for entry in audit.body["items"] if entry["action"] == "usage.read"]
    assert [(entry["subject"], entry["person"], entry["outcome"]) for entry in entries] == [
        (auditor.subject, "p-1", "read")
    ] * 2
    assert audit.body["items"][0]["action"] == "audit.read"


def test_cursor_of_the_present_month_ends_with_it(filled: Desk) -> None:
    """Without a month the present one is read: a page later that may be another, where this place means nothing."""
    filled.read("/audit")
    last = filled.read("/audit?limit=1")
    backend = connect(filled.place.variables, filled.place.access)
    later = serve(Function.READ, replace(backend, clock=lambda: time.time() + 32 * 86400))
    made = event(filled.staff, "GET", f"/v1/sites/{filled.site}/audit?limit=1&cursor={last.body['next']}")

    following = reply(later.handle(made, None))

    assert (following.status, following.kind) == (400, "cursor-invalid")


def test_reading_that_can_not_be_recorded_is_not_answered(filled: Desk) -> None:
    """The audit is written first; without it, nothing is told."""
    backend = connect(filled.place.variables, filled.place.access)
    broken = NewItems("no-such-table", filled.place.dynamodb)
    service = serve(Function.READ, replace(backend, new_items=broken))

    for target in ("/people/p-1/usage", "/audit"):
        answer = reply(service.handle(event(filled.staff, "GET", f"/v1/sites/{filled.site}{target}"), None))
        assert (answer.status, answer.kind) == (503, "unavailable")
        assert "items" not in answer.body


def test_requests_of_others_are_for_those_who_may_see_them(desk: Desk) -> None:
    """One's own in any role; all for operators, auditors and administrators; those of other sites for nobody."""
    made = desk.change("POST", "/people", {"person": "p-1", "name": "A"}).body["request"]
    other = Desk(desk.place, desk.place.site(), desk.staff)
    desk.place.grant(desk.staff.subject, Role.ADMINISTRATOR, other.site)

    assert desk.read(f"/requests/{made}", desk.somebody(Role.OPERATOR)).status == 200
    assert desk.read(f"/requests/{made}", desk.somebody(Role.GUARD)).kind == "request-unknown"
    assert other.read(f"/requests/{made}").kind == "request-unknown"
    assert [request["request"] for request in _page(desk, "/requests")] == [made]


def test_own_request_can_be_read_in_any_role(desk: Desk) -> None:
    """Whoever asked may have lost the role that they asked in."""
    staff = desk.somebody(Role.VIEWER)
    desk.place.put(
        keys.request(f"{desk.site}-r"),
        {"id": f"{desk.site}-r", "type": "person.create", "site": desk.site, "at": "2026-03-01T08:00:00.000Z",
         "status": "rejected", "code": "person_exists", "detail": "Is there.",
         "operator": {"subject": staff.subject, "name": "grace"}},
    )  # fmt: skip

    answer = desk.read(f"/requests/{desk.site}-r", staff)

    assert (answer.status, answer.body["code"]) == (200, "person_exists")


def test_recorded_event_is_answered(filled: Desk) -> None:
    """An event as the gateway sends it, but for its site and caller."""
    made = recorded("http_api_get")
    made["rawPath"] = f"/v1/sites/{filled.site}/people/p-1"
    made["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = filled.somebody(Role.OPERATOR).subject

    answer = reply(api_read.handler(made, None))

    assert (answer.status, answer.body["person"]) == (200, "p-1")
    assert answer.headers["x-request-id"] == "JKJaXmPLvHcESHA="
    assert answer.headers["cache-control"] == "no-store"


# ---- the caller -----------------------------------------------------------------------------------------------------


def _own(staff: Staff, target: str) -> Reply:
    return reply(api_read.handler(event(staff, "GET", target), None))


def test_caller_is_told_their_own_roles_and_sites(desk: Desk) -> None:
    """Only those sites where a role holds now."""
    ended = desk.place.site()
    desk.place.grant(desk.staff.subject, Role.GUARD, ended, valid_until="2026-01-01T00:00:00Z")

    me = _own(desk.staff, "/v1/me")
    sites = _own(desk.staff, "/v1/sites")

    assert (me.status, me.body["subject"], len(me.body["grants"])) == (200, desk.staff.subject, 2)
    assert [(site["site"], site["roles"]) for site in sites.body["items"]] == [(desk.site, ["administrator"])]


def test_role_everywhere_shows_all_sites(place: ApiPlace) -> None:
    """A grant for `*` holds at each."""
    wanted = {place.site() for _ in range(3)}
    staff = Staff("everywhere")
    place.grant(staff.subject, Role.VIEWER, EVERY_SITE)

    found: set[str] = set()
    cursor = ""
    while True:
        page = _own(staff, f"/v1/sites?limit=2{cursor}")
        found |= {site["site"] for site in page.body["items"]}
        if page.body["next"] is None:
            break
        cursor = f"&cursor={page.body['next']}"

    assert wanted <= found
    assert reply(api_read.handler(event(staff, "GET", "/v1/sites/nowhere/doors"), None)).kind == "site-unknown"


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "groups", "status"),
    [
        (None, None, (Role.GUARD,), 200),
        ("2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z", (Role.GUARD,), 200),
        ("2099-01-01T00:00:00Z", None, (Role.GUARD,), 403),
        (None, "2020-01-01T00:00:00Z", (Role.GUARD,), 403),
        (None, None, (Role.VIEWER,), 403),
        (None, None, (), 403),
    ],
)
def test_role_counts_while_granted_and_named(
    desk: Desk, valid_from: str | None, valid_until: str | None, groups: tuple[Role, ...], status: int
) -> None:
    """The table says when and where, the identity provider must name it too."""
    staff = Staff(f"{desk.site}-x", groups)
    desk.place.grant(staff.subject, Role.GUARD, desk.site, valid_from=valid_from, valid_until=valid_until)

    assert desk.read("/people", staff).status == status


def test_role_at_another_site_does_not_count(desk: Desk) -> None:
    """An administrator of one site is nobody at the next."""
    other = desk.place.site()

    assert reply(api_read.handler(event(desk.staff, "GET", f"/v1/sites/{other}/doors"), None)).status == 403


@pytest.mark.parametrize("claims", [{"token_use": "id"}, {"sub": ""}, {"sub": "a b"}])
def test_token_that_is_not_for_this_is_refused(desk: Desk, claims: dict[str, str]) -> None:
    """An id token passes the gateway, and not us."""
    made = event(desk.staff, "GET", "/v1/me")
    made["requestContext"]["authorizer"]["jwt"]["claims"] |= claims

    answer = reply(api_read.handler(made, None))

    assert (answer.status, answer.kind) == (401, "not-authenticated")


def test_call_that_nobody_let_in_is_refused(desk: Desk) -> None:
    """A route that was deployed without its authorizer answers nobody."""
    made = event(desk.staff, "GET", "/v1/me")
    del made["requestContext"]["authorizer"]

    assert reply(api_read.handler(made, None)).status == 401


# ---- paging ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crowd(place: ApiPlace) -> Desk:
    """A site with some people."""
    site = place.site()
    staff = Staff(f"{site}-admin")
    place.grant(staff.subject, Role.ADMINISTRATOR, site)
    for number in range(23):
        place.person(site, f"{'ab'[number % 2]}-{number:02}")
    return Desk(place, site, staff)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limits=st.lists(st.integers(1, 30), min_size=1, max_size=5), prefix=st.sampled_from(["", "a", "b-1", "c"]))
def test_pages_hold_everything_once(crowd: Desk, limits: list[int], prefix: str) -> None:
    """However a list is cut, its pages come to the whole in order, without a gap or a repetition."""
    expected = sorted(f"{'ab'[number % 2]}-{number:02}" for number in range(23))
    query = f"&prefix={prefix}" if prefix else ""
    found: list[str] = []
    cursor, turn = "", 0
    while True:
        page = crowd.read(f"/people?limit={limits[turn % len(limits)]}{query}{cursor}").body
        found += [person["person"] for person in page["items"]]
        turn += 1
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert found == [person for person in expected if person.startswith(prefix)]


def test_cursor_is_of_use_for_its_own_list_only(crowd: Desk) -> None:
    """Not for another list, another site, other parameters; and not when changed or made up."""
    cursor = crowd.read("/people?limit=1").body["next"]
    other = crowd.place.site()
    crowd.place.grant(crowd.staff.subject, Role.ADMINISTRATOR, other)
    changed = ("A" if cursor[-9] != "A" else "B").join((cursor[:-9], cursor[-8:]))

    assert crowd.read(f"/people?cursor={cursor}").status == 200
    for target in (
        f"/cards?cursor={cursor}",
        f"/people?prefix=a&cursor={cursor}",
        f"/people?cursor={changed}",
        f"/people?cursor={cursor[1:]}",
        f"/people?cursor={cursor}A",
    ):
        assert crowd.read(target).kind == "cursor-invalid", target
    foreign = reply(api_read.handler(event(crowd.staff, "GET", f"/v1/sites/{other}/people?cursor={cursor}"), None))
    assert foreign.kind == "cursor-invalid"


def test_list_goes_not_on_without_the_key_of_cursors(crowd: Desk) -> None:
    """Better no page than a cursor that anybody could make."""
    backend = connect({**crowd.place.variables, "CARDEA_ENVIRONMENT": "other"}, crowd.place.access)
    service = serve(Function.READ, backend)

    whole = reply(service.handle(event(crowd.staff, "GET", f"/v1/sites/{crowd.site}/people"), None))
    part = reply(service.handle(event(crowd.staff, "GET", f"/v1/sites/{crowd.site}/people?limit=1"), None))

    assert (whole.status, part.status, part.kind) == (200, 503, "unavailable")


def test_table_that_does_not_answer_is_no_empty_list(crowd: Desk) -> None:
    """A fault is never told as nothing."""
    gone = AwsAccess("http://127.0.0.1:9", crowd.place.access.region, "x", "x")
    service = serve(Function.READ, connect(crowd.place.variables, gone))

    answer = reply(service.handle(event(crowd.staff, "GET", f"/v1/sites/{crowd.site}/people"), None))

    assert (answer.status, answer.kind) == (503, "unavailable")


def test_item_that_is_not_ours_is_an_error_without_its_content(desk: Desk, log: io.StringIO) -> None:
    """Neither the caller nor the log is told what lies there."""
    desk.place.person(desk.site, "p-1", status="Ada's secret")

    answer = desk.read("/people/p-1")

    assert (answer.status, answer.kind) == (500, "internal-error")
    assert "secret" not in json.dumps(answer.body) + log.getvalue()


def test_no_reading_scans_the_table(filled: Desk) -> None:
    """Every list is one partition; whatever the table holds beside it costs nothing."""
    dynamodb = filled.place.access.dynamodb()
    called: list[str] = []
    dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: called.append(model.name))
    backend = replace(
        connect(filled.place.variables, filled.place.access),
        entities=EntityStore(filled.place.table, dynamodb),
        new_items=NewItems(filled.place.table, dynamodb),
    )
    service = serve(Function.READ, backend)
    named = {
        "site": filled.site, "person": "p-1", "card": filled.place.card(filled.site, UID), "building": "b-1",
        "area": "a-1", "door": "d-1", "group": "staff", "schedule": "s-1", "holidays": "h-1",
        "device": f"{filled.site}-dev", "request": "r-1",
    }  # fmt: skip

    for route in ROUTES:
        if route.method == "GET":
            answer = reply(service.handle(event(filled.staff, "GET", route.path.format_map(named)), None))
            assert answer.status == (404 if route.operation == "getRequest" else 200), route.operation

    assert set(called) == {"GetItem", "BatchGetItem", "Query", "PutItem"}
    # Of the two readings that are recorded.
    assert called.count("PutItem") == 2
