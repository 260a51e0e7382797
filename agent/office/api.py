"""The HTTP API of one site, as a client: reading, paging, and asking for changes. Must never make one change two.

Retries are here and nowhere else, through tenacity: for readings, and for changes because each repetition has the
Idempotency-Key of the first. A call that is neither (the search for a card) is made once.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast
from urllib.parse import quote

import requests
from requests.auth import AuthBase
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from agent.office.errors import BadInput, NotSignedIn, OfficeError, Refused, ServiceUnreachable
from agent.office.tokens import TokenSource
from agent.printable import one_line

PAGE: Final = 200
"""The most entries that the API puts on a page."""
_CONNECT_S: Final = 5.0
_READ_S: Final = 35.0
"""The gateway ends a call after 30 s."""
_ATTEMPTS: Final = 5
_FIRST_WAIT_S: Final = 0.5
_MOST_WAIT_S: Final = 5.0
_AGAIN: Final = frozenset({429, 502, 503, 504})
_NOT_WELL_FORMED: Final = frozenset({400, 405, 413, 415, 422})

Document = dict[str, Any]


class _Again(ServiceUnreachable):
    """Worth another attempt."""


class _Bearer(AuthBase):
    """The token of a request. Through `auth`, because a netrc file would otherwise replace the header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Api:
    """One site behind the API. Not thread-safe. Every method raises OfficeError.

    `sleep` waits between attempts, in seconds.
    """

    def __init__(self, base: str, site: str, tokens: TokenSource, sleep: Callable[[float], None]) -> None:
        self._base = base.rstrip("/")
        self._site = site
        self._tokens = tokens
        self._sleep = sleep
        self._session = requests.Session()
        self._session.headers["Accept"] = "application/json"
        self._retrying = Retrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=_FIRST_WAIT_S, max=_MOST_WAIT_S),
            retry=retry_if_exception_type(_Again),
            sleep=sleep,
            reraise=True,
        )

    @property
    def site(self) -> str:
        """The site that is meant."""
        return self._site

    def another(self) -> "Api":
        """A client of the same site and the same user, for another thread."""
        return Api(self._base, self._site, self._tokens, self._sleep)

    def get(self, *path: str, **query: str | int | None) -> Document:
        """What is at a path below the site."""
        return self._retrying(self._send, "GET", self._url(path), query=query)

    def pages(self, *path: str, most: int | None = None, **query: str | int | None) -> Iterator[Document]:
        """The entries of a list, page by page as they are asked for; at most so many."""
        cursor: str | None = None
        left = most
        while left is None or left > 0:
            limit = PAGE if left is None else min(PAGE, left)
            page = self.get(*path, **{**query, "limit": limit, "cursor": cursor})
            items = page.get("items")
            if not isinstance(items, list):
                raise OfficeError("the service answered with something that is no list")
            entries = items if left is None else items[:left]
            yield from entries
            left = None if left is None else left - len(entries)
            following = page.get("next")
            if following is None or following == cursor:
                return
            cursor = following

    def ask(self, *path: str, body: Mapping[str, Any]) -> Document:
        """The answer to a question that has a body and changes nothing; made once."""
        return self._send("POST", self._url(path), body=body)

    def change(self, method: str, *path: str, body: Mapping[str, Any] | None = None) -> Document:
        """Ask for a change: what the service says that it has stored, `request` and `href` in it."""
        key = str(uuid.uuid4())
        return self._retrying(self._send, method, self._url(path), body=body, key=key)

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def _url(self, path: tuple[str, ...]) -> str:
        return "/".join([self._base, "v1", "sites", *(quote(part, safe="") for part in (self._site, *path))])

    def _send(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str | int | None] | None = None,
        body: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Document:
        headers = {} if key is None else {"Idempotency-Key": key}
        token = self._tokens.access()
        response = self._call(method, url, query, body, headers, token)
        if response.status_code == requests.codes.unauthorized and self._tokens.renew(token):
            response = self._call(method, url, query, body, headers, self._tokens.access())
        return _document(response)

    def _call(
        self,
        method: str,
        url: str,
        query: Mapping[str, str | int | None] | None,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        token: str,
    ) -> requests.Response:
        try:
            return self._session.request(
                method,
                url,
                params={name: value for name, value in (query or {}).items() if value is not None},
                json=body,
                headers=dict(headers),
                auth=_Bearer(token),
                timeout=(_CONNECT_S, _READ_S),
                # The API sends nobody elsewhere; whoever stands in for it shall not get the token on.
                allow_redirects=False,
            )
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise _Again(f"{self._base} does not answer: {one_line(_innermost(error))}") from error
        except requests.RequestException as error:
            raise OfficeError(f"{self._base}: {one_line(str(error))}") from error


def _document(response: requests.Response) -> Document:
    """The answer's document; raises the error that it tells of."""
    try:
        document = response.json()
    except ValueError:
        document = None
    status = response.status_code
    if status < requests.codes.multiple_choices and isinstance(document, dict):
        return cast("Document", document)
    problem = document if isinstance(document, dict) else {}
    text = _problem_text(status, problem)
    kind = str(problem.get("type", "")).rpartition("/")[2]
    if status in _AGAIN:
        raise _Again(text)
    if status == requests.codes.unauthorized:
        raise NotSignedIn(f"{text}: sign in with `cardea login`")
    if status in _NOT_WELL_FORMED:
        raise BadInput(text)
    if requests.codes.bad_request <= status < requests.codes.internal_server_error:
        raise Refused(text, kind)
    if status < requests.codes.bad_request:
        raise ServiceUnreachable(f"what answers there is not the service: status {status}")
    raise OfficeError(text)


def _problem_text(status: int, problem: Mapping[str, Any]) -> str:
    """A problem document (RFC 9457), or what a gateway says instead of one, as one line."""
    title = problem.get("title") or problem.get("message") or f"the service answered with status {status}"
    parts = [str(title), *([str(problem["detail"])] if problem.get("detail") else [])]
    errors = problem.get("errors")
    for fault in errors if isinstance(errors, list) else []:
        if isinstance(fault, Mapping):
            where = str(fault.get("pointer", "")).strip("/").replace("/", ".")
            parts.append(f"{where or 'body'} {fault.get('detail', 'is wrong')}")
    return one_line("; ".join(part.rstrip(".") for part in parts), 1000)


def _innermost(error: BaseException) -> str:
    """What lies at the bottom: the library wraps a refused connection four times."""
    seen: BaseException = error
    while True:
        inner = seen.__cause__ or seen.__context__ or getattr(seen, "reason", None)
        if not isinstance(inner, BaseException) or inner is seen:
            break
        seen = inner
    return str(seen) or type(seen).__name__
