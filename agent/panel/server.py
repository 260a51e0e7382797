"""The panel's web server: serves the page, streams the daemon's state to it, passes its buttons on to the daemon.

Must never listen on anything but 127.0.0.1, decide anything itself, or show more of an event than the page needs.
"""

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from agent.control_client import ControlClient
from agent.errors import AgentError, ControlError, Unreachable
from agent.panel.feed import Feed
from agent.panel.guards import Guard, problem
from agent.panel.recent import recent_events
from agent.panel.relay import Cut

STATIC: Final = Path(__file__).parent / "static"
MAX_BODY_BYTES: Final = 2048
BODY_S: Final = 5.0
MAX_STREAMS: Final = 8
"""Pages that may watch at once. Full policy: a further one is told so."""
MAX_CONNECTIONS: Final = 64
"""Full policy: uvicorn answers 503."""
MAX_ASKING: Final = 4
"""Requests to the daemon at once; further ones wait. The daemon's own limit is 16 clients."""
ASK_S: Final = 8.0
"""The daemon answers a tap within 5 s, or says that there was no decision."""
HEARTBEAT_S: Final = 5.0
START_S: Final = 10.0


class Network(Protocol):
    """A network that can be cut."""

    @property
    def how_cut(self) -> Cut | None:
        """None while it is up."""

    def cut(self, how: Cut = Cut.RESET) -> None:
        """Cut it."""

    def restore(self) -> None:
        """Let it pass again."""


class PanelServer:
    """The panel for the daemon at `daemon`, served on `listener` from enter to exit. Takes the listener over."""

    def __init__(self, daemon: Path, listener: socket.socket, network: Network | None = None) -> None:
        self._listener = listener
        self.port: Final[int] = listener.getsockname()[1]
        self._feed = Feed(daemon)
        settings = uvicorn.Config(
            Guard(Panel(daemon, self._feed, network).app()),
            log_config=None,
            access_log=False,
            lifespan="off",
            loop="asyncio",
            http="h11",
            ws="none",
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=10,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._serve, name="panel-web", daemon=True)

    def start(self) -> None:
        """Serve; returns once requests are answered. Raises AgentError when that does not come about."""
        self._feed.start()
        self._thread.start()
        give_up_s = time.monotonic() + START_S
        while not self._server.started:
            if time.monotonic() > give_up_s or not self._thread.is_alive():
                raise AgentError("the panel's web server did not start")
            time.sleep(0.01)

    def close(self) -> None:
        """Let all pages go and stop; idempotent."""
        self._feed.close()
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(START_S)
        self._listener.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self) -> None:
        # In a thread of its own uvicorn leaves the signals alone: the demo stops things in its own order.
        self._server.run(sockets=[self._listener])


def listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1; 0 picks a free port. Raises AgentError when the port can't be had."""
    try:
        return socket.create_server(("127.0.0.1", port), backlog=MAX_CONNECTIONS)
    except OSError as error:
        raise AgentError(f"port {port} of 127.0.0.1 can't be used: {os.strerror(error.errno or 0)}") from error


