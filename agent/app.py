"""The composition root: the one place that names concrete classes, and the order in which things start and stop.

Start: journal and state, locks (locked), inputs (read), controller, readers, control socket, cloud; a door works before
the network does. Stop: the reverse, with the locks in their safe state at the end.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from agent.behaviour import decision_settings, door_settings
from agent.cloudlink import CloudLink
from agent.config import Config, DoorConfig
from agent.configdiff import needs_restart
from agent.core.events import EventDraft, StampedEvent
from agent.errors import StorageError
from agent.keyring import load_keyring
from agent.locklist import lock_list
from agent.places import default_socket, runtime_folder
from agent.runtime.control import ControlServer
from agent.runtime.controller import Controller
from agent.runtime.doors import DoorUnit, ReaderPlace, TapOutcome
from agent.runtime.hub import Hub
from agent.runtime.inbox import Inbox
from agent.runtime.inputs import InputWorker, initial_states
from agent.runtime.listage import ListAge
from agent.runtime.messages import Happened, Reconfigured
from agent.runtime.operations import Operations
from agent.runtime.presence import Presence
from agent.runtime.readers import ReaderWorker
from agent.runtime.recorder import Recorder, stamp
from agent.runtime.status import Sources, status
from agent.runtime.supervisor import Supervisor, Worker
from agent.runtime.timememory import TimeMemory
from agent.storage.allowlist import SqliteAllowListReader, SqliteAllowListStore
from agent.storage.journal import SqliteJournal
from agent.storage.state import SqliteStateStore
from agent.storage.state_thread import ThreadedStateStore
from agent.system_clock import SystemClock
from agent.version import VERSION
from cloud.contract.events import EventType
from hardware import registry
from hardware.gpio.emulated import EmulatedInputBank
from hardware.protocols import Indication, Lock
from hardware.readers.emulated import EmulatedReader
from hardware.settings import InputSettings

log = structlog.get_logger(__name__)

INPUTS_S: Final = 5.0
"""Reading the inputs takes their longest debounce time (1 s at most); a driver that needs this long hangs."""
STOP_S: Final = 4.0
"""Of the 5 s that a stop may take; the rest is for the locks and the journal."""


class Agent:
    """One controller. `start` raises HardwareError or AgentError; whatever happens, `stop` ends with the locks safe."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._clock = SystemClock(config.device.clock)
        self._inbox = Inbox()
        self._hub = Hub()
        self._supervisor = Supervisor(self._worker_failed)
        self._places = {
            reader.name: ReaderPlace(reader.name, reader.driver, door.id, reader.direction)
            for door in config.door
            for reader in door.reader
        }
        self._locks: list[Lock] = []
        self._readers: dict[str, ReaderWorker] = {}
        self._closers: list[Callable[[], None]] = []
        self._recorder: Recorder | None = None

    def start(self) -> None:
        """Start everything in order. On an error, what was started is stopped again."""
        try:
            self._start()
        except BaseException:
            self.stop("failed to start")
            raise

    def stop(self, why: str) -> None:
        """Stop in the reverse order; the locks end in their safe state. Idempotent."""
        try:
            for name in self._supervisor.stop(time.monotonic() + STOP_S):
                log.error("worker.stuck", worker=name)
        finally:
            while self._locks:
                self._locks.pop().close()
        self._inbox.close()
        if self._recorder is not None:
            self._recorder.record(EventDraft(type=EventType.AGENT_STOPPED, detail={"why": why}))
            self._recorder = None
        while self._closers:
            self._closers.pop()()

    def reconfigure(self, config: Config) -> Sequence[str]:
        """Take over what can change while running; else the dotted paths of what can't, and nothing changed."""
        fixed = needs_restart(self._config, config)
        if not fixed:
            doors = {door.id: (door_settings(door), decision_settings(config, door)) for door in config.door}
            self._inbox.post(Reconfigured(doors))
            self._config = config
        return fixed

    def status(self) -> Mapping[str, Any]:
        """The status document."""
        return status(self._sources)

    def silent(self) -> Sequence[str]:
        """Parts that hang, and that a new process would mend. What waits for a disk that stalls is not among them."""
        silent = self._supervisor.silent()
        if self._journal.stats().degraded is not None:
            silent = [name for name in silent if name not in CloudLink.WRITES_DISK]
        ended = {"journal": not self._journal.alive(), "state": not self._state.alive()}
        return [*silent, *(name for name, has_ended in ended.items() if has_ended)]

    def _start(self) -> None:
        config, state_dir = self._config, self._config.device.state_dir
        try:
            state_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{state_dir}: {error.strerror}") from error
        self._journal = SqliteJournal(
            state_dir,
            device=config.device.id,
            site=config.device.site,
            stamp=self._stamp,
            max_events=config.journal.max_events,
            max_bytes=config.journal.max_mib << 20,
        )
        self._closers.append(self._journal.close)
        self._recorder = Recorder(self._journal, self._clock)
        set_aside = partial(self._set_aside, EventType.STATE_SET_ASIDE)
        self._state = state = ThreadedStateStore(SqliteStateStore(state_dir, on_set_aside=set_aside))
        self._closers.append(state.close)
        set_aside = partial(self._set_aside, EventType.ALLOWLIST_SET_ASIDE)
        self._open_lists = partial(SqliteAllowListStore, state_dir, on_set_aside=set_aside)
        # Makes the file, or sets a damaged one aside, before anybody reads it; sync opens it again in its own thread.
        try:
            self._open_lists().close()
        except StorageError as error:
            # A door with a refusing disk opens by the list that can be read, by REX and for fire; sync tries on.
            log.error("allowlist.unwritable", error=str(error), remedy="check the disk: full, worn or read-only")
        list_reader = SqliteAllowListReader(state_dir)
        self._closers.append(list_reader.close)
        self._keys = load_keyring(config)

        locks = [config.lock_settings(door) for door in config.door]
        listed = ExitStack()
        listed.enter_context(lock_list(runtime_folder(config.device.socket), locks))
        self._closers.append(listed.close)
        units = {door.id: self._unit(door) for door in config.door}
        inputs, movers = self._start_inputs()
        self._controller = Controller(
            units=units,
            readers=self._places,
            inputs=inputs,
            inbox=self._inbox,
            recorder=self._recorder,
            lists=list_reader,
            presence=Presence(state),
            list_age=ListAge(state),
            clock=self._clock,
            on_outcome=self._outcome,
            on_change=self._hub.changed,
            each_turn=TimeMemory(state, self._clock).keep,
        )
        self._recorder.record(EventDraft(type=EventType.AGENT_STARTED, detail={"version": VERSION}))
        self._supervisor.start(Worker("controller", self._controller.run, vital=True))
        present = self._start_readers()
        self._link = self._connect_cloud()
        self._start_control(present, movers)
        self._link.start(self._supervisor)
        log.info("agent.started", device=config.device.id, version=VERSION, doors=list(units))

    # Parts, in the order in which they start

    def _unit(self, door: DoorConfig) -> DoorUnit:
        lock = registry.make_lock(self._config.lock_settings(door))
        lock.open()
        self._locks.append(lock)
        return DoorUnit(
            settings=door_settings(door),
            deciding=decision_settings(self._config, door),
            lock=lock,
            fail=door.lock.fail.value,
            fire_from=frozenset({door.id, *door.follows_fire_of}),
        )

    def _start_inputs(self) -> tuple[Mapping[str, bool], Mapping[str, Callable[[bool], None]]]:
        """The inputs as first read, and how to move the emulated ones."""
        by_driver: dict[str, list[InputSettings]] = {}
        for settings in self._config.input_settings():
            by_driver.setdefault(settings.driver, []).append(settings)
        workers: list[InputWorker] = []
        movers: dict[str, Callable[[bool], None]] = {}
        for driver, part in by_driver.items():
            bank = registry.make_inputs(part)
            worker = InputWorker(bank, self._inbox)
            workers.append(worker)
            self._supervisor.start(Worker(f"inputs-{driver}", worker.run))
            if isinstance(bank, EmulatedInputBank):
                movers |= {settings.name: partial(bank.set, settings.name) for settings in part}
        return initial_states(workers, INPUTS_S), movers

    def _start_readers(self) -> Mapping[str, Callable[[bytes], None]]:
        """How to present a card to each emulated reader."""
        present: dict[str, Callable[[bytes], None]] = {}
        for settings in self._config.reader_settings():
            worker = ReaderWorker(partial(registry.make_reader, settings), self._keys.credential, self._inbox)
            self._readers[settings.name] = worker
            self._supervisor.start(Worker(f"reader-{settings.name}", worker.run))
            if isinstance(worker.reader, EmulatedReader):
                present[settings.name] = worker.reader.present
        return present

    def _connect_cloud(self) -> CloudLink:
        config = self._config
        link = CloudLink(
            config,
            journal=self._journal,
            open_store=self._open_lists,
            keys=self._keys,
            clock=self._clock,
            cloud_clock=self._clock,
            inbox=self._inbox,
            on_change=self._hub.changed,
        )
        self._closers.append(link.close)
        return link

    def _start_control(
        self, present: Mapping[str, Callable[[bytes], None]], movers: Mapping[str, Callable[[bool], None]]
    ) -> None:
        config, link = self._config, self._link
        named = {name: bytes.fromhex(uid) for name, uid in config.emulated.cards.items()}
        self._sources = Sources(
            device=config.device.id,
            site=config.device.site,
            clock=self._clock,
            clock_source=self._clock.source,
            clock_disputed=self._clock.disputed,
            doors=lambda: self._controller.views,
            readers=lambda: [
                (self._places[name], each.ready, each.stuck_calls) for name, each in self._readers.items()
            ],
            journal=self._journal.stats,
            list_held=lambda: self._controller.list_held,
            list_age_s=self._controller.list_age_s,
            uplink=link.uplink_report,
            sync=link.sync_report,
            troubles=lambda: [*self._keys.troubles, *self._supervisor.troubles()],
            inbox=self._inbox.depth,
            emulated_inputs=frozenset(movers),
            card_names={self._keys.credential(uid): name for name, uid in named.items()},
        )
        operations = Operations(
            controller=self._controller,
            inbox=self._inbox,
            hub=self._hub,
            journal=self._journal,
            status=self.status,
            doors=tuple(door.id for door in config.door),
            find_card=self._find_card,
            present=present,
            set_input=movers,
            state_dir=str(state_path(config)),
        )
        control = ControlServer(config.device.socket or default_socket(), operations.handle)
        control.open()
        self._closers.append(control.close)
        self._supervisor.start(Worker("control", control.run))

    # What the parts ask for

    def _outcome(self, outcome: TapOutcome) -> None:
        """Show the person at the reader, then whoever waits at the control socket."""
        self._readers[outcome.reader].indicate(Indication.GRANTED if outcome.granted else Indication.DENIED)
        self._hub.outcome(outcome)

    def _find_card(self, text: str) -> tuple[bytes, str] | None:
        uid = self._config.card(text)
        return None if uid is None else (uid, self._keys.credential(uid))

    def _stamp(self, draft: EventDraft) -> StampedEvent:
        return stamp(draft, self._clock, online=self._recorder is not None and self._recorder.online)

    def _worker_failed(self, name: str, what: str) -> None:
        detail = {"worker": name, "what": what[:200]}
        # Offered, not posted: when the controller itself died with a full inbox, this thread is to restart it.
        if not self._inbox.offer(Happened(EventDraft(type=EventType.WORKER_FAILED, detail=detail))):
            log.error("worker.failure_unrecorded", worker=name, why="the inbox is full")

    def _set_aside(self, kind: EventType, why: str) -> None:
        log.error(kind.value, why=why)
        self._inbox.post(Happened(EventDraft(type=kind, detail={"what": why[:200]})))


def state_path(config: Config) -> Path:
    """Where the state is, for people and other programs."""
    return config.device.state_dir.resolve()
