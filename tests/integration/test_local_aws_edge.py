"""The edge's AWS adapters against the local AWS: events arrive, lists are followed, bad ones are refused."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import TypeVar
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.aws.kinesis import KinesisSink
from agent.aws.lists import DynamoListSource
from agent.aws.session import AwsSession
from agent.errors import FailureKind, Transient
from agent.ports import Applied, ListPosition, RefusedItem
from agent.runtime.follow import Follower, Told
from agent.runtime.retry import waits
from agent.runtime.sync import Sync
from agent.runtime.uplink import Uplink
from agent.storage.allowlist import SqliteAllowListStore
from agent.storage.journal import SqliteJournal
from cloud.contract.allowlist import Snapshot, delta_key, head_key, seal_delta, seal_snapshot
from cloud.contract.canonical import canonical_bytes, sha256_hex
from cloud.contract.errors import ContractError
from cloud.contract.reasons import Reason
from cloud.contract.records import unpack
from cloud.contract.signing import sign
from tests.rigs.local_aws import AwsPlace
from tests.rigs.running import eventually, running
from tests.rigs.site_lists import Site, card_id, put, remove
from tests.rigs.stamps import opened, stamp

pytestmark = pytest.mark.system

T = TypeVar("T")
DEVICE = f"door-{uuid4().hex[:8]}"
REGION = "eu-central-1"


def ask(function: Callable[[], T], /) -> T:
    return function()


@dataclass(slots=True)
class Door:
    """A door's list store that follows a site's head in the local AWS."""

    source: DynamoListSource
    store: SqliteAllowListStore
    applied: list[ListPosition] = field(default_factory=list)
    refused: list[tuple[Reason, int, int]] = field(default_factory=list)
    refused_items: list[RefusedItem] = field(default_factory=list)
    confirmed: list[None] = field(default_factory=list)

    def told(self) -> Told:
        def on_applied(applied: Applied) -> None:
            self.applied.append(applied.position)
            self.refused_items += applied.refused

        return Told(
            applied=on_applied,
            refused=lambda reason, _, epoch, version: self.refused.append((reason, epoch, version)),
            confirmed=lambda: self.confirmed.append(None),
        )

    def follow(self) -> None:
        Follower(self.source, self.store, self.told(), hold_s=0.0).follow(ask)

    def position(self) -> tuple[int, int] | None:
        at = self.store.position()
        return None if at is None else (at.epoch, at.version)


@pytest.fixture
def site() -> Site:
    return Site(name=f"site-{uuid4().hex[:8]}")


@pytest.fixture(scope="module")
def session(aws_variables: None) -> Iterator[AwsSession]:
    with AwsSession(REGION, timeout_s=10.0) as opened_session:
        yield opened_session


@pytest.fixture
def source(aws: AwsPlace, session: AwsSession, site: Site) -> DynamoListSource:
    stranger = Ed25519PrivateKey.generate().public_key()
    keys = [stranger, site.key.public_key()]  # two, as while keys rotate
    return DynamoListSource(session, table=aws.table, bucket=aws.bucket, site=site.name, keys=keys)


@pytest.fixture
def door(source: DynamoListSource, tmp_path: Path) -> Iterator[Door]:
    with SqliteAllowListStore(tmp_path / "door", on_set_aside=lambda why: pytest.fail(why)) as store:
        yield Door(source, store)


@pytest.fixture
def held(aws: AwsPlace, site: Site, door: Door) -> Snapshot:
    """The door holds version 5 of ten cards; the snapshot that it came from."""
    snapshot = site.snapshot(5, range(10))
    aws.publish(site, snapshot, site.head(5, snapshot))
    door.follow()
    assert door.position() == (1, 5)
    return snapshot


def test_a_door_follows_its_site_from_nothing(aws: AwsPlace, site: Site, door: Door) -> None:
    """Nothing published: nothing held; then snapshot, then delta by delta, over several pages of the table."""
    door.follow()
    assert (door.position(), door.confirmed) == (None, [])
    snapshot = site.snapshot(1, range(3))
    # Numbers that do not compress, 170 KB to a delta: seven of these do not fit the megabyte of one page.
    numbers = Random(1)
    bulky = [site.delta(version, *(put(numbers.getrandbits(100)) for _ in range(5000))) for version in range(2, 9)]
    aws.publish(site, snapshot, *bulky, site.head(8, snapshot))
    door.follow()
    assert door.applied == [ListPosition(1, version) for version in range(1, 9)]
    assert (len(door.confirmed), door.refused) == (1, [])
    pages = aws.dynamodb.query(
        TableName=aws.table,
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": delta_key(site.name, 1, 2)[0]}},
    )
    assert "LastEvaluatedKey" in pages, "the deltas fit one page, so paging was not tested"


def test_a_revocation_arrives(aws: AwsPlace, site: Site, door: Door, held: Snapshot) -> None:
    """The delta that takes a card away is applied; the door confirms the version."""
    aws.publish(site, site.delta(6, remove(3)), site.head(6, held))
    door.follow()
    assert door.position() == (1, 6)
    assert door.store.removals(site.delta(7, remove(3)))[0] == 0


def test_a_rollback_is_refused(aws: AwsPlace, site: Site, door: Door, held: Snapshot) -> None:
    """An old head, validly signed, put back into the table."""
    old = site.snapshot(4, range(12))
    aws.publish(site, old, site.head(4, old))
    door.follow()
    assert (door.refused, door.position()) == ([(Reason.ROLLBACK, 1, 4)], (1, 5))


def test_a_gap_is_refused(aws: AwsPlace, site: Site, door: Door, held: Snapshot) -> None:
    """Version 6 is missing in the table: 7 is not applied to 5."""
    aws.publish(site, site.delta(7, put(70)), site.head(7, held))
    door.follow()
    assert (door.refused, door.position()) == ([(Reason.MALFORMED, 1, 7)], (1, 5))


@pytest.mark.parametrize("what", ["head", "delta", "snapshot"])
def test_a_foreign_signature_is_refused(what: str, aws: AwsPlace, site: Site, door: Door, held: Snapshot) -> None:
    """Whoever can write to the table and the bucket, but has not the site's key, changes no list."""
    thief = Site(name=site.name)
    snapshot = held
    if what == "head":
        aws.publish(thief, thief.head(6, snapshot))
    elif what == "delta":
        aws.publish(thief, thief.delta(6, put(666)))
        aws.publish(site, site.head(6, snapshot))
    else:
        forged = thief.snapshot(6, range(20))
        aws.publish(thief, forged)
        named = site.head(6, forged, oldest_delta=7)
        body = seal_snapshot(forged, thief.key)
        aws.publish(site, replace(named, snapshot_sha256=sha256_hex(body)))
    door.follow()
    assert [reason for reason, _, _ in door.refused] == [Reason.BAD_SIGNATURE]
    assert door.position() == (1, 5)


