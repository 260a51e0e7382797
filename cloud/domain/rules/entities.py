"""People, cards, controllers and roles of the staff as they lie in the table."""

from dataclasses import dataclass
from enum import StrEnum

from cloud.domain import keys
from cloud.domain.keys import Key
from cloud.domain.roles import Role
from cloud.domain.rules.entity import Entity, Reference, distinct
from cloud.domain.rules.place_entities import Door, Group


class PersonStatus(StrEnum):
    """Where a person is in their time here; only an active one is admitted."""

    ONBOARDING = "onboarding"
    ACTIVE = "active"
    INACTIVE = "inactive"


class CardState(StrEnum):
    """Where a card is in its life, as the back office tells it apart; only an issued one admits."""

    UNISSUED = "unissued"
    ISSUED = "issued"
    RETURNED = "returned"
    EXPIRED = "expired"
    LOST = "lost"
    REVOKED = "revoked"
    STOLEN = "stolen"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class Permission:
    """That a person belongs to a group, from <= now < until; instants as text, None: without such a bound."""

    permission: str
    """The id of the request that granted it."""
    group: str
    granted_by: str
    """Subject of the operator."""
    valid_from: str | None = None
    valid_until: str | None = None

    def over(self, now: str) -> bool:
        """Whether it has ended and can't begin again."""
        return self.valid_until is not None and self.valid_until <= now

    def covers(self, valid_from: str | None, valid_until: str | None, now: str) -> bool:
        """Whether it already gives, from now on, all that one with these bounds would give."""
        begins_in_time = (self.valid_from or "") <= max(valid_from or "", now)
        return begins_in_time and (
            self.valid_until is None or (valid_until is not None and valid_until <= self.valid_until)
        )


@dataclass(frozen=True, slots=True)
class Person(Entity):
    """Who holds cards."""

    NAME = "person"
    person: str
    name: str
    status: PersonStatus
    created_at: str
    status_at: str
    """When the request was made that led to the status."""
    email: str | None = None
    valid_from: str | None = None
    valid_until: str | None = None
    cards: tuple[str, ...] = ()
    """Those that are issued to them."""
    permissions: tuple[Permission, ...] = ()
    changed_at: str = ""
    """When the newest request was made that said name, address or validity; empty, which is before all others: an
    earlier release wrote it."""

    @classmethod
    def key(cls, site: str, name: str) -> Key:
        """Where the one with this id lies."""
        return keys.person(site, name)

    def index(self, site: str) -> dict[str, str]:
        """People of a site, by id."""
        return {"g2pk": f"PEOPLE#{site}", "g2sk": self.person}

    def references(self) -> tuple[Reference, ...]:
        """Their groups, one for each permission."""
        return tuple((Group, permission.group) for permission in self.permissions)


@dataclass(frozen=True, slots=True)
class Card(Entity):
    """A card: `card` is its keyed hash."""

    NAME = "card"
    card: str
    status: CardState
    changed_at: str
    """When the request was made that led to the status."""
    label: str | None = None
    person: str | None = None
    """Who holds it, or held it last."""
    valid_from: str | None = None
    valid_until: str | None = None

    @classmethod
    def key(cls, site: str, name: str) -> Key:
        """Where the one with this id lies."""
        return keys.card(site, name)

    def index(self, site: str) -> dict[str, str]:
        """Cards of a site, by status."""
        return {"g2pk": f"CARDS#{site}", "g2sk": f"{self.status}#{self.card}"}


class DeviceStatus(StrEnum):
    """Whether a controller is believed."""

    REGISTERED = "registered"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Device(Entity):
    """A controller. Its id is its own at all sites."""

    NAME = "device"
    device: str
    site: str
    status: DeviceStatus
    changed_at: str
    """When the newest request was made that registered or retired it."""
    keys: tuple[str, ...] = ()
    """Ed25519 public keys in hex; none: nothing that it sends is believed."""
    doors: tuple[str, ...] = ()
    last_seen: str | None = None
    """When it was last heard of, as the consumer of the stream says: kept, so that it is known of one that is gone."""

    @classmethod
    def key(cls, site: str, name: str) -> Key:  # noqa: ARG003 - the same at every site
        """Where the one with this id lies."""
        return keys.device(name)

    def index(self, site: str) -> dict[str, str]:
        """Devices of a site, by id."""
        return {"g2pk": f"DEVICES#{site}", "g2sk": self.device}

    def references(self) -> tuple[Reference, ...]:
        """Its doors, each once."""
        return distinct((Door, door) for door in self.doors)


@dataclass(frozen=True, slots=True)
class StaffRole(Entity):
    """A role of a member of staff at a site. Its id is `subject#grant`."""

    NAME = "grant"
    grant: str
    """The id of the request that granted it."""
    subject: str
    role: Role
    site: str
    valid_from: str
    granted_by: str
    """Subject of the administrator."""
    valid_until: str | None = None
    ended_by: str | None = None

    @property
    def id(self) -> str:
        """The member of staff and the grant: ids of neither hold a #."""
        return f"{self.subject}#{self.grant}"

    @classmethod
    def key(cls, site: str, name: str) -> Key:
        """Where the one with this id lies."""
        subject, _, grant = name.partition("#")
        return keys.role_grant(subject, site, grant)

    def index(self, site: str) -> dict[str, str]:
        """Roles at a site, by member of staff."""
        return {"g2pk": f"OPERATORS#{site}", "g2sk": self.id}
