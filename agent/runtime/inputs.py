"""The thread of a bank of inputs: reads the initial states, posts debounced changes, opens again when a pin fails."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from agent.runtime.inbox import Inbox
from agent.runtime.messages import InputSettled, InputsOpened
from hardware.errors import HardwareError
from hardware.protocols import InputBank, InputChange


class InputWorker:
    """`run` is the thread's body. `initial` is set once, with the states as first read."""

    def __init__(self, bank: InputBank, inbox: Inbox) -> None:
        self._bank = bank
        self._inbox = inbox
        self.initial: Future[Mapping[str, bool]] = Future()

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Serve the bank until `stop`; raises HardwareError, to be run again by the supervisor."""

        def stopped() -> bool:
            beat()
            return stop.is_set()

        def changed(change: InputChange) -> None:
            self._inbox.post(InputSettled(change.name, change.active, change.at_s))

        try:
            states = self._bank.open()
        except HardwareError as error:
            if not self.initial.done():
                self.initial.set_exception(error)
            raise
        try:
            if self.initial.done():
                self._inbox.post(InputsOpened(states))
            else:
                self.initial.set_result(states)
            self._bank.run(changed, stopped)
        finally:
            self._bank.close()


def initial_states(workers: list[InputWorker], timeout_s: float) -> Mapping[str, bool]:
    """All inputs as first read; raises the HardwareError of a bank that did not open, TimeoutError if one hangs."""
    until_s = time.monotonic() + timeout_s
    states: dict[str, bool] = {}
    for worker in workers:
        states.update(worker.initial.result(max(0.0, until_s - time.monotonic())))
    return states
