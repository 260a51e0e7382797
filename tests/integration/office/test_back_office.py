"""The staff's commands against the API itself and the functions behind it, in the local AWS, up to what doors know.

Nothing stands in here but the queues: what the API has stored is handed to its processor before the API answers.
"""

import csv
import io
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.core.decision import decide
from agent.core.model import DecisionSettings, Direction, Holder, Now, Policy, Request
from cloud.adapters.secrets import site_secret
from cloud.api.route import Function
from cloud.contract.itemcodec import instant, parse_item
from cloud.contract.items import Card, Door, Group, Holidays, Item, Person, Schedule
from cloud.contract.reasons import Reason
from cloud.contract.signing import credential_hash
from cloud.domain.envelope import object_name, read_envelope
from cloud.domain.roles import Role
from cloud.handlers.api_service import connect, serve
from cloud.local.server import LocalAws
from tests.rigs.back_office import ADMINISTRATOR, ENVIRONMENT, Office, Offices, client_of, offices
from tests.rigs.gateway_tokens import TokenVerifier
from tests.rigs.http_gateway import http_api
from tests.rigs.http_server import served
from tests.rigs.staff_tokens import CLIENT, ISSUER, Pool

pytestmark = pytest.mark.system

CARD_KEY = bytes(range(32))
NOON = instant("2035-03-07T11:00:00Z")
NEW_YEAR = instant("2036-01-01T11:00:00Z")


@dataclass
class Site:
    """A site, its API, and somebody who signs in there."""

    office: Office
    url: str
    pool: Pool
    home: Path

    def cardea(self, *words: str, role: Role = Role.ADMINISTRATOR, stdin: str | None = None) -> Result:
        """`cardea WORDS...` as its administrator, who may act in this role."""
        environment = {
            "CARDEA_API": self.url, "CARDEA_SITE": self.office.site, "HOME": str(self.home),
            "CARDEA_TOKEN": self.pool.token(ADMINISTRATOR, role),
        }  # fmt: skip
        return CliRunner(env=environment).invoke(main, words, input=stdin)

    def do(self, *words: str, stdin: str | None = None) -> str:
        """Run a command that must not fail; its output."""
        result = self.cardea(*words, stdin=stdin)
        assert (result.exit_code, result.stderr) == (0, ""), words
        return result.stdout

    def listed(self) -> dict[tuple[str, str], Item]:
        """What doors know, read as a door reads it."""
        return {key: parse_item(raw) for key, raw in self.office.doors_view().items()}

    def decides(self, number: str, door: str, at_s: int) -> Reason:
        """What a door says to a card at a time."""
        items = self.listed().values()
        policy = Policy(
            1, 1, 0,
            groups={it.id: it for it in items if isinstance(it, Group)},
            schedules={it.id: it for it in items if isinstance(it, Schedule)},
            holidays={it.id: it for it in items if isinstance(it, Holidays)},
            doors={it.id: it for it in items if isinstance(it, Door)},
        )  # fmt: skip
        identifier = credential_hash(CARD_KEY, bytes.fromhex(number))
        card = next((it for it in items if isinstance(it, Card) and it.id == identifier), None)
        person = next((it for it in items if isinstance(it, Person) and card and it.id == card.person), None)
        holder = None if card is None else Holder(card, person)
        request = Request(door, Direction.IN, holder, policy, 0.0, None)
        return decide(request, DecisionSettings(), Now(0.0, float(at_s), known=True)).reason


@pytest.fixture(scope="module")
def environment(local_aws: LocalAws) -> Iterator[Offices]:
    """Table, buckets and topics, and what the API signs its cursors with."""
    with offices(local_aws) as place:
        client_of(place.access, "secretsmanager").create_secret(
            Name=f"cardea/{ENVIRONMENT}/api/cursor", SecretString="c0" * 32
        )
        yield place


