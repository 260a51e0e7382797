"""`cardea people import` as a process of its own against the deployed API: three hundred people, one bad line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloud.contract.reasons import Reason
from tests.rigs.deployed_site import Caller, DeployedSite

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

CARDEA = [sys.executable, "-c", "from agent.cli import main; main()"]
PEOPLE = 300
BAD_LINE = 151


@pytest.fixture
def group(administrator: Caller, x: str) -> str:
    """A group that opens a door."""
    administrator.do("PUT", f"doors/d-{x}", {"name": "Gate"})
    administrator.do("PUT", f"groups/g-{x}", {"name": "Staff", "grants": [{"door": f"d-{x}"}]})
    return f"g-{x}"


def people(x: str, group: str, *, bad: str) -> str:
    """The file; one line names another group than the rest."""
    lines = [
        f"p{number:03}-{x},Person {number},{x}{number:06X},{bad if number + 2 == BAD_LINE else group}\n"
        for number in range(PEOPLE)
    ]
    return "person,name,uid,groups\n" + "".join(lines)


def cardea(caller: Caller, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`cardea people import WORDS...` as a member of staff."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "NO_PROXY": "127.0.0.1",
        "CARDEA_API": caller.details.api,
        "CARDEA_SITE": caller.details.site,
        "CARDEA_TOKEN": caller.token(),
    }
    return subprocess.run(
        [*CARDEA, "people", "import", "--wait-s", "90", *words], env=environment, capture_output=True, text=True
    )


def test_import_of_three_hundred_people_with_a_bad_line(
    site: DeployedSite, operator: Caller, x: str, group: str, tmp_path: Path
) -> None:
    """Told by number and column; none comes in by default, the rest if that is asked for, and again changes nothing."""
    file = tmp_path / "people.csv"
    file.write_text(people(x, group, bad=f"no-{x}"))
    told = f"people.csv:{BAD_LINE}: column groups: There is no group no-{x}."

    refused = cardea(operator, tmp_path, str(file))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines()[0] == told
    assert "rows_refused" in refused.stderr
    assert imported(operator, x) == []

    rest = cardea(operator, tmp_path, "--skip-bad", str(file))
    assert (rest.returncode, rest.stdout) == (0, f"{PEOPLE - 1} line(s) imported, 1 left out\n"), rest.stderr
    assert rest.stderr.splitlines() == [told]
    assert len(imported(operator, x)) == PEOPLE - 1
    number = f"{x}{PEOPLE - 1:06X}"
    card = operator.call("POST", "cards/lookup", {"uid": number}).body
    assert card["person"] == f"p{PEOPLE - 1}-{x}"
    assert site.decides(card["card"], f"d-{x}") is Reason.ALLOWED

    before = site.listed()
    file.write_text(people(x, group, bad=group))
    again = cardea(operator, tmp_path, "--json", str(file))
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["imported"] == PEOPLE
    after = site.listed()
    mended = f"p{BAD_LINE - 2:03}-{x}"
    assert {key for key in after if before.get(key) != after[key] and key[0] == "person"} == {("person", mended)}
    assert len(after) == len(before) + 2


def test_file_with_a_malformed_line_is_not_sent(operator: Caller, x: str, group: str, tmp_path: Path) -> None:
    """What can be seen wrong before anything is sent, is: by line and column, and without the card's number."""
    file = tmp_path / "people.csv"
    file.write_text(people(x, group, bad=group).replace(f"{x}{7:06X}", f"{x}00000Z"))
    result = cardea(operator, tmp_path, str(file))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("people.csv:9: column uid: ")
    assert x + "00000Z" not in result.stderr
    assert imported(operator, x) == []


def imported(operator: Caller, x: str) -> list[str]:
    """The people of this test."""
    return [entry["person"] for entry in operator.all("people", prefix="p") if entry["person"].endswith(x)]
