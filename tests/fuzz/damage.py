"""Strategies that damage valid documents: most random bytes are refused at the first one, and find nothing behind it.

A damaged document is a valid one after a few edits, each drawn as three small numbers, so that a failure shrinks to
one edit at a low place.
"""

from collections.abc import Callable, Sequence
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Edit = Callable[[bytes, int, int], bytes]
"""The document, a place in it, and a number to do something with."""

NASTY: Final = (
    b"\x00",
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\x1b[2J",
    b"\r\n",
    b"\n",
    b'"',
    b"\\",
    b"\\ud800",
    b"\\u0000",
    b"\\ud83d\\ude00",
    b"null",
    b"true",
    b"NaN",
    b"Infinity",
    b"-0",
    b"1e400",
    b"1e-400",
    b"9" * 400,
    b"9" * 5000,
    b"18446744073709551616",
    b"-1",
    b"1.0",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[" * 3000,
    b'{"a":' * 3000,
    b"[]",
    b"{}",
    b'""',
    b'"' + b"x" * 5000 + b'"',
    b",",
    b":",
    b"=",
    b".",
    b"../../etc/passwd",
    b"\x1f\x8b",
)
"""What parsers stumble over: bad and odd UTF-8, escapes, numbers beyond their types, nesting, names of other files."""


def _cut(data: bytes, place: int, _number: int) -> bytes:
    return data[:place]


def _flip(data: bytes, place: int, number: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << number % 8]) + data[place + 1 :] if data else data


def _set(data: bytes, place: int, number: int) -> bytes:
    return data[:place] + bytes([number % 256]) + data[place + 1 :]


def _drop(data: bytes, place: int, number: int) -> bytes:
    return data[:place] + data[place + 1 + number % 40 :]


def _double(data: bytes, place: int, number: int) -> bytes:
    part = data[place : place + 1 + number % 40]
    return data[:place] + part + data[place:]


def _insert(data: bytes, place: int, number: int) -> bytes:
    return data[:place] + NASTY[number % len(NASTY)] + data[place:]


def _append(data: bytes, _place: int, number: int) -> bytes:
    return data + NASTY[number % len(NASTY)]


def _swap_value(data: bytes, place: int, number: int) -> bytes:
    """Put something nasty where a value stands: after the next `:` or `=`, up to the next end of a value."""
    starts = [at for at in (data.find(b":", place), data.find(b"=", place)) if at >= 0]
    if not starts:
        return data
    start = min(starts) + 1
    ends = [at for at in (data.find(mark, start) for mark in (b",", b"}", b"]", b"\n")) if at >= 0]
    return data[:start] + NASTY[number % len(NASTY)] + data[min(ends, default=len(data)) :]


EDITS: Final[Sequence[Edit]] = (_swap_value, _swap_value, _insert, _flip, _set, _drop, _double, _cut, _append)


def damaged(*whole: bytes) -> SearchStrategy[bytes]:
    """One of these documents after one to four edits."""
    numbers = st.integers(0, 1 << 16)
    edits = st.lists(st.tuples(st.sampled_from(EDITS), numbers, numbers), min_size=1, max_size=4)
    return st.builds(_damage, st.sampled_from(whole), edits)


def raw(most: int = 300) -> SearchStrategy[bytes]:
    """Any bytes, and runs of what is nasty."""
    pieces = st.lists(st.sampled_from(NASTY), max_size=8).map(b"".join)
    return st.one_of(st.binary(max_size=most), pieces)


def _damage(data: bytes, edits: Sequence[tuple[Edit, int, int]]) -> bytes:
    for edit, place, number in edits:
        data = edit(data, place % len(data) if data else 0, number)
    return data
