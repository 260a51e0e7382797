"""What is known of the true time, told by two witnesses: the system's clock and the cloud's answers.

A witness is held as an anchor: a wall time at a place on the boot clock, which nobody sets and which counts suspended
time, so that the time goes on rightly whatever becomes of the system's clock. The witness with less doubt tells the
time. Where the two contradict each other the cloud does: its answers come over TLS, while a system's clock is usually
set over plain NTP. No witness is believed below the floor: the age of the release, the list in use, the newest time
that was told before. So a clock that is set back revives no card that has expired.

Must never do I/O or read a clock.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from agent.core.schedule import LAST_S

RELEASED_S: Final = 1_767_225_600.0
"""2026-01-01: no time before it can be true for this code. A release may raise it, never past its own day."""
MAX_ROUND_TRIP_S: Final = 5.0
"""An answer that took longer places its Date too loosely to decide by ..."""
MAX_SIGNED_TRIP_S: Final = 120.0
"""... and one that took this long even to sign by: half of it may be wrong, and AWS allows 300 s."""
SLACK_S: Final = 300.0
"""What still counts as the same time, as AWS has it for signatures. A witness that is this little below the floor is
taken for the floor itself: then the time stands still, for at most so long, until the witness has caught up."""
SETTLED_S: Final = 600.0
"""A told time raises the floor once it went on for so long without a jump: one odd answer must not poison it."""
CONFIRM_S: Final = 10.0
"""The cloud contradicts the time that is told only with two answers that agree, this far apart: for the same reason."""
_DRIFT: Final = 1e-4
"""By how much a boot clock may be fast or slow; twice the worst crystal of a Pi."""
_DATE: Final = "%a, %d %b %Y %H:%M:%S GMT"
"""The form that RFC 9110 has every server write."""
_DATE_STEP_S: Final = 1.0
"""A Date names a whole second that began up to so long ago."""


class Witness(StrEnum):
    """Who tells the time."""

    SYSTEM = "system"
    """The system's clock: the kernel says that it is synchronised, or the configuration that it is right."""
    CLOUD = "cloud"
    """The Date of answers of the cloud, over TLS."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A true time, as a witness tells it."""

    witness: Witness
    wall_s: float
    """Unix seconds ..."""
    boot_s: float
    """... at this second since boot."""
    doubt_s: float
    """By how much `wall_s` may be wrong."""

    def at(self, boot_s: float) -> float:
        """Unix seconds at another second since boot."""
        return self.wall_s + boot_s - self.boot_s

    def doubt_at(self, boot_s: float) -> float:
        """By how much `at` may be wrong: it grows with the distance."""
        return self.doubt_s + _DRIFT * abs(boot_s - self.boot_s)


@dataclass(frozen=True, slots=True)
class Validity:
    """When all certificates of a chain are valid, Unix seconds."""

    not_before_s: float
    not_after_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer over verified TLS says of the time."""

    date: str | None
    """Its Date header."""
    sent_s: float
    """When the request left and ..."""
    received_s: float
    """... the answer came, seconds since boot."""
    validity: Validity
    """Of the certificates that it came under."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest settled time that each witness told, Unix seconds. Outlives a reboot."""

    system_s: float = 0.0
    cloud_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Timekeeping:
    """All that is known of the time."""

    listed_s: float = 0.0
    """When the list in use was published, Unix seconds."""
    seen: Seen = Seen()
    system: Anchor | None = None
    cloud: Anchor | None = None
    heard: Anchor | None = None
    """What the cloud said last, believed or not: what its signatures are checked against."""
    contrary: Anchor | None = None
    """An answer that contradicts the told time and waits for another that agrees with it."""
    told: Anchor | None = None
    """The time; None while it is not known."""
    since_s: float = 0.0
    """Since when the told time has gone on without a jump, seconds since boot."""
    disputed: bool = False
    """The witnesses contradict each other."""


def floor_s(state: Timekeeping, witness: Witness) -> float:
    """What this witness is not believed below, Unix seconds. The cloud may correct what only the system told."""
    floor = max(RELEASED_S, state.listed_s, state.seen.cloud_s)
    return max(floor, state.seen.system_s) if witness is Witness.SYSTEM else floor


def advance(state: Timekeeping, boot_s: float, system_s: float | None) -> Timekeeping:
    """Weigh the witnesses anew; to be called every second or so.

    Args:
        state: What was known.
        boot_s: Seconds since boot, now.
        system_s: What the system's clock shows now, Unix seconds; None while there is no reason to believe it.
    """
    system = state.system if system_s is None else Anchor(Witness.SYSTEM, system_s, boot_s, 0.0)
    state = replace(state, system=system)
    chosen, disputed = _choose(state, boot_s)
    if chosen is None:
        return replace(state, told=None, disputed=False)
    wall_s = chosen.at(boot_s)
    told = replace(
        chosen,
        wall_s=max(wall_s, floor_s(state, chosen.witness)),
        boot_s=boot_s,
        doubt_s=chosen.doubt_at(boot_s),
    )
    goes_on = state.told is not None and abs(told.wall_s - state.told.at(boot_s)) <= SLACK_S
    since_s = state.since_s if goes_on else boot_s
    seen = state.seen
    if chosen.witness is Witness.CLOUD and wall_s < seen.system_s - SLACK_S:
        seen = replace(seen, system_s=wall_s)
    if boot_s - since_s >= SETTLED_S:
        seen = _raised(seen, chosen.witness, wall_s)
    return replace(state, told=told, since_s=since_s, seen=seen, disputed=disputed)


