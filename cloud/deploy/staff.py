"""Makes the first members of staff, who then make the others: a user of the pool, and a grant of a role; and ends it.

Both are needed, and that is why this is here: whom the pool knows as an administrator may do nothing without a grant,
and the only way to get one through the API is to be an administrator. The audit says so in the transaction of each
grant and end; of a role that holds at every site, the audit of each site there is.
"""

import secrets
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from cloud.adapters.aws import AwsAccess, AwsError, aws_errors
from cloud.adapters.entities import EntityStore
from cloud.adapters.transactions import commit, transact_items
from cloud.contract.itemcodec import instant_text
from cloud.domain import audit
from cloud.domain.audit import DEPLOYMENT
from cloud.domain.keys import LISTING_INDEX, SITES, Key
from cloud.domain.outcome import Put
from cloud.domain.payloads import RequestType
from cloud.domain.roles import EVERY_SITE, Role
from cloud.domain.rules.entities import StaffRole
from cloud.domain.times import moment_text
from cloud.errors import DeployError

GRANTED_BY = DEPLOYMENT
"""Instead of the administrator who granted it."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of staff who is to have a role at a site."""

    name: str
    """To sign in with."""
    role: Role
    site: str
    email: str | None = None
    """Where the pool sends the first password to."""
    password: str | None = field(default=None, repr=False)
    """For good, instead of a first one that is sent; for the local cloud."""


def ensure_member(access: AwsAccess, outputs: Mapping[str, str], member: Member) -> str:
    """Make what is missing of a member of staff; returns their subject. Raises AwsError.

    Args:
        access: The account.
        outputs: Of the root stack.
        member: Who it is to be.
    """
    pool = outputs["PoolId"]
    cognito = access.cognito()
    # An address that counts as unverified gets no mail when its owner has forgotten the password.
    email = {"email": member.email, "email_verified": "true"} if member.email else {}
    try:
        with aws_errors():
            cognito.admin_create_user(
                UserPoolId=pool,
                Username=member.name,
                TemporaryPassword=new_password(),
                UserAttributes=[{"Name": name, "Value": value} for name, value in email.items()],
                **({} if member.email and member.password is None else {"MessageAction": "SUPPRESS"}),  # type: ignore[arg-type]  # one of two shapes
            )
    except AwsError as error:
        if error.code != "UsernameExistsException":
            raise
    with aws_errors():
        if member.password is not None:
            cognito.admin_set_user_password(
                UserPoolId=pool, Username=member.name, Password=member.password, Permanent=True
            )
        cognito.admin_add_user_to_group(UserPoolId=pool, Username=member.name, GroupName=member.role.value)
        user = cognito.admin_get_user(UserPoolId=pool, Username=member.name)
    subject = next(each["Value"] for each in user["UserAttributes"] if each["Name"] == "sub")
    _ensure_grant(access, outputs["TableName"], member, subject)
    return subject


def end_role(access: AwsAccess, outputs: Mapping[str, str], name: str, role: Role, site: str) -> str:
    """End now the role that `ensure_member` gave; returns whose it was. Raises DeployError: there is none; AwsError.

    Roles that hold at every site end nowhere else: no administrator of one site may take them away. The item stays, to
    judge what was asked for before; the user stays too, whom the pool may know for other roles.
    """
    table, dynamodb = outputs["TableName"], access.dynamodb()
    with aws_errors():
        user = access.cognito().admin_get_user(UserPoolId=outputs["PoolId"], Username=name)
    subject = next(each["Value"] for each in user["UserAttributes"] if each["Name"] == "sub")
    key = StaffRole.key(site, f"{subject}#{_grant(role)}")
    store = EntityStore(table, dynamodb)
    item = store.get(key)
    if item is None:
        raise DeployError(f"{name}: has no role {role.value} at {site} that `cardea cloud staff` gave")
    held, now = StaffRole.of(item), instant_text(int(time.time()))
    if held.valid_until is None or now < held.valid_until:
        ended = Put(key, replace(held, valid_until=now, ended_by=GRANTED_BY).fields(site))
        entries = _entries(store, RequestType.OPERATOR_END, held)
        commit(dynamodb, transact_items(table, [ended, *entries], {key: item, **_new(entries)}))
    return subject


def new_password() -> str:
    """One that the pool's policy takes and nobody guesses."""
    return f"Aa1-{secrets.token_urlsafe(18)}"


def _ensure_grant(access: AwsAccess, table: str, member: Member, subject: str) -> None:
    grant = StaffRole(
        grant=_grant(member.role),
        subject=subject,
        role=member.role,
        site=member.site,
        valid_from=instant_text(int(time.time())),
        granted_by=GRANTED_BY,
    )
    key, dynamodb = grant.key(member.site, grant.id), access.dynamodb()
    store = EntityStore(table, dynamodb)
    # One that is there may have been ended since: a deployment does not bring back what an administrator took away.
    if store.get(key) is None:
        entries = _entries(store, RequestType.OPERATOR_GRANT, grant)
        put = Put(key, grant.fields(member.site))
        commit(dynamodb, transact_items(table, [put, *entries], {key: None, **_new(entries)}))


def _entries(store: EntityStore, action: RequestType, role: StaffRole) -> list[Put]:
    """What the audit tells of a grant or an end, at each site where the role holds.

    For every site, one entry lies also where no site's audit looks: there may be no site yet.
    """
    summary = {"grant": role.grant, "subject": role.subject, "role": role.role.value}
    sites = [role.site]
    if role.site == EVERY_SITE:
        summary["site"] = EVERY_SITE
        sites += [str(item["site"]) for item in store.query_all(LISTING_INDEX, SITES)]
    at, identifier = moment_text(time.time()), str(uuid.uuid4())
    return [audit.of_deployment(site, at, identifier, action, summary) for site in sites]


def _new(puts: Iterable[Put]) -> dict[Key, None]:
    return dict.fromkeys(put.key for put in puts)


def _grant(role: Role) -> str:
    return f"{GRANTED_BY}-{role.value}"