@pytest.mark.parametrize("what", ["delta", "snapshot"])
def test_other_bytes_than_were_signed_are_refused(
    what: str, aws: AwsPlace, site: Site, door: Door, held: Snapshot
) -> None:
    """A document with its own true signature, but beside changed contents."""
    if what == "delta":
        delta = site.delta(6, put(60))
        text, _ = seal_delta(delta, site.key)
        _, others = seal_delta(site.delta(6, put(666)), site.key)
        aws.put_item(delta_key(site.name, 1, 6), delta, {"doc": {"S": text}, "changes": {"B": others}})
        aws.publish(site, site.head(6, held))
    else:
        snapshot = site.snapshot(6, range(11))
        aws.publish(site, snapshot)
        named = site.head(6, snapshot, oldest_delta=7)
        aws.publish(site, replace(named, snapshot_sha256="0" * 64))
    door.follow()
    assert (door.refused, door.position()) == ([(Reason.BAD_HASH, 1, 6)], (1, 5))


@pytest.mark.parametrize("what", ["head", "delta", "snapshot"])
def test_another_sites_documents_are_refused(what: str, aws: AwsPlace, site: Site, door: Door, held: Snapshot) -> None:
    """Even under the same key: what was signed for one site opens no other's doors."""
    other = Site(name="plant", key=site.key)
    if what == "head":
        aws.publish(other, other.head(6, held), under=site)
    elif what == "delta":
        aws.publish(other, other.delta(6, put(666)), under=site)
        aws.publish(site, site.head(6, held))
    else:
        snapshot = other.snapshot(6, range(20))
        aws.publish(other, snapshot, under=site)
        named = site.head(6, snapshot, oldest_delta=7)
        aws.publish(site, replace(named, snapshot_sha256=sha256_hex(seal_snapshot(snapshot, other.key))))
    door.follow()
    assert [reason for reason, _, _ in door.refused] == [Reason.WRONG_SITE]
    assert door.position() == (1, 5)


def test_a_shrinking_list_is_refused(aws: AwsPlace, site: Site, door: Door, held: Snapshot) -> None:
    """Three of ten cards are not taken away by accident."""
    aws.publish(site, site.delta(6, remove(0), remove(1), remove(2)), site.head(6, held))
    door.follow()
    assert (door.refused, door.position()) == ([(Reason.SHRINK, 1, 6)], (1, 5))


