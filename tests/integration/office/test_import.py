"""`cardea people import` and `export`: whole files, bad lines, and a second time."""

import csv
import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.office.conftest import Cardea
from tests.rigs.office_service import TOKEN, OfficeService, hashed

HEADER = "person,name,email,uid,groups\n"


def people_file(folder: Path, people: int, *, bad_line: int | None = None) -> Path:
    """A file of so many people; the line of this number has a card number that is none."""
    lines = [f"p-{n:05},Person {n},p{n}@example.org,{n:08X},staff;lab\n" for n in range(people)]
    if bad_line is not None:
        lines[bad_line - 2] = lines[bad_line - 2].replace(f"{bad_line - 2:08X}", "77B1C")
    path = folder / "people.csv"
    path.write_text(HEADER + "".join(lines))
    return path


def test_five_thousand_people_are_one_request(cardea: Cardea, service: OfficeService, tmp_path: Path) -> None:
    """Each with card and groups, and every line with its number."""
    result = cardea("people", "import", str(people_file(tmp_path, 5000)))
    assert (result.exit_code, result.stdout, result.stderr) == (0, "5000 line(s) imported, 0 left out\n", "")
    (change,) = service.changes()
    assert change.body["all_or_nothing"] is True
    assert [row["line"] for row in change.body["rows"]] == list(range(2, 5002))
    assert service.people["p-04999"]["cards"] == [hashed("00001387")]
    assert [it["group"] for it in service.people["p-04999"]["permissions"]] == ["staff", "lab"]


def test_a_bad_line_keeps_all_others_out(cardea: Cardea, service: OfficeService, tmp_path: Path) -> None:
    """It is told by number and column, without the card's number; nothing is sent."""
    result = cardea("people", "import", str(people_file(tmp_path, 5000, bad_line=17)))
    assert result.exit_code == 2
    first, last = result.stderr.splitlines()
    assert first.startswith("people.csv:17: column uid: a card number is 4 to 16 bytes in hex")
    assert "4999 line(s) are right, 1 fault(s); nothing was sent" in last
    assert "77B1C" not in result.output
    assert service.seen == []


def test_the_rest_is_imported_where_that_is_asked_for(cardea: Cardea, service: OfficeService, tmp_path: Path) -> None:
    """The bad line is told all the same, and counted."""
    path = people_file(tmp_path, 5000, bad_line=17)
    result = cardea("people", "import", "--skip-bad", str(path))
    assert (result.exit_code, result.stdout) == (0, "4999 line(s) imported, 1 left out\n")
    assert "people.csv:17: column uid" in result.stderr
    assert len(service.people) == 4999
    assert service.changes()[0].body["all_or_nothing"] is False


def test_a_file_that_was_imported_can_be_imported_again(cardea: Cardea, service: OfficeService, tmp_path: Path) -> None:
    """Mended: people who are there are updated, those that were left out come in."""
    cardea("people", "import", "--skip-bad", str(people_file(tmp_path, 100, bad_line=17)))
    before = dict(service.people)
    assert cardea("people", "import", str(people_file(tmp_path, 100))).exit_code == 0
    assert {name: person for name, person in service.people.items() if name in before} == before
    assert len(service.people) == 100


def test_a_dry_run_asks_nothing_of_the_service(cardea: Cardea, service: OfficeService, tmp_path: Path) -> None:
    """Its code says whether the file is right."""
    good = cardea("people", "import", "--dry-run", str(people_file(tmp_path, 10)))
    assert (good.exit_code, good.stdout) == (0, "10 line(s) are right, 0 fault(s); nothing was sent\n")
    bad = cardea("people", "import", "--dry-run", "--json", str(people_file(tmp_path, 10, bad_line=3)))
    assert bad.exit_code == 2
    document = json.loads(bad.stdout)
    assert (document["right"], document["imported"]) == (9, 0)
    assert [(it["line"], it["column"]) for it in document["problems"]] == [(3, "uid")]
    assert service.seen == []


@pytest.mark.parametrize("header", ["person,nmae\n", "\xff", ""])
def test_a_file_that_can_not_be_made_out_ends_with_2(
    cardea: Cardea, service: OfficeService, tmp_path: Path, header: str
) -> None:
    """With its name and the line."""
    path = tmp_path / "people.csv"
    path.write_bytes(header.encode("latin-1"))
    result = cardea("people", "import", str(path))
    assert result.exit_code == 2
    assert result.stderr.startswith("cardea: people.csv: line 1: ")
    assert service.seen == []


def test_rows_that_the_service_can_not_apply_are_told_by_line(
    cardea: Cardea, service: OfficeService, tmp_path: Path
) -> None:
    """In the form of those that the file's own check finds."""
    service.problems = [{"line": 4, "column": "groups", "detail": "There is no group lab."}]
    result = cardea("people", "import", "--skip-bad", str(people_file(tmp_path, 10)))
    assert (result.exit_code, result.stdout) == (0, "9 line(s) imported, 1 left out\n")
    assert result.stderr == "people.csv:4: column groups: There is no group lab.\n"


