"""The staff's commands: what they ask of the API, what they show, and how they end."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agent.office.tokens import Tokens, save_tokens
from tests.integration.office.conftest import Cardea
from tests.rigs.office_service import TOKEN, OfficeService, busy, hashed, problem, send

NUMBER = "04A1C3D2E45F80"
CARD = hashed(NUMBER)
ADA = {"person": "p-1", "name": "Ada Lovelace", "status": "active", "cards": [CARD], "permissions": []}
DOOR = {"door": "lobby", "name": "Lobby", "mode": "normal", "building": "hq", "inside": "hq", "outside": None}
# Command -> method, path below the site, body.
CHANGES: list[tuple[list[str], str, str, Any]] = [
    (
        ["people", "create", "p-1", "--name", "Ada", "--email", "a@b", "--active", "--until", "2027-01-01T00:00:00Z"],
        "POST", "people",
        {"person": "p-1", "name": "Ada", "email": "a@b", "status": "active", "valid_until": "2027-01-01T00:00:00Z"},
    ),
    (
        ["people", "update", "p-1", "--name", "Ada King", "--clear", "until", "--clear", "email"],
        "PATCH", "people/p-1", {"name": "Ada King", "valid_until": None, "email": None},
    ),
    (["people", "activate", "p-1"], "POST", "people/p-1/activate", {}),
    (["people", "deactivate", "p-1", "--note", "left"], "POST", "people/p-1/deactivate", {"note": "left"}),
    (["cards", "register", CARD, "--label", "1001"], "POST", "cards", {"cards": [{"card": CARD, "label": "1001"}]}),
    (["cards", "register", "--uid", NUMBER.lower()], "POST", "cards", {"cards": [{"uid": NUMBER}]}),
    (
        ["cards", "issue", CARD, "--to", "p-1", "--building", "hq", "--complete-onboarding"],
        "POST", f"cards/{CARD}/issue", {"person": "p-1", "building": "hq", "complete_onboarding": True},
    ),
    (["cards", "issue", "--to", "p-1", "--uid", NUMBER], "POST", "cards/issue", {"person": "p-1", "uid": NUMBER}),
    (["cards", "link", "--to", "p-1", "--uid", NUMBER], "POST", "cards/issue", {"person": "p-1", "uid": NUMBER}),
    (["cards", "return", CARD], "POST", f"cards/{CARD}/return", {}),
    (["cards", "lost", "--uid", NUMBER, "--note", "on the bus"], "POST", f"cards/{CARD}/report-lost",
     {"note": "on the bus"}),
    (["cards", "stolen", "--uid", "04:a1:c3:d2:e4:5f:80"], "POST", f"cards/{CARD}/report-stolen", {}),
    (["cards", "destroy", CARD], "POST", f"cards/{CARD}/destroy", {}),
    (["cards", "expire", CARD], "POST", f"cards/{CARD}/expire", {}),
    (["cards", "reactivate", CARD], "POST", f"cards/{CARD}/reactivate", {}),
    (["cards", "revoke", CARD], "POST", f"cards/{CARD}/revoke", {}),
    (
        ["cards", "replace", CARD, "--by-uid", "04B2184A6C7F81", "--reason", "lost"],
        "POST", f"cards/{CARD}/replace", {"by_uid": "04B2184A6C7F81", "reason": "lost"},
    ),
    (["cards", "replace", CARD, "--by", "0" * 32], "POST", f"cards/{CARD}/replace",
     {"by": "0" * 32, "reason": "revoked"}),
    (
        ["doors", "put", "lobby", "--mode", "lockdown", "--clear", "building"],
        "PUT", "doors/lobby", {"name": "Lobby", "mode": "lockdown", "inside": "hq"},
    ),
    (["doors", "put", "lab", "--name", "Lab"], "PUT", "doors/lab", {"name": "Lab"}),
    (["doors", "remove", "lobby"], "DELETE", "doors/lobby", None),
    (
        ["groups", "put", "staff", "--opens", "lab@nights", "--opens", "roof", "--closes", "lobby"],
        "PUT", "groups/staff",
        {"name": "Staff", "grants": [{"door": "lab", "schedule": None}, {"door": "lab", "schedule": "nights"},
                                     {"door": "roof", "schedule": None}]},
    ),
    (["groups", "put", "staff", "--closes", "lab@nights", "--name", "All"], "PUT", "groups/staff",
     {"name": "All", "grants": [{"door": "lobby", "schedule": "days"}, {"door": "lobby", "schedule": None},
                                {"door": "lab", "schedule": None}]}),
    (["groups", "remove", "staff"], "DELETE", "groups/staff", None),
    (
        ["groups", "grant", "staff", "p-1", "--from", "2026-03-01T08:00:00Z"],
        "POST", "people/p-1/permissions", {"group": "staff", "valid_from": "2026-03-01T08:00:00Z"},
    ),
    (
        ["groups", "end", "lab", "p-1", "--at", "2026-04-01T00:00:00Z"],
        "POST", "people/p-1/permissions/perm-7/end", {"at": "2026-04-01T00:00:00Z"},
    ),
    (
        ["schedules", "put", "days", "--window", "sat-mon 07:00-18:00", "--window", "wed 22:00-06:00"],
        "PUT", "schedules/days",
        {"name": "Days", "zone": "UTC", "holidays": "public",
         "windows": [{"days": ["mon", "sat", "sun"], "start": "07:00", "end": "18:00"},
                     {"days": ["wed"], "start": "22:00", "end": "06:00"}]},
    ),
    (["schedules", "put", "days", "--clear", "holidays", "--clear", "windows"], "PUT", "schedules/days",
     {"name": "Days", "zone": "UTC"}),
    (["schedules", "remove", "days"], "DELETE", "schedules/days", None),
    (
        ["holidays", "put", "public", "--date", "2026-12-26", "--without", "2026-12-24"],
        "PUT", "holidays/public", {"name": "Public", "dates": ["2026-12-25", "2026-12-26"]},
    ),
    (["buildings", "put", "hq", "--name", "Headquarters"], "PUT", "buildings/hq", {"name": "Headquarters"}),
    (
        ["areas", "put", "hq", "--name", "HQ", "--building", "hq", "--anti-passback", "hard"],
        "PUT", "areas/hq", {"name": "HQ", "building": "hq", "anti_passback": "hard"},
    ),
    (["devices", "register", "d-1", "--key", "ab" * 32, "--door", "lobby"], "PUT", "devices/d-1",
     {"keys": ["ab" * 32], "doors": ["lobby"]}),
    (["devices", "retire", "d-1"], "POST", "devices/d-1/retire", {}),
    (["operators", "grant", "s-1", "guard"], "POST", "operators/s-1/grants", {"role": "guard"}),
    (["operators", "end", "s-1", "g-1"], "POST", "operators/s-1/grants/g-1/end", {}),
]  # fmt: skip


@pytest.fixture(autouse=True)
def site(service: OfficeService) -> None:
    """Something of each kind."""
    service.people["p-1"] = {**ADA, "permissions": [{"permission": "perm-7", "group": "lab"}]}
    service.cards[CARD] = {"card": CARD, "status": "issued", "person": "p-1", "label": "1001"}
    service.numbers[NUMBER] = CARD
    grants = [{"door": "lobby", "schedule": "days"}, {"door": "lobby", "schedule": None},
              {"door": "lab", "schedule": None}, {"door": "lab", "schedule": "nights"}]  # fmt: skip
    windows = [{"days": ["mon"], "start": "07:00", "end": "18:00"}]
    days = {"schedule": "days", "name": "Days", "zone": "UTC", "windows": windows, "holidays": "public"}
    service.places = {
        "doors": {"lobby": dict(DOOR)},
        "groups": {"staff": {"group": "staff", "name": "Staff", "grants": grants}},
        "schedules": {"days": days},
        "holidays": {"public": {"holidays": "public", "name": "Public", "dates": ["2026-12-24", "2026-12-25"]}},
    }
    service.looks = 1


@pytest.mark.parametrize(
    ("words", "method", "path", "body"),
    CHANGES,
    ids=lambda value: "-".join(value[:2]) if isinstance(value, list) else "",
)
def test_a_command_asks_for_its_change_and_waits_for_its_end(
    cardea: Cardea, service: OfficeService, words: list[str], method: str, path: str, body: Any
) -> None:
    """With one Idempotency-Key, in the words of the API's own document."""
    result = cardea(*words)
    assert (result.exit_code, result.stderr) == (0, "")
    (change,) = service.changes()
    assert (change.method, change.path.removeprefix("/v1/sites/hq/"), change.body) == (method, path, body)
    (request,) = service.requests.values()
    assert request.document["status"] == "done"
    assert result.stdout.endswith("; doors learn it with list 1.2\n")


