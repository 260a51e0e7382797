"""What may stand behind the ? of a path."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.api.parameters import CARD_STATUS, CURSOR, FROM, LIMIT, MONTH, PREFIX, TO, Parameter

ALL = (LIMIT, CURSOR, PREFIX, CARD_STATUS, FROM, TO, MONTH)


@pytest.mark.parametrize("parameter", ALL, ids=lambda parameter: parameter.name)
def test_example_is_taken(parameter: Parameter) -> None:
    """What the document shows."""
    if parameter.example is not None:
        assert parameter.read(str(parameter.example)) == parameter.example


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        *((LIMIT, text) for text in ("", "0", "201", "1000", "-1", "+1", "1.0", "1e2", "01", "٣", " 1", "1\n")),
        *((CURSOR, text) for text in ("", "a b", "a=", "a+b", "x" * 1025)),
        *((PREFIX, text) for text in ("", "-a", "a/b", "a#b", "é", "x" * 65)),
        *((CARD_STATUS, text) for text in ("", "Issued", "new")),
        *((FROM, text) for text in ("", "2026-02-30T00:00:00Z", "2026-03-01", "2026-03-01T00:00:00+00:00")),
        *((MONTH, text) for text in ("", "2026", "2026-13", "2026-3", "2026-03-01")),
    ],
)
def test_anything_else_is_refused(parameter: Parameter, text: str) -> None:
    """Never a default in its place."""
    with pytest.raises(ValueError, match=r"^is not "):
        parameter.read(text)


@given(parameter=st.sampled_from(ALL), text=st.text(min_size=1, max_size=30))
def test_what_is_taken_is_what_the_document_allows(parameter: Parameter, text: str) -> None:
    """Code and schema say the same."""
    schema: dict[str, Any] = dict(parameter.schema)
    try:
        value = parameter.read(text)
    except ValueError:
        return
    if schema["type"] == "integer":
        assert schema["minimum"] <= value <= schema["maximum"]
    elif "enum" in schema:
        assert value in schema["enum"]
    else:
        assert re.fullmatch(schema["pattern"], value)
