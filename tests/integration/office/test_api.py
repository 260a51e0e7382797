"""The client of the API: what it does again, what it must not, and what it makes of answers."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from agent.office.api import Api
from agent.office.changes import Patience, follow
from agent.office.errors import BadInput, NotSignedIn, OfficeError, Refused, Rejected, ServiceUnreachable, Unfinished
from agent.office.gathering import gathered
from agent.office.tokens import FixedToken
from tests.rigs.office_service import TOKEN, OfficeService, busy, hang_up, problem, send

CREATE = {"person": "p-1", "name": "Ada"}


class Waits(list[float]):
    """Sleeps that take no time."""

    def __call__(self, wait_s: float) -> None:
        self.append(wait_s)

    def now_s(self) -> float:
        """The time that would have passed."""
        return sum(self)


class Renewable:
    """A token that is no longer taken, and a better one."""

    def __init__(self) -> None:
        self._tokens = ["old-token", TOKEN]

    def access(self) -> str:
        return self._tokens[0]

    def renew(self, refused: str) -> bool:
        return len(self._tokens) > 1 and self._tokens.pop(0) == refused


@pytest.fixture
def waits() -> Waits:
    """What the client slept."""
    return Waits()


@pytest.fixture
def api(service: OfficeService, waits: Waits) -> Iterator[Api]:
    """A client of site hq."""
    client = Api(service.url, "hq", FixedToken(TOKEN), waits)
    yield client
    client.close()


def test_a_reading_is_done_again_until_it_is_answered(service: OfficeService, api: Api, waits: Waits) -> None:
    """Lost connections, and a service that is busy; after waits that may be ever longer."""
    service.people["p-1"] = dict(CREATE)
    service.faults += [hang_up, busy(503), busy(429), busy(504)]
    assert api.get("people", "p-1") == CREATE
    assert len(service.seen) == 5
    assert len(waits) == 4
    assert all(0 <= wait_s <= most_s for wait_s, most_s in zip(waits, (0.5, 1, 2, 4), strict=True))


def test_a_reading_is_not_done_again_for_ever(service: OfficeService, api: Api) -> None:
    """And the error says what answers there."""
    service.faults += [busy()] * 100
    with pytest.raises(ServiceUnreachable, match="Title of unavailable"):
        api.get("people")
    assert len(service.seen) == 5


def test_a_change_whose_answer_is_lost_is_made_once(service: OfficeService, api: Api) -> None:
    """It is sent again under the key of the first time, which the service knows."""
    service.drop_answers = 2
    accepted = api.change("POST", "people", body=CREATE)
    assert accepted["replayed"]
    assert len(service.seen) == 3
    assert len({call.key for call in service.changes()}) == 1
    assert len(service.requests) == 1


def test_two_changes_have_two_keys(service: OfficeService, api: Api) -> None:
    """Whoever asks twice for the same means it twice."""
    for _ in range(2):
        assert not api.change("POST", "people", body=CREATE)["replayed"]
    assert len({call.key for call in service.changes()}) == 2


def test_a_question_that_is_no_reading_is_asked_once(service: OfficeService, api: Api) -> None:
    """The search for a card has no key under which it could be repeated."""
    service.faults.append(busy())
    with pytest.raises(ServiceUnreachable):
        api.ask("cards", "lookup", body={"uid": "04A1C3D2"})
    assert len(service.seen) == 1


def test_a_list_is_read_through_all_its_pages(service: OfficeService, api: Api) -> None:
    """Page by page as it is walked, and no further than asked for."""
    service.people |= {f"p-{number:04}": {"person": f"p-{number:04}"} for number in range(450)}
    assert [it["person"] for it in api.pages("people")] == sorted(service.people)
    assert [call.query["limit"] for call in service.seen] == ["200"] * 3
    assert len(list(api.pages("people", most=201))) == 201
    assert [call.query["limit"] for call in service.seen[3:]] == ["200", "1"]
    next(iter(api.pages("people")))
    assert len(service.seen) == 6


def test_people_are_gathered_several_at_a_time_and_come_in_order(service: OfficeService, api: Api) -> None:
    """Each once, whatever is lost on the way; what can not be had ends it all."""
    names = [f"p-{number:03}" for number in range(100)]
    service.people |= {name: {"person": name} for name in names}
    service.faults += [hang_up, busy()]
    assert [person["person"] for person in gathered(api, names)] == names
    assert len(service.seen) == 102
    with pytest.raises(Refused, match="person-unknown"):
        list(gathered(api, ["p-001", "nobody", *names]))


def test_an_expired_token_is_renewed_once(service: OfficeService, waits: Waits) -> None:
    """And the change that met it is still one."""
    client = Api(service.url, "hq", Renewable(), waits)
    client.change("POST", "people", body=CREATE)
    assert [call.token for call in service.seen] == ["old-token", TOKEN]
    assert len({call.key for call in service.changes()}) == 1
    service.tokens.clear()
    with pytest.raises(NotSignedIn, match="cardea login"):
        client.get("people")
    assert len(service.seen) == 3
    client.close()


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, "parameter-invalid", BadInput),
        (422, "body-invalid", BadInput),
        (413, "body-too-large", BadInput),
        (403, "role-missing", Refused),
        (404, "person-unknown", Refused),
        (409, "idempotency-key-reused", Refused),
        (500, "internal-error", OfficeError),
    ],
)
def test_a_problem_document_is_one_clear_line(
    service: OfficeService, api: Api, status: int, kind: str, error: type[Exception]
) -> None:
    """With title, detail and what is wrong where; and it is not tried again."""
    more = {"detail": "In\x1b[2J short.", "errors": [{"pointer": "/rows/3/name", "detail": "is too long"}, 7]}
    service.faults.append(lambda call: send(call, *problem(status, kind, **more)))
    with pytest.raises(error) as caught:
        api.get("people")
    assert type(caught.value) is error
    assert str(caught.value) == rf"Title of {kind}; In\x1b[2J short; rows.3.name is too long"
    assert len(service.seen) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b""])
def test_what_is_not_the_service_is_told(service: OfficeService, api: Api, body: bytes) -> None:
    """A captive portal answers everything with 200."""

    def portal(call: BaseHTTPRequestHandler) -> bool:
        call.send_response(200)
        call.send_header("Content-Length", str(len(body)))
        call.end_headers()
        call.wfile.write(body)
        return True

    service.faults.append(portal)
    with pytest.raises(ServiceUnreachable, match="not the service"):
        api.get("people")


def test_nobody_is_sent_elsewhere_with_a_token(service: OfficeService, api: Api) -> None:
    """A redirection is an error, not followed."""
    elsewhere = {"Location": f"{service.url}/v1/sites/hq/people"}
    service.faults.append(lambda call: send(call, 307, {}, headers=elsewhere))
    with pytest.raises(ServiceUnreachable):
        api.get("people")
    assert len(service.seen) == 1


def test_a_netrc_file_does_not_replace_the_token(
    service: OfficeService, api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The HTTP library would otherwise prefer it."""
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    api.get("people")
    assert service.seen[0].token == TOKEN