def test_a_change_with_json_is_its_request(cardea: Cardea) -> None:
    """One document, and nothing else."""
    result = cardea("cards", "lost", CARD, "--json")
    assert (json.loads(result.stdout)["status"], result.exit_code) == ("done", 0)


def test_a_change_that_is_not_waited_for_says_which_it_is(cardea: Cardea, service: OfficeService) -> None:
    """It may still be rejected."""
    result = cardea("cards", "lost", CARD, "--no-wait")
    (identifier,) = service.requests
    assert result.stdout == f"asked for as request {identifier}: card {CARD} reported lost\n"
    assert not any(call.path.endswith(identifier) for call in service.seen)
    assert json.loads(cardea("requests", "show", identifier, "--json").stdout)["status"] == "done"


@pytest.mark.parametrize("json_words", [[], ["--json"]])
def test_a_rejected_change_ends_with_its_code_and_words(
    cardea: Cardea, service: OfficeService, json_words: list[str]
) -> None:
    """Exit 1; scripts find the code in the document."""
    service.rejects["card.issue"] = ("card_not_available", "The card is lost.")
    result = cardea("cards", "issue", CARD, "--to", "p-1", *json_words)
    assert result.exit_code == 1
    assert result.stderr == "cardea: rejected: card_not_available: The card is lost.\n"
    assert json_words == [] or json.loads(result.stdout)["code"] == "card_not_available"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [(400, "parameter-invalid", 2), (422, "body-invalid", 2), (403, "role-missing", 1), (404, "person-unknown", 1),
     (409, "idempotency-key-reused", 1), (500, "internal-error", 1)],
)  # fmt: skip
def test_what_the_service_refuses_ends_with_one_line(
    cardea: Cardea, service: OfficeService, status: int, kind: str, code: int
) -> None:
    """2 for what was never well-formed, 1 for what it may or can not do."""
    service.faults.append(lambda call: send(call, *problem(status, kind)))
    result = cardea("people", "show", "p-1")
    assert (result.exit_code, result.stderr, result.stdout) == (code, f"cardea: Title of {kind}\n", "")


