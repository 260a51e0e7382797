"""When the service manager is told that the agent is ready and alive, and when not."""

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.health import READY_WAIT_S, STARTING_S, VOUCH_S, Health
from agent.notify import Notifier


class WatchedAgent:
    """An agent as health sees it."""

    def __init__(self) -> None:
        self.hanging: list[str] = []
        self.ready = True
        self.broken = False
        self.degraded: list[str] = []

    def silent(self) -> list[str]:
        return self.hanging

    def status(self) -> Mapping[str, Any]:
        if self.broken:
            raise ValueError("not an instant")
        doors = [{"id": "front", "lock": "locked"}]
        return {"ready": self.ready, "doors": doors, "degraded": self.degraded}


class Manager:
    """The service manager's end."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener

    def told(self) -> dict[str, str]:
        """The next message."""
        return dict(line.split("=", 1) for line in self._listener.recv(4096).decode().split("\n"))


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        yield Manager(listener)


@pytest.fixture
def agent() -> WatchedAgent:
    return WatchedAgent()


@pytest.fixture
def health(agent: WatchedAgent, tmp_path: Path) -> Health:
    return Health(agent, Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}), 100.0)


def test_ready_is_told_once_a_tap_would_work(agent: WatchedAgent, health: Health, manager: Manager) -> None:
    """Not before, once, and looked for often until then."""
    agent.ready = False
    assert health.look(100.0) == STARTING_S
    assert manager.told() == {"WATCHDOG": "1", "STATUS": "front locked"}
    agent.ready = True
    assert health.look(101.0) == VOUCH_S
    assert manager.told()["READY"] == "1"
    health.look(103.0)
    assert "READY" not in manager.told()


def test_a_reader_that_is_not_there_does_not_keep_the_door_from_starting(
    agent: WatchedAgent, health: Health, manager: Manager
) -> None:
    """Else the manager would give up the start and kill a door whose exit button works."""
    agent.ready, agent.degraded = False, ["reader_lost:front-in"]
    health.look(100.0)
    assert "READY" not in manager.told()
    health.look(100.0 + READY_WAIT_S)
    told = manager.told()
    assert (told["READY"], told["WATCHDOG"]) == ("1", "1")
    assert told["STATUS"] == "front locked; degraded: reader_lost:front-in"


def test_nobody_vouches_for_a_worker_that_hangs(agent: WatchedAgent, health: Health, manager: Manager) -> None:
    """The watchdog runs out while one is silent, and is fed again if it comes back."""
    agent.hanging = ["controller"]
    health.look(100.0)
    assert "WATCHDOG" not in manager.told()
    agent.hanging = []
    health.look(102.0)
    assert manager.told()["WATCHDOG"] == "1"


def test_a_status_that_cannot_be_told_ends_no_door(agent: WatchedAgent, health: Health, manager: Manager) -> None:
    """Such as a damaged instant in the journal: it is for people, and the workers are alive."""
    agent.broken = True
    health.look(100.0)
    assert manager.told() == {"WATCHDOG": "1", "STATUS": "status unknown"}
    health.look(100.0 + READY_WAIT_S)
    assert manager.told()["READY"] == "1"
