"""The fast path while the account fails or the function dies: nothing is lost, nothing is counted twice."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cloud.adapters.consumption import MAX_EVENTS_TOGETHER
from cloud.contract.events import EventType
from cloud.domain import keys
from cloud.domain.intake import Arrival
from cloud.handlers import consumer, gaps
from cloud.local.server import LocalAws
from tests.rigs.broken_calls import Breaker, BrokenAccess, Killed, unreachable
from tests.rigs.consumption import FastPath, fast_path
from tests.rigs.event_source import EventSource
from tests.rigs.histories import Device
from tests.rigs.wire import OTHER_KEY

pytestmark = pytest.mark.system

MOST_CALLS = 60
"""Above what the batch below takes; the loop ends with the first run that is not broken."""


@pytest.fixture
def path(local_aws: LocalAws) -> Iterator[FastPath]:
    with fast_path(local_aws) as made:
        made.build_site()
        yield made


def mixed_batch(path: FastPath) -> list[Arrival]:
    """Two devices, people, an alarm, a hole, a broken chain and a stranger's record."""
    lobby, yard = path.register(Device("d-lobby")), path.register(Device("d-yard"), ("lobby",))
    path.build_site()
    lobby.grant("ada")
    lobby.grant("bob")
    lobby.add(EventType.DOOR_FORCED)
    yard.grant("ada", "out", at_s=yard.start_s + 20)
    yard.many(30)
    fork = Device("d-lobby")
    fork.add(EventType.REX_PRESSED)
    fork.many(3)
    stranger = Device("d-lobby", key=OTHER_KEY)
    stranger.many(1)
    return [
        path.arrival(lobby, lobby.record(1, 3)),
        path.arrival(yard, yard.record(1, 20)),
        path.arrival(lobby, stranger.record()),
        path.arrival(lobby, fork.record(4, 4)),
        path.arrival(yard, yard.record(25, 31)),
    ]


def ids(path: FastPath) -> list[str]:
    return sorted({alarm["id"] for alarm in path.alarms()})


@pytest.mark.parametrize("answered", [False, True])
def test_death_between_any_two_calls_loses_and_doubles_nothing(local_aws: LocalAws, answered: bool) -> None:
    """Killed before a call or before its answer, then delivered again: the same table, bucket and alarms."""
    with fast_path(local_aws) as whole:
        whole.take(*mixed_batch(whole))
        expected = whole.dump(), whole.set_aside(), ids(whole)
    assert len(expected[2]) == 3
    for at in range(MOST_CALLS):
        with fast_path(local_aws) as path:
            batch = mixed_batch(path)
            breaker = Breaker(at=at, answered=answered)
            try:
                path.consumption(BrokenAccess(path.access, breaker)).take(batch)
            except Killed:
                path.take(*batch)
            assert (path.dump(), path.set_aside(), ids(path)) == expected, f"{breaker.calls} broken at {at}"
            if len(breaker.calls) <= at:
                return
    pytest.fail("the batch takes more calls than the test breaks")


@pytest.mark.parametrize("answered", [False, True])
def test_death_below_a_floor_loses_and_doubles_nothing(local_aws: LocalAws, answered: bool) -> None:
    """A controller that was set back to an old copy: an alarm and an entry in places that were used before."""

    def batch(path: FastPath) -> list[Arrival]:
        lobby = path.register(Device("d-lobby"))
        lobby.many(4)
        path.take(path.arrival(lobby, lobby.record()))
        restored = Device("d-lobby", events=lobby.run(1, 1), start_s=lobby.start_s + 600)
        restored.add(EventType.DOOR_FORCED)
        restored.grant("ada")
        return [path.arrival(restored, restored.record(1 + at, 2 + at), after_s=700 + at) for at in (1, 0)]

    with fast_path(local_aws) as whole:
        whole.build_site()
        whole.take(*batch(whole))
        expected = whole.dump(), ids(whole)
        assert (whole.occupancy(), len(whole.door_events()), len(expected[1])) == (["ada"], 6, 2)
    for at in range(MOST_CALLS):
        with fast_path(local_aws) as path:
            path.build_site()
            arrivals = batch(path)
            breaker = Breaker(at=at, answered=answered)
            try:
                path.consumption(BrokenAccess(path.access, breaker)).take(arrivals)
            except Killed:
                path.take(*arrivals)
            assert (path.dump(), ids(path)) == expected, f"{breaker.calls} broken at {at}"
            if len(breaker.calls) <= at:
                return
    pytest.fail("the batch takes more calls than the test breaks")


