"""Stable codes: why a door decided as it did. Consumers match on them; the texts are for people and may change."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Why access was granted or denied, or why a door did what it did."""

    text: str

    def __new__(cls, code: str, text: str) -> "Reason":
        """Make a member that is its code and carries its explanation."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.text = text
        return member

    @classmethod
    def of(cls, code: str) -> "Reason":
        """The reason with this code; raises KeyError for a code that is none."""
        return _BY_CODE[code]

    # granted
    ALLOWED = "allowed", "Every check passed."
    EXIT = "exit", "Exit is always granted; what a check would have said is in `detail.noted`."
    DOOR_UNLOCKED = "door_unlocked", "The door is in unlocked mode; groups and schedules were not asked."
    # denied: the card
    UNKNOWN_CARD = "unknown_card", "The card is not on the allow-list."
    REVOKED = "revoked", "The card was revoked."
    LOST = "lost", "The card was reported lost."
    STOLEN = "stolen", "The card was reported stolen."
    INACTIVE_CARD = "inactive_card", "The card is not issued, suspended, returned or destroyed."
    CARD_UNREADABLE = "card_unreadable", "The card answered nonsense or left in the middle of the exchange."
    # denied: the person
    INACTIVE_PERSON = "inactive_person", "The person is not active."
    # denied: time
    NOT_YET_VALID = "not_yet_valid", "The validity of the card, the person or the membership in a group has not begun."
    EXPIRED = "expired", "The validity of the card, the person or the membership in a group is over."
    # denied: rights
    NO_GROUP = "no_group", "No access group of the person opens this door."
    OUTSIDE_SCHEDULE = "outside_schedule", "A group opens this door, but not at this time."
    HOLIDAY = "holiday", "A group opens this door at this time, but not on a holiday."
    # denied: the door
    LOCKDOWN = "lockdown", "The door is in lockdown."
    DOOR_DISABLED = "door_disabled", "The door is disabled."
    PASSBACK = "passback", "Anti-passback: the person is already in the area that this reader leads to."
    # denied: what the door itself does not know
    NO_ALLOWLIST = "no_allowlist", "The door has no allow-list yet."
    STALE_ALLOWLIST = (
        "stale_allowlist",
        "The allow-list is older than the door's limit and the person is in none of the named groups.",
    )
    CLOCK_UNKNOWN = "clock_unknown", "The door does not know the time, and this right depends on it."
    # why a door unlocked or locked without a card
    MODE = "mode", "The mode of the door changed."
    FIRE = "fire", "The fire input is active, or was and has not been reset."
    # allow-list
    ROLLBACK = "rollback", "The offered list is not newer than the one in use."
    BAD_SIGNATURE = "bad_signature", "No trusted key signed the offered list."
    BAD_HASH = "bad_hash", "The offered list does not have the bytes that were signed."
    WRONG_SITE = "wrong_site", "The offered list was signed for another site."
    SHRINK = "shrink", "The change removes more than a fifth of the list and is not signed as meant."
    MALFORMED = "malformed", "The offered list, delta or head can't be read."
    UNKNOWN_VERSION = (
        "unknown_version",
        "An item of a schema version or kind that this release does not know.",
    )


_BY_CODE: Final[Mapping[str, Reason]] = {reason.value: reason for reason in Reason}
