"""SIGKILL during the very first start of a controller: the next start must be as good as the first would have been.

Keys, journal, list and state are made then, one after the other; whatever is half made must be finished or made anew.
"""

import random
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from agent.storage.verify import verify
from cloud.contract.events import EventType
from tests.faults.busy_door import CONFIG
from tests.faults.ledger import Problems
from tests.rigs import site
from tests.rigs.daemon import Daemon
from tests.rigs.waiting import wait_for

_MADE: Final = (
    "allowlist.db",
    "device.key",
    "journal.db",
    "journal.db-wal",
    "journal.db.new",
    "journal.epoch",
    "state.db",
)
"""Files whose making is waited for, to kill right then; some are there for a moment only."""
_MADE_S: Final = 2.0
_LATER_S: Final = 0.02
_KNOWN_TROUBLES: Final = frozenset({"no_list_verify_key", "no_allowlist"})


def birth(home: Path, chosen: random.Random, usual_s: float, problems: Problems) -> int:
    """One controller's birth in `home`, which does not exist and is gone afterwards; how often it was killed."""
    newborn = Daemon(home, CONFIG, keys={"card-hash.key": site.KEYS["card-hash.key"]})
    kills = chosen.choice((1, 1, 2, 3))
    try:
        for _ in range(kills):
            newborn.start(ready=False)
            _wait_moment(newborn.state_dir, chosen, usual_s)
            newborn.kill()
        newborn.start()
        _check(newborn, problems)
    finally:
        if newborn.process is not None:
            newborn.kill()
    if (broken := verify(newborn.state_dir / "journal.db")) is not None:
        problems.add(f"a newborn's journal is broken at event {broken.seq}: {broken.what}")
    shutil.rmtree(home)
    return kills


def _wait_moment(state_dir: Path, chosen: random.Random, usual_s: float) -> None:
    """Anywhere in a start, or right after one of its files was made."""
    if chosen.random() < 0.3:
        time.sleep(chosen.uniform(0.0, 1.2 * usual_s))
        return
    name = chosen.choice(_MADE)
    with suppress(AssertionError):  # too short-lived to be seen, or there from the start before
        wait_for((state_dir / name).exists, name, _MADE_S)
    time.sleep(chosen.uniform(0.0, _LATER_S))


def _check(newborn: Daemon, problems: Problems) -> None:
    """One history from its first event on, a start for each of its lives, and nothing amiss."""
    events = newborn.all_events()
    seqs = [(event["epoch"], event["seq"]) for event in events]
    if seqs != [(1, seq) for seq in range(1, len(seqs) + 1)]:
        problems.add(f"a newborn's events are {seqs}")
    if {event["type"] for event in events} - {EventType.AGENT_STARTED.value, EventType.JOURNAL_DEGRADED.value}:
        problems.add(f"a newborn recorded {[event['type'] for event in events]}")
    if troubles := set(newborn.status()["degraded"]) - _KNOWN_TROUBLES:
        problems.add(f"a newborn is degraded: {sorted(troubles)}")
    if newborn.tap(site.ALICE, "front-out")["decision"] != "granted":
        problems.add("a newborn lets nobody out")
    for litter in newborn.state_dir.glob("*.tmp"):
        problems.add(f"a newborn left {litter.name} behind")
