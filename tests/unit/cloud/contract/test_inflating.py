"""Bounded inflation, whole and by lines."""

import gzip
import random
import zlib
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.contract.errors import ContractError
from cloud.contract.inflating import MAX_LINE_BYTES, inflate, inflate_lines
from tests.rigs.wire import only_contract_errors


@given(data=st.binary(max_size=300), limit=st.integers(0, 300))
def test_inflate_gives_the_data_up_to_the_limit(data: bytes, limit: int) -> None:
    """Exactly the limit fits, one byte more does not."""
    packed = gzip.compress(data)
    if len(data) <= limit:
        assert inflate(packed, limit, "x") == data
    else:
        with pytest.raises(ContractError, match=f"above {limit} bytes"):
            inflate(packed, limit, "x")


def test_inflate_stops_at_the_limit_of_a_bomb() -> None:
    """A gigabyte of zeros in a megabyte costs no more memory than the limit."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    assert len(bomb) < 100_000
    with pytest.raises(ContractError, match="above 1000 bytes"):
        inflate(bomb, 1000, "x")


@pytest.mark.parametrize("damage", [lambda it: it[:-1], lambda it: it + b"x", lambda it: it + it, lambda it: it[:5]])
def test_inflate_refuses_a_stream_that_is_cut_or_followed(damage: Callable[[bytes], bytes]) -> None:
    """One whole stream and nothing else."""
    packed = damage(gzip.compress(b"hello\n"))
    with pytest.raises(ContractError, match="gzip"):
        inflate(packed, 100, "x")
    with pytest.raises(ContractError, match="gzip"):
        list(inflate_lines(packed, 100, "x"))


@given(data=st.binary(max_size=200))
def test_only_contract_errors_escape(data: bytes) -> None:
    """Whatever the bytes."""
    only_contract_errors(lambda: inflate(data, 100, "x"))
    only_contract_errors(lambda: list(inflate_lines(data, 100, "x")))


def split(blocks: Iterable[bytes]) -> list[bytes]:
    """The lines of what was yielded, each block of which ends with one."""
    found: list[bytes] = []
    for block in blocks:
        *lines, rest = block.split(b"\n")
        assert lines
        assert not rest
        found += lines
    return found


@given(lines=st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line)))
def test_lines_are_given_back(lines: list[bytes]) -> None:
    """Each line, empty ones too."""
    packed = gzip.compress(b"".join(line + b"\n" for line in lines))
    assert split(inflate_lines(packed, 10_000, "x")) == lines


def test_lines_do_not_feel_the_chunks() -> None:
    """Lines that lie across many chunks, of data that hardly shrinks and of data that shrinks to nothing."""
    noise = random.Random(1)
    lines = [noise.randbytes(70_000).replace(b"\n", b" "), b"", b"x" * 300_000, b"y"]
    packed = gzip.compress(b"\n".join(lines) + b"\n")
    assert split(inflate_lines(packed, 1 << 20, "x")) == lines


def test_lines_stop_at_the_limits() -> None:
    """Of all together, and of one; and the last one must end."""
    with pytest.raises(ContractError, match="above 199999 bytes"):
        list(inflate_lines(gzip.compress(b"x\n" * 100_000), 199_999, "x"))
    assert len(split(inflate_lines(gzip.compress(b"x\n" * 100_000), 200_000, "x"))) == 100_000
    with pytest.raises(ContractError, match=f"a line above {MAX_LINE_BYTES} bytes"):
        list(inflate_lines(gzip.compress(bytes(MAX_LINE_BYTES * 2)), MAX_LINE_BYTES * 4, "x"))
    with pytest.raises(ContractError, match="does not end"):
        list(inflate_lines(gzip.compress(b"a\nb"), 100, "x"))
