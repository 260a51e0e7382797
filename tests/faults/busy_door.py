"""Two busy doors: people who tap in parallel, hands on buttons and contacts, somebody who watches.

Everything goes through the control socket of the running daemon, as the command line and the panel do it.
"""

import random
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from agent.control_client import ControlClient
from agent.errors import ControlError, Unreachable
from tests.faults.ledger import Problems, Told
from tests.faults.storm import TIMEOUT_S
from tests.rigs import site
from tests.rigs.daemon import Daemon

DOORS: Final = ("front", "back")
READERS: Final = ("front-in", "front-out", "back-in", "back-out")
INPUTS: Final = ("front.rex", "front.contact", "front.tamper", "back.rex", "back.contact", "back.tamper")
CARDS: Final[Mapping[str, str | None]] = {
    site.ALICE: None,
    site.BOB: None,
    site.FELICA_ALICE: None,
    site.MALLORY: "stolen",
    site.NOBODY: "unknown_card",
}
"""Why entry is denied; None: it is granted."""
JOIN_S: Final = 15.0
_MOST_PAUSE_S: Final = 0.02


def _door(name: str, fail: str, more: str = "") -> str:
    inputs = "".join(
        f'[door.inputs.{kind}]\ndriver = "emulated"\nnormally = "{normally}"\ndebounce_ms = 1\n'
        for kind, normally in (("rex", "open"), ("contact", "closed"), ("tamper", "closed"), ("fire", "closed"))
    )
    readers = "".join(
        f'[[door.reader]]\nname = "{name}-{direction}"\ndirection = "{direction}"\ndriver = "emulated"\n'
        for direction in ("in", "out")
    )
    lock = f'[door.lock]\ndriver = "emulated"\nfail = "{fail}"\nstrike_s = 1.0\n'
    return f'[[door]]\nid = "{name}"\n{more}{lock}{readers}{inputs}'


CLOUD: Final = f"""
[aws]
region = "eu-central-1"
stream = "events"
table = "lists"
bucket = "lists-bucket"
[uplink]
first_wait_s = 0.01
max_wait_s = 1.0
timeout_s = {TIMEOUT_S}
"""
CONFIG: Final = _door("front", "secure") + _door("back", "safe", 'follows_fire_of = ["front"]\n')


class Visitors:
    """People at the doors for one life of the daemon; `leave` once it is dead."""

    def __init__(self, daemon: Daemon, life: str, seed: int, problems: Problems) -> None:
        self._daemon = daemon
        self._life = life
        self._problems = problems
        self._gone = threading.Event()
        self._progress = threading.Condition()
        self.told: list[Told] = []
        chosen = random.Random(seed)
        bodies: list[tuple[str, Callable[[ControlClient, random.Random], None]]] = [
            *((f"tap-{reader}", self._tapper(reader)) for reader in READERS),
            ("hands", self._move_inputs),
            ("watch", self._watch),
        ]
        self._threads = [
            threading.Thread(target=self._run, args=(body, random.Random(chosen.random())), name=name)
            for name, body in bodies
        ]
        for thread in self._threads:
            thread.start()

    def wait_answers(self, count: int, timeout_s: float) -> bool:
        """Until so many taps were answered."""
        with self._progress:
            return self._progress.wait_for(lambda: len(self.told) >= count, timeout_s)

    def leave(self) -> None:
        """The daemon is dead or being stopped; all threads end."""
        self._gone.set()
        for thread in self._threads:
            thread.join(JOIN_S)
            if thread.is_alive():
                self._problems.add(f"{self._life}: {thread.name} hangs")

    def _run(self, body: Callable[[ControlClient, random.Random], None], chosen: random.Random) -> None:
        try:
            with self._daemon.client() as client:
                body(client, chosen)
        except Unreachable:
            return  # it is dead
        except ControlError as error:
            self._problems.add(f"{self._life}: {threading.current_thread().name} was refused: {error}")

    def _tapper(self, reader: str) -> Callable[[ControlClient, random.Random], None]:
        def tap(client: ControlClient, chosen: random.Random) -> None:
            while not self._gone.wait(chosen.uniform(0, _MOST_PAUSE_S)):
                uid = chosen.choice(list(CARDS))
                result = client.request("tap", card=uid, reader=reader)["result"]
                self._note(uid, reader, result)

        return tap

    def _note(self, uid: str, reader: str, result: Mapping[str, Any]) -> None:
        granted = result["decision"] == "granted"
        door, _, direction = reader.partition("-")
        if granted != (direction == "out" or CARDS[uid] is None):
            self._problems.add(f"{self._life}: {reader} {result['decision']} ({result['reason']}) card {CARDS[uid]}")
        told = Told(
            self._life, result["event_id"], granted, result["reason"], door, reader,
            seq=result["seq"], credential=site.credential(uid),
        )  # fmt: skip
        with self._progress:
            self.told.append(told)
            self._progress.notify_all()

    def _move_inputs(self, client: ControlClient, chosen: random.Random) -> None:
        while not self._gone.wait(chosen.uniform(0, _MOST_PAUSE_S)):
            client.request("input", name=chosen.choice(INPUTS), action=chosen.choice(("on", "off")))

    def _watch(self, client: ControlClient, _: random.Random) -> None:
        seen: set[str] = set()
        for picture in client.watch():
            for door in picture["doors"]:
                last = door["last"]
                if last is None or last["event_id"] is None or last["event_id"] in seen:
                    continue
                seen.add(last["event_id"])
                granted = last["decision"] == "granted"
                told = Told(self._life, last["event_id"], granted, last["reason"], door["id"], last["reader"])
                with self._progress:
                    self.told.append(told)
            if self._gone.is_set():
                return
