"""Locks and inputs that live in a `driver_host` process on a rig, used as if they were here."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

import hardware.errors
from hardware.protocols import InputChange
from hardware.settings import InputSettings, LockSettings
from tests.rigs.gpio_libs import ROOT
from tests.rigs.gpio_rig import GpioRig

ANSWER_S: Final = 20.0
"""Covers the start of an interpreter on a busy machine."""


@dataclass(frozen=True, slots=True)
class Report:
    """A change and when `on_change` was called for it, both in time.monotonic()."""

    change: InputChange
    reported_s: float


class DriverHost:
    """A process with drivers."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process: Final = process
        self.reports: Final[queue.Queue[Report | Exception]] = queue.Queue()
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, name="driver-host", daemon=True)
        self._reader.start()

    def ask(self, op: str, **fields: object) -> Any:
        """The host's answer; raises what the driver raised."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"op": op, **fields}) + "\n")
        self.process.stdin.flush()
        answer = self._answers.get(timeout=ANSWER_S)
        assert answer is not None, f"the driver host ended with {self.process.wait(5)}"
        if "error" in answer:
            raise _error(answer)
        return answer["value"]

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait(5)

    def close(self) -> None:
        """End the process and the thread that reads from it."""
        self.kill()
        self._reader.join(5)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line)
            if "change" not in message:
                self._answers.put(message)
            elif message["change"] is None:
                self.reports.put(_error(message))
            else:
                self.reports.put(Report(InputChange(*message["change"]), message["reported_s"]))
        self._answers.put(None)


class RemoteLock:
    """A `Lock`."""

    def __init__(self, host: DriverHost, settings: LockSettings) -> None:
        self._host = host
        self._name = settings.name
        host.ask("make_lock", **asdict(settings))

    @property
    def unlocked(self) -> bool:
        return bool(self._host.ask("unlocked", name=self._name))

    def open(self) -> None:
        self._call("open")

    def unlock(self, for_s: float | None) -> None:
        self._call("unlock", for_s)

    def lock(self) -> None:
        self._call("lock")

    def close(self) -> None:
        self._call("close")

    def _call(self, call: str, *args: object) -> None:
        self._host.ask("lock", name=self._name, call=call, args=args)


class RemoteInputs:
    """Much of an `InputBank`; `start` runs it there, and its reports come to the host's `reports`."""

    def __init__(self, host: DriverHost, bank: str, settings: Sequence[InputSettings]) -> None:
        self._host = host
        self._bank = bank
        host.ask("make_inputs", bank=bank, settings=[asdict(setting) for setting in settings])

    def open(self) -> Mapping[str, bool]:
        return dict(self._host.ask("open_inputs", bank=self._bank))

    @property
    def has_edges(self) -> bool:
        return bool(self._host.ask("has_edges", bank=self._bank))

    def start(self) -> None:
        """Begin `run` in a thread of the host."""
        self._host.ask("run", bank=self._bank)

    def stop(self) -> float:
        """End `run`; returns how long that took, in seconds."""
        return float(self._host.ask("stop", bank=self._bank))

    def run_once(self) -> None:
        """Call `run` with `stopped` true from the start."""
        self._host.ask("run_here", bank=self._bank)

    def close(self) -> None:
        self._host.ask("close_inputs", bank=self._bank)


@contextmanager
def driver_host(rig: GpioRig) -> Iterator[DriverHost]:
    """A host on this rig."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.rigs.driver_host"],
        cwd=ROOT,
        env=rig.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    host = DriverHost(process)
    try:
        yield host
    finally:
        host.close()


def _error(answer: dict[str, Any]) -> Exception:
    kind = getattr(hardware.errors, answer["error"], ValueError)
    error: Exception = kind(answer["text"])
    return error