def test_a_service_that_is_not_there_ends_with_4(cardea: Cardea) -> None:
    """After a few attempts."""
    result = cardea("people", "list", CARDEA_API="http://127.0.0.1:9")
    assert result.exit_code == 4
    assert result.stderr.startswith("cardea: http://127.0.0.1:9 does not answer: ")
    assert result.stderr.count("\n") == 1


def test_a_service_that_stays_busy_ends_with_4(cardea: Cardea, service: OfficeService) -> None:
    """It is there, but not for us."""
    service.faults += [busy()] * 10
    assert cardea("people", "list").exit_code == 4


@pytest.mark.parametrize(
    "words",
    [
        ["people", "update", "p-1"],
        ["people", "update", "p-1", "--email", "a@b", "--clear", "email"],
        ["cards", "show", CARD, "--uid", NUMBER],
        ["cards", "issue", CARD, "--uid", NUMBER, "--to", "p-1"],
        ["cards", "replace", CARD, "--by", CARD, "--by-uid", NUMBER],
        ["cards", "register", CARD, "0" * 32, "--label", "1001"],
        ["cards", "show", "--uid", "nonsense"],
        ["doors", "put", "new-door", "--mode", "normal"],
        ["doors", "put", "lobby", "--inside", "x", "--clear", "inside"],
        ["groups", "put", "staff", "--opens", "lab@"],
        ["groups", "put", "staff", "--closes", "roof"],
        ["groups", "end", "staff", "p-1"],
        ["schedules", "put", "days", "--window", "someday 07:00-18:00"],
        ["schedules", "put", "days", "--window", "mon 7-18"],
        ["schedules", "put", "new", "--name", "New"],
        ["holidays", "put", "public", "--without", "2020-01-01"],
        ["operators", "grant", "s-1", "king"],
        ["people", "list", "--limit", "0"],
        ["people", "shwo"],
    ],
    ids=lambda words: "-".join(words[:2]),
)
def test_bad_usage_ends_with_2_and_changes_nothing(cardea: Cardea, service: OfficeService, words: list[str]) -> None:
    """In one line, or with the usage."""
    result = cardea(*words)
    assert result.exit_code == 2
    assert result.stderr
    assert service.changes() == []


@pytest.mark.parametrize(("variable", "name"), [("CARDEA_API", "api"), ("CARDEA_SITE", "site")])
def test_who_does_not_say_where_is_told_how(cardea: Cardea, variable: str, name: str) -> None:
    """By option, variable or file."""
    result = cardea("people", "list", **{variable: None})
    assert result.exit_code == 2
    assert f"{name}: is missing: give --{name}, ${variable}, or write it into" in result.stderr


def test_who_is_not_signed_in_is_told_how(cardea: Cardea, service: OfficeService) -> None:
    """Nothing is asked without a token; a token that is not taken is told in the same words."""
    for token in (None, "bad-token"):
        result = cardea("people", "list", CARDEA_TOKEN=token)
        assert result.exit_code == 1
        assert "sign in with `cardea login`" in result.stderr
        assert "bad-token" not in result.output
    assert len(service.seen) == 1


