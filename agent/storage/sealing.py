"""From a stamped event to a sealed one: its place in the chain, and its bytes within the bound. Pure."""

from dataclasses import replace
from typing import Final

from agent.core.events import EventDraft, StampedEvent
from cloud.contract.canonical import canonical_bytes
from cloud.contract.events import GENESIS, MAX_EVENT_BYTES, Event, check_fields, event_id

_WIDEST: Final = 10**12
"""An epoch and seq as wide as they ever get, so that an event that fits here fits everywhere in the chain."""


def seal(stamped: StampedEvent, device: str, site: str, epoch: int, seq: int, prev: str) -> Event:
    """The event at this place of the device's chain."""
    draft = stamped.draft
    return Event(
        id=event_id(device, epoch, seq),
        device=device,
        site=site,
        epoch=epoch,
        seq=seq,
        prev=prev,
        type=draft.type,
        at=stamped.at,
        clock=stamped.clock,
        boot=stamped.boot,
        mono_ms=stamped.mono_ms,
        online=stamped.online,
        door=draft.door,
        reader=draft.reader,
        direction=draft.direction,
        reason=draft.reason,
        credential=draft.credential,
        person=draft.person,
        policy=draft.policy,
        detail=None if draft.detail is None else dict(draft.detail),
    )


def fit(stamped: StampedEvent, device: str, site: str) -> StampedEvent:
    """The same event with as much of its detail as fits into MAX_EVENT_BYTES, and a note of what was cut.

    Raises ContractError (a ValueError) or TypeError for an event that no consumer could read: a fault of the caller
    that must show here and not as a poisoned journal.
    """
    detail = stamped.draft.detail
    if not detail:
        # Nothing else of an event has room to grow: there are ids of up to 64, numbers and the boot id.
        check_fields(_widest(stamped, device, site))
        return stamped
    if _size(stamped, device, site) <= MAX_EVENT_BYTES:
        return stamped
    kept: dict[str, str | int | float | bool | None] = {"cut": len(detail)}
    room = MAX_EVENT_BYTES - _size(_with_detail(stamped, kept), device, site)
    by_size = sorted((len(canonical_bytes({name: value})), name) for name, value in detail.items() if name != "cut")
    for bytes_needed, name in by_size:
        if bytes_needed > room:
            break
        kept |= {name: detail[name], "cut": len(detail) - len(kept)}
        room -= bytes_needed
    return _with_detail(stamped, kept)


def _with_detail(stamped: StampedEvent, detail: dict[str, str | int | float | bool | None]) -> StampedEvent:
    draft: EventDraft = replace(stamped.draft, detail=detail)
    return replace(stamped, draft=draft)


def _size(stamped: StampedEvent, device: str, site: str) -> int:
    event = _widest(stamped, device, site)
    check_fields(event)
    return len(event.canonical())


def _widest(stamped: StampedEvent, device: str, site: str) -> Event:
    return seal(stamped, device, site, _WIDEST, _WIDEST, GENESIS)
