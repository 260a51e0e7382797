"""Canonical JSON and strict reading."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.contract.canonical import canonical_bytes, parse_canonical, parse_json, parse_lines, sha256_hex
from cloud.contract.errors import ContractError
from tests.rigs.wire import json_values, nested, only_contract_errors, scalars, texts

documents = st.dictionaries(texts, st.one_of(scalars, st.lists(scalars, max_size=3)), max_size=5)


@given(document=documents)
def test_canonical_bytes_read_back_as_the_same_document(document: dict[str, Any]) -> None:
    """Nothing is lost, and the form is its own canonical form."""
    data = canonical_bytes(document)
    assert parse_canonical(data, "x") == document
    assert canonical_bytes(parse_canonical(data, "x")) == data


@given(document=documents)
def test_canonical_bytes_do_not_depend_on_order(document: dict[str, Any]) -> None:
    """The order in which a dict was filled leaves no trace."""
    assert canonical_bytes(dict(reversed(document.items()))) == canonical_bytes(document)


def test_canonical_form_is_what_it_always_was() -> None:
    """Chains and signatures of years ago must still hold: the bytes may never change."""
    data = canonical_bytes({"b": [1, 2.5, None, True], "a": 'ü"\n', "é": {"y": 1e100, "x": "𝕏"}})
    assert data == '{"a":"ü\\"\\n","b":[1,2.5,null,true],"é":{"x":"𝕏","y":1e+100}}'.encode()
    assert sha256_hex(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), object(), b"bytes", {1, 2}, "\ud800"], ids=lambda value: type(value).__name__
)
def test_canonical_bytes_refuse_what_json_cannot_hold(value: object) -> None:
    """One kind of error, whatever it is that does not fit."""
    with pytest.raises(ContractError, match="not representable"):
        canonical_bytes({"a": value})


def test_canonical_bytes_refuse_endless_nesting() -> None:
    """Depth ends in an error of ours, not in a crash."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ContractError):
        canonical_bytes({"a": deep})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nul",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b"\xff",
        b'"\xed\xa0\x80"',  # half a character, as bytes
        b'"\\ud800"',  # and as an escape
        b'{"\\uDC00":1}',
        '{"a":1}'.encode("utf-16"),
        b"9" * 5000,
        nested(100_000),
        b'{"a":' * 100_000,
    ],
    ids=lambda data: repr(data[:12]),
)
def test_parse_json_refuses(data: bytes) -> None:
    """NaN, half characters, other encodings, absurd numbers and depths."""
    with pytest.raises(ContractError, match="x: not JSON"):
        parse_json(data, "x")


@pytest.mark.parametrize("data", [b'{"a":1}', b' {"a":1}', b'{"a":1}\n', b'\t{ "a" : 1 }\r\n'])
def test_parse_json_takes_white_space(data: bytes) -> None:
    """Only what is signed has one form."""
    assert parse_json(data, "it") == {"a": 1}


def test_parse_json_takes_escaped_pairs() -> None:
    """Two halves are a character."""
    assert parse_json(b'"\\ud835\\udd4f"', "x") == "𝕏"


@pytest.mark.parametrize(
    "data",
    [b'{"a": 1}', b'{"b":1,"a":1}', b'{"a":1,"a":1}', b'{"a":1.50}', b'{"a":"\\u0041"}', b'{"a":1}\n', b'{"a":-0}'],
)
def test_parse_canonical_refuses_any_other_form(data: bytes) -> None:
    """White space, order, doubled names and other spellings of one value."""
    json.loads(data)
    with pytest.raises(ContractError, match="not in canonical form"):
        parse_canonical(data, "x")


@pytest.mark.parametrize("data", [b"[]", b"1", b"null", b'"a"'])
def test_parse_canonical_wants_an_object(data: bytes) -> None:
    """What is signed is always an object."""
    with pytest.raises(ContractError, match="not a JSON object"):
        parse_canonical(data, "x")


@given(values=st.lists(json_values, max_size=5))
def test_parse_lines_reads_each_line_as_parse_json_does(values: list[Any]) -> None:
    """However the characters are written."""
    for ascii_only in (True, False):
        lines = [json.dumps(value, ensure_ascii=ascii_only).encode() for value in values]
        read = list(parse_lines(b"".join(line + b"\n" for line in lines), "x"))
        assert read == [parse_json(line, "x") for line in lines]


@pytest.mark.parametrize(
    "data",
    [
        b"{}",  # does not end
        b"\n",
        b"{}\n\n",
        b" {}\n",
        b"{} \n",
        b"{}{}\n",
        b"{},{}\n",
        b'{"a":\n1}\n',
        b"[\n]\n",
        b'{"a":"\n"}\n',
        b'{"a":NaN}\n',
        b'{}\n"\\ud800"\n',
        b"\xff\n",
        b'"\xed\xa0\x80"\n',
        b"9" * 5000 + b"\n",
        nested(100_000) + b"\n",
        b"{}\nnul\n",
    ],
    ids=lambda data: repr(data[:12]),
)
def test_parse_lines_refuses_all_but_one_value_on_a_line(data: bytes) -> None:
    """What parse_json refuses, and more or less than a value between two newlines."""
    with pytest.raises(ContractError, match="x: not JSON"):
        list(parse_lines(data, "x"))


@given(data=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_only_contract_errors_escape_the_readers(data: bytes) -> None:
    """Whatever the bytes."""
    only_contract_errors(lambda: parse_json(data, "x"))
    only_contract_errors(lambda: parse_canonical(data, "x"))
    only_contract_errors(lambda: list(parse_lines(data, "x")))
