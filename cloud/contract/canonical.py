"""Canonical JSON: the one byte form that hashes and signatures are made over. Must never depend on dict order.

What is signed travels in this form and is refused in any other: two readers can't take the same bytes for different
documents, and no byte can be changed without breaking the signature.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

from cloud.contract.errors import ContractError

JsonObject = Mapping[str, Any]
_SURROGATE: Final = re.compile(rb"\\u[dD][89abAB]|\\u[dD][c-fC-F]")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)
"""One of each for all: json.loads would build one for each line of a snapshot, a fifth of the time of a list."""


def canonical_bytes(document: JsonObject) -> bytes:
    """UTF-8 JSON with sorted keys and no white space; raises ContractError for what JSON in UTF-8 can't hold."""
    try:
        return _ENCODER.encode(document).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise ContractError(f"not representable as canonical JSON: {type(error).__name__}") from error


def parse_json(data: bytes, what: str) -> Any:
    """Read JSON in UTF-8; raises ContractError, also for NaN, for half characters and for a nesting too deep."""
    try:
        # Decoded here: json.loads would also take UTF-16, and UTF-8 with half characters in it.
        document = _decoded(data.decode("utf-8"))
        if b"\\u" in data and _SURROGATE.search(data):
            _refuse_halves(document)
    except (ValueError, RecursionError):
        raise ContractError(f"{what}: not JSON") from None
    return document


def _refuse_halves(document: Any) -> None:
    # A pair of escapes is one character and fine; half a pair can't be encoded.
    json.dumps(document, ensure_ascii=False).encode("utf-8")


def _decoded(text: str) -> Any:
    """As `decode`, whose two searches for white space around it take longer than to read a short object."""
    if text.startswith("{"):
        document, end = _DECODER.raw_decode(text)
        if end == len(text):
            return document
    return _DECODER.decode(text)


def parse_lines(data: bytes, what: str) -> Iterator[Any]:
    """Read lines of JSON in UTF-8, one value each, no white space around it and a newline after it.

    Raises as `parse_json` does, where the fault comes to light. A snapshot's lines are read like this in less than half
    the time that they take one by one.
    """
    try:
        text = data.decode("utf-8")
        doubtful = b"\\u" in data and _SURROGATE.search(data) is not None
        at = 0
        while at < len(text):
            document, at = _one_line(text, at)
            if doubtful:
                _refuse_halves(document)
            yield document
    except (ValueError, RecursionError):
        raise ContractError(f"{what}: not JSON") from None


def _one_line(text: str, start: int) -> tuple[Any, int]:
    document, end = _DECODER.raw_decode(text, start)
    # The first newline: JSON takes it for white space, so that a value could also span lines.
    if text.find("\n", start, end + 1) != end:
        raise ValueError("more or less than a value on a line")
    return document, end + 1


def parse_canonical(data: bytes, what: str) -> dict[str, Any]:
    """Read a JSON object that must be in canonical form; raises ContractError."""
    document = parse_json(data, what)
    if not isinstance(document, dict):
        raise ContractError(f"{what}: not a JSON object")
    if canonical_bytes(document) != data:
        raise ContractError(f"{what}: not in canonical form")
    return document


def sha256_hex(data: bytes) -> str:
    """SHA-256 as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()
