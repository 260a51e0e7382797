"""One call of the API: who asks for what, with the means to answer. Everything in it has been checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cloud.adapters.entities import EntityStore
from cloud.adapters.new_items import NewItems
from cloud.adapters.secrets import SiteSecrets
from cloud.api.answers import Answer
from cloud.api.caller import Caller
from cloud.api.cursors import CursorError, seal, unseal
from cloud.api.parameters import DEFAULT_LIMIT
from cloud.api.problems import Problem
from cloud.api.route import Route
from cloud.api.store import RequestStore
from cloud.domain.keys import Key
from cloud.domain.outcome import Item
from cloud.domain.roles import Role, RoleGrant
from cloud.domain.times import moment_text
from cloud.errors import CloudError

_NOT_OF_THE_SCOPE: Final = ("cursor", "limit")
"""Parameters that may differ from page to page."""


@dataclass(frozen=True, slots=True)
class Backend:
    """What calls are answered from; `clock` gives Unix seconds."""

    entities: EntityStore
    new_items: NewItems
    requests: RequestStore
    secrets: SiteSecrets = field(repr=False)
    clock: Callable[[], float]

    def card_hash_key(self, site: str) -> bytes:
        """What the site's cards are hashed with; raises Problem when that can't be told."""
        return _usable(lambda: self.secrets.card_hash_key(site))

    def cursor_key(self) -> bytes:
        """What cursors are signed with; raises Problem when that can't be told."""
        return _usable(self.secrets.cursor_key)


@dataclass(frozen=True, slots=True)
class Call:
    """One call, after the caller's role for it was found."""

    route: Route
    backend: Backend
    caller: Caller
    grants: tuple[RoleGrant, ...]
    roles: frozenset[Role]
    """Those that hold at the site now."""
    names: Mapping[str, str]
    """What the path names."""
    query: Mapping[str, Any]
    event: Mapping[str, Any] = field(repr=False)
    request: str
    """Id of the exchange."""
    now_s: float

    @property
    def site(self) -> str:
        """The site that the path names."""
        return self.names["site"]

    @property
    def at(self) -> str:
        """Now, as RFC 3339 UTC with milliseconds."""
        return moment_text(self.now_s)

    def found(self, key: Key) -> Item:
        """What lies at a key; raises Problem of the route's kind when nothing does."""
        item = self.backend.entities.get(key)
        if item is None:
            raise Problem(self.route.missing or "route-unknown")
        return item

    def page(
        self,
        index: str | None,
        partition: str,
        *,
        prefix: str | None = None,
        between: tuple[str, str] | None = None,
        forward: bool = True,
    ) -> tuple[list[Item], str | None]:
        """The page that is asked for, and the cursor of the next one; the arguments are those of EntityStore.query.

        A cursor holds for the partition that it comes from.
        """
        cursor = self.query.get("cursor")
        items, last = self.backend.entities.query(
            index,
            partition,
            prefix=prefix,
            between=between,
            start=None if cursor is None else self._position(cursor, partition),
            limit=self.query.get("limit", DEFAULT_LIMIT),
            forward=forward,
        )
        return items, None if last is None else seal(last, self._scope(partition), self.backend.cursor_key())

    def _position(self, cursor: str, partition: str) -> Mapping[str, str]:
        key = self.backend.cursor_key()
        try:
            return unseal(cursor, self._scope(partition), key)
        except CursorError:
            raise Problem("cursor-invalid") from None

    def _scope(self, partition: str) -> list[str]:
        others = {name: value for name, value in self.query.items() if name not in _NOT_OF_THE_SCOPE}
        return [
            self.route.operation,
            *(f"{name}={value}" for name, value in sorted(self.names.items())),
            "?",
            *(f"{name}={value}" for name, value in sorted(others.items())),
            partition,
        ]


Operation = Callable[[Call], Answer]
"""What answers a call; raises Problem."""


def _usable(secret: Callable[[], bytes]) -> bytes:
    try:
        return secret()
    except CloudError as error:
        raise Problem("unavailable") from error
