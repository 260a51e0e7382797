"""Where the look for gaps looks."""

from collections.abc import Mapping
from typing import cast

from cloud.adapters.consumption_gaps import GapWatch, Watched
from cloud.adapters.consumption_outlets import AlarmTopic
from cloud.adapters.consumption_store import ConsumptionStore
from cloud.adapters.entities import EntityStore
from cloud.domain.keys import Key
from cloud.domain.outcome import Item

_PAGE = 3


class Table:
    """An index of streams with holes, in small pages, and what was asked for; no device is registered."""

    def __init__(self, *streams: tuple[str, int]) -> None:
        self.keys = sorted((f"{device}#{epoch:010d}", device) for device, epoch in streams)
        self.pages = 0
        self.asked: list[str] = []

    def query(
        self, _index: str, _partition: str, *, between: tuple[str, str] | None = None
    ) -> tuple[list[Item], Mapping[str, str] | None]:
        """As the table's."""
        self.pages += 1
        start, end = between or ("", "~")
        found = [item for item in self.keys if start <= item[0] <= end]
        return [{"device": device} for _, device in found[:_PAGE]], {} if len(found) >= _PAGE else None

    def get(self, key: Key) -> Item | None:
        """As the table's."""
        self.asked.append(key[0])
        return None


def test_each_device_is_looked_at_once_and_many_streams_of_one_are_skipped() -> None:
    """Whatever names begin with one another, and however many streams one has."""
    names = ["a", "a-b", "a.b", "a1", "a:b", "aa", "z"]
    table = Table(*((name, epoch) for name in names for epoch in ((1, 2) if name != "a" else range(1, 1000))))
    assert look_at(table) == Watched()
    assert table.asked == sorted(f"DEVICE#{name}" for name in names)
    assert table.pages <= len(names) + 1


def test_nothing_to_look_at() -> None:
    """No device has a hole: one question, and nobody is asked about."""
    table = Table()
    assert (look_at(table), table.pages, table.asked) == (Watched(), 1, [])


def look_at(table: Table) -> Watched:
    return GapWatch(cast("EntityStore", table), cast("ConsumptionStore", None), cast("AlarmTopic", None)).look()
