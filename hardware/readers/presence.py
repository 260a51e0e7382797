"""When a card in the field is a tap: once, until it was away for `reread_s`. No clock and no device in here.

A card counts as away from the first look that missed it, not from the last that saw it: a device whose looks are
seconds apart doesn't turn a card that is held into a series of taps.
"""

from typing import Final

UNREADABLE: Final = b""
"""Stands for every card without a usable UID: one that is held is reported once, even if its UID is random."""

_MOST_REMEMBERED: Final = 64
"""Cards a person can put into one field, with room; beyond that the longest known is forgotten and may count again."""


class Presence:
    """The cards of one field. Not thread-safe: it belongs to the reader's thread."""

    def __init__(self, reread_s: float) -> None:
        self._reread_s = reread_s
        self._away_since_s: dict[bytes, float | None] = {}

    def look(self, uid: bytes | None, at_s: float) -> bool:
        """Take one look at the field: which card is there, None for none. True if this is a tap of that card."""
        self._forget_cards_long_gone(at_s)
        for other, away_since_s in self._away_since_s.items():
            if other != uid and away_since_s is None:
                self._away_since_s[other] = at_s
        if uid is None:
            return False
        tap = uid not in self._away_since_s
        if tap and len(self._away_since_s) >= _MOST_REMEMBERED:
            del self._away_since_s[next(iter(self._away_since_s))]
        self._away_since_s[uid] = None
        return tap

    def _forget_cards_long_gone(self, at_s: float) -> None:
        gone = [
            uid
            for uid, since_s in self._away_since_s.items()
            if since_s is not None and at_s - since_s >= self._reread_s
        ]
        for uid in gone:
            del self._away_since_s[uid]
