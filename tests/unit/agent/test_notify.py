"""What reaches the service manager's socket, and that nothing of it can hurt the agent."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket as systemd has it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        yield listener


def test_fields_arrive_in_one_message(manager: socket.socket) -> None:
    """One line per field; a text of several lines can't add a field."""
    Notifier({"NOTIFY_SOCKET": str(manager.getsockname())}).tell(READY="1", STATUS="front\nWATCHDOG=1")
    assert manager.recv(4096) == b"READY=1\nSTATUS=front WATCHDOG=1"


def test_a_name_outside_the_file_system_is_reached() -> None:
    """systemd may use an abstract socket, written with an @."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("")
        listener.settimeout(5)
        Notifier({"NOTIFY_SOCKET": "@" + listener.getsockname()[1:].decode()}).tell(WATCHDOG="1")
        assert listener.recv(4096) == b"WATCHDOG=1"


def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    """Outside of systemd, or when it is gone, the agent goes on."""
    Notifier({}).tell(READY="1")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "none")}).tell(READY="1")


def test_a_manager_that_does_not_listen_blocks_nobody(manager: socket.socket) -> None:
    """A full queue loses messages, not the door."""
    notifier = Notifier({"NOTIFY_SOCKET": str(manager.getsockname())})
    for _ in range(2000):
        notifier.tell(WATCHDOG="1")
    assert manager.recv(4096) == b"WATCHDOG=1"
