"""Records of strangers that are small on the stream and large in memory."""

import gzip
import tracemalloc
from collections.abc import Callable
from typing import TypeVar

from cloud.contract.records import MAX_UNPACKED_BYTES

Result = TypeVar("Result")


def bomb(device: str) -> bytes:
    """A record in this device's name, which nobody signed: as much as is inflated, all of it the dearest JSON."""
    head, tail = f'{{"device":"{device}","events":['.encode(), b"{}]}"
    room = (MAX_UNPACKED_BYTES - len(head) - len(tail)) // 3
    return gzip.compress(head + b"{}," * room + tail, mtime=0)


def peak_mib(step: Callable[[], Result]) -> tuple[Result, float]:
    """What a step gives, and the most memory that it held at once."""
    tracemalloc.start()
    try:
        result = step()
        return result, tracemalloc.get_traced_memory()[1] / (1 << 20)
    finally:
        tracemalloc.stop()
