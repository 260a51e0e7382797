"""The first members of staff: what `cardea cloud staff` makes, and what it leaves alone."""

import time

import pytest

from cloud.adapters.aws import AwsError
from cloud.adapters.entities import EntityStore, key_attributes
from cloud.adapters.new_items import NewItems
from cloud.adapters.transactions import put_request
from cloud.api.record_answers import AuditEntry
from cloud.deploy.staff import GRANTED_BY, Member, end_role, ensure_member, new_password
from cloud.domain import keys
from cloud.domain.grants import GRANT_PREFIX, partition, read_grant
from cloud.domain.outcome import Put
from cloud.domain.roles import EVERY_SITE, Role, roles_at
from cloud.domain.times import moment_text
from cloud.errors import DeployError
from tests.integration.cloud.conftest import Account

NOW_S = 4_000_000_000.0


def test_first_administrator_may_act_at_once(account: Account) -> None:
    """The pool names the role and the table grants it: either alone would leave nobody able to do anything."""
    member = Member("first", Role.ADMINISTRATOR, "hq", password=new_password())
    subject = ensure_member(account.access, account.outputs, member)
    store = EntityStore(account.outputs["TableName"], account.access.dynamodb())
    grants = [read_grant(item) for item in store.query_all(None, partition(subject), prefix=GRANT_PREFIX)]
    assert roles_at(grants, ["administrator"], "hq", NOW_S) == {Role.ADMINISTRATOR}
    assert roles_at(grants, ["administrator"], "elsewhere", NOW_S) == frozenset()
    groups = account.access.cognito().admin_list_groups_for_user(
        UserPoolId=account.outputs["PoolId"], Username="first"
    )["Groups"]
    assert [group["GroupName"] for group in groups] == ["administrator"]


def test_role_at_every_site_is_given_and_ended(account: Account) -> None:
    """It holds until then, is marked as ended, and is not given again; who never had it is told."""
    member = Member("roamer", Role.AUDITOR, EVERY_SITE, password=new_password())
    subject = ensure_member(account.access, account.outputs, member)
    store = EntityStore(account.outputs["TableName"], account.access.dynamodb())

    def held() -> frozenset[Role]:
        grants = [read_grant(item) for item in store.query_all(None, partition(subject), prefix=GRANT_PREFIX)]
        return roles_at(grants, ["auditor"], "anywhere", NOW_S)

    assert held() == {Role.AUDITOR}
    for _ in range(2):
        assert end_role(account.access, account.outputs, "roamer", Role.AUDITOR, EVERY_SITE) == subject
        assert held() == frozenset()
    ended = store.get(keys.role_grant(subject, EVERY_SITE, f"{GRANTED_BY}-auditor"))
    assert ended is not None
    assert (ended["ended_by"], ended["g2pk"]) == (GRANTED_BY, "OPERATORS#*")
    ensure_member(account.access, account.outputs, member)
    assert held() == frozenset()
    with pytest.raises(DeployError, match="roamer: has no role auditor at hq that"):
        end_role(account.access, account.outputs, "roamer", Role.AUDITOR, "hq")
    with pytest.raises(AwsError):
        end_role(account.access, account.outputs, "nobody", Role.AUDITOR, EVERY_SITE)


def recorded(account: Account, site: str, subject: str) -> list[tuple[str, str]]:
    """What the audit of a site tells of a member's roles, in order."""
    store = EntityStore(account.outputs["TableName"], account.access.dynamodb())
    month = moment_text(time.time())[:7]
    items = store.query_all(None, keys.audit(site, f"{month}-01T", "")[0])
    entries = [AuditEntry(**item) for item in items if item.get("summary", {}).get("subject") == subject]
    assert {entry.subject for entry in entries} <= {GRANTED_BY}
    assert all((entry.summary or {})["role"] and entry.outcome == "done" for entry in entries)
    return [(entry.action, (entry.summary or {}).get("site", site)) for entry in entries]


def test_roles_of_the_deployment_stand_in_the_audit(account: Account) -> None:
    """Given and ended, once each however often it is run; nothing of it at another site."""
    member = Member("noted", Role.GUARD, "hq", password=new_password())
    for _ in range(2):
        subject = ensure_member(account.access, account.outputs, member)
    assert recorded(account, "hq", subject) == [("operator.grant", "hq")]
    for _ in range(2):
        end_role(account.access, account.outputs, "noted", Role.GUARD, "hq")
    assert recorded(account, "hq", subject) == [("operator.grant", "hq"), ("operator.end", "hq")]
    assert recorded(account, "elsewhere", subject) == recorded(account, EVERY_SITE, subject) == []


def test_roles_at_every_site_stand_in_the_audit_of_each(account: Account) -> None:
    """And in one that is nobody's, for an environment that has no site yet."""
    table, dynamodb = account.outputs["TableName"], account.access.dynamodb()
    key, listed = keys.site("annex"), {"g2pk": keys.SITES, "g2sk": "annex", "site": "annex"}
    NewItems(table, dynamodb).put(key, listed)
    member = Member("everywhere", Role.GUARD, EVERY_SITE, password=new_password())
    try:
        subject = ensure_member(account.access, account.outputs, member)
        end_role(account.access, account.outputs, "everywhere", Role.GUARD, EVERY_SITE)
    finally:
        dynamodb.delete_item(TableName=table, Key=key_attributes(key))
    for site in ("annex", EVERY_SITE):
        assert recorded(account, site, subject) == [("operator.grant", EVERY_SITE), ("operator.end", EVERY_SITE)]


def test_role_that_was_ended_stays_ended(account: Account) -> None:
    """Running the command again makes nothing anew: neither the person nor what an administrator took away."""
    member = Member("leaver", Role.OPERATOR, "hq", password=new_password())
    subject = ensure_member(account.access, account.outputs, member)
    dynamodb = account.access.dynamodb()
    store = EntityStore(account.outputs["TableName"], dynamodb)
    key = keys.role_grant(subject, "hq", f"{GRANTED_BY}-operator")
    before = store.get(key)
    assert before is not None
    fields = {name: value for name, value in before.items() if name not in ("pk", "sk", "v", "rev")}
    ended = Put(key, {**fields, "valid_until": "2026-01-02T00:00:00Z"})
    dynamodb.put_item(**put_request(account.outputs["TableName"], ended, before))
    assert ensure_member(account.access, account.outputs, member) == subject
    grants = [read_grant(item) for item in store.query_all(None, partition(subject), prefix=GRANT_PREFIX)]
    assert roles_at(grants, ["operator"], "hq", NOW_S) == frozenset()


def test_address_that_was_given_counts_as_verified(account: Account) -> None:
    """Or who forgets the password gets no mail, and there is no other way back."""
    ensure_member(account.access, account.outputs, Member("mailed", Role.GUARD, "hq", email="m@example.org"))
    user = account.access.cognito().admin_get_user(UserPoolId=account.outputs["PoolId"], Username="mailed")
    told = {attribute["Name"]: attribute["Value"] for attribute in user["UserAttributes"]}
    assert (told["email"], told["email_verified"]) == ("m@example.org", "true")
