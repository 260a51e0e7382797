"""The registered controllers, remembered for a moment: for who checks records, and asks again before it refuses one."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from cloud.adapters.entities import EntityStore
from cloud.domain import keys
from cloud.domain.outcome import Item

KEEP_S: Final = 60.0
"""How long one that was retired, or given other keys, may still be taken for what it was."""
_MOST: Final = 20_000
"""Full policy: all are forgotten and read again."""


class RegisteredDevices:
    """Reads controllers' items. Raises AwsError; one that can't be read is never taken for an unknown one."""

    def __init__(self, entities: EntityStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._entities = entities
        self._clock = clock
        self._known: dict[str, tuple[float, Item]] = {}

    def find(self, names: Iterable[str], *, fresh: bool = False) -> Mapping[str, Item]:
        """Those of the names that are registered, or were a moment ago; `fresh`: that are now."""
        wanted, now = set(names), self._clock()
        if len(self._known) + len(wanted) > _MOST:
            self._known.clear()
        # Those that are not there are asked for each time: they may be registered at any moment.
        unknown = [name for name in wanted if fresh or name not in self._known or self._known[name][0] <= now]
        items = self._entities.get_many(keys.device(name) for name in unknown)
        for name in unknown:
            item = items[keys.device(name)]
            if item is None:
                self._known.pop(name, None)
            else:
                self._known[name] = now + KEEP_S, item
        return {name: self._known[name][1] for name in wanted if name in self._known}
