"""REX edge to relay: emulated input, debounced, through inbox and controller to the lock, with a journal on disk.

In this process and put together as the agent does it, because edge and relay are seen exactly only from inside.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from agent.core.door import DoorSettings
from agent.core.model import DecisionSettings
from agent.runtime.controller import Controller
from agent.runtime.doors import DoorUnit
from agent.runtime.inbox import Inbox
from agent.runtime.inputs import InputWorker, initial_states
from agent.runtime.listage import ListAge
from agent.runtime.presence import Presence
from agent.runtime.recorder import Recorder, stamp
from agent.storage.allowlist import SqliteAllowListReader, SqliteAllowListStore
from agent.storage.journal import SqliteJournal
from agent.storage.state import SqliteStateStore
from agent.system_clock import SystemClock
from hardware.gpio.emulated import EmulatedInputBank, EmulatedLock
from hardware.settings import Fail, InputSettings, LockSettings, Normally
from tests.bench import site
from tests.bench.context import Context, logging_to
from tests.bench.result import Figure, Row, measure
from tests.rigs.running import running
from tests.rigs.waiting import wait_for

DEBOUNCE_S = 0.03
_UNLOCK_S = 0.1
_REX = f"{site.DOOR}.rex"


def run(context: Context) -> Sequence[Row]:
    """Presses one after another, each from a locked door, in turns with a sleep of the debounce time."""
    edges_ms: list[float] = []
    sleeps_ms: list[float] = []
    with logging_to(context.folder() / "log"), _door(context.folder()) as (bank, lock):
        for _ in range(context.rounds(200, 10)):
            edges_ms.append(_press(bank, lock) * 1000)
            start = time.perf_counter()
            time.sleep(DEBOUNCE_S)
            sleeps_ms.append((time.perf_counter() - start) * 1000)
    debounce_ms = DEBOUNCE_S * 1000
    beyond = [value - debounce_ms for value in edges_ms]
    floor = [value - debounce_ms for value in sleeps_ms]
    return [
        Row(
            measure(f"REX edge to relay, {debounce_ms:.0f} ms debounce within", "ms", edges_ms),
            measure("a sleep of the debounce time", "ms", sleeps_ms),
        ),
        Row(measure("the same less the debounce time", "ms", beyond), measure("the sleep's own excess", "ms", floor)),
    ]


def _press(bank: EmulatedInputBank, lock: EmulatedLock) -> float:
    """Seconds from the edge to the relay."""
    wait_for(lambda: not lock.unlocked, "the door to lock")
    bank.set(_REX, True)
    edge_s = bank.transitions[-1].at_s
    wait_for(lambda: lock.unlocked, "REX to unlock")
    relay_s = lock.transitions[-1].at_s
    bank.set(_REX, False)
    return relay_s - edge_s


@contextmanager
def _door(state_dir: Path) -> Iterator[tuple[EmulatedInputBank, EmulatedLock]]:
    """A door with a REX and nothing else that runs for the length of the block."""
    clock, inbox = SystemClock("trusted"), Inbox()
    lock = EmulatedLock(LockSettings(site.DOOR, "emulated", Fail.SECURE))
    bank = EmulatedInputBank([InputSettings(_REX, "emulated", Normally.OPEN, DEBOUNCE_S)])
    worker = InputWorker(bank, inbox)
    with ExitStack() as stack:
        journal = stack.enter_context(
            SqliteJournal(state_dir, device="bench", site=site.NAME, stamp=partial(stamp, clock=clock, online=False))
        )
        state = stack.enter_context(SqliteStateStore(state_dir, on_set_aside=print))
        SqliteAllowListStore(state_dir, on_set_aside=print).close()
        lists = stack.enter_context(SqliteAllowListReader(state_dir))
        lock.open()
        stack.callback(lock.close)
        stack.enter_context(running(worker.run))
        controller = Controller(
            units={site.DOOR: DoorUnit(_settings(), DecisionSettings(), lock, "secure", frozenset({site.DOOR}))},
            readers={},
            inputs=initial_states([worker], 5.0),
            inbox=inbox,
            recorder=Recorder(journal, clock),
            lists=lists,
            presence=Presence(state),
            list_age=ListAge(state),
            clock=clock,
            on_outcome=lambda _: None,
            on_change=threading.Event().set,
        )
        stack.enter_context(running(controller.run))
        wait_for(lambda: controller.views, "the door to have a state")
        yield bank, lock


def _settings() -> DoorSettings:
    return DoorSettings(
        id=site.DOOR,
        strike_s=1.0,
        rex_unlocks=True,
        rex_unlock_s=_UNLOCK_S,
        held_open_s=30.0,
        pre_alarm_s=5.0,
        relock_on_open=True,
        has_contact=False,
    )


FIGURE = Figure("rex", "REX to relay", run)
