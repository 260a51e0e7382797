"""Carries out an import step by step, a few people to a transaction, from wherever the last one stopped.

Each step writes the request's item too, on the condition that it is as it was read. So two deliveries of one import
take turns and never do a step twice, and one that died is gone on with. Where to go on is counted in rows, not in
steps: another release may cut the same import differently.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

from cloud.adapters.entities import EntityStore
from cloud.domain import keys, progress
from cloud.domain.envelope import Envelope
from cloud.domain.keys import Key
from cloud.domain.outcome import Item, Rejected
from cloud.domain.payloads import ImportPeople, ImportRow
from cloud.domain.rules import apply_rows, check_rows, importing
from cloud.domain.rules.entities import Card, Person
from cloud.domain.rules.imports import RowProblem, plan
from cloud.domain.rules.place_entities import Group
from cloud.errors import CloudError
from cloud.requests.deciding import decide
from cloud.requests.ending import End, Report, until_settled
from cloud.requests.settling import Settler

_STEP_ROWS: Final = 50
"""Looked at for the next step; fewer fit into a transaction."""
_RESERVE_S: Final = 10.0
"""A step that lost some races takes this long; a function that is stopped in the middle of one has only wasted it."""


class OutOfTimeError(CloudError):
    """The function must end before the import does; the next delivery goes on."""


class Importer:
    """Carries out imports of people.

    Args:
        entities: What the rules read.
        settler: Writes steps and ends.
        clock: Unix seconds.
        time_left_s: Seconds until this process may be stopped.
        on_conflict: Called each time when somebody else wrote in between.
    """

    def __init__(
        self,
        entities: EntityStore,
        settler: Settler,
        clock: Callable[[], float],
        time_left_s: Callable[[], float],
        on_conflict: Callable[[], None] = lambda: None,
    ) -> None:
        self._entities = entities
        self._settler = settler
        self._clock = clock
        self._time_left_s = time_left_s
        self._on_conflict = on_conflict

    def run(self, envelope: Envelope, content: ImportPeople) -> Report:
        """Go on from where the request's item says, to its end; raises OutOfTimeError when it is too late for that."""
        planned = importing(envelope, content)
        if isinstance(planned, Rejected):
            return until_settled(lambda: self._refuse_whole(envelope, content, planned), self._on_conflict)
        work = _Work(envelope, content, planned.chunks, planned.problems)
        # Once for a delivery, not once for each race that its first step loses: it reads thousands of items.
        refused = self._dry_run(work) if content.all_or_nothing and not self._begun(envelope) else []
        while True:
            self._check_time(envelope)
            report = until_settled(lambda: self._step(work, refused), self._on_conflict)
            if report is not None:
                return report

    def _refuse_whole(self, envelope: Envelope, content: ImportPeople, why: Rejected) -> Report:
        before = self._entities.get(keys.request(envelope.id))
        if progress.is_final(before):
            return Report(End.REPEATED, envelope.id, envelope.type.value)
        self._settler.reject(envelope, content, before, why, {}, recorded=self._recorded(envelope))
        return Report(End.REJECTED, envelope.id, envelope.type.value, why.code)

    def _begun(self, envelope: Envelope) -> bool:
        item = self._entities.get(keys.request(envelope.id))
        return progress.is_final(item) or progress.rows_behind(item) > 0

    def _step(self, work: "_Work", refused_beforehand: Sequence[RowProblem]) -> Report | None:
        """Take one step; None when it was not the last one. The first takes none if some row was refused beforehand."""
        envelope = work.envelope
        before = self._entities.get(keys.request(envelope.id))
        if progress.is_final(before):
            return Report(End.REPEATED, envelope.id, envelope.type.value)
        behind = progress.rows_behind(before)
        problems = work.problems if behind == 0 else ()
        if behind == 0 and refused_beforehand:
            return self._refuse(work, before, refused_beforehand)
        left = work.rows[max(behind - len(work.problems), 0) :][:_STEP_ROWS]
        if not left:
            return self._finish(work, before, problems)
        chunk = plan(left).chunks[0]
        decision = decide(apply_rows(envelope, chunk, self._clock()), self._reader(envelope.site, chunk))
        refused, outcome = decision.outcome
        passed = max(behind, len(work.problems)) + len(chunk)
        self._settler.step(
            envelope,
            work.content,
            before,
            outcome,
            decision.reads,
            lambda head: progress.processing(
                before,
                envelope,
                done=passed,
                of=len(work.content.rows),
                problems=_documents([*problems, *refused]),
                head=head,
            ),
        )
        return None

    def _finish(self, work: "_Work", before: Item | None, problems: Sequence[RowProblem]) -> Report:
        count = progress.problem_count(before) + len(problems)
        summary = {"applied": len(work.content.rows) - count, "problems": count}
        recorded = self._recorded(work.envelope)
        self._settler.finish(work.envelope, work.content, before, recorded, summary, _documents(problems))
        return Report(End.DONE, work.envelope.id, work.envelope.type.value)

    def _refuse(self, work: "_Work", before: Item | None, problems: Sequence[RowProblem]) -> Report:
        why = Rejected(
            "rows_refused", f"{len(problems)} of {len(work.content.rows)} rows can't be applied, so none was."
        )
        ordered = sorted(problems, key=lambda problem: problem.line)
        self._settler.reject(work.envelope, work.content, before, why, {}, _documents(ordered))
        return Report(End.REJECTED, work.envelope.id, work.envelope.type.value, why.code)

    def _recorded(self, envelope: Envelope) -> Item | None:
        """The entry of the audit; none if nothing was done yet, or by an earlier release."""
        return self._entities.get(keys.audit(envelope.site, envelope.at, envelope.id))

    def _dry_run(self, work: "_Work") -> list[RowProblem]:
        """What would be refused if nobody else did anything meanwhile."""
        found = list(work.problems)
        for chunk in work.chunks:
            self._check_time(work.envelope)
            rules = check_rows(work.envelope, chunk, self._clock())
            found += decide(rules, self._reader(work.envelope.site, chunk)).outcome
        return found

    def _reader(self, site: str, chunk: Sequence[ImportRow]) -> Callable[[Key], Item | None]:
        """Reads for the rules of a chunk: what they ask for is known but for a few keys, and is read at once."""
        people = (Person.key(site, row.person) for row in chunk)
        cards = (Card.key(site, row.card) for row in chunk if row.card is not None)
        groups = (Group.key(site, name) for row in chunk for name in row.groups)
        known = self._entities.get_many([*people, *cards, *groups])
        return lambda key: known[key] if key in known else self._entities.get(key)

    def _check_time(self, envelope: Envelope) -> None:
        if self._time_left_s() < _RESERVE_S:
            raise OutOfTimeError(f"request {envelope.id}: to be gone on with")


@dataclass(frozen=True)
class _Work:
    """An import, cut into steps."""

    envelope: Envelope
    content: ImportPeople
    chunks: Sequence[Sequence[ImportRow]]
    problems: Sequence[RowProblem]
    """Of rows that are in no chunk."""

    @cached_property
    def rows(self) -> Sequence[ImportRow]:
        """All rows that are in chunks, in order."""
        return tuple(row for chunk in self.chunks for row in chunk)


def _documents(problems: Sequence[RowProblem]) -> list[dict[str, Any]]:
    return [asdict(problem) for problem in problems]
