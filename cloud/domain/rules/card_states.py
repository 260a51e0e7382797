"""The life of a card as one table: which request leads from where to where. Must hold no other rule.

Requests reach the processors in any order. So those that block a card are taken in every state, and never weaken what
is already known of it: in whichever order they come, the card ends in the gravest. What lets a blocked card work again
must have been asked for after whatever blocked it.
"""

from collections.abc import Mapping
from typing import Final

from cloud.domain.payloads import RequestType
from cloud.domain.rules.entities import CardState

_GRAVITY: Final[Mapping[CardState, int]] = {
    CardState.UNISSUED: 0,
    CardState.ISSUED: 0,
    CardState.RETURNED: 0,
    CardState.EXPIRED: 0,
    CardState.LOST: 1,
    CardState.REVOKED: 2,
    CardState.STOLEN: 3,
    CardState.DESTROYED: 4,
}
"""Stolen above revoked: a door that sees such a card must say that it was stolen. Destroyed is final."""


def _at_least(blocked: CardState) -> Mapping[CardState, CardState]:
    return {state: max(state, blocked, key=_GRAVITY.__getitem__) for state in CardState}


_ISSUABLE: Final = {CardState.UNISSUED: CardState.ISSUED, CardState.RETURNED: CardState.ISSUED}

MOVES: Final[Mapping[RequestType, Mapping[CardState, CardState]]] = {
    RequestType.CARD_ISSUE: _ISSUABLE,
    RequestType.CARD_RETURN: {
        CardState.ISSUED: CardState.RETURNED,
        CardState.EXPIRED: CardState.RETURNED,
        CardState.LOST: CardState.RETURNED,
        CardState.RETURNED: CardState.RETURNED,
    },
    RequestType.CARD_EXPIRE: {
        CardState.ISSUED: CardState.EXPIRED,
        CardState.EXPIRED: CardState.EXPIRED,
    },
    RequestType.CARD_REACTIVATE: {
        CardState.EXPIRED: CardState.ISSUED,
        CardState.LOST: CardState.ISSUED,
        CardState.ISSUED: CardState.ISSUED,
    },
    RequestType.CARD_REPORT_LOST: _at_least(CardState.LOST),
    RequestType.CARD_REVOKE: _at_least(CardState.REVOKED),
    RequestType.CARD_REPORT_STOLEN: _at_least(CardState.STOLEN),
    RequestType.CARD_DESTROY: _at_least(CardState.DESTROYED),
}
"""By request, from state to state. Not there: refused. To itself: done already, nothing changes.

A stolen or revoked card never comes back, not even to the pool: nobody knows who copied it. A lost one may be found.
"""

BLOCKING: Final = frozenset(
    {
        RequestType.CARD_REPORT_LOST,
        RequestType.CARD_REVOKE,
        RequestType.CARD_REPORT_STOLEN,
        RequestType.CARD_DESTROY,
    }
)

HELD_BACK: Final = frozenset({CardState.RETURNED, CardState.EXPIRED, CardState.LOST})
"""Left, except to a graver state, only by what was asked for later than what led there."""


def needs_later(before: CardState, kind: RequestType) -> bool:
    """Whether a request of this kind may move such a card only if it is the younger one."""
    return before in HELD_BACK and kind not in BLOCKING and MOVES[kind].get(before) != before
