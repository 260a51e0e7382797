"""What one request reads and changes, gathered until it becomes one outcome.

The rules of each family read entities from a draft and put them back changed. What follows from a change is worked out
here, once for all of them: the counts of what is named, and what the doors must be told. So neither can be forgotten.
"""

from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar, cast

from cloud.domain.keys import Key
from cloud.domain.outcome import Applied, Count, Item, Outcome, Put, Rejected, Remove, Write
from cloud.domain.rules import listing
from cloud.domain.rules.entity import Entity, Place
from cloud.errors import CloudError

MAX_ITEMS: Final = 90
"""Read or written by one request: a transaction takes 100, and the head and delta of the list, the request's status and
the audit are among them."""

E = TypeVar("E", bound=Entity)
T = TypeVar("T")
Steps = Generator[Key, Item | None, T]
"""Part of a rule: yields the keys that it must read."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What every rule may know of a request beside its content."""

    request: str
    """Its id, which also becomes that of a permission or role that it grants."""
    site: str
    at: str
    """When it was made: RFC 3339 UTC with milliseconds."""
    subject: str
    """Who asked."""
    now: str
    """When it is carried out: RFC 3339 UTC to the second."""


class Refused(Exception):  # noqa: N818 - no error: the rules say no, and the request ends there
    """What was asked for can't be done. Leaves the rules as a Rejected, never as an exception."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.rejected = Rejected(code, detail)


def refuse_overtaken(asked: Asked, kind: type[Entity], name: str, changed_at: str) -> None:
    """Requests are delivered in any order: what was asked for earlier never undoes what was asked for later.

    Of two that were asked for at the same instant neither is the older one.
    """
    if asked.at < changed_at:
        words = f"What was asked for after this changed the {kind.NAME} {name} already."
        raise Refused(f"{kind.NAME}_changed_since", words)


class BrokenDataError(CloudError):
    """The table names something that is not there: nothing is decided on it, a human must look."""


class Draft:
    """The entities of one site that a request touches, as they were and as they will be."""

    def __init__(self, site: str) -> None:
        self.site = site
        self._read: dict[Key, Entity | None] = {}
        self._changed: dict[Key, Entity | None] = {}
        self._others: dict[Key, Put] = {}

    def find(self, kind: type[E], name: str) -> Steps[E | None]:
        """The entity as the draft has it by now; None: there is none."""
        key = kind.key(self.site, name)
        if key not in self._read:
            item = yield key
            self._read[key] = None if item is None else kind.of(item)
        return cast("E | None", self._changed.get(key, self._read[key]))

    def known(self, kind: type[E], name: str) -> Steps[E]:
        """The entity; refuses the request if there is none."""
        entity = yield from self.find(kind, name)
        if entity is None:
            raise Refused(f"{kind.NAME}_unknown", f"There is no {kind.NAME} {name}.")
        return entity

    def named(self, kind: type[E], name: str) -> Steps[E]:
        """The entity that another one names; raises BrokenDataError if there is none."""
        entity = yield from self.find(kind, name)
        if entity is None:
            raise BrokenDataError(f"{kind.NAME} {name} is named and not there")
        return entity

    def put(self, entity: Entity) -> None:
        """Make the entity, which was looked for before, be this. The same as before is no change."""
        self._set(type(entity).key(self.site, entity.id), entity)

    def remove(self, entity: Entity) -> None:
        """Let nothing be there any more."""
        self._set(type(entity).key(self.site, entity.id), None)

    def put_fields(self, key: Key, item: Item | None, fields: Mapping[str, Any]) -> None:
        """Make the item, which was read before, hold these fields: for what is no entity of these rules."""
        if item is None or any(item.get(name) != value for name, value in fields.items()):
            self._others[key] = Put(key, fields)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Forget what is changed inside when that is refused."""
        kept = dict(self._changed)
        try:
            yield
        except Refused:
            self._changed = kept
            raise

    def outcome(self, summary: Mapping[str, Any]) -> Outcome:
        """What all of it comes to; Rejected when it is more than one transaction takes."""
        counts = self._counts()
        if len(self._read.keys() | self._others.keys() | counts.keys()) > MAX_ITEMS:
            return Rejected(
                "too_many_references", f"This touches more than {MAX_ITEMS} things; do it in smaller steps."
            )
        changes = (listing.change(self._read[key], entity) for key, entity in self._changed.items())
        return Applied(
            writes=(*self._writes(counts), *self._others.values()),
            changes=tuple(change for change in changes if change is not None),
            summary=summary,
        )

    def _set(self, key: Key, entity: Entity | None) -> None:
        if entity == self._read[key]:
            self._changed.pop(key, None)
        else:
            self._changed[key] = entity

    def _counts(self) -> Counter[Key]:
        """By how much what the changed entities name is named more or less often."""
        counts: Counter[Key] = Counter()
        for key, entity in self._changed.items():
            before = self._read[key]
            counts.subtract(self._keys(before))
            counts.update(self._keys(entity))
        return Counter({key: by for key, by in counts.items() if by})

    def _keys(self, entity: Entity | None) -> list[Key]:
        return [] if entity is None else [kind.key(self.site, name) for kind, name in entity.references()]

    def _writes(self, counts: Counter[Key]) -> Iterator[Write]:
        """One write for each key: what is put and counted at once is put with the right count."""
        for key, entity in self._changed.items():
            by = counts.get(key, 0)
            if entity is None:
                yield Remove(key)
            else:
                counted = replace(entity, uses=entity.uses + by) if isinstance(entity, Place) else entity
                yield Put(key, counted.fields(self.site))
        for key, by in counts.items():
            if key not in self._changed:
                yield Count(key, by)
