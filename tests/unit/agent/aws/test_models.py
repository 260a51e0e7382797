"""botocore's own data, slimmed: clients are the same but for what they hold in memory."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session, get_session

from agent.aws.models import OPERATIONS, slim, slimmed


class Caught(Exception):  # noqa: N818 - no error
    """Ends a call whose request was seen."""


def client(session: Session, service: str, region: str) -> Any:
    """As the agent makes it."""
    return session.create_client(service, region, aws_access_key_id="a", aws_secret_access_key="b")


def tree(shape: Any, above: tuple[str, ...] = ()) -> Any:
    """A shape down to its leaves; one that holds itself is not followed again."""
    if shape.name in above:
        return shape.name
    below = (*above, shape.name)
    parts = {name: tree(each, below) for name, each in getattr(shape, "members", {}).items()}
    for part in ("member", "key", "value"):
        if hasattr(shape, part):
            parts[part] = tree(getattr(shape, part), below)
    return shape.name, shape.type_name, shape.metadata, shape.serialization, parts


@pytest.mark.parametrize("service", ["kinesis", "dynamodb", "s3", "sts", "sns"])
@pytest.mark.parametrize("region", ["eu-central-1", "us-east-1", "cn-north-1"])
def test_a_slim_client_calls_the_same_endpoint_in_the_same_way(service: str, region: str) -> None:
    """Endpoints, operations and their shapes are botocore's, also of a service that is left out."""
    session = get_session()
    slim(session)
    ours, plain = client(session, service, region), client(get_session(), service, region)
    assert ours.meta.endpoint_url == plain.meta.endpoint_url
    known = OPERATIONS.get(plain.meta.service_model.service_id, set(plain.meta.service_model.operation_names))
    assert set(ours.meta.service_model.operation_names) == known
    for name in known:
        mine, its = (each.meta.service_model.operation_model(name) for each in (ours, plain))
        assert mine.http == its.http
        for shape in ("input_shape", "output_shape"):
            one, other = getattr(mine, shape), getattr(its, shape)
            assert (one is None) == (other is None)
            if one is not None:
                assert tree(one) == tree(other)
        assert [each.name for each in mine.error_shapes] == [each.name for each in its.error_shapes]


CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("kinesis", "put_records", {"StreamName": "s", "Records": [{"Data": b"x", "PartitionKey": "k"}]}),
    ("dynamodb", "get_item", {"TableName": "t", "Key": {"pk": {"S": "a"}}, "ConsistentRead": True}),
    ("dynamodb", "query", {"TableName": "t", "KeyConditionExpression": "pk = :p"}),
    ("s3", "get_object", {"Bucket": "bucket", "Key": "k"}),
    ("s3", "head_object", {"Bucket": "bucket", "Key": "k"}),
    ("sts", "get_caller_identity", {}),
]


@pytest.mark.parametrize(("service", "operation", "arguments"), CALLS, ids=[call[1] for call in CALLS])
def test_a_slim_client_sends_the_same_request(service: str, operation: str, arguments: dict[str, Any]) -> None:
    """Down to the bytes, from rule sets and context parameters to the body."""

    def sent(session: Session) -> tuple[str, str, bytes | None]:
        caught: list[tuple[str, str, bytes | None]] = []

        def look(request: Any, **_: Any) -> None:
            caught.append((request.method, request.url, request.body))
            raise Caught

        made = client(session, service, "eu-central-1")
        made.meta.events.register_first("before-send", look)
        with pytest.raises(Caught):
            getattr(made, operation)(**arguments)
        return caught[0]

    session = get_session()
    slim(session)
    assert sent(session) == sent(get_session())


def test_prose_and_other_services_are_left_out() -> None:
    """Only texts: a shape may have a member that is called so, and a text may speak of one."""
    data = {
        "documentation": '<p>words with "quotes" and a \\</p>',
        "members": {"documentation": {"shape": "Text", "documentation": "more"}, "services": {"shape": "Services"}},
        "default": '{"documentation":"x"}',
        "partitions": [{"dnsSuffix": "x", "services": {"kinesis": {"endpoints": {}}, "ec2": {"endpoints": {}}}}, {}],
    }
    for separators in ((",", ":"), (", ", ": ")):
        assert slimmed(json.dumps(data, separators=separators)) == {
            "documentation": "",
            "members": {"documentation": {"shape": "Text", "documentation": ""}, "services": {"shape": "Services"}},
            "default": '{"documentation":"x"}',
            "partitions": [{"dnsSuffix": "x", "services": {"kinesis": {"endpoints": {}}}}, {}],
        }
    assert slimmed("null") is None


def test_operations_that_no_door_calls_are_left_out_with_their_shapes() -> None:
    """A shape that holds itself is followed once."""
    tree = {"type": "structure", "members": {"again": {"shape": "Tree"}, "shape": {"shape": "Leaf"}}}
    shapes = {"Tree": tree, "Leaf": {"type": "string"}, "Other": {"type": "string"}}
    operations = {"PutRecords": {"input": {"shape": "Tree"}}, "ListStreams": {"input": {"shape": "Other"}}}
    told = {"metadata": {"serviceId": "Kinesis"}, "operations": operations, "shapes": shapes}
    kept = slimmed(json.dumps(told))
    assert (set(kept["operations"]), set(kept["shapes"])) == ({"PutRecords"}, {"Tree", "Leaf"})
    told["metadata"] = {"serviceId": "SNS"}
    assert slimmed(json.dumps(told)) == told


def test_files_are_found_as_botocore_finds_them(tmp_path: Path) -> None:
    """Plain or compressed, and nothing where there is none."""
    session = get_session()
    slim(session)
    files = session.get_component("data_loader").file_loader
    (tmp_path / "plain.json").write_text('{"a": "\u00e9"}', encoding="utf-8")
    (tmp_path / "packed.json.gz").write_bytes(gzip.compress(b'{"a": 1}'))
    assert files.load_file(str(tmp_path / "plain")) == {"a": "\u00e9"}
    assert files.load_file(str(tmp_path / "packed")) == {"a": 1}
    assert files.load_file(str(tmp_path / "none")) is None


def test_what_a_session_holds_is_slim() -> None:
    """The loader keeps what it loaded: that is where the memory goes."""
    session = get_session()
    slim(session)
    client(session, "kinesis", "eu-central-1")
    loader = session.get_component("data_loader")
    assert loader.load_service_model("kinesis", "service-2")["documentation"] == ""
    assert all(len(partition["services"]) <= 4 for partition in loader.load_data("endpoints")["partitions"])
