"""The real daemon on a machine whose clock is wrong: decides by policy, learns the time, delivers without a restart.

The stream is on TLS of the test's own authority and refuses what AWS would refuse: signatures that are more than five
minutes off, tokens that have expired.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.contract.events import GENESIS, Event
from cloud.contract.items import Card, Door, Grant, Group, Item, Person
from cloud.contract.records import unpack
from tests.rigs import fault_kinesis as faults
from tests.rigs import site
from tests.rigs.certificates import Authority
from tests.rigs.credential_server import CredentialServer
from tests.rigs.daemon import Daemon
from tests.rigs.fault_kinesis import Answer, FaultKinesis
from tests.rigs.waiting import wait_for
from tests.rigs.wrong_clock import DAY_S, faketime

pytestmark = pytest.mark.system

BODY = """
[[door]]
id = "front"
[door.lock]
driver = "emulated"
fail = "secure"
strike_s = 1.0
[[door.reader]]
name = "front-in"
direction = "in"
driver = "emulated"
[uplink]
max_wait_s = 1.0
[aws]
region = "eu-central-1"
stream = "events"
table = "nothing"
bucket = "nothing"
"""
CURRENT, PAST = "04C0FFEE000180", "04C0FFEE000280"
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
        Person("alice", groups=("staff",)),
        Group("staff", (Grant("front"),)),
        Door("front"),
    ]


class Cloud:
    """Stream and credentials; `online` is whether they can be reached."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        authority = Authority(folder / "ca")
        self.online = False
        self.credentials = stack.enter_context(CredentialServer())
        self.stream = stack.enter_context(FaultKinesis(authority.server(), self._gate))
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

    def _gate(self, headers: Mapping[str, str]) -> Answer | None:
        return self.credentials.check(headers) if self.online else faults.RESET


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """One that can't be reached yet."""
    with ExitStack() as stack:
        yield Cloud(tmp_path, stack)


def daemon_with(home: Path, cloud: Cloud, clock: Mapping[str, str], **more: str) -> Daemon:
    daemon = Daemon(home, BODY, clock="kernel", environment={**cloud.environment, **clock}, keys=site.KEYS, **more)
    site.install(daemon.state_dir, items())
    return daemon


def delivered(daemon: Daemon) -> bool:
    return bool(daemon.status()["journal"]["unsent"] == 0)


def off_s(at: str, true_s: float) -> float:
    return abs(datetime.fromisoformat(at).timestamp() - true_s)


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

        cloud.online = True
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
        assert off_s(late.at, time.time()) < 60
        chain = GENESIS
        for event in events:
            assert event.prev == chain
            chain = event.chain_hash()