def test_account_that_fails_is_no_answer(path: FastPath) -> None:
    """A read that fails is not taken for a person who is nowhere, or an unknown device: the record comes again."""
    lobby = path.register(Device("d-lobby"))
    lobby.grant("ada")
    path.take(path.arrival(lobby, lobby.record()))
    before = path.dump()
    lobby.grant("ada", "out")
    arrival = path.arrival(lobby, lobby.record(2, 2))
    # The device, what has arrived of it, the door, its area, the person.
    for at in range(5):
        breaker = Breaker(at=at, error=unreachable, only=frozenset({"BatchGetItem"}), forever=True)
        taken = path.consumption(BrokenAccess(path.access, breaker)).take([arrival])
        assert taken.first_left == arrival
        changed = {key for key, item in path.dump().items() if before.get(key) != item}
        assert {key[1].partition("#")[0] for key in changed} <= {"EVENT"}
        assert (path.set_aside(), path.alarms()) == ({}, [])
    path.take(arrival)
    assert path.occupancy() == []


def test_bucket_that_fails_loses_no_alarm_of_a_rejected_record(path: FastPath) -> None:
    """Told of before it is set aside: what was not kept is told of and counted when it comes again."""
    batch = [path.arrival("d-1", b"one"), path.arrival("d-2", b"two"), path.arrival("d-1", b"three")]
    breaker = Breaker(at=1, error=unreachable, only=frozenset({"PutObject"}), forever=True)
    taken = path.consumption(BrokenAccess(path.access, breaker)).take(batch)
    assert (taken.first_left, taken.counts.rejected, len(path.set_aside())) == (batch[0], 1, 1)
    assert len(path.alarms()) == 2
    again = path.take(*batch)
    assert (again.first_left, again.counts.rejected, len(path.set_aside())) == (None, 2, 3)
    assert {alarm["kept_as"] for alarm in path.alarms()} == set(path.set_aside())


