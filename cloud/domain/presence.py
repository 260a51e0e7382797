"""Where a person is, from what doors and the back office said, pure. Must never depend on the order of arrival.

The state is a trail: the newest facts about a person. Merging is a union that is sorted and cut, so it is commutative,
associative and idempotent: a late fact takes its place in the past and moves nobody, a repeated one changes nothing.
Where the person is follows from the trail alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from enum import StrEnum
from typing import Any, Final, Self

TRAIL: Final = 16
"""Facts that are kept: enough for a grant to meet the word that it was not used, and small enough for one item."""

Item = Mapping[str, Any]


_BETWEEN: Final = "|"
"""No id and no instant holds it."""


class FactKind(StrEnum):
    """What a fact says."""

    GRANTED = "granted"
    """A door let the person through."""
    NOT_TAKEN = "not_taken"
    """The person did not go through, after all."""
    ISSUED = "issued"
    """The back office handed over a card, in this building."""


@dataclass(frozen=True, slots=True, order=True)
class Fact:
    """One thing that was said about a person. Ordered by time, then by who said it and where in its own order.

    (device, epoch, seq) identifies it: of an event, or (id, 0, 0) of a request; no device has an epoch 0.
    """

    at: str
    """RFC 3339 UTC with milliseconds."""
    device: str
    epoch: int
    seq: int
    kind: str
    door: str = ""
    direction: str = ""
    area: str = ""
    """Where it leads; empty: to none that is known."""
    building: str = ""
    """Where it leads; empty: out of all buildings."""

    @property
    def identity(self) -> tuple[str, int, int]:
        """What stays the same however often it is said."""
        return self.device, self.epoch, self.seq

    def text(self) -> str:
        """The fact as an entry of a trail: one string, since sixteen lists of nine would take long to be written."""
        return _BETWEEN.join(map(str, astuple(self)))

    @classmethod
    def read(cls, text: str) -> Self:
        """The inverse of `text`."""
        at, device, epoch, seq, *rest = text.split(_BETWEEN)
        return cls(at, device, int(epoch), int(seq), *rest)


def issued_fact(building: str, at: str, request_id: str) -> Fact:
    """A card was handed over in a building at `at` (with milliseconds, as requests have it): the person is inside."""
    return Fact(at, request_id, 0, 0, FactKind.ISSUED.value, building=building)


def merged(site: str, person: str, item: Item | None, facts: Iterable[Fact]) -> dict[str, Any]:
    """The fields of the person's presence item with these facts added: index keys included; not pk, sk, `v`, `rev`.

    `item` is what lies there now. Equal to its own fields when the facts change nothing.
    """
    known = () if item is None else (Fact.read(text) for text in item["trail"])
    trail = _newest((*known, *facts))
    fields: dict[str, Any] = {"person": person, "trail": [fact.text() for fact in trail]}
    last = _last_move(trail)
    if last is None:
        return fields
    fields["at"] = last.at
    for name in ("door", "area", "building"):
        if value := getattr(last, name):
            fields[name] = value
    if last.building:
        fields["g1pk"], fields["g1sk"] = inside(site, last.building), person
    return fields


def inside(site: str, building: str) -> str:
    """The partition of the owner index that holds who is inside a building."""
    return f"INSIDE#{site}#{building}"


def _newest(facts: Iterable[Fact]) -> list[Fact]:
    """The trail, oldest first.

    A fact that was said with two times (its clock was corrected in between) counts with the later one: any other
    choice would depend on which of the two was cut from the trail before the other came.
    """
    by_identity: dict[tuple[str, int, int], Fact] = {}
    for fact in facts:
        held = by_identity.get(fact.identity)
        by_identity[fact.identity] = fact if held is None else max(held, fact)
    return sorted(by_identity.values())[-TRAIL:]


def _last_move(trail: list[Fact]) -> Fact | None:
    """The newest fact that moved the person and was not undone."""
    undone: set[tuple[str, int, int]] = set()
    # By the device's own order, which its clock can't disturb.
    for lapsed in sorted((fact for fact in trail if fact.kind == FactKind.NOT_TAKEN), key=lambda fact: fact.identity):
        grants = [
            fact.identity
            for fact in trail
            if fact.kind == FactKind.GRANTED
            and (fact.device, fact.door, fact.direction) == (lapsed.device, lapsed.door, lapsed.direction)
            and fact.identity < lapsed.identity
            and fact.identity not in undone
        ]
        if grants:
            undone.add(max(grants))
    moves = [fact for fact in trail if fact.kind != FactKind.NOT_TAKEN and fact.identity not in undone]
    return moves[-1] if moves else None
