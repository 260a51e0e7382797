"""Rules are handed what they ask for."""

from collections.abc import Generator

from cloud.domain.keys import Key
from cloud.domain.outcome import Item
from cloud.requests.deciding import decide

A, B = ("a", "-"), ("b", "-")


def test_rules_get_what_lies_there_and_all_of_it_is_remembered() -> None:
    """Also that nothing lay there."""
    table: dict[Key, Item] = {A: {"name": "x"}}

    def rules() -> Generator[Key, Item | None, list[Item | None]]:
        return [(yield A), (yield B)]

    decision = decide(rules(), table.get)
    assert decision.outcome == [{"name": "x"}, None]
    assert decision.reads == {A: {"name": "x"}, B: None}


def test_key_that_is_asked_for_twice_is_read_once() -> None:
    """A rule never sees two states of one thing."""
    states = iter([{"rev": 1}, {"rev": 2}])

    def rules() -> Generator[Key, Item | None, list[Item | None]]:
        return [(yield A), (yield A)]

    assert decide(rules(), lambda _: next(states)).outcome == [{"rev": 1}, {"rev": 1}]


def test_rules_that_ask_for_nothing_are_carried_out_too() -> None:
    """They refuse at once, say."""

    def rules() -> Generator[Key, Item | None, str]:
        yield from ()
        return "no"

    table: dict[Key, Item] = {}
    assert decide(rules(), table.get).outcome == "no"
