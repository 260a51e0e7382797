"""The controller: the one thread that owns all door state. Takes messages, asks the pure core, tells what came of it.

No rule lives here. It must never block on anything but its inbox and, for a bounded time, the journal.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from agent.core.decision import decide
from agent.core.door import Tapped
from agent.core.events import EventDraft
from agent.core.model import Decision, Holder, Now, Policy, Request
from agent.errors import StorageError
from agent.ports import AllowListReader, Clock
from agent.runtime.doors import Done, DoorUnit, DoorView, ReaderPlace, TapOutcome
from agent.runtime.doorset import Doors
from agent.runtime.inbox import Inbox
from agent.runtime.listage import ListAge
from agent.runtime.messages import (
    Ask,
    CardPresented,
    CardUnreadable,
    FireReset,
    Happened,
    InputSettled,
    InputsOpened,
    ListApplied,
    ListConfirmed,
    ListRefused,
    Message,
    ReaderChanged,
    Reconfigured,
    UplinkChanged,
)
from agent.runtime.presence import Presence
from agent.runtime.recorder import Recorder
from cloud.contract.events import EventType
from cloud.contract.items import DoorMode
from cloud.contract.reasons import Reason

log = structlog.get_logger(__name__)

Detail = Mapping[str, str | int | float | bool | None]

IDLE_S: Final = 0.5
"""The loop turns at least this often, so that its heartbeat shows a living thread."""
MAX_REFUSED_ITEMS: Final = 20
"""Refused items recorded one by one for a version; the rest is a number in `allowlist.applied`."""


def _nothing() -> None:
    """No more is to be done each turn."""


class Controller:
    """See the module. `run` is its thread's body; `views` and `list_held` may be read from any thread."""

    def __init__(
        self,
        *,
        units: Mapping[str, DoorUnit],
        readers: Mapping[str, ReaderPlace],
        inputs: Mapping[str, bool],
        inbox: Inbox,
        recorder: Recorder,
        lists: AllowListReader,
        presence: Presence,
        list_age: ListAge,
        clock: Clock,
        on_outcome: Callable[[TapOutcome], None],
        on_change: Callable[[], None],
        each_turn: Callable[[], None] = _nothing,
    ) -> None:
        self._doors = Doors(units, inputs, recorder, presence, clock, self._mode)
        self._readers = readers
        self._inbox = inbox
        self._recorder = recorder
        self._lists = lists
        self._presence = presence
        self._list_age = list_age
        self._clock = clock
        self._on_outcome = on_outcome
        self._on_change = on_change
        self._each_turn = each_turn
        self._policy: Policy | None = None
        """As last read; for the doors' modes only."""
        self.views: tuple[DoorView, ...] = ()
        self.list_held: tuple[int, int, int] | None = None
        """Epoch, version and number of cards of the list in use; None before the first."""

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Work until `stop`; the doors' states outlive a restart of this thread."""
        self._read_list()
        self._doors.start()
        self._doors.modes_changed()
        self._publish()
        while not stop.is_set():
            beat()
            now_s = self._clock.now().mono_s
            message = self._inbox.take(min(self._doors.due_s(), now_s + IDLE_S) - now_s)
            if message is not None:
                self._handle(message)
            if self._doors.time_passes() or message is not None:
                self._publish()
            self._recorder.check()
            self._each_turn()

    def list_age_s(self) -> float:
        """Seconds since the list was last known to be the newest; infinite when that is unknown. Any thread."""
        return self._list_age.age_s(self._clock.now())

    def explain(self, credential: str, place: ReaderPlace, at_s: float | None) -> Decision:
        """What would be decided for a card; opens nothing. On the controller's thread only (`Ask`)."""
        now = self._clock.now()
        when = now if at_s is None else Now(mono_s=now.mono_s, wall_s=at_s, known=True)
        return self._decide(credential, place, when)[0]

    def _handle(self, message: Message) -> None:
        match message:
            case CardPresented() | CardUnreadable():
                self._tap(message)
            case InputSettled(name=name, active=active, at_s=at_s):
                self._doors.input(name, active=active, at_s=at_s)
            case InputsOpened(states=states):
                self._doors.inputs(states)
            case FireReset(door=door, who=who):
                self._doors.reset_fire(door, who)
            case ListApplied() | ListConfirmed() | ListRefused():
                self._list(message)
            case Ask():
                _answer(message)
            case _:
                self._note(message)

    def _note(self, message: ReaderChanged | UplinkChanged | Happened | Reconfigured) -> None:
        match message:
            case ReaderChanged(reader=reader, ready=ready, what=what):
                kind = EventType.READER_RECOVERED if ready else EventType.READER_LOST
                door = self._readers[reader].door
                self._doors.record(EventDraft(type=kind, door=door, reader=reader, detail={"what": what[:200]}))
            case UplinkChanged(online=online):
                self._recorder.online = online
            case Happened(event=event):
                self._doors.record(event)
            case Reconfigured(doors=doors):
                for name, (settings, deciding) in doors.items():
                    self._doors[name].settings, self._doors[name].deciding = settings, deciding
                self._doors.record(EventDraft(type=EventType.CONFIG_RELOADED))

    def _tap(self, card: CardPresented | CardUnreadable) -> None:
        place = self._readers[card.reader]
        unit = self._doors[place.door]
        if isinstance(card, CardPresented):
            decision, policy = self._decide(card.credential, place, self._clock.now())
            draft, leads_to = _decided(card, place, decision, policy), decision.leads_to
        else:
            draft, leads_to = _unreadable(card, place), None
        granted = draft.type is EventType.ACCESS_GRANTED
        done = self._doors.step(unit, Tapped(draft, granted, leads_to))
        now_s = self._clock.now().mono_s
        ended_s = done.driven_s if granted and done.driven_s is not None else now_s
        unit.last = _outcome(draft, done, latency_ms=(ended_s - card.seen_s) * 1000, now_s=now_s)
        # Whoever waits for the outcome may look at the door at once.
        self._publish()
        self._on_outcome(unit.last)
        log.info(
            draft.type.value,
            door=place.door,
            reader=place.name,
            decision="granted" if granted else "denied",
            reason=draft.reason,
            latency_ms=unit.last.latency_ms,
            allowlist_version=draft.policy,
            event_id=unit.last.event_id,
        )

    def _decide(self, credential: str, place: ReaderPlace, now: Now) -> tuple[Decision, Policy | None]:
        holder, policy = self._find(credential)
        person = None if holder is None else holder.card.person
        request = Request(
            door=place.door,
            direction=place.direction,
            holder=holder,
            policy=policy,
            list_age_s=self._list_age.age_s(now),
            area=None if person is None else self._presence.area(person),
        )
        return decide(request, self._doors[place.door].deciding, now), policy

    def _find(self, credential: str) -> tuple[Holder | None, Policy | None]:
        try:
            return self._lists.find(credential)
        except Exception as error:  # noqa: BLE001 - whatever it is, the controller must go on
            # Without a readable list, entry is denied and exit is granted: what decide() says of no list.
            _log_unreadable(error)
            return None, None

    def _list(self, message: ListApplied | ListConfirmed | ListRefused) -> None:
        match message:
            case ListConfirmed():
                self._list_age.confirm(self._clock.now())
                # The newest is held, but its news may have been lost, or a read of it failed.
                self._read_list()
                self._doors.modes_changed()
            case ListRefused(reason=reason, detail=what, epoch=epoch, version=version):
                detail: Detail = {"what": what[:200], "epoch": epoch, "version": version}
                self._doors.record(EventDraft(type=EventType.ALLOWLIST_REFUSED, reason=reason.value, detail=detail))
            case ListApplied(applied=applied):
                self._list_age.confirm(self._clock.now())
                self._read_list()
                version = applied.position.version
                for item in applied.refused[:MAX_REFUSED_ITEMS]:
                    said = {"kind": item.kind[:64], "id": item.id[:64], "what": item.what[:200]}
                    kind = EventType.ALLOWLIST_ITEM_REFUSED
                    self._doors.record(EventDraft(type=kind, policy=version, detail=said))
                counted = {
                    "epoch": applied.position.epoch,
                    "cards": applied.cards,
                    "refused": len(applied.refused),
                }
                self._doors.record(EventDraft(type=EventType.ALLOWLIST_APPLIED, policy=version, detail=counted))
                self._doors.modes_changed()

    def _read_list(self) -> None:
        try:
            policy = self._lists.policy()
            cards = self._lists.count_cards()
            if policy is not None:
                self._clock.not_before(policy.issued_s)
        except Exception as error:  # noqa: BLE001 - as for a card
            # This comes before the loop begins: raised here, it would keep REX and fire from ever being served.
            _log_unreadable(error)
            policy, cards = None, 0
        # What was last known of the doors goes on without a list: a lockdown must not end because a read failed.
        self._policy = policy or self._policy
        self.list_held = None if policy is None else (policy.epoch, policy.version, cards)

    def _mode(self, door: str) -> DoorMode:
        known = None if self._policy is None else self._policy.doors.get(door)
        return DoorMode.NORMAL if known is None else known.mode

    def _publish(self) -> None:
        self.views = self._doors.views()
        self._on_change()


