"""What the API answers of what happens and is asked for, and of those who ask; as in `answers`, only what is named."""

from typing import Any, Literal

from cloud.api.answers import Answer, Validity
from cloud.domain.delays import Delay
from cloud.domain.payloads import RequestType
from cloud.domain.roles import Role

RequestStatus = Literal["accepted", "processing", "done", "rejected"]


class Event(Answer):
    """Something that happened at a door. `credential` is the keyed hash of a card."""

    id: str
    at: str
    type: str
    site: str
    device: str
    epoch: int
    seq: int
    door: str | None = None
    reader: str | None = None
    direction: str | None = None
    reason: str | None = None
    credential: str | None = None
    person: str | None = None
    clock: str
    online: bool
    detail: dict[str, str | int | float | bool | None] | None = None
    arrived_at: str
    delay: Delay
    """How long it took to arrive."""


class Device(Answer):
    """A controller: the keys that its records are signed with, the doors that it may speak for."""

    device: str
    status: Literal["registered", "retired"]
    changed_at: str | None = None
    keys: tuple[str, ...] = ()
    doors: tuple[str, ...] = ()
    last_seen: str | None = None


class OperatorGrant(Validity):
    """A role of a member of staff at this site, or at every site."""

    subject: str
    grant: str
    role: Role
    site: str
    """`*`: every site."""


class Requester(Answer):
    """Who asked, as the identity provider named them then."""

    subject: str
    name: str


class ListVersion(Answer):
    """The version of the site's allow-list that tells the doors."""

    epoch: int
    version: int


class Progress(Answer):
    """Of a request that takes several steps."""

    done: int
    of: int


class RowProblem(Answer):
    """What is wrong with one row of an import."""

    line: int
    column: str
    """Field of the row."""
    detail: str


class Request(Answer):
    """How far a request has come; `code` and `detail` say why it was rejected, `summary` what came of it.

    Type and operator are missing only from what somebody put beside the API and nobody can read.
    """

    request: str
    type: RequestType | None = None
    site: str
    at: str
    operator: Requester | None = None
    status: RequestStatus
    code: str | None = None
    detail: str | None = None
    summary: dict[str, Any] | None = None
    problems: list[RowProblem] | None = None
    """Of an import: the first of those rows that could not be applied."""
    problem_count: int | None = None
    skipped: int | None = None
    progress: Progress | None = None
    finished_at: str | None = None
    list: ListVersion | None = None


class Accepted(Answer):
    """A change that is stored and will be carried out; `href` tells how far it has come."""

    request: str
    type: RequestType
    status: RequestStatus
    href: str
    replayed: bool
    """Whether the same request had been made before."""


class AuditEntry(Answer):
    """Who did or read what. `action` is the type of a request, `usage.read` or `audit.read`.

    Of an import that is `processing` some rows are applied: the request tells how many.
    """

    id: str
    at: str
    subject: str
    name: str | None = None
    action: str
    outcome: Literal["processing", "done", "rejected", "read"]
    code: str | None = None
    detail: str | None = None
    note: str | None = None
    summary: dict[str, Any] | None = None
    request: str | None = None
    person: str | None = None
    """Whose usage was read."""
    month: str | None = None
    """Of the audit, which was read."""
    finished_at: str | None = None


class GrantHeld(Validity):
    """A role of whoever asks; site `*`: at every site."""

    site: str
    role: Role


class Me(Answer):
    """Whoever asks, as the identity provider and the table know them."""

    subject: str
    name: str
    groups: list[str]
    grants: list[GrantHeld]


class Site(Answer):
    """A site where whoever asks has a role."""

    site: str
    name: str
    zone: str | None = None
    roles: list[Role]
