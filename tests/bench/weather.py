"""How the endpoint treats a client: all goes well, single records fail, or shards are throttled in bursts."""

import random
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tests.rigs.fault_kinesis import OK, Answer, Entry, Script

THROTTLED: Final = "ProvisionedThroughputExceededException"
FAULTS: Final = 0.05
"""Part of the records that fail, each by a draw of its own: half of them throttled, half with an internal failure."""
SHARDS: Final = 4
BURST_S: Final = 0.2
"""A shard takes nothing for so long ..."""
EVERY_S: Final = 1.0
"""... once in this time, each shard at another moment of it: throttling hits all that goes to a shard at once."""
_SEED: Final = 5


def clean(_: Sequence[Entry]) -> Answer:
    """Every record is taken."""
    return OK


def faults(draw: random.Random | None = None) -> Script:
    """5 % of the records are not taken."""
    chance = draw or random.Random(_SEED)

    def script(entries: Sequence[Entry]) -> Answer:
        drawn = {place: chance.random() for place in range(len(entries))}
        return Answer(
            record_errors={
                place: THROTTLED if value < FAULTS / 2 else "InternalFailure"
                for place, value in drawn.items()
                if value < FAULTS
            }
        )

    return script


def throttling(monotonic: Callable[[], float] = time.monotonic) -> Script:
    """Each of four shards takes nothing during a burst in every second."""

    def script(entries: Sequence[Entry]) -> Answer:
        now_s = monotonic()
        return Answer(
            record_errors={
                place: THROTTLED
                for place, entry in enumerate(entries)
                if (now_s + shard_of(entry) * EVERY_S / SHARDS) % EVERY_S < BURST_S
            }
        )

    return script


def shard_of(entry: Entry) -> int:
    """By the partition key, as Kinesis does it with another hash."""
    return zlib.crc32(str(entry["PartitionKey"]).encode()) % SHARDS


WEATHERS: Final[Mapping[str, Callable[[], Script]]] = {
    "clean": lambda: clean,
    "faults": faults,
    "throttling": throttling,
}
