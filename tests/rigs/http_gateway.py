"""The HTTP API on this machine: what API Gateway does, in front of the same functions, quickly.

Takes a call, refuses what the gateway refuses (no such route, no valid token, too long), hands the rest on as an event
of an HTTP API (payload 2.0), and turns the answer into HTTP. Holds nothing of what the API itself decides.
"""

import base64
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cloud.api.route import Function, Route
from cloud.api.routes import ROUTES
from tests.rigs.gateway_tokens import TokenRefused, TokenVerifier

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
"""A function as Lambda calls it."""

MAX_BODY_BYTES: Final = 10_000_000
"""What an HTTP API takes."""
_TEXTUAL: Final = re.compile(r"(text/.*|application/(.*\+)?(json|xml|javascript)\b.*)", re.IGNORECASE)
"""Bodies that the gateway hands on as text; all others come as Base64."""


class _Gateway:
    """One API. A function works on one call at a time, as each instance of a Lambda function does."""

    def __init__(self, functions: Mapping[Function, Handler], verifier: TokenVerifier) -> None:
        self._functions = functions
        self._verifier = verifier
        self._one_at_a_time = threading.Lock()
        """For both: the event that Powertools' resolvers are working on is kept once per process."""
        self._routes = [(re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", route.path)), route) for route in ROUTES]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call, whatever its method and path."""
        if scope["type"] != "http":
            # No web sockets, and nothing to be done when the server starts or stops.
            raise NotImplementedError(scope["type"])
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.scope["path"]
        found = self._route(request.method, path)
        if found is None:
            return _refusal(404, "Not Found")
        route, names = found
        try:
            claims = await to_thread.run_sync(self._verifier.claims, request.headers.get("authorization", ""))
        except TokenRefused:
            return _refusal(401, "Unauthorized", {"WWW-Authenticate": "Bearer"})
        try:
            body = await _body(request)
        except ClientDisconnect:
            return _refusal(400, "Bad Request")
        if body is None:
            return _refusal(413, "Request Entity Too Large")
        event = _event(request, route, names, claims, body)
        answer = await to_thread.run_sync(self._call, route.function, event)
        data = base64.b64decode(answer["body"]) if answer.get("isBase64Encoded") else answer["body"].encode()
        return Response(data, status_code=answer["statusCode"], headers=_headers(answer))

    def _call(self, function: Function, event: dict[str, Any]) -> dict[str, Any]:
        with self._one_at_a_time:
            return self._functions[function](event, None)

    def _route(self, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        for pattern, route in self._routes:
            match = pattern.fullmatch(path)
            if match is not None and route.method == method:
                return route, match.groupdict()
        return None


def http_api(functions: Mapping[Function, Handler], verifier: TokenVerifier) -> ASGIApp:
    """The API as an ASGI application, to be served or mounted."""
    return _Gateway(functions, verifier)


async def _body(request: Request) -> bytes | None:
    """What was sent; None if it is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _event(
    request: Request, route: Route, names: Mapping[str, str], claims: Mapping[str, Any], body: bytes
) -> dict[str, Any]:
    """Payload format 2.0: names of headers in small letters, repeated ones joined by commas, claims as text."""
    now, key = time.time(), f"{route.method} {route.path}"
    text = _as_text(body, request.headers.get("content-type", ""))
    headers = {name: ",".join(request.headers.getlist(name)) for name in request.headers}
    query = {name: ",".join(request.query_params.getlist(name)) for name in request.query_params}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": key,
        "rawPath": request.scope["path"],
        "rawQueryString": request.url.query,
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "local",
            "authorizer": {"jwt": {"claims": {name: _claim(claims[name]) for name in claims}, "scopes": None}},
            "domainName": headers.get("host", "localhost"),
            "domainPrefix": "local",
            "http": {
                "method": request.method,
                "path": request.scope["path"],
                "protocol": f"HTTP/{request.scope.get('http_version', '1.1')}",
                "sourceIp": request.client.host if request.client else "127.0.0.1",
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": key,
            "stage": "$default",
            "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": text is None,
    }
    # Left out, not empty, where there is nothing.
    given = {"queryStringParameters": query, "pathParameters": dict(names)}
    event |= {name: value for name, value in given.items() if value}
    if body:
        event["body"] = base64.b64encode(body).decode("ascii") if text is None else text
    return event


def _as_text(body: bytes, content_type: str) -> str | None:
    if body and not _TEXTUAL.fullmatch(content_type.strip()):
        return None
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _claim(value: Any) -> str:
    if isinstance(value, list):
        return f"[{' '.join(map(str, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _headers(answer: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in (answer.get("headers") or {}).items()}


def _refusal(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """In the gateway's own words."""
    return JSONResponse({"message": message}, status_code=status, headers=dict(headers or {}))