@pytest.fixture
def site(environment: Offices, tmp_path: Path) -> Iterator[Site]:
    """A new site with its API."""
    office = Office(environment, site=f"site-{secrets.token_hex(5)}")
    client_of(environment.access, "secretsmanager").create_secret(
        Name=site_secret(ENVIRONMENT, office.site, "card-hash"), SecretString=CARD_KEY.hex()
    )
    backend = connect(environment.environ(), environment.access)
    change, reading = serve(Function.CHANGE, backend), serve(Function.READ, backend)

    def change_and_carry_out(event: dict[str, Any], context: Any) -> dict[str, Any]:
        answer = change.handle(event, context)
        if answer["statusCode"] == 202:
            _carry_out(office, json.loads(answer["body"]))
        return answer

    pool = Pool()
    verifier = TokenVerifier(pool.key_set, ISSUER, frozenset({CLIENT}))
    functions = {Function.READ: reading.handle, Function.CHANGE: change_and_carry_out}
    with served(http_api(functions, verifier)) as url:
        yield Site(office, url, pool, tmp_path)


def _carry_out(office: Office, accepted: Mapping[str, Any]) -> None:
    name = object_name(office.site, accepted["request"])
    stored = office.offices.s3.get_object(Bucket=office.offices.requests_bucket, Key=name)["Body"].read()
    # Functions print their metrics, and the command that waits for this answer has a stdout of its own.
    with redirect_stdout(io.StringIO()):
        assert office.deliver(read_envelope(stored)) == []


def furnish(site: Site) -> None:
    """A door that staff may enter on work days, and a lab."""
    site.do("buildings", "put", "hq", "--name", "Headquarters")
    site.do("areas", "put", "in", "--name", "Inside", "--building", "hq", "--anti-passback", "hard")
    site.do("doors", "put", "lobby", "--name", "Lobby", "--building", "hq", "--inside", "in")
    site.do("doors", "put", "lab", "--name", "Lab")
    site.do("holidays", "put", "public", "--name", "Public holidays", "--date", "2036-01-01")
    site.do("schedules", "put", "days", "--name", "Days", "--zone", "Europe/Berlin", "--holidays", "public",
            "--window", "mon-fri 07:00-18:00")  # fmt: skip
    site.do("groups", "put", "staff", "--name", "Staff", "--opens", "lobby@days")
    site.do("groups", "put", "lab", "--name", "Lab", "--opens", "lab")


def test_from_a_new_site_to_a_card_that_was_stolen(site: Site) -> None:
    """Places, times, people, cards and rights by the commands alone; after each step a door decides accordingly."""
    furnish(site)
    number, other = "04A1C3D2E45F80", "04B2184A6C7F81"
    site.do("people", "create", "ada", "--name", "Ada Lovelace")
    site.do("cards", "register", "--uid", "-", stdin=f"{number}\n{other}\n")
    assert site.decides(number, "lobby", NOON) is Reason.UNKNOWN_CARD
    site.do("cards", "issue", "--to", "ada", "--uid", number, "--complete-onboarding", "--building", "hq")
    assert site.decides(number, "lobby", NOON) is Reason.NO_GROUP
    site.do("groups", "grant", "staff", "ada")
    site.do("groups", "grant", "lab", "ada", "--from", "2035-03-07T11:00:00Z", "--until", "2035-03-08T00:00:00Z")
    assert site.decides(number, "lobby", NOON) is Reason.ALLOWED
    assert site.decides(number, "lobby", NEW_YEAR) is Reason.HOLIDAY
    assert site.decides(number, "lab", NOON - 1) is Reason.NOT_YET_VALID
    assert site.decides(number, "lab", NOON) is Reason.ALLOWED
    assert site.decides(number, "lab", NEW_YEAR) is Reason.EXPIRED
    site.do("schedules", "put", "days", "--clear", "holidays")
    assert site.decides(number, "lobby", NEW_YEAR) is Reason.ALLOWED
    site.do("doors", "put", "lobby", "--mode", "lockdown")
    assert site.decides(number, "lobby", NOON) is Reason.LOCKDOWN
    site.do("doors", "put", "lobby", "--mode", "normal")
    site.do("cards", "stolen", "--uid", number, "--note", "bag snatched")
    assert site.decides(number, "lobby", NOON) is Reason.STOLEN
    site.do("cards", "issue", "--to", "ada", "--uid", other)
    assert site.decides(other, "lobby", NOON) is Reason.ALLOWED
    site.do("groups", "end", "staff", "ada")
    assert site.decides(other, "lobby", NOON) is Reason.NO_GROUP
    assert "lab" in site.do("people", "show", "ada")
    assert site.office.doors_view() == site.office.tables_view()


