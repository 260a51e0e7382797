"""A stand-in for the daemon: speaks the control protocol over two doors with simple rules, for tests of its clients.

Not a second implementation of the door: it decides by card name and knows just enough to move a picture.
"""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cloud.contract.reasons import Reason

CARDS = {
    "alice": Reason.ALLOWED,
    "bob": Reason.ALLOWED,
    "carol": Reason.OUTSIDE_SCHEDULE,
    "grace-lost": Reason.LOST,
    "mallory": Reason.STOLEN,
    "stranger": Reason.UNKNOWN_CARD,
}
READERS = (
    ("turnstile-in", "hq-turnstile", "in"),
    ("turnstile-out", "hq-turnstile", "out"),
    ("office-in", "hq-office", "in"),
)


class Refused(Exception):  # noqa: N818 - what the protocol calls it
    """A request that the daemon would refuse, with its words."""


@dataclass
class Door:
    """One door."""

    id: str
    strike_s: float
    fail: str
    inputs: dict[str, bool]
    unlocked_until_s: float = 0.0
    fire: bool = False
    caused: bool = False
    held_after_s: float = 20.0
    opened_s: float = 0.0
    last: dict[str, Any] | None = None
    decided_s: float = 0.0

    def status(self, now_s: float) -> dict[str, Any]:
        """As in STATUS."""
        unlocked = self.fire or now_s < self.unlocked_until_s
        is_open = self.inputs.get("contact")
        name = "unlocked" if unlocked else "locked"
        if is_open:
            name = "forced" if not self.caused else "held" if now_s - self.opened_s > self.held_after_s else "open"
        return {
            "id": self.id,
            "mode": "normal",
            "lock": "unlocked" if unlocked else "locked",
            "state": "fire" if self.fire else name,
            "contact": "unknown" if is_open is None else "open" if is_open else "closed",
            "fail": self.fail,
            "fire": self.fire,
            "inputs": dict(self.inputs),
            "emulated_inputs": list(self.inputs),
            "unlock_left_s": round(self.unlocked_until_s - now_s, 2) if unlocked and not self.fire else None,
            "last": self.last and {**self.last, "ago_s": round(now_s - self.decided_s, 2)},
        }


