"""What a person must hear of at once."""

import json

import pytest

from cloud.contract.events import ALARMS, EventType
from cloud.domain.alarms import event_alarm, finding_alarm, missing_alarm, rejected_alarm
from cloud.domain.delays import Delay
from cloud.domain.streams import ChainBroken, GivenUp
from tests.rigs.histories import Device

AT = "2026-03-01T09:00:00.000Z"


@pytest.mark.parametrize("kind", EventType)
def test_alarm_events_and_no_others_alarm(kind: EventType) -> None:
    """The contract says which they are."""
    event = Device("d-1").add(kind)
    assert (event_alarm(event, Delay.ONLINE, AT) is not None) == (kind in ALARMS)


def test_alarm_of_an_event_is_that_event_and_names_no_person() -> None:
    """It can be told from its repetition, and says how late it is; person, card and detail stay out."""
    event = Device("d-1").add(EventType.DOOR_FORCED, person="ada", detail={"note": "ada"})
    alarm = event_alarm(event, Delay.OFFLINE, AT)
    assert alarm is not None
    message = json.loads(alarm.message())
    assert (message["id"], message["type"], message["delay"]) == (event.id, "door.forced", "offline")
    assert (message["v"], message["site"], message["at"]) == (1, "hq", event.at)
    assert "ada" not in alarm.message()


def test_same_incident_has_the_same_id_and_others_have_their_own() -> None:
    """However often and whenever it is told."""
    later = "2026-03-01T10:00:00.000Z"
    chain = finding_alarm("hq", "d-1", ChainBroken(1, 7), AT)
    assert chain.id == finding_alarm("hq", "d-1", ChainBroken(1, 7), later).id
    missing = missing_alarm("hq", "d-1", 1, [(3, 9)], AT)
    # A backlog that goes on filling it from below leaves the same gap.
    assert missing.id == missing_alarm("hq", "d-1", 1, [(5, 9)], later).id
    others = [
        finding_alarm("hq", "d-1", ChainBroken(2, 7), AT),
        finding_alarm("hq", "d-2", ChainBroken(1, 7), AT),
        finding_alarm("hq", "d-1", GivenUp(1, 7, 7), AT),
        missing_alarm("hq", "d-1", 1, [(12, 13)], AT),
        rejected_alarm("shard-1", "hq", "malformed", AT, "x"),
    ]
    assert len({alarm.id for alarm in [chain, missing, *others]}) == 7


def test_alarm_of_missing_events_counts_only_what_nobody_explains() -> None:
    """Parts between which the device told of a loss."""
    message = json.loads(missing_alarm("hq", "d-1", 1, [(1, 3), (8, 9)], AT).message())
    assert (message["first"], message["last"], message["count"]) == (1, 9, 5)


def test_alarm_of_a_stranger_has_no_site() -> None:
    """Nobody knows where it came from; where the record lies is said."""
    message = json.loads(rejected_alarm("shard-1", None, "unknown_device", AT, "rejected/x.json").message())
    assert (message["site"], message["reason"], message["kept_as"]) == (None, "unknown_device", "rejected/x.json")
