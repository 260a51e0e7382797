"""Does this machine know the time? The skew against the cloud's clock is told by the cloud's check, which has it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from agent.core.timekeeping import RELEASED_S
from agent.doctor.finding import Area, Finding, Line
from agent.doctor.scene import Scene
from agent.system_clock import SystemClock

SYNCHRONISED: Final = Line(
    Area.CLOCK,
    "synchronised",
    "The kernel says that its clock is kept by a time service. Warns when not, and when the daemon does not know the "
    "time all the same.",
    "timedatectl set-ntp true, and let the machine reach a time server.",
)
PLAUSIBLE: Final = Line(
    Area.CLOCK,
    "plausible",
    "The clock is neither before this release was made nor decades after. Fails otherwise.",
    "Set the clock: timedatectl set-ntp true, or by hand: timedatectl set-time '2026-01-31 12:00:00'.",
)
SKEW: Final = Line(
    Area.CLOCK,
    "skew",
    "The clock against the Date of the cloud's answer. Warns from 5 s on; fails from 300 s on, where AWS refuses "
    "signatures.",
    "timedatectl set-ntp true, and let the machine reach a time server.",
)
BATTERY: Final = Line(
    Area.CLOCK,
    "battery clock",
    "A clock that runs on without power. Warns when there is none: after a power cut without a network the door does "
    "not know the time.",
    "Fit a clock module such as DS3231 (dtoverlay=i2c-rtc,ds3231), or the battery of a Raspberry Pi 5.",
)
LINES: Final = (SYNCHRONISED, PLAUSIBLE, SKEW, BATTERY)

MAX_AGE_YEARS: Final = 20
"""A clock this long after the release is broken, rather than the release that old."""
SKEW_WARNS_S: Final = 5.0
"""Schedules and records are to be right to a few seconds; an answer's Date has no finer grain than one."""
SKEW_FAILS_S: Final = 300.0
"""AWS refuses what was signed further than this from its own time."""


def look(scene: Scene) -> Iterator[Finding]:
    """All lines of this area but the skew."""
    trusted = scene.config.device.clock == "trusted"
    told = None if scene.told.status is None else str(scene.told.status.get("clock"))
    yield judge_synchronised(SystemClock("kernel").now().known, trusted=trusted, told=told)
    yield judge_plausible(datetime.fromtimestamp(time.time(), UTC), datetime.fromtimestamp(RELEASED_S, UTC))
    clocks = sorted(entry.name for entry in (scene.root / "sys/class/rtc").glob("rtc*"))
    yield judge_battery(clocks, trusted=trusted)


def judge_synchronised(known: bool, *, trusted: bool, told: str | None) -> Finding:
    """What the kernel says of its clock; `told`: what the running daemon says, None when there is none."""
    if known and told == "unsynced":
        return SYNCHRONISED.warns(
            "a time service keeps the kernel's clock, yet the daemon does not know the time",
            "If it stays so for a minute: run systemd/install.sh of this release, then systemctl restart cardea",
        )
    if known:
        return SYNCHRONISED.passes("the kernel's clock is kept by a time service")
    if trusted:
        effect = "the agent trusts it all the same (device.clock)"
    elif told == "synced":
        effect = "the daemon knows the time all the same"
    else:
        effect = "the agent does not know the time by it"
    return SYNCHRONISED.warns(f"no time service keeps the kernel's clock; {effect}")


def judge_plausible(now: datetime, released: datetime) -> Finding:
    """Whether it can be this late at all."""
    shown = now.strftime("%Y-%m-%d %H:%M:%S UTC")
    if now < released:
        return PLAUSIBLE.fails(f"{shown} is before this release was made ({released:%Y-%m-%d})")
    if now.year - released.year > MAX_AGE_YEARS:
        return PLAUSIBLE.fails(f"{shown} is {now.year - released.year} years after this release")
    return PLAUSIBLE.passes(shown)


def judge_skew(ours_s: float, theirs_s: float, who: str) -> Finding:
    """Our clock against another's, both in seconds since 1970."""
    skew_s = ours_s - theirs_s
    direction = "ahead of" if skew_s > 0 else "behind"
    if abs(skew_s) < SKEW_WARNS_S:
        return SKEW.passes(f"within {SKEW_WARNS_S:g} s of {who}")
    text = f"{abs(skew_s):.0f} s {direction} {who}"
    return SKEW.fails(f"{text}: AWS refuses our signatures") if abs(skew_s) >= SKEW_FAILS_S else SKEW.warns(text)


def judge_battery(clocks: list[str], *, trusted: bool) -> Finding:
    """Whether the time outlives a power cut."""
    if clocks:
        return BATTERY.passes(", ".join(clocks))
    if trusted:
        return BATTERY.warns("none in sight, yet `device.clock` is trusted", 'Set device.clock = "kernel", or fit one.')
    return BATTERY.warns("none: after a power cut the time is unknown until a time server answers")
