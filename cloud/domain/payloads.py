"""What each type of request holds. The API checks a request against these, and so does everyone that handles it later.

Every change of the back office is one of these: `PAYLOADS` names them all.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, model_validator

from cloud.contract.checks import MAX_INT
from cloud.contract.items import DAYS, AntiPassback, DoorMode
from cloud.domain.fields import CardId, Fields, Id, Instant, Name, Note
from cloud.domain.roles import Role

MAX_REGISTERED: Final = 50
"""Cards in one request: they and the request's own records must fit into one transaction, which takes 100 items."""
MAX_GRANTS: Final = 500
MAX_WINDOWS: Final = 200
MAX_DATES: Final = 1000
MAX_IMPORTED: Final = 20_000
"""Rows of one import; about 4 MB, below the 6 MB that one call of a function takes."""

_DAY: Final = r"^\d{4}-\d{2}-\d{2}$"
_CLOCK: Final = r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$"
_PUBLIC_KEY: Final = r"^[0-9a-f]{64}$"


class _Validity(Fields):
    """When it holds: from <= now < until; None: without such a bound."""

    valid_from: Instant | None = None
    valid_until: Instant | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "_Validity":
        if self.valid_from is not None and self.valid_until is not None and self.valid_from >= self.valid_until:
            raise ValueError("valid_until is not after valid_from")
        return self


# ---- cards ----------------------------------------------------------------------------------------------------------


class NewCard(Fields):
    """A physical card that came from the manufacturer."""

    card: CardId
    label: Name | None = None
    """What is printed on it, so that people can tell cards apart without their numbers."""


class RegisterCards(Fields):
    """New cards enter the pool, unissued."""

    cards: list[NewCard] = Field(min_length=1, max_length=MAX_REGISTERED)


class IssueCard(_Validity):
    """A card is handed to a person. One who holds another card has it revoked in the same step."""

    card: CardId
    person: Id
    building: Id | None = None
    """Where both are at this moment: the person counts as inside."""
    complete_onboarding: bool = False
    note: Note | None = None


class ReplaceCard(Fields):
    """A person gets another card for the one that is lost, stolen or worn, which never works again."""

    card: CardId
    by: CardId
    reason: Literal["lost", "stolen", "revoked"] = "revoked"
    note: Note | None = None


class CardChange(Fields):
    """Something happened to a card."""

    card: CardId
    note: Note | None = None


# ---- people ---------------------------------------------------------------------------------------------------------


class CreatePerson(_Validity):
    """A person becomes known."""

    person: Id
    name: Name
    email: Name | None = None
    status: Literal["onboarding", "active"] = "onboarding"


class UpdatePerson(_Validity):
    """What is given is changed, null clears it; what is left out stays."""

    person: Id
    name: Name | None = None
    email: Name | None = None


class PersonChange(Fields):
    """A person comes or goes."""

    person: Id
    note: Note | None = None


class ImportRow(_Validity):
    """One person of an import, with a card and groups if they are known."""

    line: Annotated[int, Field(ge=1, le=MAX_INT)]
    """Of the file, for messages."""
    person: Id
    name: Name
    email: Name | None = None
    status: Literal["onboarding", "active"] = "active"
    card: CardId | None = None
    groups: list[Id] = Field(default=[], max_length=50)


class ImportPeople(Fields):
    """Many people at once. People who are there are updated, so that the same file can be run again."""

    rows: list[ImportRow] = Field(min_length=1, max_length=MAX_IMPORTED)
    all_or_nothing: bool = True
    """True: one row that can't be applied keeps all others out too, as far as can be told beforehand."""


# ---- permissions ----------------------------------------------------------------------------------------------------


class GrantPermission(_Validity):
    """A person belongs to a group, from then until then."""

    person: Id
    group: Id
    note: Note | None = None


class EndPermission(Fields):
    """A permission ends now, or at a later time that is given."""

    person: Id
    permission: Id
    at: Instant | None = None
    note: Note | None = None


# ---- places and times -----------------------------------------------------------------------------------------------


class PutBuilding(Fields):
    """A building is as this says."""

    building: Id
    name: Name


class PutArea(Fields):
    """An area, in a building or outside of all (None)."""

    area: Id
    name: Name
    building: Id | None = None
    anti_passback: AntiPassback = Field(default=AntiPassback.OFF, strict=False)


class PutDoor(Fields):
    """A door: what lies on its two sides, and what it does."""

    door: Id
    name: Name
    building: Id | None = None
    mode: DoorMode = Field(default=DoorMode.NORMAL, strict=False)
    inside: Id | None = None
    outside: Id | None = None


class GroupGrant(Fields):
    """One door that a group opens; always, or within a schedule."""

    door: Id
    schedule: Id | None = None


class PutGroup(Fields):
    """An access group."""

    group: Id
    name: Name
    grants: list[GroupGrant] = Field(default=[], max_length=MAX_GRANTS)


class ScheduleWindow(Fields):
    """From `start` to `end` on each day; an end that is not later lies on the next day."""

    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(min_length=1, max_length=len(DAYS))
    start: Annotated[str, StringConstraints(pattern=_CLOCK)]
    end: Annotated[str, StringConstraints(pattern=_CLOCK)]


