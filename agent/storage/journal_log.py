"""Finds damage in the journal's log that SQLite passes over: it ends the log in silence at the first unsound frame.

After a power cut that is right: what follows was never promised. But after a byte went bad in the midst of the log,
the events behind it would be gone without a word, and their numbers used again. One transaction behind the end may be
the one that the power cut; a second one was begun only after the first was on the disk, so the first was promised.
"""

import re
from pathlib import Path
from typing import Final

from agent.storage.database import Damaged

_HEADER_BYTES: Final = 32
_FRAME_BYTES: Final = 24
# As canonical JSON orders the fields of an event; inside a text the quotes would be escaped.
_PLACE: Final = re.compile(rb'"epoch":(\d{1,13}),"id":"[^"]{1,64}",.{0,2000}?"seq":(\d{1,13})[,}]', re.DOTALL)


def check_log(database: Path, sound: int, epoch: int, seq: int) -> None:
    """Raise Damaged when more than one write is lost behind the `sound` frames, whose newest event is epoch and seq."""
    try:
        with database.with_name(database.name + "-wal").open("rb") as log:
            header = log.read(_HEADER_BYTES)
            page_bytes, salts = int.from_bytes(header[8:12], "big"), header[16:24]
            log.seek(_HEADER_BYTES + max(sound, 0) * (_FRAME_BYTES + page_bytes))
            writes, newest, met = 0, seq, seq
            while len(frame := log.read(_FRAME_BYTES + page_bytes)) == _FRAME_BYTES + page_bytes and page_bytes:
                if frame[8:16] != salts:
                    continue
                met = max([met, *(int(number) for at, number in _PLACE.findall(frame) if int(at) == epoch)])
                if any(frame[4:8]) and met > newest:
                    writes, newest = writes + 1, met
    except FileNotFoundError:
        return
    if writes > 1:
        raise Damaged(f"its log is damaged: events {seq + 1} to {newest} are lost")
