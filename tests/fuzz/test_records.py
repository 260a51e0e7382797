"""Events, packed records and canonical JSON of any bytes: one reading or a ContractError, and nothing large."""

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.contract.canonical import canonical_bytes, parse_canonical, parse_json
from cloud.contract.errors import ContractError
from cloud.contract.inflating import inflate, inflate_lines
from cloud.contract.records import MAX_UNPACKED_BYTES, Record, pack, unpack
from tests.fuzz.budget import cases
from tests.fuzz.damage import damaged, raw
from tests.rigs.memory_ports import make_events
from tests.rigs.wire import KEY, only_contract_errors

KEYS = [KEY.public_key()]
SMALL = pack(make_events(2), KEY)
LARGE = pack(make_events(40), KEY)


def plain(record: bytes) -> bytes:
    """A record without its gzip."""
    return gzip.decompress(record) if record[:2] == b"\x1f\x8b" else record


@cases(600)
@given(st.one_of(damaged(SMALL, plain(SMALL), LARGE), raw()))
def test_a_damaged_record_is_refused(data: bytes) -> None:
    """Whatever is taken holds the events that were signed."""
    taken: list[Record] = []
    if only_contract_errors(lambda: taken.append(unpack(data, KEYS))):
        assert plain(data) in (plain(SMALL), plain(LARGE))


@cases(600)
@given(st.one_of(damaged(plain(SMALL)), raw()))
def test_an_unsigned_reader_meets_the_same_errors(data: bytes) -> None:
    """`unpack` without keys is what looks at archives: it parses what nobody vouches for."""
    only_contract_errors(lambda: unpack(data, None))
    only_contract_errors(lambda: unpack(gzip.compress(data, mtime=0), None))


@cases(800)
@given(st.one_of(damaged(plain(SMALL)), raw()))
def test_what_is_parsed_can_be_written_and_is_the_same(data: bytes) -> None:
    """JSON that is taken has a canonical form, which is read back as the same; in that form it is taken as it is."""
    if not only_contract_errors(lambda: parse_json(data, "x")):
        return
    document = parse_json(data, "x")
    if not isinstance(document, dict):
        return
    try:
        canonical = canonical_bytes(document)
    except ContractError:
        assert "inf" in repr(document), "1e400 is read as infinity, which can't be written"
        return
    assert parse_canonical(canonical, "x") == json.loads(canonical)


@cases(600)
@given(st.one_of(damaged(gzip.compress(b"line\n" * 400, mtime=0)), raw()), st.integers(0, 3000))
def test_inflating_stays_below_its_limit(data: bytes, limit: int) -> None:
    """Both ways to inflate agree on what is whole, and never give more than was allowed."""
    whole: list[bytes] = []
    lines: list[bytes] = []
    is_whole = only_contract_errors(lambda: whole.append(inflate(data, limit, "x")))
    are_lines = only_contract_errors(lambda: lines.extend(inflate_lines(data, limit, "x")))
    if is_whole:
        assert len(whole[0]) <= limit
        assert are_lines == (whole[0][-1:] in (b"", b"\n"))
        assert not are_lines or b"".join(lines) == whole[0]
    else:
        assert not are_lines


def concatenated() -> bytes:
    """Two members, each of which is fine."""
    return gzip.compress(b"a\n") + gzip.compress(b"b\n")


BOMBS = {
    "zeros": gzip.compress(bytes(64 << 20), mtime=0),
    "in a bomb": gzip.compress(gzip.compress(bytes(64 << 20), mtime=0), mtime=0),
    "two members": concatenated(),
    "trailing bytes": gzip.compress(b"{}") + b"\0",
    "cut short": gzip.compress(b"{}" * 1000)[:-9],
    "a wrong checksum": gzip.compress(b"{}")[:-8] + bytes(8),
    "raw deflate": zlib.compress(b"{}"),
    "a header alone": b"\x1f\x8b",
}


@pytest.mark.parametrize("what", sorted(BOMBS))
def test_bombs_and_oddities_of_gzip_are_refused(what: str) -> None:
    """Not read beyond the limit, and not read twice."""
    with pytest.raises(ContractError):
        unpack(BOMBS[what], KEYS)
    with pytest.raises(ContractError):
        inflate(BOMBS[what], 1000, "x")
    with pytest.raises(ContractError):
        list(inflate_lines(BOMBS[what], 1000, "x"))


def test_a_record_too_large_is_refused_before_it_is_parsed() -> None:
    """Also one that is not compressed."""
    with pytest.raises(ContractError, match=f"above {MAX_UNPACKED_BYTES}"):
        unpack(b"[" + b"[]," * MAX_UNPACKED_BYTES, KEYS)
