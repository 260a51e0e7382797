"""Runs rules: hands them what they ask for, and remembers what that was. Must never decide anything."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, TypeVar

from cloud.domain.keys import Key
from cloud.domain.outcome import Item

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Decision(Generic[T]):
    """What rules came to, and all that it rests on."""

    outcome: T
    reads: dict[Key, Item | None]


def decide(rules: Generator[Key, Item | None, T], read: Callable[[Key], Item | None]) -> Decision[T]:
    """Run rules to their end. A key that they ask for twice is read once: they see one state of the table."""
    reads: dict[Key, Item | None] = {}
    try:
        key = next(rules)
        while True:
            if key not in reads:
                reads[key] = read(key)
            key = rules.send(reads[key])
    except StopIteration as end:
        return Decision(end.value, reads)