def hear(state: Timekeeping, answer: Answer) -> Timekeeping:
    """Take what an answer says; `advance` then tells the time by it."""
    heard = anchored(answer)
    if heard is None or _dated_wrong(answer):
        return state
    state = replace(state, heard=heard)
    is_loose = answer.received_s - answer.sent_s > MAX_ROUND_TRIP_S
    if is_loose or heard.wall_s < floor_s(state, Witness.CLOUD) - SLACK_S:
        return state
    known = state.told or state.cloud
    if known is None or _agree(known, heard, heard.boot_s):
        better = state.cloud is None or heard.doubt_s <= state.cloud.doubt_at(heard.boot_s)
        differs = state.cloud is not None and not _agree(state.cloud, heard, heard.boot_s)
        return replace(state, contrary=None, cloud=heard if better or differs else state.cloud)
    contrary = state.contrary
    if contrary is None or not _agree(contrary, heard, heard.boot_s):
        return replace(state, contrary=heard)
    if heard.boot_s - contrary.boot_s < CONFIRM_S:
        return state
    return replace(state, contrary=None, cloud=heard)


def anchored(answer: Answer) -> Anchor | None:
    """The answer's Date on the boot clock; None where it is no date, or came too slowly to tell when it was written."""
    took_s, date_s = answer.received_s - answer.sent_s, _date_s(answer.date)
    if date_s is None or not 0.0 <= took_s <= MAX_SIGNED_TRIP_S:
        return None
    doubt_s = (_DATE_STEP_S + took_s) / 2
    return Anchor(Witness.CLOUD, date_s + doubt_s, answer.received_s, doubt_s)


def certificate_problem(state: Timekeeping, boot_s: float, validity: Validity) -> str | None:
    """Why certificates with these dates are not to be taken, in OpenSSL's words; None: take them.

    While the time is not known they must not have expired before this release, nor before the newest time that the
    cloud told; when the answer comes, they must be valid at the time that it names (`answer_problem`). The list's time
    is no floor here: a site whose publisher has a wrong clock must still reach its doors to put that right.
    """
    if state.told is None:
        expired = validity.not_after_s < max(RELEASED_S, state.seen.cloud_s)
        return "certificate has expired" if expired else None
    told_s = state.told.at(boot_s)
    if told_s > validity.not_after_s:
        return "certificate has expired"
    return "certificate is not yet valid" if told_s < validity.not_before_s else None


def answer_problem(state: Timekeeping, answer: Answer) -> str | None:
    """Why an answer is not to be taken that came while the time was not known; None: take it."""
    if state.told is None and _dated_wrong(answer):
        return "certificate was not valid at the time that its answer names"
    return None


def to_sign_s(state: Timekeeping, boot_s: float, system_s: float) -> float:
    """The time to sign requests with, Unix seconds: the cloud's own, else the told, else the system's or the floor."""
    for known in (state.heard, state.told):
        if known is not None:
            return known.at(boot_s)
    return max(system_s, floor_s(state, Witness.SYSTEM))


def for_credentials_s(state: Timekeeping, boot_s: float) -> float:
    """The time to tell by whether credentials have expired, Unix seconds.

    Without a known time the floor: fresh ones must not look expired, and the cloud says so of old ones.
    """
    for known in (state.heard, state.told):
        if known is not None:
            return known.at(boot_s)
    return floor_s(state, Witness.SYSTEM)


def _date_s(date: str | None) -> float | None:
    """A Date header in Unix seconds; None where it is no date of this release's life."""
    if date is None:
        return None
    try:
        date_s = datetime.strptime(date, _DATE).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
    return date_s if RELEASED_S <= date_s < LAST_S else None


def _dated_wrong(answer: Answer) -> bool:
    """Whether the certificates were not valid at the time that the answer names, or it names none."""
    date_s, took_s = _date_s(answer.date), max(0.0, answer.received_s - answer.sent_s)
    validity = answer.validity
    return date_s is None or not validity.not_before_s - took_s - _DATE_STEP_S <= date_s <= validity.not_after_s


def _choose(state: Timekeeping, boot_s: float) -> tuple[Anchor | None, bool]:
    """Who tells the time, and whether the witnesses contradict each other."""
    usable = [
        anchor
        for anchor in (state.system, state.cloud)
        if anchor is not None and floor_s(state, anchor.witness) - SLACK_S <= anchor.at(boot_s) < LAST_S
    ]
    if len(usable) < 2:
        return (usable[0] if usable else None), state.system is not None and state.cloud is not None
    system, cloud = usable
    if not _agree(system, cloud, boot_s):
        return cloud, True
    return min(usable, key=lambda anchor: anchor.doubt_at(boot_s)), False


def _agree(one: Anchor, other: Anchor, boot_s: float) -> bool:
    return abs(one.at(boot_s) - other.at(boot_s)) <= SLACK_S


def _raised(seen: Seen, witness: Witness, wall_s: float) -> Seen:
    if witness is Witness.CLOUD:
        return replace(seen, cloud_s=max(seen.cloud_s, wall_s))
    return replace(seen, system_s=max(seen.system_s, wall_s))