@dataclass
class StandInDaemon:
    """Context manager: answers on `path` from enter to exit."""

    path: Path
    held_after_s: float = 20.0
    strike_s: float = 4.0
    requests: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.doors = {
            "hq-turnstile": Door("hq-turnstile", self.strike_s, "safe", {"fire": False}),
            "hq-office": Door("hq-office", self.strike_s, "secure", {"contact": False, "rex": False, "tamper": False}),
        }
        for door in self.doors.values():
            door.held_after_s = self.held_after_s
        self.online = True
        self.events: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._clients: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._stop = False

    def __enter__(self) -> Self:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen(16)
        self._stop = False
        self._spawn(self._accept)
        self._record("agent.started", None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.path.unlink()
        with self._changed:
            self._changed.notify_all()
            for client in self._clients:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def set_online(self, online: bool) -> None:
        """Whether the uplink works; going online sends everything."""
        with self._changed:
            self.online = online
            if online:
                for event in self.events:
                    event["sent"] = True
            self._changed.notify_all()

    def status(self) -> dict[str, Any]:
        """The STATUS document."""
        now_s = time.monotonic()
        unsent = sum(not event["sent"] for event in self.events)
        link = {"state": "online" if self.online else "offline", "last_ok_s": 0.4 if self.online else 12.0}
        return {
            "device": "hq-demo-1",
            "site": "hq",
            "version": "0.1.0",
            "ready": True,
            "degraded": [] if self.online else ["uplink_offline"],
            "doors": [door.status(now_s) for door in self.doors.values()],
            "readers": [
                {"name": name, "driver": "emulated", "state": "ready", "door": door, "direction": direction}
                for name, door, direction in READERS
            ],
            "allowlist": {"epoch": 1, "version": 7, "age_s": 0.8 if self.online else 12.0, "cards": 42},
            "journal": {
                "epoch": 1,
                "seq": len(self.events),
                "unsent": unsent,
                "oldest_unsent_s": 3.0 if unsent else None,
                "bytes": 16384,
            },
            "uplink": link,
            "sync": link,
            "clock": "synced",
            "cards": list(CARDS),
        }

    def _spawn(self, body: Any, *args: Any) -> None:
        thread = threading.Thread(target=body, args=args, name="stand-in", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stop:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                self._clients.add(client)
            self._spawn(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), client.makefile("rb") as lines:
            for line in lines:
                request = json.loads(line)
                if request["op"] == "watch":
                    for status in self._watch():
                        client.sendall(json.dumps({"ok": True, "status": status}).encode() + b"\n")
                    return
                with self._changed:
                    self.requests.append(request)
                    try:
                        reply = {"ok": True, **self._answer(request)}
                    except Refused as error:
                        reply = {"ok": False, "error": str(error)}
                    self._changed.notify_all()
                client.sendall(json.dumps(reply).encode() + b"\n")
        with self._changed:
            self._clients.discard(client)

    def _watch(self) -> Iterator[dict[str, Any]]:
        while not self._stop:
            with self._changed:
                status = self.status()
            yield status
            with self._changed:
                ends = [door.unlocked_until_s - time.monotonic() for door in self.doors.values()]
                self._changed.wait(min([1.0, *(left_s + 0.01 for left_s in ends if left_s > 0)]))

    def _answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        match request["op"]:
            case "status":
                return {"status": self.status()}
            case "events":
                return {"events": [event for event in self.events if event["seq"] > request["since"]]}
            case "tap":
                return {"result": self._tap(request["card"], request["reader"])}
            case "input":
                self._move(request["name"], request["action"])
                return {"result": {"name": request["name"], "action": request["action"]}}
            case "fire-reset":
                self._reset(request["door"])
                return {"result": {"door": request["door"]}}
        raise Refused(f"unknown op {request['op']!r}")

    def _tap(self, card: str, reader: str) -> dict[str, Any]:
        place = next((place for place in READERS if place[0] == reader), None)
        if card not in CARDS or place is None:
            raise Refused(f"no card {card!r} or no reader {reader!r}")
        _, door_id, direction = place
        door = self.doors[door_id]
        reason = Reason.EXIT if direction == "out" else CARDS[card]
        granted = reason in (Reason.ALLOWED, Reason.EXIT)
        person = None if reason is Reason.UNKNOWN_CARD else card
        if granted:
            door.unlocked_until_s = time.monotonic() + door.strike_s
        door.last = {
            "decision": "granted" if granted else "denied",
            "reason": reason.value,
            "text": reason.text,
            "reader": reader,
            "direction": direction,
            "person": person,
            "card": card,
        }
        door.decided_s = time.monotonic()
        kind = "access.granted" if granted else "access.denied"
        self._record(kind, door_id, reason=reason.value, reader=reader, direction=direction, person=person)
        return {**door.last, "door": door_id, "event_id": "x", "seq": len(self.events), "latency_ms": 1.5}

    def _move(self, name: str, action: str) -> None:
        door_id, _, kind = name.partition(".")
        door = self.doors.get(door_id)
        if door is None or kind not in door.inputs:
            raise Refused(f"no emulated input {name!r}")
        door.inputs[kind] = action == "on"
        if kind == "rex" and action != "off":
            door.unlocked_until_s = time.monotonic() + door.strike_s
            self._record("rex.pressed", door_id)
        if kind == "contact" and action == "on":
            door.caused = door.fire or time.monotonic() < door.unlocked_until_s
            door.opened_s, door.unlocked_until_s = time.monotonic(), 0.0
            self._record("door.opened" if door.caused else "door.forced", door_id)
        if kind == "contact" and action == "off":
            self._record("door.closed", door_id)
        if kind == "tamper":
            self._record("input.tampered" if action == "on" else "input.restored", door_id)
        if kind == "fire" and action == "on":
            for each in self.doors.values():
                each.fire = True
            self._record("fire.activated", door_id)

    def _reset(self, door_id: str) -> None:
        if self.doors["hq-turnstile"].inputs["fire"]:
            return
        self.doors[door_id].fire = False
        self._record("fire.reset", door_id)

    def _record(self, kind: str, door: str | None, **more: object) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        event = {"seq": len(self.events) + 1, "at": at, "type": kind, "door": door, "sent": self.online}
        without = {"reason": None, "reader": None, "direction": None, "person": None, "credential": "00" * 16}
        self.events.append({**event, **without, **more})
