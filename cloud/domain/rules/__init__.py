"""The rules of the back office, pure: what a request comes to, given what lies in the table. Must never do I/O.

`apply` is the way in for everything but imports, which run in steps: `importing` plans them, `check_rows` and
`apply_rows` take one step each. The rules are generators: they yield the keys that they must know and return an outcome
(cloud.domain.outcome).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from cloud.contract.itemcodec import instant_text
from cloud.domain.envelope import Envelope
from cloud.domain.fields import Fields
from cloud.domain.outcome import Applied, Rejected, Rules
from cloud.domain.payloads import PAYLOADS, ImportPeople, ImportRow, RequestType
from cloud.domain.rules import cards, imports, people, permissions, places, system
from cloud.domain.rules.draft import Asked, BrokenDataError, Draft, Refused, Steps
from cloud.domain.rules.imports import Plan, RowProblem
from cloud.domain.rules.permitted import permitted
from cloud.domain.rules.place_entities import Area, Building, Door, Group, Holidays, Schedule

__all__ = ["BrokenDataError", "Plan", "RowProblem", "apply", "apply_rows", "check_rows", "importing", "permitted"]

_Rule = Callable[[Draft, Asked, Any], Steps[Mapping[str, Any]]]

_RULES: Final[Mapping[RequestType, _Rule]] = {
    RequestType.CARD_REGISTER: cards.register,
    RequestType.CARD_ISSUE: cards.issue,
    RequestType.CARD_RETURN: partial(cards.change, RequestType.CARD_RETURN),
    RequestType.CARD_REPORT_LOST: partial(cards.change, RequestType.CARD_REPORT_LOST),
    RequestType.CARD_REPORT_STOLEN: partial(cards.change, RequestType.CARD_REPORT_STOLEN),
    RequestType.CARD_DESTROY: partial(cards.change, RequestType.CARD_DESTROY),
    RequestType.CARD_EXPIRE: partial(cards.change, RequestType.CARD_EXPIRE),
    RequestType.CARD_REVOKE: partial(cards.change, RequestType.CARD_REVOKE),
    RequestType.CARD_REACTIVATE: cards.reactivate,
    RequestType.CARD_REPLACE: cards.replace_card,
    RequestType.PERSON_CREATE: people.create,
    RequestType.PERSON_UPDATE: people.update,
    RequestType.PERSON_ACTIVATE: people.activate,
    RequestType.PERSON_DEACTIVATE: people.deactivate,
    RequestType.PERMISSION_GRANT: permissions.grant,
    RequestType.PERMISSION_END: permissions.end,
    RequestType.BUILDING_PUT: places.put_building,
    RequestType.BUILDING_REMOVE: partial(places.remove, Building),
    RequestType.AREA_PUT: places.put_area,
    RequestType.AREA_REMOVE: partial(places.remove, Area),
    RequestType.DOOR_PUT: places.put_door,
    RequestType.DOOR_REMOVE: partial(places.remove, Door),
    RequestType.GROUP_PUT: places.put_group,
    RequestType.GROUP_REMOVE: partial(places.remove, Group),
    RequestType.SCHEDULE_PUT: places.put_schedule,
    RequestType.SCHEDULE_REMOVE: partial(places.remove, Schedule),
    RequestType.HOLIDAYS_PUT: places.put_holidays,
    RequestType.HOLIDAYS_REMOVE: partial(places.remove, Holidays),
    RequestType.DEVICE_REGISTER: system.register_device,
    RequestType.DEVICE_RETIRE: system.retire_device,
    RequestType.OPERATOR_GRANT: system.grant_role,
    RequestType.OPERATOR_END: system.end_role,
}


def apply(envelope: Envelope, content: Fields, now_s: float) -> Rules:
    """What a request comes to at `now_s` (Unix seconds); `content` is the envelope's, read. Not for people.import.

    The roles in the envelope must be those that held when it was made: whoever calls this has made sure of them.
    Raises BrokenDataError and pydantic.ValidationError for a table that is not as these rules left it.
    """
    rule = _RULES[envelope.type]
    if (refused := _refused(envelope, content)) is not None:
        return refused
    draft = Draft(envelope.site)
    try:
        summary = yield from rule(draft, _asked(envelope, now_s), content)
    except Refused as refusal:
        return refusal.rejected
    return draft.outcome(summary)


def importing(envelope: Envelope, content: ImportPeople) -> Plan | Rejected:
    """The steps of an import, and the rows that can't be applied whatever lies in the table."""
    return _refused(envelope, content) or imports.plan(content.rows)


def apply_rows(
    envelope: Envelope, rows: Sequence[ImportRow], now_s: float
) -> Steps[tuple[tuple[RowProblem, ...], Applied]]:
    """What one chunk of a plan comes to: the rows that can't be applied, and the transaction of the others."""
    return (yield from imports.apply_rows(_asked(envelope, now_s), rows))


def check_rows(envelope: Envelope, rows: Sequence[ImportRow], now_s: float) -> Steps[tuple[RowProblem, ...]]:
    """What of a chunk could not be applied as things are: asked of all chunks before the first, for all or nothing."""
    problems, _ = yield from imports.apply_rows(_asked(envelope, now_s), rows)
    return problems


def _refused(envelope: Envelope, content: Fields) -> Rejected | None:
    if not isinstance(content, PAYLOADS[envelope.type]):
        raise TypeError(f"{envelope.type}: the content is that of another type")
    if not permitted(envelope.type, envelope.operator.roles):
        return Rejected("not_permitted", f"None of your roles allowed {envelope.type} when this was asked for.")
    return None


def _asked(envelope: Envelope, now_s: float) -> Asked:
    return Asked(
        request=envelope.id,
        site=envelope.site,
        at=envelope.at,
        subject=envelope.operator.subject,
        now=instant_text(int(now_s)),
    )
