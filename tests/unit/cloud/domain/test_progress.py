"""The states of a request."""

from typing import Any

import pytest

from cloud.contract.allowlist import Head
from cloud.domain import progress
from cloud.domain.envelope import Envelope, Operator
from cloud.domain.payloads import RequestType
from cloud.domain.progress import MAX_PROBLEMS, Status

AT = "2026-03-01T08:00:00.250Z"
END = "2026-03-01T08:00:01.000Z"
ENVELOPE = Envelope(
    v=1,
    id="r-1",
    type=RequestType.PEOPLE_IMPORT,
    site="hq",
    at=AT,
    operator=Operator(subject="s", name="Op", roles=["operator"]),
    payload={"secret": "payload"},
)
HEAD = Head("hq", 7, 9, 1, "k", "0" * 64, 2, "2026-03-01T08:00:00Z")


def item(put: Any) -> dict[str, Any]:
    """What is read after this was written."""
    return {**put.fields, "pk": put.key[0], "sk": put.key[1], "v": 1, "rev": 3}


def test_accepted_request_is_listed_and_holds_no_payload() -> None:
    """By time at its site; who asked is told, what was asked is not."""
    put = progress.accepted(ENVELOPE)
    assert put.key == ("REQUEST#r-1", "-")
    assert put.fields == {
        "id": "r-1",
        "type": "people.import",
        "site": "hq",
        "at": AT,
        "operator": {"subject": "s", "name": "Op"},
        "status": "accepted",
        "g2pk": "REQUESTS#hq",
        "g2sk": f"{AT}#r-1",
    }


def test_states_that_end_a_request_are_final_and_the_others_are_not() -> None:
    """Done and rejected; a request without an item is only beginning."""
    done = progress.done(None, ENVELOPE, END, summary={}, head=None)
    rejected = progress.rejected(None, ENVELOPE, END, "code", "Detail.")
    step = progress.processing(None, ENVELOPE, done=1, of=2, problems=[], head=None)
    assert [progress.is_final(item(put)) for put in (done, rejected)] == [True, True]
    assert [progress.is_final(item(put)) for put in (step, progress.accepted(ENVELOPE))] == [False, False]
    assert not progress.is_final(None)


def test_done_request_tells_its_list_also_that_of_an_earlier_step() -> None:
    """So that whoever asked can see when the doors know it."""
    step = progress.processing(None, ENVELOPE, done=1, of=1, problems=[], head=HEAD)
    done = progress.done(item(step), ENVELOPE, END, summary={"applied": 1}, head=None)
    assert done.fields["list"] == {"epoch": 7, "version": 9}
    assert (done.fields["status"], done.fields["summary"], done.fields["finished_at"]) == ("done", {"applied": 1}, END)
    assert not {"pk", "sk", "v", "rev"} & done.fields.keys()


def test_rejected_request_says_why() -> None:
    """By a stable code and a sentence."""
    fields = progress.rejected(item(progress.accepted(ENVELOPE)), ENVELOPE, END, "card_unknown", "No card.").fields
    assert (fields["status"], fields["code"], fields["detail"]) == ("rejected", "card_unknown", "No card.")


@pytest.mark.parametrize("before", [None, item(progress.accepted(ENVELOPE))])
def test_unreadable_request_is_rejected_with_or_without_what_was_known(before: dict[str, Any] | None) -> None:
    """It is listed at the time when it was asked for, or found."""
    fields = progress.unreadable(before, "hq", "r-1", END, "not JSON").fields
    assert (fields["status"], fields["code"], fields["site"]) == ("rejected", "unreadable", "hq")
    assert fields["g2sk"] == f"{AT if before else END}#r-1"


def test_problems_join_those_of_before_up_to_a_limit_and_are_all_counted() -> None:
    """The first ones are kept in words."""
    before = None
    for step in range(3):
        problems = [{"line": step * 100 + number, "column": "card", "detail": "t"} for number in range(100)]
        put = progress.processing(before, ENVELOPE, done=step, of=9, problems=problems, head=None)
        before = item(put)
    assert before is not None
    assert [problem["line"] for problem in before["problems"]] == list(range(MAX_PROBLEMS))
    assert progress.problem_count(before) == 300
    assert progress.rows_behind(before) == 2
    assert before["status"] == Status.PROCESSING


def test_import_that_has_not_begun_has_nothing_behind_it() -> None:
    """No item, or one that was only accepted."""
    assert progress.rows_behind(None) == progress.rows_behind(item(progress.accepted(ENVELOPE))) == 0
    assert progress.problem_count(None) == 0