def test_a_name_in_a_path_can_not_lead_elsewhere(service: OfficeService, api: Api) -> None:
    """It is one part of the path, whatever it holds."""
    with pytest.raises(Refused, match="person-unknown"):
        api.get("people", "../doors?x=1#")
    assert service.seen[0].path == "/v1/sites/hq/people/..%2Fdoors%3Fx%3D1%23"


def test_a_change_is_followed_to_its_end(service: OfficeService, api: Api, waits: Waits) -> None:
    """Also while there is no status yet, and with its progress."""
    service.looks = 4
    accepted = api.change("POST", "people", "import", body={"rows": [{"line": 2, **CREATE}]})
    service.faults.append(lambda call: send(call, *problem(404, "request-unknown")))
    told: list[tuple[int, int]] = []
    ended = follow(api, accepted, Patience(10, waits.now_s, waits), lambda done, of: told.append((done, of)))
    assert ended["status"] == "done"
    assert told == [(1, 4), (2, 4), (3, 4)]


def test_a_rejected_change_says_why(service: OfficeService, api: Api, waits: Waits) -> None:
    """In the service's words, in one line."""
    service.rejects["person.create"] = ("person_known", "There is\na person.")
    accepted = api.change("POST", "people", body=CREATE)
    with pytest.raises(Rejected, match=r"rejected: person_known: There is\\na person\.") as caught:
        follow(api, accepted, Patience(10, waits.now_s, waits))
    assert caught.value.request["code"] == "person_known"


def test_a_change_that_nobody_carries_out_is_not_waited_for_for_ever(
    service: OfficeService, api: Api, waits: Waits
) -> None:
    """Whoever asked learns how to look again."""
    service.looks = 10_000
    accepted = api.change("POST", "people", body=CREATE)
    with pytest.raises(Unfinished, match="cardea requests show") as caught:
        follow(api, accepted, Patience(60, waits.now_s, waits))
    assert caught.value.request["status"] == "accepted"
    assert 60 <= sum(waits) < 70
    assert max(waits) <= 2.0
