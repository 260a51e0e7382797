"""What the doors must know, as part of a transaction: one version on, by a delta, without reading the list.

A list of 250,000 cards would take longer to load than a function may run. So a change is trusted to fit what is there:
the rules that made it read the same table, and the head it follows must still be the head when it is written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.adapters.list_store import PackedDelta, head_writes, read_head
from cloud.adapters.secrets import SiteSecrets
from cloud.contract.allowlist import Change, Delta, Head, open_head, seal_delta, seal_head
from cloud.contract.errors import ContractError, SignatureInvalidError
from cloud.contract.itemcodec import instant, instant_text
from cloud.domain.lists import check
from cloud.errors import PublishError, TooLarge

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class Step:
    """One version on: the head as it will be, its signed text, and the delta that leads to it."""

    head: Head
    text: str
    delta: PackedDelta


class ListChanges:
    """Makes the list's part of a transaction, for any site. Raises AwsError when a service does not answer."""

    def __init__(
        self, table: str, dynamodb: "DynamoDBClient", secrets: SiteSecrets, clock: Callable[[], float]
    ) -> None:
        self._table = table
        self._dynamodb = dynamodb
        self._secrets = secrets
        self._clock = clock

    def writes(self, site: str, changes: Sequence[Change]) -> tuple[Head, list[Any]]:
        """The head as it will be, and the writes that make it so if nobody publishes in between.

        Raises TooLarge when they don't fit into one delta, PublishError when the site has no list yet, and
        ContractError for a change that no door would take, or a head that is not ours.
        """
        for change in changes:
            check_change(change)
        text = read_head(self._dynamodb, self._table, site)
        if text is None:
            raise PublishError(f"site {site}: no list was published yet, so none can be changed")
        key = self._secrets.list_key(site)
        head = self._open(site, text, key)
        try:
            step = next_step(head, changes, key, now_s=int(self._clock()))
        except ContractError as error:
            raise TooLarge(str(error)) from error
        return step.head, head_writes(self._table, site, text, step.text, step.delta)

    def _open(self, site: str, text: str, key: Ed25519PrivateKey) -> Head:
        try:
            head = open_head(text, [key.public_key()])
        except SignatureInvalidError:
            # While the key rotates, the head is still signed with the one before.
            head = open_head(text, [former.public_key() for former in self._secrets.former_list_keys(site)])
        if head.site != site:
            raise ContractError(f"head: is of site {head.site!r}, not {site!r}")
        return head


def next_step(
    head: Head, changes: Sequence[Change], key: Ed25519PrivateKey, *, now_s: int, allow_shrink: bool = False
) -> Step:
    """Sign what follows a head; raises ContractError when the changes don't fit into one delta."""
    after = replace(head, version=head.version + 1, at=at_or_after(head, now_s))
    delta = Delta(head.site, head.epoch, after.version, head.version, after.at, allow_shrink, tuple(changes))
    text, packed = seal_delta(delta, key)
    return Step(after, seal_head(after, key), PackedDelta(after.epoch, after.version, text, packed))


def at_or_after(head: Head | None, now_s: int) -> str:
    """The time of what is published now. Doors take it for a floor of the time: it must not go back when ours does."""
    return instant_text(max(now_s, instant(head.at) if head else 0))


def check_change(change: Change) -> None:
    """Raise ContractError for a malformed item, or one that is not what the change says."""
    if change.item is not None and check(change.item) != (change.kind, change.id):
        raise ContractError(f"{change.kind} {change.id!r}: the item says that it is another")
