"""Registered controllers, remembered for a moment."""

from collections.abc import Iterable
from typing import cast

import pytest

from cloud.adapters.aws import AwsError
from cloud.adapters.entities import EntityStore
from cloud.adapters.registered import KEEP_S, RegisteredDevices
from cloud.domain import keys
from cloud.domain.keys import Key
from cloud.domain.outcome import Item


class Table:
    """What lies in it, and what was asked for."""

    def __init__(self) -> None:
        self.items: dict[Key, Item] = {}
        self.asked: list[list[Key]] = []
        self.broken = False

    def get_many(self, wanted: Iterable[Key]) -> dict[Key, Item | None]:
        """As the table's."""
        if self.broken:
            raise AwsError("throttled", "ThrottlingException")
        asked = sorted(wanted)
        self.asked.append(asked)
        return {key: self.items.get(key) for key in asked}


def test_registered_are_remembered_for_a_moment_and_others_never() -> None:
    """A key that was exchanged counts a minute later, and a controller that was just registered at once."""
    table, now = Table(), [0.0]
    devices = RegisteredDevices(cast("EntityStore", table), lambda: now[0])
    table.items[keys.device("a")] = {"keys": ["old"]}
    assert devices.find(["a", "b", "a"]) == {"a": {"keys": ["old"]}}
    table.items = {keys.device("a"): {"keys": ["new"]}, keys.device("b"): {"keys": ["b"]}}
    assert devices.find(["a", "b"]) == {"a": {"keys": ["old"]}, "b": {"keys": ["b"]}}
    assert table.asked == [[keys.device("a"), keys.device("b")], [keys.device("b")]]
    now[0] = KEEP_S
    assert devices.find(["a"]) == {"a": {"keys": ["new"]}}
    table.items.clear()
    now[0] = 2 * KEEP_S
    assert devices.find(["a", "b"]) == {}


def test_remembered_ones_are_read_again_when_asked_to() -> None:
    """And remembered anew."""
    table, now = Table(), [0.0]
    devices = RegisteredDevices(cast("EntityStore", table), lambda: now[0])
    table.items[keys.device("a")] = {"keys": ["old"]}
    devices.find(["a"])
    table.items[keys.device("a")], now[0] = {"keys": ["new"]}, KEEP_S / 2
    assert devices.find(["a"], fresh=True) == {"a": {"keys": ["new"]}}
    now[0] = KEEP_S
    assert devices.find(["a"]) == {"a": {"keys": ["new"]}}
    assert [asked for asked in table.asked if asked] == [[keys.device("a")]] * 2


def test_table_that_can_not_be_read_is_no_answer() -> None:
    """Neither for one that is known no longer, nor for a new one."""
    table, now = Table(), [0.0]
    devices = RegisteredDevices(cast("EntityStore", table), lambda: now[0])
    table.items[keys.device("a")] = {"keys": ["old"]}
    devices.find(["a"])
    table.broken, now[0] = True, KEEP_S
    with pytest.raises(AwsError):
        devices.find(["a"])