class PutSchedule(Fields):
    """A week in a time zone, without the days of a calendar of holidays."""

    schedule: Id
    name: Name
    zone: Name
    windows: list[ScheduleWindow] = Field(default=[], max_length=MAX_WINDOWS)
    holidays: Id | None = None


class PutHolidays(Fields):
    """A calendar of days on which the schedules that name it do not open."""

    holidays: Id
    name: Name
    dates: list[Annotated[str, StringConstraints(pattern=_DAY)]] = Field(default=[], max_length=MAX_DATES)


class RemovePlace(Fields):
    """Something that nothing names any more goes."""

    id: Id
    note: Note | None = None


# ---- devices and operators ------------------------------------------------------------------------------------------


class RegisterDevice(Fields):
    """A controller may send events: signed by one of these keys, and about these doors."""

    device: Id
    keys: list[Annotated[str, StringConstraints(pattern=_PUBLIC_KEY)]] = Field(min_length=1, max_length=2)
    """Ed25519 public keys in hex; two while they rotate."""
    doors: list[Id] = Field(default=[], max_length=64)


class DeviceChange(Fields):
    """A controller leaves: stolen, broken or moved."""

    device: Id
    note: Note | None = None


class GrantRole(_Validity):
    """A member of staff may act in a role at this site, from then until then."""

    subject: Id
    """Of the identity provider, which knows the person behind it."""
    role: Role = Field(strict=False)
    note: Note | None = None


class EndRole(Fields):
    """A role ends now."""

    subject: Id
    grant: Id
    note: Note | None = None


class RequestType(StrEnum):
    """Every change that can be asked for."""

    CARD_REGISTER = "card.register"
    CARD_ISSUE = "card.issue"
    CARD_RETURN = "card.return"
    CARD_REPORT_LOST = "card.report_lost"
    CARD_REPORT_STOLEN = "card.report_stolen"
    CARD_DESTROY = "card.destroy"
    CARD_EXPIRE = "card.expire"
    CARD_REACTIVATE = "card.reactivate"
    CARD_REVOKE = "card.revoke"
    CARD_REPLACE = "card.replace"
    PERSON_CREATE = "person.create"
    PERSON_UPDATE = "person.update"
    PERSON_ACTIVATE = "person.activate"
    PERSON_DEACTIVATE = "person.deactivate"
    PEOPLE_IMPORT = "people.import"
    PERMISSION_GRANT = "permission.grant"
    PERMISSION_END = "permission.end"
    BUILDING_PUT = "building.put"
    BUILDING_REMOVE = "building.remove"
    AREA_PUT = "area.put"
    AREA_REMOVE = "area.remove"
    DOOR_PUT = "door.put"
    DOOR_REMOVE = "door.remove"
    GROUP_PUT = "group.put"
    GROUP_REMOVE = "group.remove"
    SCHEDULE_PUT = "schedule.put"
    SCHEDULE_REMOVE = "schedule.remove"
    HOLIDAYS_PUT = "holidays.put"
    HOLIDAYS_REMOVE = "holidays.remove"
    DEVICE_REGISTER = "device.register"
    DEVICE_RETIRE = "device.retire"
    OPERATOR_GRANT = "operator.grant"
    OPERATOR_END = "operator.end"


PAYLOADS: Final[Mapping[RequestType, type[Fields]]] = {
    RequestType.CARD_REGISTER: RegisterCards,
    RequestType.CARD_ISSUE: IssueCard,
    RequestType.CARD_RETURN: CardChange,
    RequestType.CARD_REPORT_LOST: CardChange,
    RequestType.CARD_REPORT_STOLEN: CardChange,
    RequestType.CARD_DESTROY: CardChange,
    RequestType.CARD_EXPIRE: CardChange,
    RequestType.CARD_REACTIVATE: CardChange,
    RequestType.CARD_REVOKE: CardChange,
    RequestType.CARD_REPLACE: ReplaceCard,
    RequestType.PERSON_CREATE: CreatePerson,
    RequestType.PERSON_UPDATE: UpdatePerson,
    RequestType.PERSON_ACTIVATE: PersonChange,
    RequestType.PERSON_DEACTIVATE: PersonChange,
    RequestType.PEOPLE_IMPORT: ImportPeople,
    RequestType.PERMISSION_GRANT: GrantPermission,
    RequestType.PERMISSION_END: EndPermission,
    RequestType.BUILDING_PUT: PutBuilding,
    RequestType.BUILDING_REMOVE: RemovePlace,
    RequestType.AREA_PUT: PutArea,
    RequestType.AREA_REMOVE: RemovePlace,
    RequestType.DOOR_PUT: PutDoor,
    RequestType.DOOR_REMOVE: RemovePlace,
    RequestType.GROUP_PUT: PutGroup,
    RequestType.GROUP_REMOVE: RemovePlace,
    RequestType.SCHEDULE_PUT: PutSchedule,
    RequestType.SCHEDULE_REMOVE: RemovePlace,
    RequestType.HOLIDAYS_PUT: PutHolidays,
    RequestType.HOLIDAYS_REMOVE: RemovePlace,
    RequestType.DEVICE_REGISTER: RegisterDevice,
    RequestType.DEVICE_RETIRE: DeviceChange,
    RequestType.OPERATOR_GRANT: GrantRole,
    RequestType.OPERATOR_END: EndRole,
}
