"""Controllers whose records are believed, and roles of the staff."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloud.domain.payloads import DeviceChange, EndRole, GrantRole, RegisterDevice
from cloud.domain.roles import Role
from cloud.domain.rules.draft import Asked, Draft, Refused, Steps, refuse_overtaken
from cloud.domain.rules.entities import Device, DeviceStatus, StaffRole
from cloud.domain.rules.places import check_references

Summary = Mapping[str, Any]


def register_device(draft: Draft, asked: Asked, content: RegisterDevice) -> Steps[Summary]:
    """A controller is believed from now on: also again after it was retired, and with other keys or doors.

    Not if it was retired after this was asked for, or at the same instant: it may be stolen.
    """
    before = yield from _device_here(draft, content.device)
    if before is not None:
        refuse_overtaken(asked, Device, before.device, before.changed_at)
        if before.status is DeviceStatus.RETIRED and asked.at == before.changed_at:
            raise Refused("device_changed_since", f"Device {before.device} was retired when this was asked for.")
    doors = tuple(dict.fromkeys(content.doors))
    registered = DeviceStatus.REGISTERED
    seen = None if before is None else before.last_seen
    device = Device(content.device, draft.site, registered, asked.at, tuple(content.keys), doors, seen)
    yield from check_references(draft, () if before is None else before.references(), device.references())
    draft.put(device)
    return {"device": device.device, "status": registered.value, "doors": list(doors)}


def retire_device(draft: Draft, asked: Asked, content: DeviceChange) -> Steps[Summary]:
    """Nothing that a controller sends is believed any more. Its keys are still in the request that registered it."""
    device = yield from _device_here(draft, content.device)
    if device is None:
        raise Refused("device_unknown", f"There is no device {content.device}.")
    if device.status is DeviceStatus.REGISTERED:
        refuse_overtaken(asked, Device, device.device, device.changed_at)
    # Said once more, it is said later: a registration that was asked for before was overtaken by this too.
    later = max(asked.at, device.changed_at)
    draft.put(replace(device, status=DeviceStatus.RETIRED, changed_at=later, keys=(), doors=()))
    return {"device": device.device, "status": DeviceStatus.RETIRED.value}


def grant_role(draft: Draft, asked: Asked, content: GrantRole) -> Steps[Summary]:
    """A member of staff may act in a role; never for the time before, to make good what was asked without."""
    start = _second(asked.at)
    role = StaffRole(
        grant=asked.request,
        subject=content.subject,
        role=content.role,
        site=draft.site,
        valid_from=max(content.valid_from or start, start),
        granted_by=asked.subject,
        valid_until=content.valid_until,
    )
    if role.valid_until is not None and role.valid_until <= role.valid_from:
        raise Refused("role_over", "valid_until is over already.")
    yield from draft.find(StaffRole, role.id)
    draft.put(role)
    return {"grant": role.grant, "subject": role.subject, "role": role.role.value}


def end_role(draft: Draft, asked: Asked, content: EndRole) -> Steps[Summary]:
    """A role ends at the moment when this was asked; the item stays, to judge what was asked before.

    No administrator ends being one by their own hand: so there is always one left at a site that had one.
    """
    role = yield from draft.find(StaffRole, f"{content.subject}#{content.grant}")
    if role is None:
        raise Refused("grant_unknown", f"{content.subject} has no role by grant {content.grant}.")
    if role.role is Role.ADMINISTRATOR and role.subject == asked.subject:
        raise Refused("own_administrator_role", "Another administrator must end this role.")
    until = _second(asked.at)
    if role.valid_until is None or until < role.valid_until:
        draft.put(replace(role, valid_until=until, ended_by=asked.subject))
    return {"grant": role.grant, "subject": role.subject, "role": role.role.value, "status": "ended"}


def _device_here(draft: Draft, name: str) -> Steps[Device | None]:
    device = yield from draft.find(Device, name)
    if device is not None and device.site != draft.site:
        raise Refused("device_elsewhere", f"Device {name} belongs to another site.")
    return device


def _second(at: str) -> str:
    """An instant with milliseconds, cut to the second: a role that begins or ends then does so a little early."""
    return f"{at[:19]}Z"
