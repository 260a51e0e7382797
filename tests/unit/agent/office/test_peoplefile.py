"""People from and to files: every fault with its line and column, and nothing lost on the way."""

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from agent.office.errors import BadInput
from agent.office.peoplefile import WRITTEN, Fault, read_people, write_people
from tests.rigs.office_service import hashed

HEADER = "person,name,email,status,uid,groups,valid_from,valid_until\n"


def faults(text: str) -> list[str]:
    return [fault.words("people.csv") for fault in read_people(text.encode()).faults]


def test_a_full_and_a_short_line_are_read() -> None:
    """What is empty is left out, so that it stays as it is; a card's number is tidied up."""
    text = (
        HEADER
        + "p-1,Ada Lovelace,ada@example.org,onboarding,04:a1:c3:d2, staff; lab ;staff;,2026-03-01T08:00:00Z,"
        + "2026-04-01T00:00:00Z\n"
        + "\n"
        + '"p-2","Hopper, Grace",,,,,,\n'
    )
    read = read_people(text.encode())
    assert not read.faults
    assert read.rows == (
        {
            "line": 2, "person": "p-1", "name": "Ada Lovelace", "email": "ada@example.org", "status": "onboarding",
            "uid": "04A1C3D2", "groups": ["staff", "lab"], "valid_from": "2026-03-01T08:00:00Z",
            "valid_until": "2026-04-01T00:00:00Z",
        },
        {"line": 4, "person": "p-2", "name": "Hopper, Grace"},
    )  # fmt: skip


def test_a_spreadsheets_utf_8_and_its_line_ends_are_read() -> None:
    """With a mark of byte order, CRLF and capitals in the header."""
    data = "\ufeffPerson,Name\r\np-1,Zoë\r\n".encode()
    assert read_people(data).rows == ({"line": 2, "person": "p-1", "name": "Zoë"},)


def test_every_fault_is_told_with_line_and_column() -> None:
    """All at once, in the order of the file; right lines are kept beside."""
    text = (
        HEADER
        + "p 1,Ada,,,,,,\n"
        + "p-2,,,,,,,\n"
        + "p-3,Ada,,retired,,,,\n"
        + "p-4,Ada,,,77B1C9,,,\n"
        + "p-5,Ada,,,,staff;no one,,\n"
        + "p-6,Ada,,,,,2026-03-01,\n"
        + "p-7,Ada,,,,,2026-04-01T00:00:00Z,2026-03-01T00:00:00Z\n"
        + "p-8,Ada\n"
        + f"p-9,{'x' * 201},,,,,,\n"
        + "p-10,Ada,,,77B1C9D2,,,\n"
        + "p-10,Ada,,,,,,\n"
        + "p-11,Ada,,,77b1c9d2,,,\n"
        + 'p-12,"A"da,,,,,,\n'
        + "p-13,Ada,,,,,,\n"
    )
    read = read_people(text.encode())
    found = [(fault.line, fault.column) for fault in read.faults]
    assert found == [
        (2, "person"), (3, "name"), (4, "status"), (5, "uid"), (6, "groups"), (7, "valid_from"), (8, "valid_until"),
        (9, None), (10, "name"), (12, "person"), (13, "uid"), (14, None),
    ]  # fmt: skip
    assert [row["person"] for row in read.rows] == ["p-10", "p-13"]
    said = faults(text)
    assert said[0] == "people.csv:2: column person: is not an id of letters, digits and _.:- up to 64"
    assert said[6] == "people.csv:8: column valid_until: valid_until is not after valid_from"
    assert said[7] == "people.csv:9: has 2 cells, the header has 8"
    assert said[9] == "people.csv:12: column person: is in line 11 already"
    assert said[10] == "people.csv:13: column uid: is in line 11 already"
    assert not any("77B1C9" in line.upper() for line in said), "a card's number is repeated"


def test_several_faults_of_a_line_are_all_told() -> None:
    """Whoever mends the file mends it once."""
    assert [(fault.line, fault.column) for fault in read_people(f"{HEADER},,,x,1,,,\n".encode()).faults] == [
        (2, "person"), (2, "name"), (2, "status"), (2, "uid"),
    ]  # fmt: skip


def test_a_card_and_its_number_do_not_go_together() -> None:
    """One of the two says which card it is; a number in the wrong column is told so, and not repeated."""
    text = f"person,name,card,uid\np-1,Ada,{'ab' * 16},04A1C3D2\np-2,Ada,04A1C3D2,\n"
    assert faults(text) == [
        "people.csv:2: column uid: stands beside card, of which it is the number",
        "people.csv:3: column card: is not a keyed hash of 32 hex digits; a card's number belongs in the column uid",
    ]


