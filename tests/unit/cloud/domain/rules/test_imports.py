"""Imports of people."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloud.domain.outcome import Rejected
from cloud.domain.payloads import ImportRow
from cloud.domain.rules import Plan, importing
from cloud.domain.rules.draft import MAX_ITEMS
from cloud.domain.rules.entities import Card, Person
from cloud.domain.rules.imports import plan
from cloud.domain.rules.place_entities import Group
from tests.rigs.entity_store import EntityStore, card_id


def rows(*given: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"line": line, "name": "N", **row} for line, row in enumerate(given, 2)]


def run(site: EntityStore, *given: dict[str, Any], all_or_nothing: bool = False) -> list[tuple[int, str]]:
    payload = {"rows": rows(*given), "all_or_nothing": all_or_nothing}
    problems = site.run_import(site.envelope("people.import", payload))
    return [(problem.line, problem.column) for problem in problems]


def test_import_creates_people_with_cards_and_groups(site: EntityStore) -> None:
    """A card that is not registered is, on the way."""
    assert (
        run(site, {"person": "a", "card": card_id(1), "groups": ["staff"]}, {"person": "b", "card": card_id(9)}) == []
    )
    assert site.item(Person, "a").items() >= {"status": "active", "cards": [card_id(1)]}.items()
    assert site.item(Card, card_id(9)).items() >= {"status": "issued", "person": "b"}.items()
    assert site.listed["person", "a"]["groups"] == ["staff"]
    assert site.item(Group, "staff")["uses"] == 1


def test_import_again_changes_nothing(site: EntityStore) -> None:
    """The same file, run again after any fault, leaves all as it is: rows, cards, permissions and the list.

    But for when each person was last said to be so.
    """
    file = [{"person": name, "card": card_id(at), "groups": ["staff"]} for at, name in enumerate("pqrst", 1)]

    def items() -> list[dict[str, Any]]:
        told = ({**item, "rev": 0} for item in site.items.values())
        return [{**item, "changed_at": ""} if item["pk"].startswith("PERSON#") else item for item in told]

    assert run(site, *file) == []
    before, listed = items(), dict(site.listed)
    assert run(site, *file) == []
    assert (items(), site.listed) == (before, listed)


def test_import_that_was_asked_before_an_update_does_not_undo_it(site: EntityStore) -> None:
    """Delivered late, a row that says something else is told; one that says the same is none of anybody's business."""
    until = "2030-01-01T00:00:00Z"
    file = rows({"person": "p", "name": "Pat", "valid_until": None}, {"person": "q", "groups": ["staff"]})
    site.must("person.create", {"person": "q", "name": "N"})
    overtaken = site.envelope("people.import", {"rows": file, "all_or_nothing": False})
    site.must("person.update", {"person": "p", "valid_until": until})
    site.must("person.update", {"person": "q", "name": "N"})
    assert [(problem.line, problem.column) for problem in site.run_import(overtaken)] == [(2, "person")]
    assert site.listed["person", "p"]["until"] == until
    assert site.listed["person", "q"]["groups"] == ["staff"]


def test_update_that_was_asked_before_an_import_does_not_undo_it(site: EntityStore) -> None:
    """Nor if the file said what was so already."""
    until = "2030-01-01T00:00:00Z"
    site.must("person.update", {"person": "p", "valid_until": until})
    overtaken = site.envelope("person.update", {"person": "p", "valid_until": None})
    run(site, {"person": "p", "name": "Pat", "valid_until": until})
    assert getattr(site.carry_out(overtaken), "code", None) == "person_changed_since"
    assert site.listed["person", "p"]["until"] == until


def test_import_tells_lines_and_columns_and_applies_the_rest(site: EntityStore) -> None:
    """One bad line spoils no other, and leaves nothing of itself."""
    site.must("person.create", {"person": "q", "name": "Quinn"})
    site.must("person.deactivate", {"person": "q"})
    site.must("card.report_lost", {"card": card_id(2)})
    problems = run(
        site,
        {"person": "a"},
        {"person": "b", "groups": ["staff", "none"]},
        {"person": "q"},
        {"person": "c", "groups": ["staff"], "card": card_id(2)},
        {"person": "a"},
        {"person": "d", "card": card_id(3)},
        {"person": "e", "card": card_id(3)},
    )
    assert sorted(problems) == [(3, "groups"), (4, "person"), (5, "card"), (6, "person"), (8, "card")]
    people = {item["person"] for key, item in site.items.items() if key[0].startswith("PERSON#")}
    assert people == {"p", "q", "a", "d"}
    assert site.item(Group, "staff")["uses"] == 0


