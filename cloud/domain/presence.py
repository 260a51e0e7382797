"""Where a person is, from what doors and the back office said, pure. Must never depend on the order of arrival.

The state is a trail: the newest facts about a person. Merging is a union that is sorted and cut, so it is commutative,
associative and idempotent: a late fact takes its place in the past and moves nobody, a repeated one changes nothing.
Where the person is follows from the trail alone, if any fact in it moved them.

If all of them were undone (grants that nobody used), they are where the newest move led that was cut off before. That
one fact is kept beside the trail. A fact that comes later than sixteen newer ones does not take its place any more:
which of the cut ones it would have undone is forgotten, and a repeated grant could not be told from one that stands.
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
    known = [] if item is None else [Fact.read(text) for text in item["trail"]]
    stood = [] if item is None or "stood" not in item else [Fact.read(item["stood"])]
    counted = facts if len(known) < TRAIL else (fact for fact in facts if fact >= known[0])
    history = _in_order((*known, *counted))
    trail = history[-TRAIL:]
    cut_off = {fact.identity for fact in history[:-TRAIL]}
    stood = [*stood, *(fact for fact in _moves(history) if fact.identity in cut_off)]
    fields: dict[str, Any] = {"person": person, "trail": [fact.text() for fact in trail]}
    if stood:
        fields["stood"] = max(stood).text()
    moves = _moves(trail) or stood
    if not moves:
        return fields
    last = max(moves)
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


def _in_order(facts: Iterable[Fact]) -> list[Fact]:
    """Each fact once, oldest first.

    A fact that was said with two times (its clock was corrected in between) counts with the later one: any other
    choice would depend on which of the two was cut from the trail before the other came.
    """
    by_identity: dict[tuple[str, int, int], Fact] = {}
    for fact in facts:
        held = by_identity.get(fact.identity)
        by_identity[fact.identity] = fact if held is None else max(held, fact)
    return sorted(by_identity.values())


def _moves(trail: list[Fact]) -> list[Fact]:
    """The facts that moved the person and were not undone."""
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
    return [fact for fact in trail if fact.kind != FactKind.NOT_TAKEN and fact.identity not in undone]
