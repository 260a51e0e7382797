"""The rules of the back office, pure: what a request comes to, given what lies in the table. Must never do I/O.

`apply` is the one way in for everything but imports, which run in steps. The rules are generators: they yield the keys
that they must know and return an outcome (cloud.domain.outcome).
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from cloud.contract.itemcodec import instant_text
from cloud.domain.envelope import Envelope
from cloud.domain.fields import Fields
from cloud.domain.outcome import Rejected, Rules
from cloud.domain.payloads import PAYLOADS, RequestType
from cloud.domain.rules import cards, people
from cloud.domain.rules.draft import Asked, BrokenDataError, Draft, Refused, Steps
from cloud.domain.rules.permitted import permitted

__all__ = ["BrokenDataError", "apply", "permitted"]

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
}


def apply(envelope: Envelope, content: Fields, now_s: float) -> Rules:
    """What a request comes to at `now_s` (Unix seconds); `content` is the envelope's, read.

    The roles in the envelope must be those that held when it was made: whoever calls this has made sure of them.
    Raises BrokenDataError and pydantic.ValidationError for a table that is not as these rules left it.
    """
    if not isinstance(content, PAYLOADS[envelope.type]):
        raise TypeError(f"{envelope.type}: the content is that of another type")
    if not permitted(envelope.type, envelope.operator.roles):
        return Rejected("not_permitted", f"None of your roles allowed {envelope.type} when this was asked for.")
    draft = Draft(envelope.site)
    try:
        summary = yield from _RULES[envelope.type](draft, _asked(envelope, now_s), content)
    except Refused as refused:
        return refused.rejected
    return draft.outcome(summary)


def _asked(envelope: Envelope, now_s: float) -> Asked:
    return Asked(
        request=envelope.id,
        site=envelope.site,
        at=envelope.at,
        subject=envelope.operator.subject,
        now=instant_text(int(now_s)),
    )
