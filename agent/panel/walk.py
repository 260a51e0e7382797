"""The way of a card through the whole system, shown with its times: linked, admitted, reported stolen, refused."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agent.control_client import ControlClient
from agent.errors import AgentError
from agent.office.api import Api
from agent.office.changes import Patience, follow
from agent.panel.staff import staff_api

_CARD: Final = "04C0FFEE123480"
_PERSON: Final = "walter"
_GROUP: Final = "staff"
_IN, _OUT = "turnstile-in", "turnstile-out"
_LIMIT_S: Final = 60.0
"""Functions start when they are first called, which takes seconds on a loaded machine."""
_POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Step:
    """What was done, what came of it, and how long that took."""

    what: str
    outcome: str
    took_s: float


class Walk:
    """Walks one card through; the steps so far are kept even when one fails.

    Args:
        api: As an administrator.
        socket: Of the door's daemon.
    """

    def __init__(self, api: Api, socket: Path) -> None:
        self._api = api
        self._socket = socket
        self._patience = Patience(_LIMIT_S, time.monotonic, time.sleep)
        self.steps: list[Step] = []

    def run(self) -> None:
        """All steps; raises AgentError for a change that is rejected, and for a door that decides otherwise."""
        self._tap("a stranger's card at the turnstile", _IN, "denied", "unknown_card")
        body = {"person": _PERSON, "name": "Walter", "status": "active"}
        self._change("create a person", "POST", "people", body=body)
        self._change("put them into a group", "POST", "people", _PERSON, "permissions", body={"group": _GROUP})
        self._change("register the card", "POST", "cards", body={"cards": [{"uid": _CARD}]})
        body = {"uid": _CARD, "person": _PERSON}
        self._known("link the card, until the door knows", "POST", "cards", "issue", body=body)
        self._tap("the card at the turnstile, in", _IN, "granted", "allowed")
        self._tap("and out", _OUT, "granted", "allowed")
        self._await("until the events are in the person's usage", self._used_twice)
        card = self._api.ask("cards", "lookup", body={"uid": _CARD})["card"]
        self._known("report it stolen, until the door knows", "POST", "cards", card, "report-stolen")
        self._tap("the stolen card at the turnstile", _IN, "denied", "stolen")

    def _change(self, what: str, method: str, *path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        began_s = time.monotonic()
        done = follow(self._api, self._api.change(method, *path, body=body), self._patience)
        self._note(what, "done", began_s)
        return done

    def _known(self, what: str, method: str, *path: str, body: Mapping[str, Any] | None = None) -> None:
        began_s = time.monotonic()
        done = follow(self._api, self._api.change(method, *path, body=body), self._patience)
        wanted = (done["list"]["epoch"], done["list"]["version"])
        self._wait(lambda: self._list() >= wanted, what)
        self._note(what, f"list {wanted[1]}", began_s)

    def _tap(self, what: str, reader: str, decision: str, reason: str) -> None:
        with ControlClient(self._socket, timeout_s=_LIMIT_S) as client:
            began_s = time.monotonic()
            result = client.request("tap", card=_CARD, reader=reader)["result"]
        if (result["decision"], result["reason"]) != (decision, reason):
            raise AgentError(f"walk: {what}: {result['decision']}, {result['reason']}; expected {decision}, {reason}")
        self._note(what, f"{decision}: {reason}", began_s)

    def _await(self, what: str, holds: Callable[[], bool]) -> None:
        began_s = time.monotonic()
        self._wait(holds, what)
        self._note(what, "there", began_s)

    def _used_twice(self) -> bool:
        types = [event["type"] for event in self._api.get("people", _PERSON, "usage")["items"]]
        return types.count("access.granted") == 2

    def _list(self) -> tuple[int, int]:
        with ControlClient(self._socket, timeout_s=_LIMIT_S) as client:
            listed = client.request("status")["status"]["allowlist"]
        return listed["epoch"] or 0, listed["version"] or 0

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        give_up_s = time.monotonic() + _LIMIT_S
        while not holds():
            if time.monotonic() > give_up_s:
                raise AgentError(f"walk: {what}: not within {_LIMIT_S:.0f} s")
            time.sleep(_POLL_S)

    def _note(self, what: str, outcome: str, began_s: float) -> None:
        self.steps.append(Step(what, outcome, time.monotonic() - began_s))


def walk(profile: Path, socket: Path, say: Callable[[str], None]) -> None:
    """Walk a card through the running demo and say how it went; raises AgentError."""
    with closing(staff_api(profile)) as api:
        walked = Walk(api, socket)
        try:
            walked.run()
        finally:
            for line in table(walked.steps):
                say(line)


def table(steps: Sequence[Step]) -> Sequence[str]:
    """The steps in columns."""
    width = max((len(step.what) for step in steps), default=0)
    outcome = max((len(step.outcome) for step in steps), default=0)
    return [f"  {step.what:<{width}}  {step.outcome:<{outcome}}  {step.took_s * 1000:8,.0f} ms" for step in steps]
