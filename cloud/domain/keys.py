"""Where everything lies in the one table, beside the lists (cloud.contract.allowlist): partition and sort keys.

Two indexes, both sparse and both with all attributes: `gsi1` (g1pk, g1sk) leads from one thing to those that belong to
it, `gsi2` (g2pk, g2sk) lists things of a kind at a site. Nothing that decides reads an index: they lag behind.
"""

from typing import Final

Key = tuple[str, str]
"""Partition and sort key."""

ONLY: Final = "-"
"""Sort key of what is alone in its partition, or is its main item."""
OWNER_INDEX: Final = "gsi1"
LISTING_INDEX: Final = "gsi2"


SITES: Final = "SITES"
"""Partition of the listing index that holds all sites."""


def site(name: str) -> Key:
    """A site: its name and zone. Listed: SITES / site."""
    return f"SITE#{name}", ONLY


def place(site: str, kind: str, name: str) -> Key:
    """A building, area, door, group, schedule or calendar of holidays; `kind` in small letters."""
    return f"SITE#{site}", f"{kind.upper()}#{name}"


def removed(site: str, kind: str, name: str) -> Key:
    """That a place was removed, and when that was asked for: for requests of before that are still under way."""
    return f"REMOVED#{site}", f"{kind.upper()}#{name}"


def person(site: str, name: str) -> Key:
    """A person. Listed: PEOPLE#site / person."""
    return f"PERSON#{site}#{name}", ONLY


def presence(site: str, person: str) -> Key:
    """Where a person is. Owner, while inside a building: INSIDE#site#building / person."""
    return f"PERSON#{site}#{person}", "PRESENCE"


def card(site: str, card_id: str) -> Key:
    """A card. Listed: CARDS#site / status#card."""
    return f"CARD#{site}#{card_id}", ONLY


def event(site: str, door: str | None, device: str, at: str, epoch: int, seq: int) -> Key:
    """An event, with the others of its door, or of its device. Owner, with a person: USE#site#person / the sort key."""
    where = f"DEVICE#{device}" if door is None else f"DOOR#{site}#{door}"
    return where, f"EVENT#{at}#{device}#{epoch:010d}#{seq:012d}"


def device(name: str) -> Key:
    """A controller: site, keys, doors. Listed: DEVICES#site / device."""
    return f"DEVICE#{name}", ONLY


def stream(device: str, epoch: int) -> Key:
    """What has arrived of a device's events in an epoch. Owner, while something is missing: HOLES / device#epoch."""
    return f"DEVICE#{device}", f"STREAM#{epoch:010d}"


def request(identifier: str) -> Key:
    """How far a request has come. Listed: REQUESTS#site / at#id."""
    return f"REQUEST#{identifier}", ONLY


def audit(site: str, at: str, identifier: str) -> Key:
    """Who did or read what, by month."""
    return f"AUDIT#{site}#{at[:7]}", f"{at}#{identifier}"


def role_grant(subject: str, site: str, name: str) -> Key:
    """A role of a member of staff. Listed: OPERATORS#site / subject#grant."""
    return f"OPERATOR#{subject}", f"GRANT#{site}#{name}"