def test_an_import_that_is_rejected_says_which_lines_were_why(
    cardea: Cardea, service: OfficeService, tmp_path: Path
) -> None:
    """Nothing was applied."""
    service.problems = [{"line": 4, "column": "groups", "detail": "There is no group lab."}]
    service.rejects["people.import"] = ("rows_refused", "1 of 10 rows can't be applied, so none was.")
    result = cardea("people", "import", str(people_file(tmp_path, 10)), "--json")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "people.csv:4: column groups: There is no group lab.",
        "cardea: rejected: rows_refused: 1 of 10 rows can't be applied, so none was.",
    ]
    assert json.loads(result.stdout)["code"] == "rows_refused"


def test_people_come_from_a_pipe_and_are_not_waited_for(cardea: Cardea, service: OfficeService) -> None:
    """`-` is stdin."""
    result = cardea("people", "import", "-", "--no-wait", stdin="person,name\np-1,Ada\n")
    (identifier,) = service.requests
    assert (result.exit_code, identifier in result.stdout) == (0, True)
    assert len(service.seen) == 1
    assert "stdin:2: column name" in cardea("people", "import", "-", stdin="person,name\np-1,\n").stderr


def test_a_bar_is_shown_on_a_terminal_only(service: OfficeService, tmp_path: Path) -> None:
    """Its control characters would spoil a log."""
    service.looks = 6
    command = [sys.executable, "-c", "from agent.cli import main; main()", "people", "import"]
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "xterm", "CARDEA_TOKEN": TOKEN,
        "CARDEA_API": service.url, "CARDEA_SITE": "hq",
    }  # fmt: skip
    file = str(people_file(tmp_path, 50))
    ours, theirs = pty.openpty()
    try:
        shown = subprocess.run(
            [*command, file], env=environment, stderr=theirs, stdout=subprocess.PIPE, timeout=60, check=True
        )
        bar = os.read(ours, 65536)
    finally:
        os.close(theirs)
        os.close(ours)
    assert shown.stdout == b"50 line(s) imported, 0 left out\n"
    assert b"people" in bar
    assert b"%" in bar
    plain = subprocess.run([*command, file], env=environment, capture_output=True, timeout=60, check=True)
    assert (plain.stdout, plain.stderr) == (shown.stdout, b"")


def test_what_was_exported_is_imported_unchanged(cardea: Cardea, service: OfficeService, tmp_path: Path) -> None:
    """Cards by their ids, and names that a spreadsheet would run; the file is for its owner only."""
    cardea("people", "import", str(people_file(tmp_path, 30)))
    service.people["p-00003"] |= {"name": "=HYPERLINK(1)", "valid_until": "2027-01-01T00:00:00Z"}
    service.people["p-00004"] |= {"name": '\'Abd al-Qadir, "Q"', "status": "onboarding"}
    before = json.dumps(service.people)
    path = tmp_path / "export.csv"
    assert cardea("people", "export", str(path)).exit_code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any(cell[:1] in ("=", "+", "@") for row in csv.reader(path.read_text().splitlines()) for cell in row)
    assert cardea("people", "export").stdout == path.read_text()
    assert cardea("people", "import", str(path)).exit_code == 0
    assert json.dumps(service.people) == before
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "people.csv"]


def test_a_permission_for_a_time_is_not_made_one_for_ever(
    cardea: Cardea, service: OfficeService, tmp_path: Path
) -> None:
    """It is left out of the file, and that is said."""
    permissions = [
        {"permission": "1", "group": "staff", "valid_from": None, "valid_until": None},
        {"permission": "2", "group": "lab", "valid_until": "2027-01-01T00:00:00Z"},
    ]
    service.people["p-1"] = {"person": "p-1", "name": "Ada", "status": "active", "permissions": permissions}
    result = cardea("people", "export")
    assert next(csv.DictReader(result.stdout.splitlines()))["groups"] == "staff"
    assert result.stderr == "cardea: 1 permission(s) for a time are not in the file\n"


def test_an_export_that_fails_leaves_the_file_of_before(cardea: Cardea, service: OfficeService, tmp_path: Path) -> None:
    """Whatever goes wrong on the way."""
    path = tmp_path / "export.csv"
    path.write_text("what was there")
    service.people["p-1"] = {"person": "p-1", "name": "Ada"}
    assert cardea("people", "export", str(path), CARDEA_TOKEN="bad").exit_code == 1
    assert path.read_text() == "what was there"
    assert list(tmp_path.iterdir()) == [path]
    assert cardea("people", "export", str(tmp_path / "no" / "where.csv")).exit_code == 1
