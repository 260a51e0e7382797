"""What a request comes to: a set of writes that happen together, or a refusal. Plain values; nothing is called.

The rules are generators: they yield the key of what they must know, are handed the item that lies there (None for
nothing), and return an Outcome. So they hold no I/O, and whoever runs them knows what was read: what was read and is
not written must be unchanged when the writes happen.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloud.contract.allowlist import Change
from cloud.domain.keys import Key

Item = Mapping[str, Any]
"""What lies at a key: plain JSON values, with its keys pk and sk, `v` and `rev`."""


@dataclass(frozen=True, slots=True)
class Put:
    """The item at this key is now this: its own fields, and those of the indexes (g1pk, g1sk, g2pk, g2sk).

    Only if it is as it was read. Keys, `v` and `rev` are added by whoever writes.
    """

    key: Key
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Count:
    """What lies there is named by so many more (or fewer) others: its `uses`. Only if something lies there."""

    key: Key
    by: int


@dataclass(frozen=True, slots=True)
class Remove:
    """Nothing lies there any more. Only if it is as it was read, and nothing names it (`uses` is 0)."""

    key: Key


Write = Put | Count | Remove


@dataclass(frozen=True, slots=True)
class Applied:
    """It is done once all of these are written, in one transaction."""

    writes: tuple[Write, ...] = ()
    changes: tuple[Change, ...] = ()
    """What the doors must know: raises the version of the site's list in the same transaction."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    """For whoever asked, and for the audit: ids and states, no personal data."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """It can't be done, and never will by trying again."""

    code: str
    """Stable, small letters and _: `card_not_available`."""
    detail: str
    """One sentence for the person who asked."""


Outcome = Applied | Rejected
Rules = Generator[Key, Item | None, Outcome]
