"""The table and the doors' list in memory: carries out what the rules come to, as strictly as the real table would."""

import itertools
from collections.abc import Generator, Mapping, Sequence
from typing import Any, TypeVar

from cloud.contract.canonical import canonical_bytes, parse_json
from cloud.contract.itemcodec import instant_text
from cloud.domain import rules
from cloud.domain.envelope import Envelope, read_envelope
from cloud.domain.keys import Key
from cloud.domain.outcome import Applied, Count, Item, Outcome, Put, Rejected
from cloud.domain.payloads import ImportPeople, RequestType
from cloud.domain.rules import listing
from cloud.domain.rules.entities import Card, Device, Person, StaffRole
from cloud.domain.rules.entity import Entity
from cloud.domain.rules.place_entities import Area, Building, Door, Group, Holidays, Schedule

T = TypeVar("T")
SITE = "hq"
NOW_S = 1_800_000_000
ADMINISTRATOR = "anna"
_PLACES: Sequence[type[Entity]] = (Area, Building, Door, Group, Holidays, Schedule)
MAX_TRANSACTION = 100 - 4
"""Items of a transaction, less the head and delta of the list, the request's status and the audit."""


def card_id(number: int) -> str:
    """The id of a card."""
    return f"{number:032x}"


class EntityStore:
    """One site. Requests are asked one after the other, a second apart unless told otherwise."""

    def __init__(self) -> None:
        self.items: dict[Key, dict[str, Any]] = {}
        self.listed: dict[tuple[str, str], Mapping[str, Any]] = {}
        self.clock = itertools.count(NOW_S)
        self.now_s = NOW_S
        self._numbers = itertools.count(1)

    def envelope(
        self,
        kind: str,
        payload: Mapping[str, Any],
        *,
        at_s: float | None = None,
        roles: Sequence[str] = ("administrator",),
        subject: str = ADMINISTRATOR,
    ) -> Envelope:
        """A request as it would be stored, made at `at_s` (default: a second after the one before)."""
        made_s = float(next(self.clock)) if at_s is None else at_s
        self.now_s = max(self.now_s, int(made_s))
        document = {
            "v": 1,
            "id": f"r{next(self._numbers)}",
            "type": kind,
            "site": SITE,
            "at": f"{instant_text(int(made_s))[:-1]}.{int(made_s * 1000) % 1000:03}Z",
            "operator": {"subject": subject, "name": "Anna", "roles": list(roles)},
            "payload": payload,
        }
        return read_envelope(canonical_bytes(document))

    def ask(self, kind: str, payload: Mapping[str, Any], **how: Any) -> Outcome:
        """Carry out a request at once."""
        return self.carry_out(self.envelope(kind, payload, **how))

    def must(self, kind: str, payload: Mapping[str, Any], **how: Any) -> Applied:
        """As `ask`, for what must be applied."""
        outcome = self.ask(kind, payload, **how)
        assert isinstance(outcome, Applied), outcome
        return outcome

    def refusal(self, kind: str, payload: Mapping[str, Any], **how: Any) -> str:
        """As `ask`, for what must be refused; its code. What is refused must have changed nothing."""
        before = parse_json(canonical_bytes({"items": list(self.items.values())}), "items")
        outcome = self.ask(kind, payload, **how)
        assert isinstance(outcome, Rejected), outcome
        assert before == {"items": list(self.items.values())}
        return outcome.code

    def carry_out(self, envelope: Envelope) -> Outcome:
        """Carry out a request; may be called again with the same one, as a queue does."""
        if envelope.type is RequestType.PEOPLE_IMPORT:
            raise AssertionError("an import is carried out by run_import")
        outcome, read = self.decide(rules.apply(envelope, envelope.content(), self.now_s))
        if isinstance(outcome, Applied):
            self.commit(outcome, read)
        return outcome

    def run_import(self, envelope: Envelope) -> list[rules.RowProblem]:
        """Carry out an import, all chunks or, for all or nothing with a problem, none."""
        content = envelope.content()
        assert isinstance(content, ImportPeople)
        plan = rules.importing(envelope, content)
        assert isinstance(plan, rules.Plan), plan
        problems = list(plan.problems)
        if content.all_or_nothing:
            for chunk in plan.chunks:
                problems += self.decide(rules.check_rows(envelope, chunk, self.now_s))[0]
            if problems:
                return problems
        for chunk in plan.chunks:
            (found, applied), read = self.decide(rules.apply_rows(envelope, chunk, self.now_s))
            problems += found
            self.commit(applied, read)
        return problems

    def decide(self, asking: Generator[Key, Item | None, T]) -> tuple[T, dict[Key, int]]:
        """Answer what the rules ask; their answer, and the `rev` of all that they read (0: it was not there)."""
        read: dict[Key, int] = {}
        try:
            key = next(asking)
            while True:
                item = self.items.get(key)
                assert key not in read, f"{key} is read twice: the second time it may be another"
                read[key] = 0 if item is None else item["rev"]
                key = asking.send(None if item is None else dict(item))
        except StopIteration as done:
            return done.value, read

    def commit(self, applied: Applied, read: Mapping[Key, int]) -> None:
        """Write all or nothing; fails on what the real table would refuse and on what must not be written."""
        written = [write.key for write in applied.writes]
        assert len(written) == len(set(written)), "two writes to one item are no transaction"
        assert len(read.keys() | set(written)) <= MAX_TRANSACTION
        for key, rev in read.items():
            assert rev == self.items.get(key, {"rev": 0})["rev"], f"{key} changed since it was read"
        for write in applied.writes:
            item = self.items.get(write.key)
            if isinstance(write, Put):
                assert write.key in read
                canonical_bytes(write.fields)
                rev = item["rev"] + 1 if item else 1
                self.items[write.key] = {**write.fields, "pk": write.key[0], "sk": write.key[1], "v": 1, "rev": rev}
            elif isinstance(write, Count):
                assert item is not None, f"{write.key} is counted and not there"
                item["uses"], item["rev"] = item["uses"] + write.by, item["rev"] + 1
                assert item["uses"] >= 0
            else:
                assert write.key in read
                assert self.items[write.key]["uses"] == 0
                del self.items[write.key]
        for change in applied.changes:
            name = (change.kind, change.id)
            assert self.listed.get(name) != change.item, f"{name} is no change for the doors"
            if change.item is None:
                del self.listed[name]
            else:
                self.listed[name] = change.item

    def entities(self) -> list[Entity]:
        """All that lies in the table, typed."""
        found = ((_kind(key), item) for key, item in self.items.items())
        return [kind.of(item) for kind, item in found if kind is not None]

    def rebuilt(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """The doors' list, made from the table alone."""
        documents = (listing.document(entity) for entity in self.entities())
        return {(document["kind"], document["id"]): document for document in documents if document is not None}

    def item(self, kind: type[Entity], name: str) -> dict[str, Any]:
        """What lies in the table of an entity; raises KeyError when it is not there."""
        return self.items[kind.key(SITE, name)]


def _kind(key: Key) -> type[Entity] | None:
    partition, sort = key
    if sort == "PRESENCE" or partition.startswith("REMOVED#"):
        return None
    for prefix, kind in (("PERSON#", Person), ("CARD#", Card), ("DEVICE#", Device), ("OPERATOR#", StaffRole)):
        if partition.startswith(prefix):
            return kind
    return next(kind for kind in _PLACES if sort.startswith(f"{kind.NAME.upper()}#"))
