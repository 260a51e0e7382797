"""A small program that holds drivers and is told over a pipe what to do with them; `remote_drivers` is the other end.

It exists because the two GPIO libraries share a module name and want a prepared process each. One JSON request per line
on stdin, `{"op", "id", ...}`; on stdout one line `{"value"}` or `{"error", "text"}` for each, and `{"change"}` lines
from inputs that run.
"""

import json
import sys
import threading
import time
from typing import Any

from hardware import registry
from hardware.errors import HardwareError
from hardware.gpio import rpi
from hardware.gpio.input_bank import DebouncedInputs
from hardware.protocols import InputBank, InputChange, Lock
from hardware.settings import Fail, InputSettings, Level, LockSettings, Normally, Pull


class _Host:
    def __init__(self) -> None:
        self._locks: dict[str, Lock] = {}
        self._banks: dict[str, InputBank] = {}
        self._runs: dict[str, tuple[threading.Thread, threading.Event]] = {}
        self._output = threading.Lock()

    def serve(self) -> None:
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer = {"value": getattr(self, "op_" + request.pop("op"))(**request)}
            except (HardwareError, ValueError) as error:
                answer = {"error": type(error).__name__, "text": str(error)}
            self._say(answer)

    def op_library(self) -> list[str]:
        library = rpi.connect().library
        return [library.name, library.version, library.path]

    def op_make_lock(self, name: str, driver: str, fail: str, pin: int | None, active: str) -> None:
        self._locks[name] = registry.make_lock(LockSettings(name, driver, Fail(fail), pin, Level(active)))

    def op_lock(self, name: str, call: str, args: list[Any]) -> None:
        getattr(self._locks[name], call)(*args)

    def op_unlocked(self, name: str) -> bool:
        return self._locks[name].unlocked

    def op_hang(self) -> None:
        self._say({"value": None})
        time.sleep(3600)

    def op_make_inputs(self, bank: str, settings: list[dict[str, Any]]) -> None:
        self._banks[bank] = registry.make_inputs(
            [
                InputSettings(**each | {"normally": Normally(each["normally"]), "pull": Pull(each["pull"])})
                for each in settings
            ]
        )

    def op_open_inputs(self, bank: str) -> dict[str, bool]:
        return dict(self._banks[bank].open())

    def op_has_edges(self, bank: str) -> bool:
        held = self._banks[bank]
        return isinstance(held, DebouncedInputs) and held.has_edges

    def op_run(self, bank: str) -> None:
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(bank, stop))
        self._runs[bank] = (thread, stop)
        thread.start()

    def op_stop(self, bank: str) -> float:
        thread, stop = self._runs.pop(bank)
        start_s = time.monotonic()
        stop.set()
        thread.join(5)
        return time.monotonic() - start_s

    def op_run_here(self, bank: str) -> None:
        self._banks[bank].run(lambda _change: None, lambda: True)

    def op_close_inputs(self, bank: str) -> None:
        self._banks[bank].close()

    def _run(self, bank: str, stop: threading.Event) -> None:
        try:
            self._banks[bank].run(self._changed, stop.is_set)
        except HardwareError as error:
            self._say({"change": None, "error": type(error).__name__, "text": str(error)})

    def _changed(self, change: InputChange) -> None:
        self._say({"change": [change.name, change.active, change.at_s], "reported_s": time.monotonic()})

    def _say(self, answer: dict[str, Any]) -> None:
        with self._output:
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _Host().serve()
