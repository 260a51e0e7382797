"""What lies behind a door, remembered for a moment: doors are rebuilt seldom and used often."""

import time
from collections.abc import Callable, Iterable
from typing import Final

from cloud.adapters.entities import EntityStore
from cloud.domain import keys
from cloud.domain.intake import Passage, passage

KEEP_S: Final = 60.0
_MOST: Final = 10_000
"""Full policy: all are forgotten and read again."""

DoorName = tuple[str, str]
"""Site and door."""


class Passages:
    """Reads doors and their areas. Raises AwsError; a door that can't be read is never taken for an unknown one."""

    def __init__(self, entities: EntityStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._entities = entities
        self._clock = clock
        self._known: dict[DoorName, tuple[float, Passage | None]] = {}

    def find(self, doors: Iterable[DoorName]) -> dict[DoorName, Passage | None]:
        """What lies on the two sides of each of these doors; None for one that leads nowhere that is known."""
        wanted, now = set(doors), self._clock()
        if len(self._known) + len(wanted) > _MOST:
            self._known.clear()
        self._read({name for name in wanted if name not in self._known or self._known[name][0] <= now}, now)
        return {name: self._known[name][1] for name in wanted}

    def _read(self, unknown: set[DoorName], now: float) -> None:
        if not unknown:
            return
        places = self._entities.get_many(keys.place(site, "door", door) for site, door in unknown)
        doors = {(site, door): places[keys.place(site, "door", door)] for site, door in unknown}
        named = {
            (site, area)
            for (site, _), item in doors.items()
            if item is not None
            for area in (item.get("inside"), item.get("outside"))
            if area is not None
        }
        found = self._entities.get_many(keys.place(site, "area", area) for site, area in named)
        for (site, door), item in doors.items():
            areas = {area: found[keys.place(site, "area", area)] for other, area in named if other == site}
            self._known[site, door] = now + KEEP_S, passage(item, areas)