def test_a_number_may_come_from_a_pipe(cardea: Cardea, service: OfficeService) -> None:
    """So that it stands in no list of processes and no history; nothing says it again."""
    result = cardea("cards", "lost", stdin=f"{NUMBER}\n")
    assert result.exit_code == 0
    assert NUMBER.lower() not in result.output.lower().replace(CARD, "")
    result = cardea("cards", "register", "--uid", "-", stdin="04B2184A6C7F81\n\n04 C3 18 4A\n04B2184A6C7F81\n")
    assert service.changes()[-1].body == {"cards": [{"uid": "04B2184A6C7F81"}, {"uid": "04C3184A"}]}
    result = cardea("cards", "register", stdin="04B2184A6C7F81\nnonsense\n")
    assert (result.exit_code, "number 2" in result.stderr, "nonsense" in result.stderr) == (2, True, False)


def test_many_cards_are_registered_in_requests_that_the_service_takes(cardea: Cardea, service: OfficeService) -> None:
    """Fifty at a time."""
    numbers = "".join(f"{number:08X}\n" for number in range(120))
    assert cardea("cards", "register", "--uid", "-", stdin=numbers).exit_code == 0
    assert [len(change.body["cards"]) for change in service.changes()] == [50, 50, 20]


def test_a_card_that_nobody_knows_is_not_blocked(cardea: Cardea, service: OfficeService) -> None:
    """A number with a slip of the finger."""
    result = cardea("cards", "stolen", "--uid", "04A1C3D2E45F81")
    assert (result.exit_code, service.changes()) == (1, [])
    assert result.stderr == "cardea: Title of card-unknown\n"


def test_a_table_shows_every_row_on_a_line_of_its_own(cardea: Cardea, service: OfficeService) -> None:
    """Without a terminal it is wide enough, and nothing in a name is obeyed."""
    service.people["p:on:2"] = {"person": "p:on:2", "name": "[red]Eve[/]\x1b[2J", "status": "inactive"}
    lines = cardea("people", "list").stdout.splitlines()
    assert lines[0].split() == ["person", "name", "status", "valid_from", "valid_until"]
    assert lines[1].split() == ["p-1", "Ada", "Lovelace", "active"]
    assert lines[2].split() == ["p:on:2", r"[red]Eve[/]\x1b[2J", "inactive"]


def test_a_list_with_json_is_a_line_for_each(cardea: Cardea, service: OfficeService) -> None:
    """Through all pages, as they come."""
    service.people |= {f"q-{number:04}": {"person": f"q-{number:04}", "name": "Q"} for number in range(401)}
    lines = cardea("people", "list", "--prefix", "q-", "--json").stdout.splitlines()
    assert [json.loads(line)["person"] for line in lines] == [f"q-{number:04}" for number in range(401)]
    assert len(cardea("people", "list", "--limit", "3", "--json").stdout.splitlines()) == 3


READINGS: list[tuple[list[str], str, list[dict[str, Any]]]] = [
    (["cards", "list", "--status", "lost"], "listCards", [{"card": CARD, "status": "lost"}]),
    (["doors", "list"], "listDoors", [DOOR]),
    (["doors", "events", "lobby", "--since", "2026-03-01T00:00:00Z"], "listDoorEvents", [{"at": "then", "type": "x"}]),
    (["groups", "list"], "listGroups", [{"group": "staff", "grants": [{"door": "lobby", "schedule": None}]}]),
    (["schedules", "list"], "listSchedules", [{"schedule": "days", "windows": [{"days": ["mon", "tue"]}]}]),
    (["holidays", "list"], "listHolidays", [{"holidays": "public", "dates": ["2026-12-25"]}]),
    (["areas", "list"], "listAreas", [{"area": "hq"}]),
    (["buildings", "list"], "listBuildings", [{"building": "hq"}]),
    (["buildings", "occupancy", "hq"], "getOccupancy", [{"person": "p-1", "name": "Ada"}]),
    (["people", "usage", "p-1", "--before", "2026-03-02T00:00:00Z"], "listUsage", [{"at": "then", "door": "lobby"}]),
    (["requests", "list"], "listRequests", [{"request": "r-1", "operator": {"subject": "s", "name": "grace"}}]),
    (["audit", "--month", "2026-03"], "listAudit", [{"at": "then", "action": "card.issue"}]),
    (["devices", "list"], "listDevices", [{"device": "d-1", "doors": ["lobby", "lab"]}]),
    (["operators", "list"], "listOperators", [{"subject": "s-1", "role": "guard", "site": "*"}]),
]


