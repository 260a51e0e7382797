"""From the card to the stream and from the list to the door, on the local AWS with the door's own narrow rights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.contract.allowlist import Change
from cloud.contract.events import GENESIS, Event
from cloud.contract.records import unpack
from cloud.local.main import LocalCloud, LocalCloudDetails, publisher_for
from tests.rigs.daemon import ROOT, Daemon
from tests.rigs.waiting import wait_for

pytestmark = pytest.mark.system

OFFICE = """
[[door]]
id = "hq-office"
[door.lock]
driver = "emulated"
fail = "secure"
strike_s = 1.0
[[door.reader]]
name = "office-in"
direction = "in"
driver = "emulated"
[allowlist]
poll_s = 1.0
[uplink]
max_wait_s = 1.0
[aws]
region = "{details.region}"
stream = "{details.stream}"
table = "{details.table}"
bucket = "{details.bucket}"
[emulated.cards]
alice = "{alice}"
"""
ALICE = "04A1C3D2E45F80"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloudDetails]:
    """A local cloud with the demo site."""
    with LocalCloud(tmp_path_factory.mktemp("cloud")) as details:
        yield details


@pytest.fixture
def office(local: LocalCloudDetails, tmp_path: Path) -> Iterator[Daemon]:
    """A door of that cloud, with the rights of a door and no other."""
    door = Path(local.door_dir)
    keys = {name: (door / name).read_text() for name in ("card-hash.key", "list-verify.pub")}
    body = OFFICE.format(details=local, alice=ALICE)
    daemon = Daemon(tmp_path, body, device=f"door-{tmp_path.name[-20:]}", keys=keys, environment=local.environment)
    with daemon:
        wait_for(lambda: (daemon.status()["allowlist"]["version"] or 0) >= local.version, "the whole list", 20)
        yield daemon


def streamed(local: LocalCloudDetails, daemon: Daemon) -> list[Event]:
    """The events of this door on the stream, read with boto3 and checked with the device's key."""
    device = daemon.status()["device"]
    key = Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex((daemon.state_dir / "device.key").read_text())
    ).public_key()
    client: Any = boto3.client(
        "kinesis",
        endpoint_url=local.endpoint,
        region_name=local.region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    found: dict[int, Event] = {}
    for shard in client.list_shards(StreamName=local.stream)["Shards"]:
        iterator = client.get_shard_iterator(
            StreamName=local.stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while records := (answer := client.get_records(ShardIterator=iterator))["Records"]:
            for record in records:
                if record["PartitionKey"] == device:
                    found |= {event.seq: event for event in unpack(record["Data"], [key]).events}
            iterator = answer["NextShardIterator"]
    client.close()
    return [found[seq] for seq in sorted(found)]


def test_a_tap_is_read_back_from_the_stream_whole_and_in_order(local: LocalCloudDetails, office: Daemon) -> None:
    """Every event of the journal is on the stream, signed, numbered without a gap, chained."""
    result = office.tap("alice")
    assert result["decision"] == "granted"
    wait_for(lambda: office.status()["journal"]["unsent"] == 0, "delivery")
    events = streamed(local, office)
    assert result["event_id"] in {event.id for event in events}
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    chain = GENESIS
    for event in events:
        assert event.prev == chain
        chain = event.chain_hash()
    assert all(event["sent"] for event in office.events())


def test_a_revocation_reaches_the_door_and_a_refused_item_is_reported(local: LocalCloudDetails, office: Daemon) -> None:
    """The next poll brings the change; an item of a later release is kept out and said, the rest is applied."""
    publisher = publisher_for(Path(local.home))
    current = publisher.current()
    assert current is not None
    cards = {key: item for key, item in current[1].items() if item["kind"] == "card" and item["person"] == "alice"}
    ((kind, card_id),) = cards
    published = publisher.change([Change(kind, card_id, {**cards[kind, card_id], "status": "revoked"})])
    wait_for(lambda: office.status()["allowlist"]["version"] == published.version, "the change")
    assert office.tap("alice")["reason"] == "revoked"
    publisher.change([Change(kind, card_id, cards[kind, card_id])])
    wait_for(lambda: office.tap("alice")["reason"] == "allowed", "the change back")


def test_without_the_network_the_door_decides_and_delivers_later(office: Daemon, local: LocalCloudDetails) -> None:
    """A door that was started without a cloud to reach keeps its list and its events, and catches up."""
    office.stop()
    office._environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    office.start()
    assert office.tap("alice")["decision"] == "granted"
    assert office.status()["journal"]["unsent"] > 0
    wait_for(lambda: office.status()["uplink"]["state"] == "offline", "the uplink to notice")
    office.stop()
    office._environment["AWS_ENDPOINT_URL"] = local.endpoint
    office.start()
    wait_for(lambda: office.status()["journal"]["unsent"] == 0, "the backlog to go")
    events = streamed(local, office)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


def test_the_demo_knows_the_cards_that_the_emulated_doors_name() -> None:
    """A name on the panel is a card of the demo site, but for the stranger."""
    import tomllib

    site = tomllib.loads((ROOT / "config" / "demo-site.toml").read_text())
    named = tomllib.loads((ROOT / "config" / "emulated.toml").read_text())["emulated"]["cards"]
    known = {card["name"]: card["uid"] for person in site["person"] for card in person.get("cards", [])}
    assert {name: uid for name, uid in named.items() if name != "stranger"} == known
