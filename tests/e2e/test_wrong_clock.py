"""The real daemon on a machine whose clock is wrong: decides by policy, learns the time, delivers without a restart.

The stream is on TLS of the test's own authority and refuses what AWS would refuse: signatures that are more than five
minutes off, tokens that have expired.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.storage.state import SqliteStateStore
from cloud.contract.events import GENESIS, Event
from cloud.contract.items import Card, Door, Grant, Group, Item, Membership, Person
from cloud.contract.records import unpack
from tests.rigs import site
from tests.rigs.certificates import Authority
from tests.rigs.credential_server import CredentialServer
from tests.rigs.daemon import Daemon
from tests.rigs.fault_kinesis import FaultKinesis
from tests.rigs.waiting import wait_for
from tests.rigs.wrong_clock import DAY_S, SettableClock, faketime, sweep

pytestmark = pytest.mark.system

BODY = """
[[door]]
id = "front"
held_open_s = 5.0
pre_alarm_s = 0.0
relock_on_open = false
[door.lock]
driver = "emulated"
fail = "secure"
strike_s = 2.0
[[door.reader]]
name = "front-in"
direction = "in"
driver = "emulated"
[door.inputs.contact]
driver = "emulated"
normally = "closed"
[uplink]
max_wait_s = 1.0
[aws]
region = "eu-central-1"
stream = "events"
table = "nothing"
bucket = "nothing"
"""
CURRENT, PAST = "04C0FFEE000180", "04C0FFEE000280"
STRIKE_S, HELD_S = 2.0, 5.0
MINUTE_S, HOUR_S = 60.0, 3600.0
NEAR_S = 5.0
"""How near to the truth a corrected time must be."""


def items() -> list[Item]:
    """Alice needs no clock; one card is valid for a month around now, one has expired yesterday."""
    now_s = int(time.time())
    day = int(DAY_S)
    return [
        Card(site.credential(site.ALICE), "alice"),
        Card(site.credential(CURRENT), "alice", valid_from=now_s - 30 * day, valid_until=now_s + 30 * day),
        Card(site.credential(PAST), "alice", valid_until=now_s - day),
        Person("alice", groups=(Membership("staff"),)),
        Group("staff", (Grant("front"),)),
        Door("front"),
    ]


class Cloud:
    """Stream and credentials; the stream can't be reached until it is told to come up."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        authority = Authority(folder / "ca")
        self.credentials = stack.enter_context(CredentialServer())
        self.stream = stack.enter_context(FaultKinesis(authority.server(), self.credentials.check))
        self.stream.is_down = True
        self.environment: Mapping[str, str] = {
            **self.credentials.environment,
            "AWS_ENDPOINT_URL": self.stream.endpoint,
            "AWS_CA_BUNDLE": str(authority.bundle),
        }

    def events(self, daemon: Daemon) -> list[Event]:
        """What arrived, each once and in order; signatures are checked on the way."""
        seed = bytes.fromhex((daemon.state_dir / "device.key").read_text())
        key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
        found: dict[int, Event] = {}
        for record in self.stream.records:
            found |= {event.seq: event for event in unpack(record.data, [key]).events}
        return [found[seq] for seq in sorted(found)]

    def come_up(self) -> None:
        """From now on it can be reached."""
        self.stream.is_down = False


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """One that can't be reached yet."""
    with ExitStack() as stack:
        yield Cloud(tmp_path, stack)


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    """Nothing is left in shared memory."""
    yield
    sweep()


def daemon_with(home: Path, cloud: Cloud, clock: Mapping[str, str], **more: str) -> Daemon:
    daemon = Daemon(home, BODY, clock="kernel", environment={**cloud.environment, **clock}, keys=site.KEYS, **more)
    site.install(daemon.state_dir, items(), at_s=time.time() - HOUR_S)
    return daemon


def delivered(daemon: Daemon) -> bool:
    return bool(daemon.status()["journal"]["unsent"] == 0)


def off_s(at: str, true_s: float) -> float:
    return abs(datetime.fromisoformat(at).timestamp() - true_s)


