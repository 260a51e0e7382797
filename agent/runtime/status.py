"""The status document of interfaces: put together from what the workers publish, on whatever thread asks."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.ports import Clock, JournalStats
from agent.runtime.doors import DoorView, ReaderPlace
from agent.version import VERSION


@dataclass(frozen=True, slots=True)
class LinkState:
    """A way to the cloud, as status shows it."""

    state: str
    """online, offline, or off when the configuration has no [aws]."""
    last_ok_s: float | None
    """Seconds since it last worked; None if it never did."""
    trouble: str | None = None
    """A degraded reason, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where each part comes from."""

    device: str
    site: str
    clock: Clock
    clock_source: Callable[[], str | None]
    """Who tells the time; None while it is not known."""
    clock_disputed: Callable[[], bool]
    doors: Callable[[], Sequence[DoorView]]
    readers: Callable[[], Sequence[tuple[ReaderPlace, bool, int]]]
    """Where it hangs, whether it is ready, and its calls that do not return."""
    journal: Callable[[], JournalStats]
    list_held: Callable[[], tuple[int, int, int] | None]
    """Epoch, version, number of cards."""
    list_age_s: Callable[[], float]
    uplink: Callable[[], LinkState]
    sync: Callable[[], LinkState]
    troubles: Callable[[], Sequence[str]]
    """Degraded reasons that no other part tells."""
    inbox: Callable[[], int]
    """Messages that wait for the controller."""
    emulated_inputs: frozenset[str]
    card_names: Mapping[str, str]
    """Credential -> name from [emulated.cards]."""


def status(sources: Sources) -> Mapping[str, Any]:
    """The whole document."""
    now = sources.clock.now()
    doors = sources.doors()
    readers = sources.readers()
    journal = sources.journal()
    held = sources.list_held()
    age_s = sources.list_age_s()
    uplink, sync = sources.uplink(), sources.sync()
    degraded = [*sources.troubles()]
    degraded += [f"reader_lost:{place.name}" for place, ready, _ in readers if not ready]
    degraded += [f"worker_stalled:reader-{place.name}" for place, _, stuck in readers if stuck]
    degraded += [f"lock_fault:{view.id}" for view in doors if view.lock_fault is not None]
    degraded += ["journal_degraded"] if journal.degraded is not None else []
    degraded += ["no_allowlist"] if held is None else []
    degraded += ["clock_unsynced"] if not now.known else []
    degraded += ["clock_disputed"] if sources.clock_disputed() else []
    degraded += [link.trouble for link in (uplink, sync) if link.trouble is not None]
    return {
        "device": sources.device,
        "site": sources.site,
        "version": VERSION,
        "ready": bool(doors) and all(ready for _, ready, _ in readers),
        "degraded": degraded,
        "doors": [_door(view, sources, now.mono_s) for view in doors],
        "readers": [
            {
                "name": place.name,
                "driver": place.driver,
                "state": "ready" if ready else "lost",
                "door": place.door,
                "direction": place.direction.value,
                "stuck_calls": stuck,
            }
            for place, ready, stuck in readers
        ],
        "allowlist": {
            "epoch": None if held is None else held[0],
            "version": None if held is None else held[1],
            "age_s": None if math.isinf(age_s) else round(age_s, 1),
            "cards": 0 if held is None else held[2],
        },
        "journal": {
            "epoch": journal.epoch,
            "seq": journal.seq,
            "unsent": journal.unsent,
            "oldest_unsent_s": _age(journal.oldest_unsent_at, now.wall_s),
            "bytes": journal.bytes,
            "waiting": journal.waiting,
        },
        "inbox": sources.inbox(),
        "uplink": {"state": uplink.state, "last_ok_s": uplink.last_ok_s},
        "sync": {"state": sync.state, "last_ok_s": sync.last_ok_s},
        "clock": "synced" if now.known else "unsynced",
        "clock_source": sources.clock_source(),
        "cards": sorted(sources.card_names.values()),
    }


def _door(view: DoorView, sources: Sources, now_s: float) -> Mapping[str, Any]:
    state = view.state
    contact = {True: "open", False: "closed", None: "unknown"}[state.contact_open]
    until_s = state.unlocked_until_s
    last = view.last
    return {
        "id": view.id,
        "mode": state.mode.value,
        "lock": "unlocked" if state.unlocked else "locked",
        "state": state.name.value,
        "contact": contact,
        "fail": view.fail,
        "fire": state.fire,
        "inputs": dict(view.inputs),
        "emulated_inputs": [kind for kind in view.inputs if f"{view.id}.{kind}" in sources.emulated_inputs],
        "unlock_left_s": None if until_s is None else round(max(0.0, until_s - now_s), 2),
        "last": None
        if last is None
        else {
            "decision": "granted" if last.granted else "denied",
            "reason": last.reason,
            "text": last.text,
            "reader": last.reader,
            "direction": last.direction,
            "person": last.person,
            "card": sources.card_names.get(last.credential or ""),
            "event_id": last.event_id,
            "ago_s": round(max(0.0, now_s - last.at_s), 2),
        },
    }


def _age(at: str | None, wall_s: float) -> float | None:
    if at is None:
        return None
    return round(max(0.0, wall_s - datetime.fromisoformat(at).timestamp()), 1)
