"""The real daemon as a process: `cardea run` on a configuration of the test's, driven through its control socket."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.control_client import ControlClient
from agent.errors import Unreachable
from tests.rigs.waiting import wait_for

ROOT = Path(__file__).parents[2]
CARDEA = [sys.executable, "-c", "from agent.cli import main; main()"]


class Daemon:
    """A running agent. `body` is the configuration without its [device] table."""

    def __init__(
        self,
        home: Path,
        body: str,
        *,
        device: str = "test-door-1",
        clock: str = "trusted",
        prefix: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.state_dir = home / "state"
        self.state_dir.mkdir(exist_ok=True)
        self.socket = home / "control.sock"
        self.config = home / "cardea.toml"
        self._device = f'[device]\nid = "{device}"\nsite = "hq"\nclock = "{clock}"\nstate_dir = "state"\n'
        self.write_config(body)
        for name, text in (keys or {}).items():
            (self.state_dir / name).write_text(text)
        self._prefix = list(prefix)
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
        self.process: subprocess.Popen[bytes] | None = None

    def write_config(self, body: str) -> None:
        """Replace the configuration."""
        self.config.write_text(f'{self._device}socket = "control.sock"\n{body}')

    def set_environment(self, **variables: str) -> None:
        """Add variables to the environment of the next start."""
        self._environment |= variables

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None:
            self.kill()
        if error is not None:
            print((self.home / "log").read_text()[-8000:])

    def start(self, *, ready: bool = True) -> None:
        """Start the process and wait until a tap would work."""
        with (self.home / "log").open("ab") as log:
            command = [*self._prefix, *CARDEA, "run", "--config", str(self.config)]
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=self._environment, cwd=self.home, start_new_session=True
            )
        if ready:
            self.wait_ready()

    def wait_ready(self, timeout_s: float = 20.0) -> None:
        """Wait until a tap would work; fails at once with the log when the daemon has ended."""
        wait_for(self._is_ready, "the daemon to be ready", timeout_s)

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.process.returncode}: {self.log_text()[-4000:]}")
        try:
            return bool(self.status()["ready"])
        except (Unreachable, OSError):
            return False

    def client(self) -> ControlClient:
        """A connection of one's own."""
        return ControlClient(self.socket)

    def request(self, op: str, **fields: Any) -> dict[str, Any]:
        """One request on a connection of its own."""
        with self.client() as client:
            return client.request(op, **fields)

    def status(self) -> dict[str, Any]:
        """The status document."""
        document: dict[str, Any] = self.request("status")["status"]
        return document

    def door(self, number: int = 0) -> dict[str, Any]:
        """One door's part of the status."""
        door: dict[str, Any] = self.status()["doors"][number]
        return door

    def tap(self, card: str, reader: str | None = None) -> dict[str, Any]:
        """Present a card to an emulated reader; the decision."""
        result: dict[str, Any] = self.request("tap", card=card, reader=reader)["result"]
        return result

    def input(self, name: str, action: str) -> None:
        """Move an emulated input."""
        self.request("input", name=name, action=action)

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Stored events, all or of one type."""
        found: list[dict[str, Any]] = self.request("events")["events"]
        return [event for event in found if kind is None or event["type"] == kind]

    def all_events(self, since: int = 0) -> list[dict[str, Any]]:
        """All that the journal holds of its epoch after a seq, however many replies it takes."""
        found: list[dict[str, Any]] = []
        with self.client() as client:
            while some := client.request("events", since=found[-1]["seq"] if found else since)["events"]:
                found += some
        return found

    def public_key(self) -> Ed25519PublicKey:
        """The key that checks its records."""
        text = (self.state_dir / "device.key").read_text("ascii")
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(text)).public_key()

    def wait_event(self, kind: str, timeout_s: float = 10.0, count: int = 1) -> dict[str, Any]:
        """The `count`th event of a type."""
        found = wait_for(lambda: self.events(kind)[count - 1 : count], f"event {count} of {kind}", timeout_s)
        return found[0]

    def log_text(self) -> str:
        """All that was logged."""
        return (self.home / "log").read_text()

    def log_lines(self, event: str) -> list[dict[str, Any]]:
        """Log lines of one kind."""
        lines = [json.loads(line) for line in self.log_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the daemon and to whatever wraps it."""
        assert self.process is not None
        os.killpg(self.process.pid, number)

    def stop(self) -> int:
        """SIGTERM, and the exit code; at most 6 s."""
        assert self.process is not None
        self.signal(signal.SIGTERM)
        code = self.process.wait(6)
        self.process = None
        return code

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self.process.wait(10)
        self.process = None