def lasted_s(begin: Mapping[str, Any], end: Mapping[str, Any]) -> float:
    """Between two events, by the boot clock."""
    return float(end["mono_ms"] - begin["mono_ms"]) / 1000


@pytest.mark.parametrize("wrong", ["+2d", "-2d", "@1970-01-01 00:00:30"])
def test_a_door_with_a_wrong_clock_decides_by_policy_learns_the_time_and_delivers(
    wrong: str, tmp_path: Path, cloud: Cloud
) -> None:
    """Before the network: no timed right. With it: signed rightly, events corrected, timed rights by the true time."""
    with daemon_with(tmp_path / "door", cloud, faketime(wrong)) as daemon:
        assert (daemon.status()["clock"], daemon.status()["clock_source"]) == ("unsynced", None)
        assert "clock_unsynced" in daemon.status()["degraded"]
        assert daemon.tap(site.ALICE)["reason"] == "allowed"
        before_s = time.time()
        assert daemon.tap(CURRENT)["reason"] == "clock_unknown"
        assert daemon.tap(PAST)["reason"] == "clock_unknown"

        cloud.come_up()
        wait_for(lambda: delivered(daemon), "delivery", 30)
        assert (daemon.status()["clock"], daemon.status()["clock_source"]) == ("synced", "cloud")
        assert daemon.tap(CURRENT)["reason"] == "allowed"
        assert daemon.tap(PAST)["reason"] == "expired"
        wait_for(lambda: delivered(daemon), "delivery of what came later", 30)

        events = cloud.events(daemon)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        early = next(event for event in events if event.reason == "clock_unknown")
        assert early.clock == "unsynced"
        assert off_s(early.at, before_s) < NEAR_S
        assert early.at_raw is not None
        assert off_s(early.at_raw, before_s) > DAY_S
        late = next(event for event in events if event.reason == "expired")
        assert (late.clock, late.at_raw) == ("synced", None)
        assert off_s(late.at, time.time()) < MINUTE_S
        chain = GENESIS
        for event in events:
            assert event.prev == chain
            chain = event.chain_hash()


def test_credentials_that_are_refused_are_fetched_anew_without_a_restart(tmp_path: Path, cloud: Cloud) -> None:
    """Two days behind, botocore would think that expired credentials last for two days more."""
    cloud.come_up()
    with daemon_with(tmp_path / "door", cloud, faketime("-2d")) as daemon:
        wait_for(lambda: delivered(daemon), "delivery", 30)
        issued = cloud.credentials.issued
        cloud.credentials.revoke()
        daemon.tap(site.ALICE)
        wait_for(lambda: delivered(daemon), "delivery with fresh credentials", 30)
        assert "ExpiredTokenException" in cloud.credentials.refused
        assert cloud.credentials.issued > issued
        assert daemon.status()["clock_source"] == "cloud"


def test_events_of_a_process_that_never_knew_the_time_are_corrected_by_the_next(tmp_path: Path, cloud: Cloud) -> None:
    """The boot clock outlives the process: same boot, same instant."""
    with SettableClock(tmp_path) as clock:
        clock.set_to(30.0)
        with daemon_with(tmp_path / "door", cloud, clock.environment) as daemon:
            tapped_s = time.time()
            seq = daemon.tap(site.ALICE)["seq"]
            assert daemon.stop() == 0
            clock.set(-2 * DAY_S)
            cloud.come_up()
            daemon.start()
            wait_for(lambda: delivered(daemon), "delivery", 30)
            event = next(event for event in cloud.events(daemon) if event.seq == seq)
            assert off_s(event.at, tapped_s) < NEAR_S
            assert event.at_raw is not None
            assert event.at_raw.startswith("1970-01-01T00:")


