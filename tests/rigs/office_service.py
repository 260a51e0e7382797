"""A stand-in for the HTTP API, for tests of its client: real HTTP, held to the API's own OpenAPI document.

It keeps what it is told in memory, and carries a change out when its request has been looked at a few times. What no
path or schema of the document allows is answered as the API does, and counts as a `violation`.

with OfficeService() as service:
    service.rejects["card.issue"] = ("card_not_available", "The card is lost.")
    ... a client at service.url ...
"""

import base64
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import NAMESPACE_URL, uuid5

import jsonschema_rs

_DOCUMENT: Final = Path(__file__).parents[2] / "cloud" / "api" / "openapi.json"
TOKEN: Final = "good-token"
AT: Final = "2026-03-01T08:00:00.000Z"
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """A call that came in."""

    method: str
    path: str
    query: Mapping[str, str]
    key: str | None
    token: str | None
    body: Any


@dataclass(frozen=True, slots=True)
class _Operation:
    name: str
    method: str
    pattern: re.Pattern[str]
    parameters: frozenset[str]
    request_type: str | None
    body: Any
    """Validator, None for an operation without a body."""


@dataclass(slots=True)
class _Pending:
    document: Document
    looks: int
    apply: Callable[[], None]


@dataclass(slots=True)
class OfficeService:
    """See the module. Attributes may be set at any time; `seen` holds every call."""

    people: dict[str, Document] = field(default_factory=dict)
    cards: dict[str, Document] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    """Number of a card -> its id."""
    places: dict[str, dict[str, Document]] = field(default_factory=dict)
    """Kind in the plural -> id -> place."""
    lists: dict[str, list[Document]] = field(default_factory=dict)
    """Name of an operation -> what it lists."""
    rejects: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Type of a request -> code and detail that it is rejected with."""
    problems: list[Document] = field(default_factory=list)
    """Of the next import."""
    looks: int = 2
    """How often a request is looked at before it is done."""
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    faults: list[Callable[[BaseHTTPRequestHandler], bool]] = field(default_factory=list)
    """Each is called for one call, before anything else, and returns whether it answered."""
    drop_answers: int = 0
    """So many answers of changes are lost on the way, after their change was stored."""
    seen: list[Seen] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    requests: dict[str, _Pending] = field(default_factory=dict)
    _server: ThreadingHTTPServer | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """The base of the API."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def changes(self) -> list[Seen]:
        """The calls that asked for a change."""
        return [call for call in self.seen if call.key is not None]

    def __enter__(self) -> Self:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if self.raw_requestline and self.parse_request():
                    with service._lock:
                        service._answer(self)
                else:
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="office-service", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, call: BaseHTTPRequestHandler) -> None:
        length = int(call.headers.get("Content-Length") or 0)
        body = json.loads(call.rfile.read(length)) if length else None
        parts = urlsplit(call.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        token = (call.headers.get("Authorization") or "").removeprefix("Bearer ") or None
        key = call.headers.get("Idempotency-Key")
        seen = Seen(call.command, parts.path, query, key, token, body)
        self.seen.append(seen)
        if self.faults and self.faults.pop(0)(call):
            return
        if token not in self.tokens:
            send(call, 401, {"message": "Unauthorized"}, kind="application/json")
            return
        status, document = self._operate(seen)
        if seen.key is not None and status == 202 and self.drop_answers:
            self.drop_answers -= 1
            call.close_connection = True
            return
        send(call, status, document)

    def _operate(self, seen: Seen) -> tuple[int, Document]:
        found = _operation(seen.method, seen.path)
        if found is None:
            return self._violation(404, "route-unknown", f"{seen.method} {seen.path}")
        operation, names = found
        if set(seen.query) - operation.parameters:
            return self._violation(400, "parameter-invalid", f"{operation.name}: query {sorted(seen.query)}")
        if operation.body is not None and not operation.body.is_valid(seen.body if seen.body is not None else {}):
            return self._violation(422, "body-invalid", f"{operation.name}: body {seen.body}")
        if operation.request_type is not None:
            return self._change(operation, names, seen)
        return self._read(operation.name, names, seen)

    def _violation(self, status: int, kind: str, what: str) -> tuple[int, Document]:
        self.violations.append(what)
        return problem(status, kind, errors=[{"pointer": "/somewhere", "detail": "is wrong"}])

    # ---- changes ----------------------------------------------------------------------------------------------------

    def _change(self, operation: _Operation, names: Mapping[str, str], seen: Seen) -> tuple[int, Document]:
        if not seen.key:
            return self._violation(400, "idempotency-key-invalid", f"{operation.name} without a key")
        identifier = str(uuid5(NAMESPACE_URL, seen.key))
        replayed = identifier in self.requests
        if not replayed:
            kind = str(operation.request_type)
            document = {
                "request": identifier, "type": kind, "site": names["site"], "at": AT, "status": "accepted",
                "operator": {"subject": "s-1", "name": "grace"},
            }  # fmt: skip
            self.requests[identifier] = _Pending(document, self.looks, lambda: self._apply(kind, names, seen.body))
        href = f"/v1/sites/{names['site']}/requests/{identifier}"
        kept = self.requests[identifier].document
        answer = {"request": identifier, "type": kept["type"], "status": "accepted", "href": href, "replayed": replayed}
        return 202, answer

    def _look(self, identifier: str) -> tuple[int, Document]:
        pending = self.requests.get(identifier)
        if pending is None:
            return problem(404, "request-unknown")
        document = pending.document
        if document["status"] in ("done", "rejected"):
            return 200, document
        pending.looks -= 1
        if pending.looks > 0:
            if document["type"] == "people.import":
                document |= {"status": "processing", "progress": {"done": self.looks - pending.looks, "of": self.looks}}
            return 200, document
        refused = self.rejects.get(document["type"])
        if refused is not None:
            document |= {"status": "rejected", "code": refused[0], "detail": refused[1], "finished_at": AT}
        else:
            pending.apply()
            document |= {"status": "done", "finished_at": AT, "list": {"epoch": 1, "version": len(self.requests) + 1}}
        if document["type"] == "people.import" and self.problems:
            document |= {"problems": list(self.problems), "problem_count": len(self.problems)}
        return 200, document

    def _apply(self, kind: str, names: Mapping[str, str], body: Any) -> None:
        subject, verb = kind.split(".")
        match kind:
            case "person.create":
                self.people[body["person"]] = {"status": "onboarding", **body}
            case "person.update":
                self.people[names["person"]] |= body
            case "people.import":
                for row in body["rows"]:
                    self._import(row)
            case "permission.grant":
                held = self.people[names["person"]].setdefault("permissions", [])
                held.append({"permission": f"perm-{len(held) + 1}", **body})
            case "permission.end":
                held = self.people[names["person"]]["permissions"]
                held[:] = [it for it in held if it["permission"] != names["permission"]]
            case "card.register":
                for each in body["cards"]:
                    card = each.get("card") or self.numbers.setdefault(each["uid"], hashed(each["uid"]))
                    self.cards[card] = {"card": card, "status": "unissued", "label": each.get("label")}
        if verb in ("put", "remove"):
            plural = subject if subject == "holidays" else f"{subject}s"
            if verb == "put":
                self.places.setdefault(plural, {})[names[subject]] = {subject: names[subject], **body}
            else:
                self.places[plural].pop(names[subject])

    def _import(self, row: Mapping[str, Any]) -> None:
        fields = {name: row[name] for name in ("name", "email", "valid_from", "valid_until") if name in row}
        card = row.get("card") or (hashed(row["uid"]) if "uid" in row else None)
        person = self.people.setdefault(row["person"], {"person": row["person"], "permissions": []})
        person |= {"status": row.get("status", "active"), "cards": [card] if card else [], **fields}
        held = {it["group"] for it in person["permissions"]}
        person["permissions"] += [
            {"permission": f"perm-{group}", "group": group} for group in row.get("groups", ()) if group not in held
        ]

    # ---- readings ---------------------------------------------------------------------------------------------------

    def _read(self, name: str, names: Mapping[str, str], seen: Seen) -> tuple[int, Document]:
        if name in self.lists:
            return _page(self.lists[name], seen.query)
        match name:
            case "getRequest":
                return self._look(names["request"])
            case "listPeople":
                begins = seen.query.get("prefix", "")
                return _page([self.people[it] for it in sorted(self.people) if it.startswith(begins)], seen.query)
            case "getPerson":
                return _one("person", self.people.get(names["person"]))
            case "listPersonPermissions":
                return 200, {"items": self.people.get(names["person"], {}).get("permissions", [])}
            case "lookupCard":
                return _one("card", self.cards.get(self.numbers.get(seen.body["uid"], "")))
            case "getCard":
                return _one("card", self.cards.get(names["card"]))
            case "listCards":
                return _page([self.cards[it] for it in sorted(self.cards)], seen.query)
        plural = seen.path.split("/")[4]
        kept = self.places.get(plural, {})
        if name.startswith("list"):
            return _page([kept[it] for it in sorted(kept)], seen.query)
        singular = plural if plural == "holidays" else plural.removesuffix("s")
        return _one(singular, kept.get(names[singular]))


def hashed(number: str) -> str:
    """What stands for a card's number here."""
    return number.lower().ljust(32, "0")


def problem(status: int, kind: str, **more: Any) -> tuple[int, Document]:
    """An answer that is a problem document."""
    return status, {"type": f"/problems/{kind}", "title": f"Title of {kind}", "status": status, **more}


def send(
    call: BaseHTTPRequestHandler, status: int, document: Any, kind: str | None = None, headers: Any = None
) -> bool:
    """Send a document as the answer to a call; for faults, too."""
    data = json.dumps(document).encode()
    call.send_response(status)
    call.send_header("Content-Type", kind or ("application/json" if status < 400 else "application/problem+json"))
    call.send_header("Content-Length", str(len(data)))
    for name, value in (headers or {}).items():
        call.send_header(name, value)
    call.end_headers()
    call.wfile.write(data)
    return True


def hang_up(call: BaseHTTPRequestHandler) -> bool:
    """A fault: the connection ends without an answer."""
    call.close_connection = True
    return True


def busy(status: int = 503) -> Callable[[BaseHTTPRequestHandler], bool]:
    """A fault: this status."""
    return lambda call: send(call, *problem(status, "unavailable"))


def _one(kind: str, document: Document | None) -> tuple[int, Document]:
    return problem(404, f"{kind}-unknown") if document is None else (200, document)


def _page(items: list[Document], query: Mapping[str, str]) -> tuple[int, Document]:
    begin = int(base64.urlsafe_b64decode(query["cursor"]).decode()) if "cursor" in query else 0
    end = begin + int(query.get("limit", "50"))
    following = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(items) else None
    return 200, {"items": items[begin:end], "next": following}


def _operation(method: str, path: str) -> tuple[_Operation, dict[str, str]] | None:
    for operation in operations():
        found = operation.pattern.fullmatch(path)
        if operation.method == method and found is not None:
            return operation, {name: unquote(value) for name, value in found.groupdict().items()}
    return None


@cache
def operations() -> tuple[_Operation, ...]:
    """All operations of the document; those without a parameter in place of another first."""
    document = json.loads(_DOCUMENT.read_text(encoding="utf-8"))
    made = []
    for path, methods in document["paths"].items():
        pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path))
        for method, described in methods.items():
            schema = described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            parameters = frozenset(it["name"] for it in described["parameters"] if it.get("in") == "query")
            parameters |= _referenced(document, described["parameters"])
            body = None if schema is None else jsonschema_rs.validator_for(schema)
            kind = described.get("x-cardea-request")
            made.append(_Operation(described["operationId"], method.upper(), pattern, parameters, kind, body))
    return tuple(sorted(made, key=lambda operation: operation.pattern.pattern.count("(?P")))


def _referenced(document: Mapping[str, Any], parameters: list[Mapping[str, Any]]) -> frozenset[str]:
    names = [it["$ref"].rpartition("/")[2] for it in parameters if "$ref" in it]
    described = [document["components"]["parameters"][name] for name in names]
    return frozenset(it["name"] for it in described if it["in"] == "query")
