"""The deployed API, its functions with their own roles: from a change to what can be read of it."""

import json
from typing import Any
from uuid import uuid4

import pytest

from cloud.adapters.entities import EntityStore, key_attributes, to_attributes
from cloud.domain import keys
from cloud.domain.roles import Role
from tests.integration.cloud.conftest import Account
from tests.rigs.back_office import client_of
from tests.rigs.http_events import Reply, Staff, event, reply
from tests.rigs.waiting import wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

SITE = "/v1/sites/hq"
DONE_S = 90.0
"""Several functions start for the first time, on a machine that does other things."""
STAFF = Staff("deployed-admin")


def _called(account: Account, function: str, made: dict[str, Any]) -> Reply:
    payload = json.dumps(made).encode()
    answer = client_of(account.access, "lambda").invoke(FunctionName=f"cardea-dev-{function}", Payload=payload)
    body = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, body
    return reply(body)


def _read(account: Account, target: str) -> Reply:
    return _called(account, "api-read", event(STAFF, "GET", SITE + target))


def _done(account: Account, method: str, target: str, body: Any) -> None:
    """Ask for a change, and wait until it is done."""
    answer = _called(account, "api-change", event(STAFF, method, SITE + target, body, key=str(uuid4())))
    assert answer.status == 202, answer.body

    def ended() -> Any:
        status = _called(account, "api-read", event(STAFF, "GET", answer.body["href"])).body
        return status if status["status"] in ("done", "rejected") else None

    assert wait_for(ended, f"the end of {target}", DONE_S)["status"] == "done"


def test_what_is_asked_for_is_done_and_can_be_read(account: Account) -> None:
    """Table, indexes, bucket and both secrets, as far as the API uses them; through the processors and back."""
    table = account.outputs["TableName"]
    grant = {"grant": "g", "subject": STAFF.subject, "role": Role.ADMINISTRATOR.value, "site": "hq"}
    key = keys.role_grant(STAFF.subject, "hq", "g")
    account.access.dynamodb().put_item(TableName=table, Item={**to_attributes(grant), **key_attributes(key)})

    _done(account, "POST", "/people", {"person": "p-deployed", "name": "Ada"})
    _done(account, "POST", "/cards", {"cards": [{"uid": "04A224B2C35E80"}, {"uid": "04A224B2C35E81"}]})
    _done(
        account, "POST", "/cards/issue", {"uid": "04A224B2C35E80", "person": "p-deployed", "complete_onboarding": True}
    )

    found = _called(account, "api-read", event(STAFF, "POST", f"{SITE}/cards/lookup", {"uid": "04A224B2C35E80"}))
    assert (found.status, found.body["status"], found.body["person"]) == (200, "issued", "p-deployed")
    assert _read(account, "/people/p-deployed").body["cards"] == [found.body["card"]]
    first = _read(account, "/cards?limit=1").body
    rest = _read(account, f"/cards?limit=1&cursor={first['next']}").body
    assert {card["status"] for card in first["items"] + rest["items"]} == {"issued", "unissued"}
    assert _read(account, "/people/p-deployed/usage").status == 200
    audit = EntityStore(table, account.access.dynamodb()).query_all(None, f"AUDIT#hq#{_month(account)}")
    assert [entry["person"] for entry in audit if entry["action"] == "usage.read"] == ["p-deployed"]
    assert _read(account, "/requests/nothing").kind == "request-unknown"


def _month(account: Account) -> str:
    at: str = _read(account, "/requests?limit=1").body["items"][0]["at"]
    return at[:7]