def test_a_clock_that_jumps_in_mid_run_moves_neither_deadlines_nor_decisions(tmp_path: Path, cloud: Cloud) -> None:
    """1970, then set right by NTP, then two days on and two days back: a strike time is a strike time."""

    def opens_and_relocks(card: str, jump_s: float) -> None:
        """Tap, set the clock while the lock is open, and see by the boot clock when it fell back."""
        seen = len(daemon.events("access.not_taken"))
        result = daemon.tap(card)
        clock.set(jump_s)
        assert result["reason"] == "allowed"
        over = daemon.wait_event("access.not_taken", 30, count=seen + 1)
        granted = next(event for event in daemon.events("access.granted") if event["seq"] == result["seq"])
        assert lasted_s(granted, over) == pytest.approx(STRIKE_S, abs=1.0)
        assert daemon.door()["lock"] == "locked"

    with SettableClock(tmp_path) as clock:
        clock.set_to(30.0)
        with daemon_with(tmp_path / "door", cloud, clock.environment) as daemon:
            assert daemon.tap(CURRENT)["reason"] == "clock_unknown"
            assert daemon.status()["clock"] == "unsynced"
            opens_and_relocks(site.ALICE, 0.0)

            clock.set(0.0, synchronised=True)
            wait_for(lambda: daemon.status()["clock_source"] == "system", "the time")
            assert daemon.tap(PAST)["reason"] == "expired"
            # Whoever sets the clock by hand makes it unsynchronised: the door goes on by its boot clock.
            for jump_s in (2 * DAY_S, -2 * DAY_S, -50 * 365 * DAY_S):
                opens_and_relocks(CURRENT, jump_s)
                assert daemon.tap(PAST)["reason"] == "expired"
                assert daemon.status()["clock"] == "synced"

            daemon.tap(CURRENT)
            daemon.input("front.contact", "on")
            opened = daemon.wait_event("door.opened")
            clock.set(2 * DAY_S)
            held = daemon.wait_event("door.held", 30)
            assert lasted_s(opened, held) == pytest.approx(HELD_S, abs=1.0)

            cloud.come_up()
            wait_for(lambda: delivered(daemon), "delivery", 30)
            assert daemon.status()["clock"] == "synced"
            events = cloud.events(daemon)
            now_s = time.time()
            assert all(off_s(event.at, now_s) < MINUTE_S for event in events)
            unknown = next(event for event in events if event.reason == "clock_unknown")
            assert unknown.at_raw is not None


@pytest.mark.parametrize("floor", ["list", "memory"])
def test_a_clock_that_is_set_back_by_the_network_revives_no_card(floor: str, tmp_path: Path, cloud: Cloud) -> None:
    """NTP that lies before anything else is heard: the list, or the time before the reboot, was later than that."""
    with SettableClock(tmp_path) as clock:
        clock.set(-2 * DAY_S, synchronised=True)
        daemon = daemon_with(tmp_path / "door", cloud, clock.environment)
        if floor == "memory":
            site.install(daemon.state_dir, items(), version=2, at_s=time.time() - 30 * DAY_S)
            with SqliteStateStore(daemon.state_dir, on_set_aside=print) as state:
                state.save("time", "system_s", repr(time.time() - HOUR_S))
        with daemon:
            assert daemon.status()["clock"] == "unsynced"
            assert daemon.tap(PAST)["reason"] == "clock_unknown"
            cloud.come_up()
            wait_for(lambda: daemon.status()["clock_source"] == "cloud", "the true time", 30)
            assert daemon.tap(PAST)["reason"] == "expired"
            assert "clock_disputed" in daemon.status()["degraded"]


def test_a_clock_that_is_off_by_less_than_aws_minds_is_corrected_from_the_first_record_on(
    tmp_path: Path, cloud: Cloud
) -> None:
    """Nothing is refused, so the time is asked for before anything is sent."""
    cloud.come_up()
    with SettableClock(tmp_path) as clock:
        clock.set(200.0)
        with daemon_with(tmp_path / "door", cloud, clock.environment) as daemon:
            wait_for(lambda: delivered(daemon), "delivery", 30)
            started = cloud.events(daemon)[0]
            assert (started.type, started.clock) == ("agent.started", "unsynced")
            assert started.at_raw is not None
            assert off_s(started.at_raw, time.time()) > 100
            assert off_s(started.at, time.time()) < MINUTE_S
            assert cloud.credentials.refused == ["MissingAuthenticationTokenException"]
