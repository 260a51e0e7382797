"""What stands between the panel and other sites' pages: a page anywhere on the web can make a browser call 127.0.0.1.

Must never let a request through that the panel's own page, or a person's own program, did not send:

- The Host must be this machine by name. A rebound DNS name resolves to 127.0.0.1 but keeps its own name in Host.
- A change must be JSON (a form can't send that across sites without being asked first) and say that it comes from the
  panel's own page, by Origin, Sec-Fetch-Site or both; what it says must not contradict.
- A read must not be another site's, so that nobody's page can hold our streams.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

OUR_NAMES: Final = frozenset({"127.0.0.1", "localhost"})
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})

_POLICY: Final = (
    b"default-src 'self'",
    b"base-uri 'none'",
    b"form-action 'none'",
    b"frame-ancestors 'none'",
    b"object-src 'none'",
    b"require-trusted-types-for 'script'",
)
HEADERS: Final = (
    (
        b"content-security-policy",
        b"; ".join(_POLICY),
    ),
    (b"cache-control", b"no-store"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
"""On every answer, refusals included."""


def problem(status: int, title: str, detail: str) -> bytes:
    """An RFC 9457 problem document on one line."""
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return json.dumps(document, separators=(",", ":")).encode()


class Guard:
    """Wraps an ASGI application: refuses strangers, adds the headers."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Serve one request, or refuse it with a problem document."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message["headers"] if pair[0] != b"cache-control"]
                message["headers"] = [*kept, *HEADERS]
            await send(message)

        refusal = refuse(scope["method"], scope["path"], scope["headers"])
        if refusal is None:
            await self._app(scope, receive, send_with_headers)
            return
        body = problem(*refusal)
        headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
        await send_with_headers({"type": "http.response.start", "status": refusal[0], "headers": headers})
        await send({"type": "http.response.body", "body": body})


def refuse(method: str, path: str, headers: list[tuple[bytes, bytes]]) -> tuple[int, str, str] | None:
    """Status, title and detail of the refusal; None for a request that may pass. Header names are lower case."""
    hosts = _values(headers, b"host")
    if len(hosts) != 1 or _name(hosts[0]) not in OUR_NAMES:
        return 421, "Misdirected Request", "the panel answers to 127.0.0.1 and localhost only"
    site = _values(headers, b"sec-fetch-site")
    if method in SAFE_METHODS:
        # Following a link from elsewhere to the page itself is fine.
        if path != "/" and not set(site) <= {"same-origin", "none"}:
            return 403, "Forbidden", "another site's page may not read the panel"
        return None
    origin = _values(headers, b"origin")
    own = f"http://{hosts[0]}"
    if not (site or origin) or not set(site) <= {"same-origin"} or not set(origin) <= {own}:
        return 403, "Forbidden", f"a change must come from the panel's own page (Origin: {own})"
    kinds = [value.partition(";")[0].strip().lower() for value in _values(headers, b"content-type")]
    if kinds != ["application/json"]:
        return 415, "Unsupported Media Type", "a change is sent as application/json"
    return None


def _values(headers: list[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key == name]


def _name(host: str) -> str:
    """The host without its port; nothing of ours if the port is not a number."""
    name, separator, port = host.partition(":")
    return name.lower() if not separator or port.isdigit() else ""
