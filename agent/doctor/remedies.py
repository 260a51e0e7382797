"""What to do about each degraded reason that `cardea status` gives: one table for status and the self-test.

Keys are reasons without what follows the colon (`reader_lost:lobby-in`). A test holds the table to the code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from agent.doctor.finding import Verdict


@dataclass(frozen=True, slots=True)
class Remedy:
    """A degraded reason in a person's words."""

    verdict: Verdict
    means: str
    todo: str


REMEDIES: Final[Mapping[str, Remedy]] = {
    "no_card_hash_key": Remedy(
        Verdict.FAIL,
        "The site's card-hash key is missing or unusable: every entry is denied.",
        "Put the site's key where `device.card_hash_key` says and restart the agent.",
    ),
    "no_list_verify_key": Remedy(
        Verdict.FAIL,
        "None of the keys in `allowlist.verify_keys` is usable: no list is taken.",
        "Put the site's public key there and restart the agent.",
    ),
    "no_allowlist": Remedy(
        Verdict.FAIL,
        "The door has no list, or none that it can read: every entry is denied.",
        "See the disk and cloud lines: the network, the credentials, and that the site has published a list.",
    ),
    "allowlist_refused": Remedy(
        Verdict.FAIL,
        "The site's newest list was refused; the door decides by the one before it.",
        "`cardea events` shows allowlist.refused with its reason. Tell the administrator before anything is changed.",
    ),
    "uplink_refused": Remedy(
        Verdict.WARN,
        "The stream refuses some of the events for good; they are kept and tried again.",
        "See the log (uplink lines) for what it says, and check the stream's name and the device's permissions.",
    ),
    "journal_degraded": Remedy(
        Verdict.FAIL,
        "The disk does not take events, or not in time; they wait in memory and a power cut would lose them.",
        "See the disk lines: full, worn or read-only. Replace a worn card; the agent goes on by itself.",
    ),
    "clock_unsynced": Remedy(
        Verdict.WARN,
        "The time is not known: timed rights are decided by `door.clock_unknown`.",
        "Let the machine reach a time server (`timedatectl`), or give it a clock with a battery.",
    ),
    "clock_disputed": Remedy(
        Verdict.WARN,
        "The system's clock and the cloud's contradict each other.",
        "Find out what sets the system's clock wrong (`timedatectl timesync-status`), and mend that.",
    ),
    "reader_lost": Remedy(
        Verdict.FAIL,
        "The reader does not answer; nobody can present a card to it.",
        "Check plug, cable and power. `cardea readers` shows what is attached; see the readers lines.",
    ),
    "lock_fault": Remedy(
        Verdict.FAIL,
        "The lock's relay can't be driven.",
        "See the gpio lines and the log (lock lines). Guard the door until it is mended.",
    ),
    "worker_failed": Remedy(
        Verdict.FAIL,
        "A part of the agent died and is being restarted.",
        "See the log (worker.failed) for why; report it if it comes again.",
    ),
    "worker_stalled": Remedy(
        Verdict.FAIL,
        "A part of the agent has not moved for 10 seconds.",
        "See the log; a device that hangs is the usual cause. Unplug it, or restart the agent.",
    ),
}
UNKNOWN: Final = Remedy(Verdict.WARN, "A reason that this release does not know.", "See the agent's log.")


def remedy_of(reason: str) -> Remedy:
    """What to do about a degraded reason, whatever comes after its colon."""
    return REMEDIES.get(reason.partition(":")[0], UNKNOWN)
