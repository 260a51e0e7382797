"""Finds damage in the journal's log that SQLite passes over: it ends the log in silence at the first unsound frame.

After a power cut that is right: what follows was never promised. But after a byte went bad in the midst of the log,
the events behind it would be gone without a word, and their numbers used again. One transaction behind the end may be
the one that the power cut; a second one was begun only after the first was on the disk, so the first was promised.

The transaction that the power cut may have left anything of itself, in any order, and garbage too. So what looks like
its end counts only if it can be one, and if its frame is sound or is all that is unsound: a bad byte spoils one frame,
a power cut that leaves garbage in one frame hardly leaves all others whole.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from agent.storage.database import Damaged

# https://sqlite.org/fileformat2.html#the_write_ahead_log
_HEADER_BYTES: Final = 32
_FRAME_BYTES: Final = 24
_WORDS: Final = 0xFFFFFFFF
# As canonical JSON orders the fields of an event; inside a text the quotes would be escaped.
_PLACE: Final = re.compile(rb'"epoch":(\d{1,13}),"id":"[^"]{1,64}",.{0,2000}?"seq":(\d{1,13})[,}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Frame:
    """A page in the log, of the same life of the log as its header."""

    page: int
    pages: int
    """Of the database once this is in it; 0: the transaction goes on after this frame."""
    sound: bool
    """Whether it follows on the frame before it."""
    data: bytes


def check_log(database: Path, sound: int, epoch: int, seq: int) -> None:
    """Raise Damaged when more than one write is lost behind the `sound` frames, whose newest event is epoch and seq."""
    try:
        with database.with_name(database.name + "-wal").open("rb") as log:
            frames = list(_frames(log, max(sound, 0)))
            most = database.stat().st_size + log.tell()
    except FileNotFoundError:
        return
    unsound = sum(not frame.sound for frame in frames)
    writes, newest, met = 0, seq, seq
    for frame in frames:
        met = max([met, *(int(number) for at, number in _PLACE.findall(frame.data) if int(at) == epoch)])
        ends = 1 <= frame.page <= frame.pages <= most // len(frame.data)
        if ends and met > newest and (frame.sound or unsound == 1):
            writes, newest = writes + 1, met
    if writes > 1:
        raise Damaged(f"its log is damaged: events {seq + 1} to {newest} are lost")


def _frames(log: BinaryIO, skip: int) -> Iterator[_Frame]:
    """The frames behind the first `skip`, without those of earlier lives of the log."""
    header = log.read(_HEADER_BYTES)
    page_bytes, salts = int.from_bytes(header[8:12], "big"), header[16:24]
    if not page_bytes:
        return
    order = ">" if header[3:4] == b"\x83" else "<"
    before = header[24:32]
    if skip:
        log.seek(_HEADER_BYTES + (skip - 1) * (_FRAME_BYTES + page_bytes))
        before = log.read(_FRAME_BYTES)[16:24]
        log.seek(page_bytes, 1)
    while len(frame := log.read(_FRAME_BYTES + page_bytes)) == _FRAME_BYTES + page_bytes:
        if frame[8:16] == salts:
            data = frame[_FRAME_BYTES:]
            is_sound = _checksum(order, before, frame[:8] + data) == frame[16:24]
            yield _Frame(int.from_bytes(frame[:4], "big"), int.from_bytes(frame[4:8], "big"), is_sound, data)
        before = frame[16:24]


def _checksum(order: str, before: bytes, data: bytes) -> bytes:
    """SQLite's checksum over the log so far, from the one before `data` on."""
    first, second = struct.unpack(">II", before)
    for even, odd in struct.iter_unpack(order + "II", data):
        first = (first + even + second) & _WORDS
        second = (second + odd + first) & _WORDS
    return struct.pack(">II", first, second)
