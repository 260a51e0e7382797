"""How anything lies in the table, typed: read from an item, and written back with the attributes of indexes.

An item that is not what it should be is an error (pydantic.ValidationError), never a default: who decides on a guess
writes the guess back. What an entity names is told by the entity itself, so that `uses` can be counted from it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from pydantic import TypeAdapter

from cloud.domain import keys
from cloud.domain.keys import Key
from cloud.domain.outcome import Item


@dataclass(frozen=True, slots=True)
class Entity:
    """One item. `NAME` is the field that holds its id, and how people call such a thing."""

    NAME: ClassVar[str]

    @property
    def id(self) -> str:
        """What it is called at its site."""
        name = getattr(self, self.NAME)
        assert isinstance(name, str)  # noqa: S101 - tells the type checker what every class below declares
        return name

    @classmethod
    def key(cls, site: str, name: str) -> Key:
        """Where the one with this id lies."""
        return keys.place(site, cls.NAME, name)

    def index(self, site: str) -> dict[str, str]:  # noqa: ARG002 - of those that are listed by an index
        """The attributes by which indexes find it."""
        return {}

    def references(self) -> "tuple[Reference, ...]":
        """What it names and what must not go before it; what counts twice is there twice."""
        return ()

    @classmethod
    def of(cls, item: Item) -> Self:
        """Read an item; fields of others (keys, `rev`, indexes) are passed over."""
        read: Self = _adapter(cls).validate_python(dict(item))
        return read

    def fields(self, site: str) -> dict[str, Any]:
        """What is written: JSON values, without what is None, with the attributes of indexes."""
        return {**_adapter(type(self)).dump_python(self, mode="json", exclude_none=True), **self.index(site)}


@dataclass(frozen=True, slots=True)
class Place(Entity):
    """Something that others name. `uses` says how often, so that it can't go too early."""

    uses: int = field(default=0, kw_only=True)
    changed_at: str = field(default="", kw_only=True)
    """When the request was made that put it as it is; empty, which is before all others: an earlier release wrote it.
    """


Reference = tuple[type[Place], str]
"""What is named, by kind and id."""


def distinct(references: Iterable[tuple[type[Place], str | None]]) -> tuple[Reference, ...]:
    """References, each once, without those that are None."""
    return tuple(dict.fromkeys((kind, name) for kind, name in references if name is not None))


_ADAPTERS: Final[dict[type[Entity], TypeAdapter[Any]]] = {}
"""Made when first wanted: a function that handles cards needs no other."""


def _adapter(kind: type[Entity]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