class Panel:
    """The routes."""

    def __init__(self, daemon: Path, feed: Feed, network: Network | None) -> None:
        self._daemon = daemon
        self._feed = feed
        self._network = network
        self._streams = 0
        self._asking = anyio.CapacityLimiter(MAX_ASKING)

    def app(self) -> Starlette:
        """The ASGI application, not yet guarded."""
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/events", self._events),
                Route("/recent", self._recent),
                Route("/tap", self._tap, methods=["POST"]),
                Route("/input", self._input, methods=["POST"]),
                Route("/fire-reset", self._fire_reset, methods=["POST"]),
                Route("/network", self._set_network, methods=["POST"]),
                Mount("/static", StaticFiles(directory=STATIC)),
            ],
            exception_handlers={HTTPException: _http_problem, AgentError: _agent_problem, Exception: _fault},
        )

    async def _page(self, _request: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    async def _events(self, _request: Request) -> Response:
        if self._streams >= MAX_STREAMS:
            raise HTTPException(503, f"{MAX_STREAMS} pages are watching already")
        return StreamingResponse(self._stream(), media_type="text/event-stream")

    async def _recent(self, _request: Request) -> Response:
        return JSONResponse({"events": await self._ask(recent_events)})

    async def _tap(self, request: Request) -> Response:
        body = await _body(request, card=str, reader=str)
        return await self._request("tap", **body)

    async def _input(self, request: Request) -> Response:
        body = await _body(request, name=str, action=str)
        return await self._request("input", **body)

    async def _fire_reset(self, request: Request) -> Response:
        body = await _body(request, door=str)
        return await self._request("fire-reset", **body)

    async def _set_network(self, request: Request) -> Response:
        body = await _body(request, {"how": str}, up=bool)
        if self._network is None:
            raise HTTPException(409, "this panel has no network to cut")
        try:
            how = Cut(body.get("how", Cut.RESET.value))
        except ValueError:
            raise HTTPException(400, "how is neither reset nor silence") from None
        await run_in_threadpool(self._network.restore if body["up"] else partial(self._network.cut, how))
        self._feed.touch()
        return JSONResponse({"network": self._network_word()})

    async def _request(self, op: str, **fields: object) -> Response:
        return JSONResponse(await self._ask(lambda client: client.request(op, **fields)["result"]))

    async def _ask(self, question: Callable[[ControlClient], Any]) -> Any:
        def ask() -> Any:
            with ControlClient(self._daemon, timeout_s=ASK_S) as client:
                return question(client)

        return await anyio.to_thread.run_sync(ask, limiter=self._asking)

    async def _stream(self) -> AsyncIterator[str]:
        """Pictures as server-sent events: one at once, then the newest after every change."""
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(changed.set)

        detach = self._feed.attach(wake)
        self._streams += 1
        try:
            yield "retry: 1000\n\n"
            changed.set()
            while not self._feed.ended:
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await changed.wait()
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                changed.clear()
                yield f"data: {json.dumps(self._picture(), separators=(',', ':'))}\n\n"
        finally:
            self._streams -= 1
            detach()

    def _picture(self) -> Mapping[str, Any]:
        picture = self._feed.picture
        return {
            "daemon": "here" if picture.here else "away",
            "why": picture.why,
            "network": self._network_word(),
            "status": picture.status,
        }

    def _network_word(self) -> str | None:
        """`up`, `reset` or `silence`; None when there is no network to cut."""
        if self._network is None:
            return None
        how = self._network.how_cut
        return "up" if how is None else how.value


async def _body(request: Request, optional: Mapping[str, type] | None = None, /, **required: type) -> dict[str, Any]:
    """The JSON object of a request, with exactly these fields; raises HTTPException in words."""
    received = b""
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                received += chunk
                if len(received) > MAX_BODY_BYTES:
                    raise HTTPException(413, f"the body is longer than {MAX_BODY_BYTES} bytes")
        body = json.loads(received)
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {BODY_S:g} s") from None
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None
    known = {**(optional or {}), **required}
    if not isinstance(body, dict) or not required.keys() <= body.keys() <= known.keys():
        raise HTTPException(400, f"the body is not an object with {', '.join(required)}")
    for name, value in body.items():
        if type(value) is not known[name]:
            raise HTTPException(400, f"{name} is not a {known[name].__name__}")
    return body


def _problem(status: int, title: str, detail: str) -> Response:
    return Response(problem(status, title, detail), status, media_type="application/problem+json")


def _http_problem(_request: Request, error: Exception) -> Response:
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
    return _problem(status, "The panel can't do that", detail)


def _agent_problem(_request: Request, error: Exception) -> Response:
    if isinstance(error, Unreachable):
        return _problem(503, "The door controller is away", str(error))
    return _problem(422 if isinstance(error, ControlError) else 500, "The door controller refused", str(error))


def _fault(_request: Request, error: Exception) -> Response:
    # Starlette hands the error on to uvicorn's log after this answer.
    return _problem(500, "A fault of the panel", type(error).__name__)