@pytest.mark.parametrize(
    ("words", "operation", "rows"), READINGS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_reading_shows_what_the_service_lists(
    cardea: Cardea, service: OfficeService, words: list[str], operation: str, rows: list[dict[str, Any]]
) -> None:
    """As a table with the first words of each row, and with --json as it is."""
    service.lists[operation] = rows
    assert [json.loads(line) for line in cardea(*words, "--json").stdout.splitlines()] == rows
    table = cardea(*words)
    assert table.exit_code == 0
    assert str(next(iter(rows[0].values()))) in table.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["people", "show", "p-1"], ["name", "Ada Lovelace", "permissions", "permission perm-7, group lab"]),
        (["cards", "show", "--uid", NUMBER], ["status", "issued", "1001"]),
        (["doors", "show", "lobby"], ["mode", "normal"]),
        (["schedules", "show", "days"], ["days mon, start 07:00, end 18:00"]),
    ],
)
def test_one_thing_is_shown_with_all_its_fields(cardea: Cardea, words: list[str], said: list[str]) -> None:
    """A line for each, those of its parts below each other."""
    result = cardea(*words)
    assert result.exit_code == 0
    assert all(text in result.stdout for text in said)
    assert isinstance(json.loads(cardea(*words, "--json").stdout), dict)


def test_the_installed_command_does_the_same(service: OfficeService, tmp_path: Path) -> None:
    """As a process of its own: codes, and nothing but JSON on stdout."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CARDEA_API": service.url, "CARDEA_SITE": "hq"}
    command = [sys.executable, "-c", "from agent.cli import main; main()"]
    done = subprocess.run(
        [*command, "cards", "lost", "--uid", "-", "--json"], env={**environment, "CARDEA_TOKEN": TOKEN},
        input=NUMBER, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["type"] == "card.report_lost"
    denied = subprocess.run([*command, "cards", "list"], env=environment, capture_output=True, timeout=60, check=False)
    assert (denied.returncode, denied.stdout) == (1, b"")


def test_a_door_without_the_staffs_libraries_still_has_its_commands(tmp_path: Path) -> None:
    """And says how to get what is missing to who wants the others."""
    without = (
        "import sys; sys.modules['requests'] = sys.modules['pycognito'] = None; from agent.cli import main; main()"
    )
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CARDEA_API": "https://api.example",
                   "CARDEA_SITE": "hq"}  # fmt: skip
    ran = [
        subprocess.run([sys.executable, "-c", without, *words], env=environment, capture_output=True, text=True,
                       timeout=60, check=False)
        for words in (["--help"], ["people", "list"], ["demo", "--port", "8600"])
    ]  # fmt: skip
    assert ran[0].returncode == 0
    assert "doctor" in ran[0].stdout
    assert ran[1].returncode == 1
    assert ran[1].stderr == "cardea: requests is not installed: pip install 'cardea-access[operator]'\n"
    assert ran[2].returncode == 1
    assert ran[2].stderr == "Error: `cardea demo` needs requests, which is not installed here\n"


GROUPS = ("people", "cards", "doors", "groups", "schedules", "holidays", "areas", "buildings", "requests", "devices")


def test_the_help_of_every_command_has_an_example(cardea: Cardea) -> None:
    """Of those that the staff uses."""
    for group in GROUPS:
        said = cardea(group, "--help").stdout
        assert "Example:" in said
        for line in said.partition("Commands:")[2].strip().splitlines():
            name = line.split()[0]
            assert "Example:" in cardea(group, name, "--help").stdout, f"{group} {name}"
    assert all("Example:" in cardea(name, "--help").stdout for name in ("audit", "login", "logout"))


def test_kept_token_goes_to_the_service_that_it_is_for_and_to_no_other(
    cardea: Cardea, service: OfficeService, tmp_path: Path
) -> None:
    """Whoever can talk a member of staff into an option would have it else."""
    profile = tmp_path / "office.toml"
    profile.write_text('api = "https://api.example.org"\nsite = "hq"\n')
    save_tokens(profile.with_suffix(".token"), Tokens("ada", "client-1", TOKEN, None, time.time() + 900))
    for words, variables in (
        (["people", "list", "--api", service.url], {"CARDEA_API": None}),
        (["people", "list"], {"CARDEA_API": service.url}),
    ):
        result = cardea(*words, CARDEA_TOKEN=None, CARDEA_PROFILE=str(profile), **variables)
        assert "the sign-in is for https://api.example.org" in result.output
        assert result.exit_code == 1
    assert service.seen == []
