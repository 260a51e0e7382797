"""Brings the presence of people up to what events say. Must never let a late event overwrite a newer presence."""

from collections.abc import Iterable, Sequence

from cloud.adapters.consumption_calls import Calls, again_on_conflict
from cloud.adapters.consumption_places import Passages
from cloud.adapters.consumption_store import ConsumptionStore
from cloud.adapters.entities import EntityStore
from cloud.domain import keys
from cloud.domain.gathering import NewEvent
from cloud.domain.intake import concerns_presence, movement
from cloud.domain.outcome import Item
from cloud.domain.presence import Fact, merged
from cloud.errors import Conflict

PersonName = tuple[str, str]
"""Site and person."""


class PresenceWriter:
    """Raises AwsError, and Conflict when others write about the same person without an end."""

    def __init__(self, entities: EntityStore, store: ConsumptionStore) -> None:
        self._entities = entities
        self._store = store
        self._passages = Passages(entities)

    def move(self, new: Iterable[NewEvent], calls: Calls) -> None:
        """Add what these events say. Each person's item is written once, or not at all if nothing changes."""
        facts = self._facts(new)
        items = self._entities.get_many(keys.presence(*name) for name in facts)

        def move_one(name: PersonName) -> None:
            self._move_one(name, items[keys.presence(*name)], facts[name])

        calls.each(move_one, list(facts))

    def _facts(self, new: Iterable[NewEvent]) -> dict[PersonName, list[Fact]]:
        moving = [(event, arrived_at) for event, arrived_at in new if concerns_presence(event)]
        passages = self._passages.find((event.site, event.door) for event, _ in moving if event.door is not None)
        facts: dict[PersonName, list[Fact]] = {}
        for event, arrived_at in moving:
            fact = movement(event, arrived_at, passages[event.site, event.door or ""])
            if fact is not None and event.person is not None:
                facts.setdefault((event.site, event.person), []).append(fact)
        return facts

    def _move_one(self, name: PersonName, item: Item | None, facts: Sequence[Fact]) -> None:
        key, known = keys.presence(*name), item

        def move() -> None:
            nonlocal known
            fields = merged(*name, known, facts)
            # All else follows from the trail.
            if known is not None and known["trail"] == fields["trail"]:
                return
            try:
                self._store.put_unchanged(key, fields, known)
            except Conflict:
                known = self._entities.get(key)
                raise

        again_on_conflict(move)
