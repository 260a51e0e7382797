"""Undoing gzip within bounds. Must never hold more than a caller allowed, whatever the compressed bytes claim."""

import zlib
from collections.abc import Iterator
from typing import Final

from cloud.contract.errors import ContractError

MAX_LINE_BYTES: Final = 1 << 20
"""A line of a snapshot is one item: a group with 10,000 grants is about 400 KB."""
_CHUNK_BYTES: Final = 1 << 16


def inflate(data: bytes, limit_bytes: int, what: str) -> bytes:
    """The inflated bytes; raises ContractError above the limit and for anything but one whole gzip stream."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        inflated = inflater.decompress(data, limit_bytes + 1)
    except zlib.error as error:
        raise ContractError(f"{what}: gzip: {error}") from None
    if len(inflated) > limit_bytes:
        raise ContractError(f"{what}: above {limit_bytes} bytes")
    _check_end(inflater, what)
    return inflated


def inflate_lines(data: bytes, limit_bytes: int, what: str) -> Iterator[bytes]:
    """The inflated bytes, some whole lines at a time; raises as `inflate` does, where the fault comes to light.

    What is yielded ends with a newline, and is at most a line and a chunk long.
    """
    inflater = zlib.decompressobj(wbits=31)
    inflated_bytes, begun = 0, b""
    for chunk in _chunks(inflater, data, what):
        inflated_bytes += len(chunk)
        if inflated_bytes > limit_bytes:
            raise ContractError(f"{what}: above {limit_bytes} bytes")
        end = chunk.rfind(b"\n") + 1
        lines, begun = (begun + chunk[:end], chunk[end:]) if end else (b"", begun + chunk)
        if len(begun) > MAX_LINE_BYTES:
            raise ContractError(f"{what}: a line above {MAX_LINE_BYTES} bytes")
        if lines:
            yield lines
    _check_end(inflater, what)
    if begun:
        raise ContractError(f"{what}: the last line does not end")


def _chunks(inflater: "zlib._Decompress", data: bytes, what: str) -> Iterator[bytes]:
    # In pieces: the inflater copies what it has not read at each call, which for a large body takes minutes.
    left = memoryview(data)
    while left and not inflater.eof:
        piece: bytes | memoryview = left[:_CHUNK_BYTES]
        left = left[_CHUNK_BYTES:]
        while piece and not inflater.eof:
            try:
                chunk = inflater.decompress(piece, _CHUNK_BYTES)
            except zlib.error as error:
                raise ContractError(f"{what}: gzip: {error}") from None
            piece = inflater.unconsumed_tail
            if chunk:
                yield chunk
    if left:
        raise ContractError(f"{what}: gzip: followed by something else")


def _check_end(inflater: "zlib._Decompress", what: str) -> None:
    if not inflater.eof or inflater.unused_data:
        raise ContractError(f"{what}: gzip: cut short, or followed by something else")
