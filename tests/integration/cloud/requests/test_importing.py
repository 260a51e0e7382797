"""Imports of people on the real table: all, all that can be, or none, and again."""

from typing import Any

import pytest

from cloud.adapters.entities import key_attributes
from cloud.contract.checks import MAX_INT
from cloud.domain import keys
from cloud.domain.envelope import Envelope
from cloud.domain.grants import GRANT_PREFIX, partition
from cloud.domain.progress import MAX_PROBLEMS
from cloud.handlers.writing import settler
from cloud.requests.ending import refuse_unreadable
from tests.rigs.back_office import Context, Office, card_id

pytestmark = pytest.mark.system


def rows(count: int, first: int = 1) -> list[dict[str, object]]:
    return [
        {"line": number + 1, "person": f"p{number}", "name": f"N {number}", "groups": ["g"], "card": card_id(number)}
        for number in range(first, first + count)
    ]


@pytest.fixture(autouse=True)
def _group(office: Office) -> None:
    office.do("group.put", {"group": "g", "name": "G"})


def test_import_makes_people_cards_and_memberships(office: Office) -> None:
    """In a few steps, whose lists lead the doors to all of them; the status names the last of these lists."""
    status = office.do("people.import", {"rows": rows(100)})
    assert (status["status"], status["summary"]) == ("done", {"applied": 100, "problems": 0})
    assert status["progress"] == {"done": 100, "of": 100}
    assert status["list"]["version"] == office.head().version
    assert office.doors_view()["person", "p100"]["groups"] == ["g"]
    assert office.doors_view() == office.tables_view()


def test_bad_lines_are_told_by_line_and_column_and_the_others_are_applied(office: Office) -> None:
    """As it was asked: the rest goes in. The same person twice is found too."""
    bad: list[dict[str, object]] = [{**rows(1, 60)[0], "groups": ["none"]}, {**rows(1, 5)[0], "line": 999}]
    status = office.do("people.import", {"rows": rows(50) + bad, "all_or_nothing": False})
    assert (status["status"], status["summary"]) == ("done", {"applied": 50, "problems": 2})
    assert sorted((each["line"], each["column"]) for each in status["problems"]) == [(61, "groups"), (999, "person")]
    assert ("person", "p60") not in office.doors_view()


def test_one_bad_line_keeps_all_others_out_if_so_asked(office: Office) -> None:
    """Nothing is written, wherever in the file it is; the line is told."""
    version = office.head().version
    status = office.do("people.import", {"rows": [*rows(99), {**rows(1, 200)[0], "groups": ["none"]}]})
    assert (status["status"], status["code"]) == ("rejected", "rows_refused")
    assert [(each["line"], each["column"]) for each in status["problems"]] == [(201, "groups")]
    assert office.head().version == version
    assert office.tables_view().keys() == {("group", "g")}


def test_same_file_again_changes_nothing(office: Office) -> None:
    """It is done, and no door has to learn anything."""
    office.do("people.import", {"rows": rows(40)})
    version = office.head().version
    status = office.do("people.import", {"rows": rows(40)})
    assert (status["status"], status["summary"]) == ("done", {"applied": 40, "problems": 0})
    assert office.head().version == version


def test_problems_are_kept_up_to_a_limit_and_counted_beyond(office: Office) -> None:
    """A file of another site, say: its item stays small enough to be read and written."""
    bad = [{**row, "groups": ["none"]} for row in rows(MAX_PROBLEMS + 50)]
    status = office.do("people.import", {"rows": bad, "all_or_nothing": False})
    assert len(status["problems"]) == MAX_PROBLEMS
    assert status["problem_count"] == MAX_PROBLEMS + 50
    assert status["summary"] == {"applied": 0, "problems": MAX_PROBLEMS + 50}


def test_line_beyond_all_files_is_refused_and_the_highest_one_is_told(office: Office) -> None:
    """What the table can't hold must not be found out when a problem of that line is to be written there."""
    bad = {**rows(1)[0], "groups": ["none"]}
    status = office.do("people.import", {"rows": [{**bad, "line": 10**60}], "all_or_nothing": False})
    assert (status["status"], status["code"]) == ("rejected", "unreadable")
    status = office.do("people.import", {"rows": [{**bad, "line": MAX_INT}], "all_or_nothing": False})
    assert [each["line"] for each in status["problems"]] == [MAX_INT]


class Hasty(Context):
    """Time for the first step of an import that does not check its rows beforehand."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = iter([60_000])

    def get_remaining_time_in_millis(self) -> int:
        return next(self.looks, 0)


def delete(office: Office, key: keys.Key) -> None:
    office.offices.dynamodb.delete_item(TableName=office.offices.table, Key=key_attributes(key))


def begun(office: Office, **how: Any) -> Envelope:
    """An import of which a step is carried out."""
    envelope = office.ask("people.import", {"rows": rows(100), "all_or_nothing": False}, **how)
    assert office.deliver(envelope, context=Hasty()) == [0]
    assert [entry["outcome"] for entry in office.audit(envelope)] == ["processing"]
    return envelope


def test_import_that_is_found_unreadable_half_way_keeps_its_one_entry(office: Office) -> None:
    """A later release may not read what an earlier one began: the audit says who asked, and how it ended."""
    envelope = begun(office)
    writer = settler(office.offices.environ(), office.offices.access, office.offices.dynamodb)
    refuse_unreadable(office.entities, writer, office.site, envelope.id, "Of old.", lambda: None)
    (entry,) = office.audit(envelope)
    assert (entry["outcome"], entry["code"], entry["subject"]) == ("rejected", "unreadable", envelope.operator.subject)
    assert office.status(envelope)["progress"]["done"] > 0


def test_import_whose_role_is_found_to_have_ended_half_way_keeps_its_one_entry(office: Office) -> None:
    """The end of a role may be carried out late: what is left of the import is refused."""
    office.grant("op", "operator", "2026-01-01T00:00:00Z")
    envelope = begun(office, subject="op", roles=["operator"])
    for grant in office.entities.query_all(None, partition("op"), prefix=f"{GRANT_PREFIX}{office.site}#"):
        delete(office, (grant["pk"], grant["sk"]))
    assert office.deliver(envelope) == []
    assert [(entry["outcome"], entry["code"]) for entry in office.audit(envelope)] == [("rejected", "not_permitted")]


def test_import_that_an_earlier_release_began_is_finished(office: Office) -> None:
    """It has no entry until then."""
    envelope = begun(office)
    delete(office, keys.audit(office.site, envelope.at, envelope.id))
    assert office.deliver(envelope) == []
    assert [entry["outcome"] for entry in office.audit(envelope)] == ["done"]
