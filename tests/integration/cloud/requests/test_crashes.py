"""A function that dies between any two of its calls, and the delivery that comes after: exactly one effect."""

from collections.abc import Callable
from typing import Any

import pytest

from cloud.domain import keys
from cloud.domain.envelope import Envelope
from tests.rigs.back_office import Context, Office, card_id, s3_body, sqs_record
from tests.rigs.crashing import Countdown, DyingAccess, Killed

pytestmark = pytest.mark.system

MOST_CALLS = 200
Deliver = Callable[[DyingAccess | None], Any]


def die_at_every_call(office: Office, prepare: Callable[[int], tuple[Envelope, Deliver, Callable[[], None]]]) -> int:
    """Die at each call in turn, before it and after it, deliver again, and check; returns how many calls there are."""
    number = 0
    for after in (False, True):
        for at in range(1, MOST_CALLS):
            number += 1
            _, deliver, check = prepare(number)
            countdown = Countdown(at, after)
            try:
                deliver(DyingAccess.of(office.offices.access, countdown))
            except Killed:
                deliver(None)
                check()
            if not countdown.died:
                check()
                break
        else:
            pytest.fail("it never came to its end")
    return number


def test_card_is_issued_once_wherever_the_processor_died(office: Office) -> None:
    """One version of the list, one entry in the audit, and the table tells what the doors know."""
    office.people("ann")
    office.cards(*range(1, 40))

    def prepare(number: int) -> tuple[Envelope, Deliver, Callable[[], None]]:
        version = office.head().version
        envelope = office.ask("card.issue", {"card": card_id(number), "person": "ann"})

        def check() -> None:
            assert office.head().version == version + 1
            assert office.status(envelope)["list"]["version"] == version + 1
            assert len(office.audit(envelope)) == 1
            active = [key for key, item in office.doors_view().items() if item.get("status") == "active"]
            assert active == [("card", card_id(number))]
            assert office.doors_view() == office.tables_view()

        return envelope, lambda access: office.deliver(envelope, access=access), check

    assert die_at_every_call(office, prepare) > 8


def test_refusal_is_recorded_once_wherever_the_processor_died(office: Office) -> None:
    """One entry in the audit, one status, and no version of the list."""

    def prepare(_: int) -> tuple[Envelope, Deliver, Callable[[], None]]:
        version = office.head().version
        envelope = office.ask("card.revoke", {"card": card_id(1)})

        def check() -> None:
            assert office.head().version == version
            assert office.status(envelope)["code"] == "card_unknown"
            assert len(office.audit(envelope)) == 1

        return envelope, lambda access: office.deliver(envelope, access=access), check

    assert die_at_every_call(office, prepare) > 4


def test_import_is_applied_once_wherever_the_processor_died(office: Office) -> None:
    """Each step happens once: as many versions as steps, all people there, one entry, and the counts are right."""
    office.do("group.put", {"group": "g", "name": "G", "grants": []})

    def prepare(number: int) -> tuple[Envelope, Deliver, Callable[[], None]]:
        before = office.head().version
        rows: list[dict[str, Any]] = [
            {"line": line + 2, "person": f"p{number}-{line}", "name": "N", "groups": ["g"],
             "card": card_id(1000 * number + line)}
            for line in range(40)
        ]  # fmt: skip
        rows.append({"line": 99, "person": f"p{number}-x", "name": "N", "groups": ["none"]})
        envelope = office.ask("people.import", {"rows": rows, "all_or_nothing": False})

        def check() -> None:
            status = office.status(envelope)
            assert (status["status"], status["progress"]) == ("done", {"done": 41, "of": 41})
            assert (status["summary"], status["problem_count"]) == ({"applied": 40, "problems": 1}, 1)
            assert [problem["line"] for problem in status["problems"]] == [99]
            assert office.head().version == before + 2
            assert [(entry["outcome"], "finished_at" in entry) for entry in office.audit(envelope)] == [("done", True)]
            group = office.entities.get((f"SITE#{office.site}", "GROUP#g"))
            assert group is not None
            assert group["uses"] == sum(kind == "person" for kind, _ in office.doors_view())

        def deliver(access: DyingAccess | None) -> Any:
            if access is None:
                # It died: no row is applied without somebody who answers for it.
                come = office.entities.get(keys.request(envelope.id))
                outcomes = [entry["outcome"] for entry in office.audit(envelope)]
                assert outcomes == ([come["status"]] if come is not None else [])
            return office.deliver(envelope, access=access)

        return envelope, deliver, check

    assert die_at_every_call(office, prepare) > 12
    assert office.doors_view() == office.tables_view()


def test_request_is_routed_wherever_the_router_died(office: Office) -> None:
    """It reaches its topic, once or twice; never not at all."""

    def prepare(_: int) -> tuple[Envelope, Deliver, Callable[[], None]]:
        envelope = office.ask("card.register", {"cards": [{"card": card_id(1)}]})
        body = s3_body(office.offices.requests_bucket, f"requests/{office.site}/{envelope.id}.json")
        office.offices.published()

        def check() -> None:
            published = office.offices.published(least=1)
            assert 1 <= len(published) <= 2
            assert all(envelope.id in record["body"] for record in published)

        return envelope, lambda access: office.route(sqs_record(body), access=access), check

    assert die_at_every_call(office, prepare) > 3


def test_unreadable_object_is_recorded_once_wherever_the_router_died(office: Office) -> None:
    """One status, one entry."""

    def prepare(_: int) -> tuple[Envelope, Deliver, Callable[[], None]]:
        envelope = office.ask("card.register", {"cards": []})
        name = f"requests/{office.site}/{envelope.id}.json"

        def check() -> None:
            status = office.status(envelope)
            assert (status["status"], status["code"]) == ("rejected", "unreadable")
            entries = office.entities.query_all(None, f"AUDIT#{office.site}#{status['at'][:7]}")
            assert len([entry for entry in entries if entry["request"] == envelope.id]) == 1

        return (
            envelope,
            lambda access: office.route(sqs_record(s3_body(office.offices.requests_bucket, name)), access=access),
            check,
        )

    assert die_at_every_call(office, prepare) > 4


def test_import_that_runs_out_of_time_is_gone_on_with(office: Office) -> None:
    """It stops between two steps, is delivered again, and goes on from there."""
    rows = [{"line": line, "person": f"p{line}", "name": "N"} for line in range(1, 101)]
    envelope = office.ask("people.import", {"rows": rows})

    class Impatient(Context):
        """Two looks at the clock before each step of one that has four; then the time is over."""

        looks = iter([60_000] * 6)

        def get_remaining_time_in_millis(self) -> int:
            return next(self.looks, 0)

    assert office.deliver(envelope, context=Impatient()) == [0]
    status = office.status(envelope)
    assert status["status"] == "processing"
    assert 0 < status["progress"]["done"] < 100
    (entry,) = office.audit(envelope)
    assert (entry["outcome"], entry["subject"]) == ("processing", envelope.operator.subject)
    assert office.deliver(envelope) == []
    assert office.status(envelope)["summary"] == {"applied": 100, "problems": 0}
    assert office.doors_view() == office.tables_view()
