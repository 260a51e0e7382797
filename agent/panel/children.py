"""The demo's child processes: started with a log file, watched, stopped in bounded time, never outliving the demo.

Start them from the main thread: the kernel ties their life to the thread that started them (see leash).
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from agent.errors import AgentError

LEASH: Final = Path(__file__).with_name("leash.py")
STOP_S: Final = 6.0
"""The agent stops within 5 s; who takes longer than this is killed."""
TAIL_BYTES: Final = 4096
TAIL_LINES: Final = 8


class Child:
    """One process in a session of its own, so that Ctrl-C reaches the demo alone and it decides on the order.

    `output` gets its standard output, `log` its standard error; one file may be both.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, output: Path | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._command = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *command]
        self._environment = dict(environment)
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; its files begin empty. Raises AgentError when that can't be done."""
        try:
            with contextlib.ExitStack() as files:
                log = files.enter_context(self.log.open("wb"))
                output = log if self._output is None else files.enter_context(self._output.open("wb"))
                self._process = subprocess.Popen(  # noqa: S603 - our own programs, by path
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=log,
                    env=self._environment,
                    start_new_session=True,
                )
        except OSError as error:
            raise AgentError(f"{self.name} can't be started: {error}") from error

    def check(self) -> None:
        """Raise AgentError, with the end of its log, if it has ended."""
        code = None if self._process is None else self._process.poll()
        if code is None:
            return
        how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        lines = "".join(f"\n  {line}" for line in self.tail())
        raise AgentError(f"{self.name} ended with {how}; {self.log}:{lines or ' (empty)'}")

    def tail(self) -> list[str]:
        """The last lines of its log, fit for a terminal."""
        with self.log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            text = file.read(TAIL_BYTES).decode(errors="replace")
        lines = text.splitlines()[-TAIL_LINES:]
        return ["".join(char if char.isprintable() else " " for char in line) for line in lines]

    def stop(self) -> None:
        """Stop it with SIGTERM, then with SIGKILL, and everything that it left behind; idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
