"""From a controller's signed record on the stream to what the API, the archive and whoever is on call are told."""

import json
import re
import time
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.contract.events import EventType
from cloud.domain.roles import Role
from tests.rigs.deployed_site import PATIENCE_S, AlarmQueue, Caller, DeployedSite
from tests.rigs.histories import Device
from tests.rigs.waiting import wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


@pytest.fixture
def hall(administrator: Caller, x: str) -> str:
    """A building with a hall behind a gate, and two people; the gate's id."""
    administrator.do("PUT", f"buildings/b-{x}", {"name": "Annex"})
    administrator.do("PUT", f"areas/a-{x}", {"name": "Hall", "building": f"b-{x}"})
    administrator.do("PUT", f"doors/d-{x}", {"name": "Gate", "building": f"b-{x}", "inside": f"a-{x}"})
    for person in (f"ada-{x}", f"bob-{x}"):
        administrator.do("POST", "people", {"person": person, "name": person.capitalize(), "status": "active"})
    return f"d-{x}"


@pytest.fixture(scope="session")
def on_call(site: DeployedSite) -> AlarmQueue:
    """Somebody who hears every alarm."""
    return AlarmQueue.on(site.account)


def wait(condition: Callable[[], Any], what: str) -> Any:
    return wait_for(condition, what, PATIENCE_S)


def set_aside(site: DeployedSite, on_call: AlarmQueue, device: str) -> dict[str, Any]:
    """The rejected record that came under a device's name, once whoever is on call was told where it lies."""

    def told() -> dict[str, Any] | None:
        for name, data in site.account.objects("rejected").items():
            kept: dict[str, Any] = json.loads(data)
            if kept["partition_key"] == device:
                return kept if on_call.told(kind="record.rejected", kept_as=name, reason=kept["reason"]) else None
        return None

    found: dict[str, Any] = wait(told, f"the alarm of a record by {device}")
    return found


def ids(page: Any) -> list[str]:
    return [event["id"] for event in page]


def test_taps_show_in_usage_presence_occupancy_and_with_the_device(
    site: DeployedSite, administrator: Caller, x: str, hall: str
) -> None:
    """One granted tap is seen everywhere that people look, and so is the way out and back in."""
    guard, ada = site.staff(Role.GUARD), f"ada-{x}"
    device = site.controller(hall)
    assert guard.get(f"devices/{device.name}")["last_seen"] is None
    assert guard.get(f"people/{ada}/presence")["building"] is None

    def inside() -> list[tuple[str, str]]:
        return [(each["person"], each["area"]) for each in guard.get(f"buildings/b-{x}/occupancy")["items"]]

    tap = device.grant(ada, door=hall)
    site.send(device.name, device.record(1, 1))
    wait(lambda: inside() == [(ada, f"a-{x}")], "ada inside")
    presence = guard.get(f"people/{ada}/presence")
    assert presence == {"person": ada, "building": f"b-{x}", "area": f"a-{x}", "door": hall, "at": tap.at}
    (used,) = administrator.get(f"people/{ada}/usage")["items"]
    assert (used["id"], used["type"], used["door"], used["direction"]) == (tap.id, "access.granted", hall, "in")
    assert used["delay"] == "online"
    assert guard.get(f"devices/{device.name}")["last_seen"] is not None

    device.grant(ada, "out", door=hall)
    device.grant(f"bob-{x}", door=hall)
    site.send(device.name, device.record(2, 3))
    wait(lambda: inside() == [(f"bob-{x}", f"a-{x}")], "ada out and bob in")
    assert guard.get(f"people/{ada}/presence")["building"] is None
    device.grant(ada, door=hall)
    site.send(device.name, device.record(4, 4))
    wait(lambda: [person for person, _ in inside()] == [ada, f"bob-{x}"], "ada back in")
    assert guard.get(f"buildings/b-{x}/occupancy")["count"] == 2
    assert [event["direction"] for event in administrator.get(f"people/{ada}/usage")["items"]] == ["in", "out", "in"]


def test_events_of_a_door_come_newest_first_page_by_page(
    site: DeployedSite, administrator: Caller, x: str, hall: str
) -> None:
    """Every event once over all pages; a span of time gives those in it."""
    device = site.controller(hall)
    events = [device.add(door=hall) for _ in range(23)]
    site.send(device.name, device.record(1, 10), device.record(11, 23))
    path, newest = f"doors/{hall}/events", [event.id for event in reversed(events)]
    wait(lambda: len(administrator.get(path)["items"]) == 23, "all events")
    pages = list(administrator.pages(path, 10))
    assert [len(page) for page in pages] == [10, 10, 3]
    assert [event for page in pages for event in ids(page)] == newest
    first, last = events[4].at[:19] + "Z", events[9].at[:19] + "Z"
    some = ids(administrator.get(path, **{"from": first, "to": last})["items"])
    assert some == [event.id for event in reversed(events) if first[:19] <= event.at < last[:19]]
    elsewhere = administrator.call("GET", f"doors/{hall}/events", cursor="bm90LW91cnM")
    assert (elsewhere.status, elsewhere.kind) == (400, "cursor-invalid")