def test_a_quoted_cell_over_several_lines_is_counted_by_its_first() -> None:
    """As an editor shows it; the lines after it keep their numbers."""
    text = 'person,name\np-1,"Ada\nLovelace"\np-2,\n'
    assert [(fault.line, fault.column) for fault in read_people(text.encode()).faults] == [(2, "name"), (4, "name")]


def test_the_number_of_a_card_in_the_place_of_a_header_is_not_repeated() -> None:
    """In a file that was saved without one; what is said of it ends in logs and tickets."""
    with pytest.raises(BadInput, match="line 1: column 1 is not known") as refused:
        read_people(b"04A1C3D2E45F80,p-1,Ada\n")
    assert "04a1c3d2e45f80" not in str(refused.value).lower()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "line 1: the file is empty"),
        (b"\n\n", "line 1: the file is empty"),
        (b"person,nmae\n", "line 1: column 'nmae' is not known, did you mean name"),
        (b"person,colour\n", "line 1: column 2 is not known; known are person, "),
        (b"person;name\n", "columns are separated by commas"),
        (b"person,name,name\n", "line 1: column name is there twice"),
        (b"\nname\n", "line 2: column person is missing"),
        (b'"person,name\n', "line 1: is not CSV"),
        (b"person,name\np-1,Zo\xeb\n", "line 2: is not UTF-8"),
        ("person,name\n".encode("utf-16"), "line 1: is not UTF-8"),
    ],
)
def test_a_file_that_can_not_be_made_out_is_told(data: bytes, said: str) -> None:
    """Its lines mean nothing then."""
    with pytest.raises(BadInput, match=said):
        read_people(data)


def test_a_fault_is_one_line_whatever_the_file_holds() -> None:
    """Terminals obey control characters."""
    assert Fault(3, "name", "is \x1b[2J\n").words("a\x07.csv") == r"a\x07.csv:3: column name: is \x1b[2J\n"
    with pytest.raises(BadInput) as caught:
        read_people(b"person,\x1b[2J\n")
    assert str(caught.value).isprintable()


@given(data=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"person,name\n{text}".encode()))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing but BadInput, and every line is a row or a fault."""
    try:
        said = [fault.words("f") for fault in read_people(data).faults]
    except BadInput as error:
        said = [str(error)]
    assert all(text.isprintable() for text in said)


ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,20}", fullmatch=True)
printable = st.text(
    st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(" ,;\"'=+-@"), min_size=1, max_size=12
)
names = printable.map(str.strip).filter(lambda text: bool(text) and text.isprintable())
instants = st.sampled_from(["2026-03-01T08:00:00Z", "2027-01-01T00:00:00Z"])
persons: SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "person": ids,
        "name": names,
        "email": st.none() | names,
        "status": st.sampled_from(["active", "onboarding"]),
        "groups": st.lists(ids, max_size=4, unique=True),
        "card": st.none() | st.binary(min_size=16, max_size=16).map(bytes.hex),
        "valid_from": st.none() | st.just("2026-01-01T00:00:00Z"),
        "valid_until": st.none() | instants,
    }
)


def unique(people: list[dict[str, Any]]) -> bool:
    cards = [person["card"] for person in people if person["card"]]
    return len(set(cards)) == len(cards) and len({person["person"] for person in people}) == len(people)


@settings(max_examples=200)
@given(people=st.lists(persons, max_size=5).filter(unique))
def test_what_was_written_is_read_back(people: list[dict[str, Any]]) -> None:
    """Any people, whatever their names look like; no cell of the file is a formula."""
    file = io.StringIO(newline="")
    write_people(people, file)
    read = read_people(file.getvalue().encode())
    assert not read.faults
    back = [{name: value for name, value in row.items() if name != "line"} for row in read.rows]
    assert back == [{name: value for name, value in person.items() if value} for person in people]
    assert not any(cell[:1] in tuple("=+@") for line in file.getvalue().splitlines() for cell in line.split(","))


def test_the_header_is_written_for_nobody_too() -> None:
    """An empty export is a file that import takes."""
    file = io.StringIO()
    write_people([], file)
    assert file.getvalue() == f"{','.join(WRITTEN)}\n"
    assert read_people(file.getvalue().encode()).rows == ()


def test_hashed_numbers_of_the_rig_are_ids_of_cards() -> None:
    """What the tests of the commands rest on."""
    assert not faults(f"person,name,card\np-1,Ada,{hashed('04A1C3D2')}\n")
