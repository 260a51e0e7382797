"""What goes into the archive."""

import json

import pytest

from cloud.contract.errors import ContractError
from cloud.contract.events import parse_event
from cloud.domain.archive import to_lines
from tests.rigs.histories import Device

AT = "2026-03-02T07:00:00.000Z"


def test_record_becomes_one_line_for_each_event() -> None:
    """Each line is an event, with when it arrived and how late."""
    device = Device("d-1")
    device.many(150)
    lines = to_lines(device.record(), AT)
    assert (lines.site, lines.day) == ("hq", "2026-03-02")
    assert lines.data.endswith(b"}\n")
    documents = [json.loads(line) for line in lines.data.splitlines()]
    assert {(document.pop("arrived_at"), document.pop("delay")) for document in documents} == {(AT, "grace")}
    assert [parse_event(document) for document in documents] == device.events


def test_what_is_no_record_is_refused() -> None:
    """It can't be told which lines it should make."""
    with pytest.raises(ContractError):
        to_lines(b"\x1f\x8b junk", AT)