def test_record_that_comes_again_and_late_changes_nothing(
    site: DeployedSite, administrator: Caller, x: str, hall: str
) -> None:
    """Delivery is at least once and in any order; what is told is of exactly once."""
    device, ada = site.controller(hall), f"ada-{x}"
    for number in range(6):
        device.grant(ada, "out" if number % 2 else "in", door=hall)
    usage = f"people/{ada}/usage"
    site.send(device.name, device.record(4, 6))
    site.send(device.name, device.record(1, 4), device.record(2, 3), *device.singles())
    marker = device.grant(f"bob-{x}", door=hall)
    site.send(device.name, device.record(7, 7))
    wait(lambda: marker.id in ids(administrator.get(f"people/bob-{x}/usage")["items"]), "the last record")
    told = administrator.get(usage)["items"]
    assert [event["seq"] for event in told] == [6, 5, 4, 3, 2, 1]
    assert administrator.get(f"people/{ada}/presence")["building"] is None
    assert administrator.get(f"buildings/b-{x}/occupancy")["count"] == 1


def test_record_of_an_unknown_device_is_set_aside_and_alarmed(
    site: DeployedSite, administrator: Caller, on_call: AlarmQueue, x: str, hall: str
) -> None:
    """It is believed by nobody and kept whole, and the events of the others go on."""
    stranger = Device(f"stranger-{x}", site=site.details.site, key=Ed25519PrivateKey.generate(), start_s=time.time())
    stranger.grant(f"ada-{x}", door=hall)
    device = site.controller(hall)
    good = device.grant(f"bob-{x}", door=hall)
    site.send(stranger.name, stranger.record())
    site.send(device.name, device.record())
    kept = set_aside(site, on_call, stranger.name)
    assert kept["reason"] == "unknown_device"
    assert b64decode(kept["data"]) == stranger.record()
    wait(lambda: ids(administrator.get(f"doors/{hall}/events")["items"]) == [good.id], "the other's event")
    assert administrator.get(f"people/ada-{x}/presence")["building"] is None


@pytest.mark.parametrize("forged", ["key", "door"])
def test_controller_speaks_only_with_its_key_and_for_its_doors(
    site: DeployedSite, administrator: Caller, on_call: AlarmQueue, x: str, hall: str, forged: str
) -> None:
    """Another's key, or a door that it does not have, is set aside."""
    administrator.do("PUT", f"doors/vault-{x}", {"name": "Vault"})
    device = site.controller(hall)
    device.grant(f"ada-{x}", door=hall if forged == "key" else f"vault-{x}")
    if forged == "key":
        device.key = Ed25519PrivateKey.generate()
    site.send(device.name, device.record())
    kept = set_aside(site, on_call, device.name)
    assert kept["reason"] == {"key": "bad_signature", "door": "other_door"}[forged]
    for door in (hall, f"vault-{x}"):
        assert administrator.get(f"doors/{door}/events")["items"] == []


def test_retired_controller_is_believed_no_longer(
    site: DeployedSite, administrator: Caller, on_call: AlarmQueue, x: str, hall: str
) -> None:
    """From the moment that it was reported gone."""
    device = site.controller(hall)
    device.add(door=hall)
    administrator.do("POST", f"devices/{device.name}/retire")
    site.send(device.name, device.record())
    assert set_aside(site, on_call, device.name)["reason"] == "retired_device"
    assert administrator.get(f"doors/{hall}/events")["items"] == []


@pytest.mark.parametrize(
    "kind",
    [
        EventType.DOOR_FORCED,
        EventType.DOOR_HELD,
        EventType.INPUT_TAMPERED,
        EventType.DURESS_SIGNALLED,
        EventType.FIRE_ACTIVATED,
        EventType.JOURNAL_GAP,
    ],
)
def test_alarm_reaches_whoever_is_on_call(
    site: DeployedSite, on_call: AlarmQueue, x: str, hall: str, kind: EventType
) -> None:
    """Once, with what, where and when, and with nobody's name."""
    device = site.controller(hall)
    event = device.add(kind, door=hall, person=f"ada-{x}")
    site.send(device.name, device.record(), device.record())
    (alarm,) = wait(lambda: on_call.told(id=event.id), "the alarm")
    assert (alarm["kind"], alarm["type"], alarm["door"], alarm["at"]) == ("event", kind.value, hall, event.at)
    assert f"ada-{x}" not in json.dumps(alarm)


def test_archive_holds_a_line_for_each_event_by_site_and_day(site: DeployedSite, x: str, hall: str) -> None:
    """JSON lines, below the site and the day of arrival, as a query reads them."""
    device = site.controller(hall)
    events = [device.grant(f"ada-{x}", door=hall) for _ in range(3)]
    site.send(device.name, device.record(1, 2), device.record(3, 3))

    def archived() -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for name, data in site.account.objects("archive", f"events/site={site.details.site}/").items():
            lines = [json.loads(line) for line in data.decode().splitlines()]
            found[name] = [line for line in lines if line["device"] == device.name]
        return {name: lines for name, lines in found.items() if lines}

    wait(lambda: sum(map(len, archived().values())) >= 3, "three lines")
    lines = [line for each in archived().values() for line in each]
    assert sorted(line["id"] for line in lines) == sorted(event.id for event in events)
    for name, each in archived().items():
        day = re.match(r"events/site=hq/dt=(\d{4}-\d\d-\d\d)/", name)
        assert day is not None
        assert {line["arrived_at"][:10] for line in each} == {day[1]}
