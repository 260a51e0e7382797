"""What can be asked for on the control socket: one method per operation, each checking its own fields."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from datetime import datetime
from typing import Any, Final

from agent.core.model import Direction
from agent.errors import ControlError
from agent.ports import Journal
from agent.runtime.controller import Controller
from agent.runtime.doors import ReaderPlace, TapOutcome
from agent.runtime.hub import Hub
from agent.runtime.inbox import Inbox
from agent.runtime.messages import Ask, FireReset, Message
from cloud.contract.checks import shown
from hardware.errors import HardwareError

ANSWER_S: Final = 5.0
"""How long the controller may take to answer: ten times its slowest tap on a dying disk."""
WATCH_SPACING_S: Final = 0.05
WATCH_IDLE_S: Final = 1.0
MAX_EVENTS: Final = 400
"""Of one reply: at 2 KiB each they stay below the megabyte that a client reads."""
PRESS_S: Final = 0.2
"""How long `press` holds an input: longer than any debounce time worth having."""


class Operations:
    """Called from the control socket's client threads."""

    def __init__(
        self,
        *,
        controller: Controller,
        inbox: Inbox,
        hub: Hub,
        journal: Journal,
        status: Callable[[], Mapping[str, Any]],
        doors: tuple[str, ...],
        find_card: Callable[[str], tuple[bytes, str] | None],
        present: Mapping[str, Callable[[bytes], None]],
        set_input: Mapping[str, Callable[[bool], None]],
        state_dir: str,
    ) -> None:
        self._controller = controller
        self._inbox = inbox
        self._hub = hub
        self._journal = journal
        self._status = status
        self._doors = doors
        self._find_card = find_card
        self._present = present
        self._set_input = set_input
        self._state_dir = state_dir
        # One tap at a time per reader, as with a real one; so an outcome belongs to whom it was meant for.
        self._turns = {name: threading.Lock() for name in present}
        self._operations: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
            "status": self._op_status,
            "watch": self._op_watch,
            "tap": self._op_tap,
            "input": self._op_input,
            "events": self._op_events,
            "why": self._op_why,
            "fire-reset": self._op_fire_reset,
            "about": self._op_about,
        }

    def handle(self, request: Mapping[str, Any]) -> Mapping[str, Any] | Iterator[Mapping[str, Any]]:
        """Answer one request; raises ControlError with words for the client."""
        operation = self._operations.get(request["op"])
        if operation is None:
            raise ControlError(f"unknown op {request['op'][:40]!r}; known: {', '.join(sorted(self._operations))}")
        answer: Mapping[str, Any] | Iterator[Mapping[str, Any]] = operation(request)
        return answer

    def _op_status(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"status": self._status()}

    def _op_about(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"state_dir": self._state_dir}

    def _op_watch(self, _request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        seen = -1
        while True:
            seen = self._hub.wait_change(seen, WATCH_IDLE_S)
            yield {"status": self._status()}
            # A burst of changes is one picture: the newest.
            time.sleep(WATCH_SPACING_S)

    def _op_tap(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        uid, credential = self._card(request)
        name = self._pick(request.get("reader"), list(self._present), "emulated reader")
        with self._turns[name]:
            mark = self._hub.mark()
            try:
                self._present[name](uid)
            except HardwareError as error:
                raise ControlError(f"reader {name!r} does not take the card: {error}") from error
            outcome = self._hub.wait_outcome(
                mark, lambda found: found.reader == name and found.credential == credential, ANSWER_S
            )
        if outcome is None:
            raise ControlError(f"no decision within {ANSWER_S:g} s: is reader {name!r} ready?")
        return {"result": tap_result(outcome)}

    def _op_input(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        wanted = _text(request, "name")
        same_kind = [name for name in self._set_input if name.partition(".")[2] == wanted]
        if len(same_kind) > 1:
            raise ControlError(f"which {wanted}? there are: {', '.join(same_kind)}")
        name = same_kind[0] if same_kind else self._pick(wanted, list(self._set_input), "emulated input")
        action = request.get("action")
        if action not in ("on", "off", "press"):
            raise ControlError("action is not on, off or press")
        self._set_input[name](action != "off")
        if action == "press":
            time.sleep(PRESS_S)
            self._set_input[name](False)
        return {"result": {"name": name, "action": action}}

    def _op_events(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        since, limit, door = request.get("since", 0), request.get("limit", MAX_EVENTS), request.get("door")
        if not _is_count(since) or not _is_count(limit):
            raise ControlError("since and limit are whole numbers from 0")
        if door is not None and door not in self._doors:
            raise ControlError(f"no door {shown(door)}; there are {', '.join(self._doors)}")
        stored = self._journal.events(since=since, door=door, limit=min(limit, MAX_EVENTS))
        return {"events": [{**item.event.to_json(), "sent": item.sent} for item in stored]}

    def _op_why(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        _, credential = self._card(request)
        door = self._pick(request.get("door"), list(self._doors), "door")
        direction = request.get("direction", "in")
        if direction not in ("in", "out"):
            raise ControlError("direction is neither in nor out")
        place = ReaderPlace(name="", driver="", door=door, direction=Direction(direction))
        at_s = _instant(request.get("at"))
        decision = self._ask(lambda: self._controller.explain(credential, place, at_s))
        return {
            "result": {
                "decision": "granted" if decision.granted else "denied",
                "reason": decision.reason.value,
                "text": decision.reason.text,
                "noted": decision.noted,
                "door": door,
                "direction": direction,
                "person": decision.person,
                "checks": [
                    {"name": check.name, "passed": check.passed, "text": check.text} for check in decision.checks
                ],
            }
        }

    def _op_fire_reset(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        door = request.get("door")
        if door is not None and door not in self._doors:
            raise ControlError(f"no door {shown(door)}; there are {', '.join(self._doors)}")
        self._post(FireReset(door, "control socket"))
        return {"result": {"door": door}}

    def _card(self, request: Mapping[str, Any]) -> tuple[bytes, str]:
        found = self._find_card(_text(request, "card"))
        if found is None:
            raise ControlError("card is neither a UID of 4 to 16 bytes in hex nor a name from [emulated.cards]")
        return found

    def _pick(self, wanted: object, known: list[str], what: str) -> str:
        if wanted is None and len(known) == 1:
            return known[0]
        if isinstance(wanted, str) and wanted in known:
            return wanted
        there = ", ".join(known) or "none"
        if wanted is None:
            raise ControlError(f"which {what}? there are: {there}")
        raise ControlError(f"no {what} {shown(wanted)}; there are: {there}")

    def _ask(self, question: Callable[[], Any]) -> Any:
        answer: Future[Any] = Future()
        self._post(Ask(question, answer))
        try:
            return answer.result(ANSWER_S)
        except TimeoutError:
            answer.cancel()
            raise ControlError(f"the controller did not answer within {ANSWER_S:g} s") from None

    def _post(self, message: Message) -> None:
        # Offered, not posted: a client's thread must not wait for ever for a controller that is stuck.
        if not self._inbox.offer(message):
            raise ControlError("the controller has too much to do: its inbox is full")


def tap_result(outcome: TapOutcome) -> Mapping[str, Any]:
    """A tap's outcome as the control socket and `cardea tap --json` give it."""
    return {
        "decision": "granted" if outcome.granted else "denied",
        "reason": outcome.reason,
        "text": outcome.text,
        "door": outcome.door,
        "reader": outcome.reader,
        "direction": outcome.direction,
        "person": outcome.person,
        "event_id": outcome.event_id,
        "seq": outcome.seq,
        "latency_ms": outcome.latency_ms,
        "allowlist_version": outcome.allowlist_version,
    }


def _text(request: Mapping[str, Any], name: str) -> str:
    value = request.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise ControlError(f"{name} is missing or not a string of 1 to 200 characters")
    return value


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def _instant(value: object) -> float | None:
    if value is None:
        return None
    try:
        when = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ControlError("at is not an ISO 8601 instant such as 2026-03-01T08:00:00Z") from None
    if when.tzinfo is None:
        raise ControlError("at has no time zone; add Z or +01:00")
    seconds = when.timestamp()
    if not math.isfinite(seconds):
        raise ControlError("at is out of range")
    return seconds