def _log_unreadable(error: Exception) -> None:
    if isinstance(error, StorageError):
        log.error("allowlist.unreadable", error=str(error))
    else:
        log.error("allowlist.unreadable", error=repr(error), exc_info=error)


def _decided(card: CardPresented, place: ReaderPlace, decision: Decision, policy: Policy | None) -> EventDraft:
    return EventDraft(
        type=EventType.ACCESS_GRANTED if decision.granted else EventType.ACCESS_DENIED,
        door=place.door,
        reader=place.name,
        direction=place.direction.value,
        reason=decision.reason.value,
        credential=card.credential,
        person=decision.person,
        policy=None if policy is None else policy.version,
        detail=None if decision.noted is None else {"noted": decision.noted.value},
    )


def _unreadable(card: CardUnreadable, place: ReaderPlace) -> EventDraft:
    return EventDraft(
        type=EventType.ACCESS_DENIED,
        door=place.door,
        reader=place.name,
        direction=place.direction.value,
        reason=Reason.CARD_UNREADABLE.value,
        detail={"what": card.what[:200]},
    )


def _outcome(draft: EventDraft, done: Done, *, latency_ms: float, now_s: float) -> TapOutcome:
    reason = Reason.of(draft.reason or "")
    return TapOutcome(
        reader=draft.reader or "",
        door=draft.door or "",
        direction=draft.direction or "",
        credential=draft.credential,
        granted=draft.type is EventType.ACCESS_GRANTED,
        reason=reason.value,
        text=reason.text,
        person=draft.person,
        event_id=None if done.event is None else done.event.id,
        seq=None if done.event is None else done.event.seq,
        latency_ms=round(latency_ms, 3),
        allowlist_version=draft.policy,
        at_s=now_s,
    )


def _answer(ask: Ask) -> None:
    if not ask.answer.set_running_or_notify_cancel():
        return
    try:
        ask.answer.set_result(ask.question())
    except Exception as error:  # noqa: BLE001 - goes to the asker, who reports it
        ask.answer.set_exception(error)