def test_import_of_all_or_nothing_with_a_bad_line_changes_nothing(site: EntityStore) -> None:
    """Found out before the first row is applied, in whichever chunk it lies."""
    items = dict(site.items)
    file = [{"person": f"n{number}"} for number in range(200)]
    assert run(site, *file, {"person": "x", "groups": ["none"]}, all_or_nothing=True) == [(202, "groups")]
    assert site.items == items
    assert run(site, *file, all_or_nothing=True) == []


def test_import_updates_only_what_it_gives(site: EntityStore) -> None:
    """A column that the file does not have clears nothing, and nobody goes back to onboarding."""
    until = "2030-01-01T00:00:00Z"
    site.must("person.update", {"person": "p", "email": "p@example.org", "valid_until": until})
    run(site, {"person": "p", "name": "Paula", "status": "onboarding"})
    expected = {"name": "Paula", "email": "p@example.org", "valid_until": until, "status": "active"}
    assert site.item(Person, "p").items() >= expected.items()
    assert run(site, {"person": "p", "valid_from": until}) == [(2, "valid_until")]


def test_import_replaces_a_card_like_an_issue(site: EntityStore) -> None:
    """Who held another one has it revoked in the same transaction."""
    site.must("card.issue", {"card": card_id(1), "person": "p"})
    run(site, {"person": "p", "card": card_id(2)})
    assert site.item(Card, card_id(1))["status"] == "revoked"
    assert site.item(Person, "p")["cards"] == [card_id(2)]


def test_import_does_not_lengthen_a_permission(site: EntityStore) -> None:
    """One that somebody gave an end keeps it when an old file is run again."""
    until = "2027-06-01T00:00:00Z"
    site.must("permission.grant", {"person": "p", "group": "staff", "valid_until": until})
    run(site, {"person": "p", "groups": ["staff"]})
    assert site.listed["person", "p"]["groups"] == [{"group": "staff", "until": until}]


def test_permission_of_an_import_can_be_ended(site: EntityStore) -> None:
    """Its id is one, and another for each person and group."""
    run(site, {"person": "a", "groups": ["staff"]}, {"person": "b", "groups": ["staff"]})
    ids = [site.item(Person, name)["permissions"][0]["permission"] for name in ("a", "b")]
    assert ids[0] != ids[1]
    site.must("permission.end", {"person": "a", "permission": ids[0]})
    assert site.listed["person", "a"]["groups"] == []


def test_import_needs_the_role(site: EntityStore) -> None:
    """Like every other request."""
    for roles, expected in ((["guard"], Rejected), (["operator"], Plan)):
        envelope = site.envelope("people.import", {"rows": rows({"person": "a"})}, roles=roles)
        assert isinstance(importing(envelope, envelope.content()), expected)  # type: ignore[arg-type]


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.none() | st.integers(0, 60), st.sets(st.integers(0, 120), max_size=50)),
        max_size=120,
    )
)
def test_every_row_is_in_one_chunk_that_fits_or_is_a_problem(file: list[tuple[int, int | None, set[int]]]) -> None:
    """In the order of the file, nobody and no card twice, and at the worst not beyond one transaction."""
    given_rows = [
        ImportRow(
            line=line,
            person=f"p{person}",
            name="N",
            card=None if card is None else card_id(card),
            groups=[f"g{group}" for group in sorted(groups)],
        )
        for line, (person, card, groups) in enumerate(file, 1)
    ]
    made = plan(given_rows)
    planned = [row for chunk in made.chunks for row in chunk]
    assert [row.line for row in planned] == sorted({row.line for row in given_rows} - {p.line for p in made.problems})
    assert len({row.person for row in planned}) == len(planned) == len(given_rows) - len(made.problems)
    for chunk in made.chunks:
        assert 3 * len(chunk) + len({group for row in chunk for group in row.groups}) <= MAX_ITEMS