def test_answer_names_the_first_record_that_was_not_taken(path: FastPath) -> None:
    """What lies before it is done and noted; from it on, all come again in their order."""
    lobby = path.register(Device("d-lobby"))
    lobby.many(MAX_EVENTS_TOGETHER + 60)
    batch = [path.arrival(lobby, lobby.record(first, first + 99)) for first in range(1, MAX_EVENTS_TOGETHER, 100)]
    batch += [path.arrival(lobby, b"poison"), path.arrival(lobby, lobby.record(MAX_EVENTS_TOGETHER + 1))]
    breaker = Breaker(at=MAX_EVENTS_TOGETHER // 25, error=unreachable, only=frozenset({"BatchWriteItem"}), forever=True)
    taken = path.consumption(BrokenAccess(path.access, breaker)).take(batch)
    assert taken.first_left == batch[-2]
    assert taken.counts.events == MAX_EVENTS_TOGETHER
    again = path.take(*batch[-2:])
    assert (again.first_left, again.counts.events, again.counts.rejected) == (None, 60, 1)
    assert len(path.door_events()) == len(lobby.events)


def test_throttled_writes_are_tried_again_with_what_is_left(path: FastPath) -> None:
    """The service may take a part of a batch: the rest is sent until it is taken."""
    lobby = path.register(Device("d-lobby"))
    lobby.many(20)
    access = path.access
    throttled: list[int] = []

    class Throttled(BrokenAccess):
        def dynamodb(self) -> Any:
            client = access.dynamodb()

            def keep_back(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
                ((table, requests),) = params["RequestItems"].items()
                context["kept"] = {table: requests[1:]}
                params["RequestItems"] = {table: requests[:1]}

            def answer(parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
                if any(context["kept"].values()) and len(throttled) < 5:
                    throttled.append(sum(map(len, context["kept"].values())))
                    parsed["UnprocessedItems"] = context["kept"]

            def maybe(params: dict[str, Any], context: dict[str, Any], **more: Any) -> None:
                context["kept"] = {}
                if len(throttled) < 5:
                    keep_back(params, context, **more)

            client.meta.events.register("provide-client-params.dynamodb.BatchWriteItem", maybe)
            client.meta.events.register("after-call.dynamodb.BatchWriteItem", answer)
            return client

    taken = path.consumption(Throttled(access, Breaker())).take([path.arrival(lobby, lobby.record())])
    assert (taken.first_left, throttled) == (None, [19, 18, 17, 16, 15])
    assert len(path.door_events()) == 20


# ---- as the source of a function --------------------------------------------------------------------------------


@pytest.fixture
def source(path: FastPath) -> EventSource:
    """A stream, and the function as the service calls it."""
    kinesis, name = path.access.kinesis(), path.variables["CARDEA_TABLE"]
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    return EventSource(kinesis, name, consumer.assemble(path.variables, path.access))


def put(source: EventSource, device: Device, *records: bytes) -> None:
    for data in records:
        source.kinesis.put_record(StreamName=source.stream, PartitionKey=device.name, Data=data)


def test_shard_goes_on_after_poison(path: FastPath, source: EventSource) -> None:
    """One call takes the whole batch: what is poison is set aside, and nothing is tried again or given up."""
    lobby = path.register(Device("d-lobby"))
    for person in ("ada", "bob", "eve"):
        lobby.grant(person)
    put(source, lobby, lobby.record(1, 1), b"poison", lobby.record(2, 3), b"\x1f\x8b", lobby.record(2, 2))
    source.poll()
    assert (source.calls, source.failures) == (1, [])
    assert path.occupancy() == ["ada", "bob", "eve"]
    assert len(path.set_aside()) == 2


def test_function_that_dies_is_called_again_until_all_is_taken(path: FastPath, source: EventSource) -> None:
    """The service halves what it had handed over; each event still counts once."""
    lobby = path.register(Device("d-lobby"))
    lobby.many(8)
    put(source, lobby, *lobby.singles())
    handler, deaths = source.handler, iter([True, False, True])

    def dying(event: dict[str, Any]) -> Any:
        answer = handler(event)
        if next(deaths, False):
            raise RuntimeError("out of memory, after all was written")
        return answer

    source.handler = dying
    source.poll()
    assert source.failures == []
    assert [event["seq"] for event in path.door_events()] == list(range(1, 9))
    assert path.entities.get(keys.stream("d-lobby", 1)) is not None


def test_batch_that_can_not_be_written_goes_to_the_failure_target(path: FastPath, source: EventSource) -> None:
    """It is told where the records lie, so that they can be read again from the stream; what was before is done."""
    lobby, yard = path.register(Device("d-lobby")), path.register(Device("d-yard"))
    for device in (lobby, yard):
        device.many(2)
        put(source, device, *device.singles())
    # The first batch of two takes two reads.
    breaker = Breaker(at=2, error=unreachable, only=frozenset({"BatchGetItem"}), forever=True)
    healthy, source.batch = source.handler, 2
    source.handler = consumer.assemble(path.variables, BrokenAccess(path.access, breaker))
    source.poll()
    (failure,) = source.failures
    assert failure["KinesisBatchInfo"]["batchSize"] == 2
    assert source.calls == 1 + 1 + source.retries
    assert [event["device"] for event in path.door_events()] == ["d-lobby", "d-lobby"]
    EventSource(source.kinesis, source.stream, healthy).poll()
    assert len(path.door_events()) == 4
    assert path.alarms() == []


def test_functions_find_their_place_by_their_variables(
    path: FastPath,
    monkeypatch: pytest.MonkeyPatch,
    aws_variables: None,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """As the service starts them; what they log and count names no person."""
    for name, value in path.variables.items():
        monkeypatch.setenv(name, value)
    kinesis, name = path.access.kinesis(), path.variables["CARDEA_TABLE"]
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    source = EventSource(kinesis, name, lambda event: consumer.handler(event, None))
    lobby = path.register(Device("d-lobby"))
    lobby.grant("ada")
    lobby.grant("ada", "out")
    put(source, lobby, lobby.record(2, 2), b"poison")
    source.poll()
    assert len(path.usage("ada")) == 1
    assert {name: count for name, count in gaps.handler({}, None).items() if count} == {"devices_with_holes": 1}
    metrics = [json.loads(line) for line in capfd.readouterr().out.splitlines() if "CloudWatchMetrics" in line]
    (counted,) = (line for line in metrics if "events" in line)
    assert (counted["environment"], counted["events"], counted["holes"]) == ("test", [1.0], [1.0])
    logged = [vars(record) for record in caplog.records]
    assert [line["message"] for line in logged] == ["record.rejected", "batch.taken", "gaps.looked_for"]
    assert (logged[0]["reason"], logged[1]["events"]) == ("malformed", 1)
    assert "ada" not in f"{metrics} {logged}"
