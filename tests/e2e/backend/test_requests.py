"""Every request from the API over bucket, topics and queues to its processor and back, as staff ask for it."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
import requests

from cloud.domain.payloads import RequestType
from cloud.domain.roles import Role
from cloud.domain.routes import Family, family
from tests.rigs.deployed_site import Caller, DeployedSite, card_id
from tests.rigs.request_cases import CASES, REFUSALS, Case, Step, filled, matches

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def ask(caller: Caller, step: Step, names: dict[str, str]) -> Any:
    """Ask for a step and wait for its end; its request is `last` for the next one."""
    request = caller.change(step.method, filled(step.path, names), filled(step.body, names))
    names["last"] = request["request"]
    return request


def given(caller: Caller, steps: tuple[Step, ...], names: dict[str, str]) -> None:
    for step in steps:
        request = ask(caller, step, names)
        assert request["status"] == "done", request


def seen(caller: Caller, case: Case, names: Mapping[str, str]) -> bool:
    query: dict[str, Any] = {"limit": 200} if case.paged else {}
    found = caller.call("GET", filled(case.seen_at, names), **query)
    if case.seen is None:
        return found.status == 404
    wanted = filled(case.seen, names)
    entries = found.body.get("items", ()) if case.among else [found.body]
    return any(matches(entry, wanted) for entry in entries)


def test_cases_cover_every_type_and_refusals_every_family() -> None:
    """A type that is added without an end-to-end test fails here."""
    assert set(CASES) == set(RequestType)
    assert set(REFUSALS) == set(Family)


@pytest.mark.parametrize("kind", RequestType)
def test_request_is_done_and_its_effect_can_be_read(administrator: Caller, x: str, kind: RequestType) -> None:
    """Asked for by its operation, done by its processor, and seen where people look; before it, that was not so."""
    case, names = CASES[kind], {"x": x}
    given(administrator, case.given, names)
    before = {**names, "asked": "not-yet"}
    assert not seen(administrator, case, before)
    done = ask(administrator, case.asked, dict(names))
    assert (done["type"], done["status"], done["code"]) == (kind, "done", None)
    assert seen(administrator, case, {**names, "asked": done["request"]})


@pytest.mark.parametrize("of", Family)
def test_request_that_the_rules_refuse_says_why_and_changes_nothing(
    site: DeployedSite, administrator: Caller, x: str, of: Family
) -> None:
    """The outcome of a refusal is a code and a sentence at the request, never silence; doors hear of nothing."""
    case, names = REFUSALS[of], {"x": x}
    given(administrator, case.given, names)
    version = site.version()
    refused = ask(administrator, case.asked, names)
    assert family(RequestType(refused["type"])) is of
    assert (refused["status"], refused["code"], refused["list"]) == ("rejected", case.code, None)
    assert refused["detail"]
    assert site.version() == version
    if case.unseen is not None:
        assert administrator.call("GET", filled(case.unseen, names)).status == 404


def test_import_that_is_refused_names_the_line(administrator: Caller, x: str) -> None:
    """Which row and column of the file, so that whoever sent it can mend it."""
    refused = ask(administrator, REFUSALS[Family.IMPORTS].asked, {"x": x})
    (problem,) = refused["problems"]
    assert problem == {"line": 3, "column": "groups", "detail": f"There is no group no-{x}."}


# ---- the same again, and two at once ----------------------------------------------------------------------------


def test_request_that_is_sent_again_is_the_same_request(administrator: Caller, x: str) -> None:
    """Same key, same body: one request, done once, whatever became of the first answer."""
    body, key = {"person": f"p-{x}", "name": "Ada"}, str(uuid4())
    first = administrator.call("POST", "people", body, key=key).body
    administrator.ended(first["request"])
    again = administrator.call("POST", "people", body, key=key).body
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert (again["request"], again["status"]) == (first["request"], "done")
    mine = [
        entry for page in [administrator.all("audit")] for entry in page if entry.get("request") == again["request"]
    ]
    assert [entry["outcome"] for entry in mine] == ["done"]


def test_key_that_was_used_for_something_else_is_refused(administrator: Caller, x: str) -> None:
    """A different request is never swallowed as a repetition."""
    key = str(uuid4())
    administrator.ended(administrator.ask("POST", "people", {"person": f"p-{x}", "name": "Ada"}, key=key))
    other = administrator.call("POST", "people", {"person": f"q-{x}", "name": "Eve"}, key=key)
    assert (other.status, other.kind) == (409, "idempotency-key-reused")
    assert administrator.call("GET", f"people/q-{x}").status == 404


def test_two_operators_who_issue_one_card_at_once_do_not_both_succeed(site: DeployedSite, x: str) -> None:
    """One is done and one is refused, and the card is the one's whose request was done."""
    first, second = site.staff(Role.OPERATOR), site.hire(Role.OPERATOR)
    card, people = card_id(x), (f"p-{x}", f"q-{x}")
    for person in people:
        first.do("POST", "people", {"person": person, "name": person, "status": "active"})
    first.do("POST", "cards", {"cards": [{"card": card}]})
    second.get("/v1/me")  # signed in
    start = Barrier(2)

    def issue(caller: Caller, person: str) -> Any:
        start.wait()
        return caller.ask("POST", f"cards/{card}/issue", {"person": person})

    with ThreadPoolExecutor(2) as pool:
        asked = list(pool.map(issue, (first, second), people))
    ends = {person: first.ended(request) for person, request in zip(people, asked, strict=True)}
    assert sorted(end["status"] for end in ends.values()) == ["done", "rejected"]
    (holder,) = (person for person, end in ends.items() if end["status"] == "done")
    (other,) = set(people) - {holder}
    assert ends[other]["code"] == "card_not_available"
    assert first.get(f"cards/{card}")["person"] == holder
    assert (first.get(f"people/{holder}")["cards"], first.get(f"people/{other}")["cards"]) == ([card], [])
    assert site.listed()["card", card]["person"] == holder


