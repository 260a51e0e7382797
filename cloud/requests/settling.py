"""Writes what a request came to: its effects, the doors' list, its status and its audit, in one transaction.

So there is no state in between: a crash leaves all of it or nothing, and a request's item tells truly which.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cloud.adapters.list_changes import ListChanges
from cloud.adapters.transactions import MAX_WRITES, commit, transact_items
from cloud.contract.allowlist import Change, Head
from cloud.domain import audit, progress
from cloud.domain.envelope import Envelope
from cloud.domain.fields import Fields
from cloud.domain.keys import Key
from cloud.domain.outcome import Applied, Item, Put, Rejected, Write
from cloud.domain.times import moment_text

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_OWN_WRITES: Final = 2
"""Status and audit."""
Reads = Mapping[Key, Item | None]


class Settler:
    """Writes ends, and steps towards them.

    All methods raise Conflict when something that was read has changed since (read again and decide anew), TooLarge
    when it is more than one transaction takes, and AwsError. `before` is the request's item as it was read, `recorded`
    its entry of the audit: there is none before the first step of a long request, or the end of any other.
    """

    def __init__(self, table: str, dynamodb: "DynamoDBClient", lists: ListChanges, clock: Callable[[], float]) -> None:
        self._table = table
        self._dynamodb = dynamodb
        self._lists = lists
        self._clock = clock

    def apply(self, envelope: Envelope, content: Fields, before: Item | None, outcome: Applied, reads: Reads) -> None:
        """It is done, with everything that this means."""
        now = moment_text(self._clock())
        head, listed = self._list_part(envelope.site, outcome.changes)
        end = progress.done(before, envelope, now, summary=outcome.summary, head=head)
        entry = audit.of_done(envelope, content, now, outcome.summary)
        self._commit([*outcome.writes, end, entry], {**reads, end.key: before, entry.key: None}, listed)

    def finish(
        self,
        envelope: Envelope,
        content: Fields,
        before: Item | None,
        recorded: Item | None,
        summary: Mapping[str, Any],
        problems: Sequence[Mapping[str, Any]],
    ) -> None:
        """The last step of a long request is behind us; `problems` join those of the steps."""
        now = moment_text(self._clock())
        end = progress.done(before, envelope, now, summary=summary, head=None, problems=problems)
        entry = audit.of_done(envelope, content, now, summary)
        self._commit([end, entry], {end.key: before, entry.key: recorded})

    def reject(
        self,
        envelope: Envelope,
        content: Fields,
        before: Item | None,
        why: Rejected,
        reads: Reads,
        problems: Sequence[Mapping[str, Any]] = (),
        recorded: Item | None = None,
    ) -> None:
        """It can't be done. Holds only on what was read, unless that is more than can be held to."""
        now = moment_text(self._clock())
        end = progress.rejected(before, envelope, now, why.code, why.detail, problems)
        entry = audit.of_rejected(envelope, content, now, why)
        checked = reads if len(reads) <= MAX_WRITES - _OWN_WRITES else {}
        self._commit([end, entry], {**checked, end.key: before, entry.key: recorded})

    def refuse_unreadable(
        self, site: str, identifier: str, before: Item | None, recorded: Item | None, detail: str
    ) -> None:
        """Nobody can read it."""
        now = moment_text(self._clock())
        end = progress.unreadable(before, site, identifier, now, detail)
        entry = audit.of_unreadable(before, site, identifier, now, detail)
        self._commit([end, entry], {end.key: before, entry.key: recorded})

    def step(
        self,
        envelope: Envelope,
        content: Fields,
        before: Item | None,
        outcome: Applied,
        reads: Reads,
        status: Callable[[Head | None], Put],
    ) -> None:
        """Some of a long request is done; `status` says how much, given the list that tells the doors of it.

        With the first step the audit says who asked: the others may never come.
        """
        head, listed = self._list_part(envelope.site, outcome.changes)
        put = status(head)
        begun = () if progress.rows_behind(before) else (audit.of_begun(envelope, content),)
        known = {**reads, put.key: before, **{entry.key: None for entry in begun}}
        self._commit([*outcome.writes, put, *begun], known, listed)

    def _list_part(self, site: str, changes: Sequence[Change]) -> tuple[Head | None, list[Any]]:
        return self._lists.writes(site, changes) if changes else (None, [])

    def _commit(self, writes: Sequence[Write], reads: Reads, listed: Sequence[Any] = ()) -> None:
        commit(self._dynamodb, [*transact_items(self._table, writes, reads), *listed])