def test_a_document_of_an_unknown_version_is_refused(aws: AwsPlace, site: Site, door: Door, held: Snapshot) -> None:
    """Signed by the site, but of a schema of some later release."""
    head = site.head(6, held)
    document = {"v": 2, **{name: getattr(head, name) for name in head.__slots__}}
    document["sig"] = sign(document, site.key)
    aws.put_item(head_key(site.name), head, {"doc": {"S": canonical_bytes(document).decode()}})
    door.follow()
    assert (door.refused, door.position()) == ([(Reason.UNKNOWN_VERSION, 0, 0)], (1, 5))


def test_an_item_of_an_unknown_version_is_kept_out_alone(aws: AwsPlace, site: Site, door: Door, held: Snapshot) -> None:
    """The rest of the list is taken, the item reported."""
    strange = replace(put(50), item={"v": 2, "kind": "card", "id": card_id(50), "pin": "later"})
    aws.publish(site, site.delta(6, strange, put(51)), site.head(6, held))
    door.follow()
    assert door.position() == (1, 6)
    assert [(item.kind, item.id) for item in door.refused_items] == [("card", card_id(50))]


def test_an_item_without_a_document_is_refused(aws: AwsPlace, site: Site, door: Door, held: Snapshot) -> None:
    """Attributes that are missing or of another type are no crash."""
    aws.put_item(head_key(site.name), site.head(6, held), {"doc": {"N": "7"}})
    door.follow()
    assert (door.refused, door.position()) == ([(Reason.MALFORMED, 0, 0)], (1, 5))


def test_an_oversized_snapshot_is_refused(aws: AwsPlace, site: Site, session: AwsSession) -> None:
    """An object that would fill the memory is not read to its end, whoever signed it."""
    snapshot = site.snapshot(1, range(2000))
    aws.publish(site, snapshot)
    source = DynamoListSource(
        session, table=aws.table, bucket=aws.bucket, site=site.name, keys=[site.key.public_key()], max_bytes=1000
    )
    with pytest.raises(ContractError, match="above 1000 bytes"):
        source.snapshot(site.head(1, snapshot))


def test_a_missing_snapshot_is_the_services_fault(aws: AwsPlace, site: Site, source: DynamoListSource) -> None:
    """An object that is not there yet is tried again, not refused for good."""
    with pytest.raises(Transient) as caught:
        source.snapshot(site.head(1, site.snapshot(1, [])))
    assert caught.value.kind is FailureKind.SERVICE


def test_a_missing_table_is_the_services_fault(session: AwsSession, site: Site, aws: AwsPlace) -> None:
    """A stack that is not deployed yet is waited for."""
    nowhere = DynamoListSource(
        session, table="nowhere", bucket=aws.bucket, site=site.name, keys=[site.key.public_key()]
    )
    with pytest.raises(Transient) as caught:
        nowhere.head()
    assert caught.value.kind is FailureKind.SERVICE
    with pytest.raises(Transient) as caught:
        KinesisSink(session, "nowhere", DEVICE).put(b"x")
    assert caught.value.kind is FailureKind.SERVICE


def test_journal_and_list_travel_while_the_door_runs(
    aws: AwsPlace, site: Site, session: AwsSession, source: DynamoListSource, tmp_path: Path
) -> None:
    """Both workers side by side, over one session, with the real stores: what happened arrives, what changed comes."""
    key = Ed25519PrivateKey.generate()
    table = waits(0.01, 1.0)
    snapshot = site.snapshot(1, range(3))
    aws.publish(site, snapshot, site.head(1, snapshot))
    applied: list[ListPosition] = []
    told = Told(applied=lambda each: applied.append(each.position), refused=lambda *_: None, confirmed=lambda: None)

    def open_store() -> SqliteAllowListStore:
        return SqliteAllowListStore(tmp_path, on_set_aside=lambda why: pytest.fail(why))

    with SqliteJournal(tmp_path, device=DEVICE, site=site.name, stamp=stamp) as journal:
        sync = Sync(source, open_store, waits=table, poll_s=0.2, told=told)
        sink = KinesisSink(session, aws.stream, DEVICE)
        uplink = Uplink(journal, sink, key, waits=table, on_state=lambda _: None)
        with running(sync.run), running(uplink.run):
            for _ in range(250):
                journal.append(opened(), 5.0)
            eventually(lambda: applied == [ListPosition(1, 1)])
            aws.publish(site, site.delta(2, put(9)), site.head(2, snapshot))
            sync.nudge()
            eventually(lambda: applied[-1] == ListPosition(1, 2))
            eventually(lambda: journal.stats().unsent == 0)
    records = aws.records()
    events = [
        event for device, data in records if device == DEVICE for event in unpack(data, [key.public_key()]).events
    ]
    assert [event.seq for event in events] == list(range(1, 251))