# ---- who may ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", RequestType)
def test_viewer_may_change_nothing(site: DeployedSite, x: str, kind: RequestType) -> None:
    """Refused at the API, with no request stored."""
    case = CASES[kind]
    names = {"x": x, "last": str(uuid4())}
    refused = site.staff(Role.VIEWER).call(
        case.asked.method, filled(case.asked.path, names), filled(case.asked.body, names)
    )
    assert (refused.status, refused.kind) == (403, "role-missing")


def test_guard_may_report_cards_and_nothing_more(site: DeployedSite, administrator: Caller, x: str) -> None:
    """A loss that is told at night closes doors at once; only daylight opens them again."""
    guard, names = site.staff(Role.GUARD), {"x": x}
    given(administrator, CASES[RequestType.CARD_REACTIVATE].given[:3], names)
    card = f"cards/{card_id(x)}"
    assert guard.change("POST", f"{card}/report-stolen", {})["status"] == "done"
    assert guard.get(card)["status"] == "stolen"
    for verb in ("reactivate", "revoke", "return"):
        assert guard.call("POST", f"{card}/{verb}", {}).status == 403


def test_role_holds_from_its_grant_to_its_end(site: DeployedSite, administrator: Caller, x: str) -> None:
    """Whoever the pool calls an operator may nothing without a grant, and nothing once it has ended."""
    hired = site.hire(Role.OPERATOR, granted=False)
    body = {"person": f"p-{x}", "name": "Ada"}
    assert hired.call("POST", "people", body).status in (403, 404)
    granted = administrator.do("POST", f"operators/{hired.subject}/grants", {"role": "operator"})
    assert hired.do("POST", "people", body)["operator"]["subject"] == hired.subject
    administrator.do("POST", f"operators/{hired.subject}/grants/{granted['request']}/end")
    refused = hired.call("POST", "people", {"person": f"q-{x}", "name": "Eve"})
    assert refused.status in (403, 404)
    assert administrator.call("GET", f"people/q-{x}").status == 404


def test_what_was_asked_for_before_the_role_ended_is_still_done(
    site: DeployedSite, administrator: Caller, x: str
) -> None:
    """Roles are judged as of the request's time, whenever it is carried out."""
    hired = site.hire(Role.OPERATOR, granted=False)
    granted = administrator.do("POST", f"operators/{hired.subject}/grants", {"role": "operator"})
    asked = hired.ask("POST", "people", {"person": f"p-{x}", "name": "Ada"})
    administrator.do("POST", f"operators/{hired.subject}/grants/{granted['request']}/end")
    assert administrator.ended(asked)["status"] == "done"


def test_nobody_without_a_token_is_answered(site: DeployedSite) -> None:
    """The gateway refuses before any function runs."""
    assert requests.get(f"{site.details.api}/v1/me", timeout=30).status_code == 401