def test_people_of_a_file_come_in_once_and_go_out_again(site: Site) -> None:
    """With cards and groups; the export of them changes nothing when it is read in."""
    furnish(site)
    lines = [f"p-{n:03},Person {n},{n:08X},staff;lab\n" for n in range(120)]
    path = site.home / "people.csv"
    path.write_text("person,name,uid,groups\n" + "".join(lines))
    assert site.do("people", "import", str(path)) == "120 line(s) imported, 0 left out\n"
    assert site.decides("00000077", "lobby", NOON) is Reason.ALLOWED
    before = site.office.doors_view()
    assert site.do("people", "import", str(path)) == "120 line(s) imported, 0 left out\n"
    exported = site.home / "export.csv"
    site.do("people", "export", str(exported))
    rows = list(csv.DictReader(exported.read_text().splitlines()))
    assert [row["person"] for row in rows] == [f"p-{n:03}" for n in range(120)]
    assert rows[119]["card"] == credential_hash(CARD_KEY, bytes.fromhex("00000077"))
    assert site.do("people", "import", str(exported)) == "120 line(s) imported, 0 left out\n"
    assert site.office.doors_view() == before
    assert len(site.do("people", "list", "--json").splitlines()) == 120


def test_a_line_that_only_the_service_can_find_wrong_is_told_by_number(site: Site) -> None:
    """Nothing comes in, or the rest, as asked."""
    furnish(site)
    path = site.home / "people.csv"
    path.write_text("person,name,groups\np-1,Ada,staff\np-2,Grace,no-such-group\n")
    refused = site.cardea("people", "import", str(path))
    assert refused.exit_code == 1
    assert refused.stderr.startswith("people.csv:3: column groups: ")
    assert "rejected: rows_refused" in refused.stderr
    assert site.do("people", "list", "--json") == ""
    rest = site.cardea("people", "import", "--skip-bad", str(path))
    assert (rest.exit_code, rest.stdout) == (0, "1 line(s) imported, 1 left out\n")
    assert rest.stderr.startswith("people.csv:3: column groups: ")


def test_what_the_rules_or_a_role_forbid_is_told(site: Site) -> None:
    """The first when the change is carried out, the second at the door of the API."""
    furnish(site)
    site.do("people", "create", "ada", "--name", "Ada", "--active")
    site.do("people", "create", "eve", "--name", "Eve", "--active")
    site.do("cards", "register", "--uid", "04A1C3D2")
    site.do("cards", "issue", "--to", "ada", "--uid", "04A1C3D2")
    taken = site.cardea("cards", "issue", "--to", "eve", "--uid", "04A1C3D2")
    assert taken.exit_code == 1
    assert taken.stderr.startswith("cardea: rejected: ")
    in_use = site.cardea("schedules", "remove", "days")
    assert (in_use.exit_code, in_use.stderr.startswith("cardea: rejected: ")) == (1, True)
    denied = site.cardea("people", "create", "bob", "--name", "Bob", role=Role.VIEWER)
    assert (denied.exit_code, denied.stderr) == (1, "cardea: None of the caller's roles allows this\n")
    unknown = site.cardea("people", "show", "nobody")
    assert (unknown.exit_code, unknown.stderr) == (1, "cardea: There is no such person\n")
    wrong = site.cardea("people", "create", "bob", "--name", "x" * 201)
    assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1)
    assert "name" in wrong.stderr
