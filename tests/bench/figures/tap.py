"""Tap to relay, the event fsynced in between: the daemon as a process with an emulated reader and lock.

The bare commit is measured between the taps, so that both meet the same disk in the same mood.
"""

import random
from collections.abc import Sequence

from cloud.contract.events import parse_event
from tests.bench import doors, site
from tests.bench.commit import bare_table, commit_ms
from tests.bench.context import Context
from tests.bench.result import Figure, Row, at_most, measure
from tests.rigs.daemon import Daemon
from tests.rigs.site import KEYS

P99_MS = 10.0
TIMES_THE_COMMIT = 1.5
_WARM = 20
_SEED = 2


def run(context: Context) -> Sequence[Row]:
    """Each tap is of another card; one at a time, as at a real reader."""
    rounds = context.rounds(1000, 100)
    chosen = random.Random(_SEED)
    home = context.folder()
    daemon = Daemon(home, doors.DOOR, keys=KEYS)
    context.stocked(daemon.state_dir)
    taps_ms: list[float] = []
    commits_ms: list[float] = []
    with daemon, daemon.client() as client, bare_table(home / "bare.db") as db:
        body = b""
        for number in range(_WARM + rounds):
            card = site.uid(chosen.randrange(context.cards))
            result = client.request("tap", card=card, reader="front-in")["result"]
            assert result["decision"] == "granted", result["reason"]
            if not body:
                stored = client.request("events")["events"][-1]
                stored.pop("sent")
                body = parse_event(stored).canonical()
            floor_ms = commit_ms(db, body)
            if number >= _WARM:
                taps_ms.append(result["latency_ms"])
                commits_ms.append(floor_ms)
        daemon.stop()
    ours = measure("tap to relay, recorded on disk", "ms", taps_ms)
    bare = measure(f"SQLite commit of the same {len(body)} bytes, synchronous=FULL", "ms", commits_ms)
    return [
        Row(
            ours,
            bare,
            (
                at_most("p99", "ms", P99_MS, ours.p99),
                at_most("p99 over the bare commit's", "x", TIMES_THE_COMMIT, ours.p99 / bare.p99),
            ),
            (f"median above the bare commit's: {ours.median - bare.median:.2f} ms",),
        )
    ]


FIGURE = Figure("tap", "Tap to relay", run)
