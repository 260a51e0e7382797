"""What goes into the archive."""

import json

from cloud.contract.events import parse_event
from cloud.contract.records import unpack
from cloud.domain.archive import to_lines
from tests.rigs.histories import Device

AT = "2026-03-02T07:00:00.000Z"


def test_record_becomes_one_line_for_each_event() -> None:
    """Each line is an event, with when it arrived and how late."""
    device = Device("d-1")
    device.many(150)
    lines = to_lines(unpack(device.record(), None), AT)
    assert (lines.site, lines.day) == ("hq", "2026-03-02")
    assert lines.data.endswith(b"}\n")
    documents = [json.loads(line) for line in lines.data.splitlines()]
    assert {(document.pop("arrived_at"), document.pop("delay")) for document in documents} == {(AT, "grace")}
    assert [parse_event(document) for document in documents] == device.events
