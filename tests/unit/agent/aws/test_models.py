"""botocore's own data, slimmed: clients are the same but for what they hold in memory."""

from typing import Any

import pytest
from botocore.session import Session, get_session

from agent.aws.models import slim, slimmed


class Caught(Exception):  # noqa: N818 - no error
    """Ends a call whose request was seen."""


def client(session: Session, service: str, region: str) -> Any:
    """As the agent makes it."""
    return session.create_client(service, region, aws_access_key_id="a", aws_secret_access_key="b")


@pytest.mark.parametrize("service", ["kinesis", "dynamodb", "s3", "sts", "sns"])
@pytest.mark.parametrize("region", ["eu-central-1", "us-east-1", "cn-north-1"])
def test_a_slim_client_calls_the_same_endpoint_in_the_same_way(service: str, region: str) -> None:
    """Endpoints, operations and their shapes are botocore's, also of a service that is left out."""
    session = get_session()
    slim(session)
    ours, plain = client(session, service, region), client(get_session(), service, region)
    assert ours.meta.endpoint_url == plain.meta.endpoint_url
    assert ours.meta.service_model.operation_names == plain.meta.service_model.operation_names
    for name in plain.meta.service_model.operation_names:
        mine, its = (each.meta.service_model.operation_model(name) for each in (ours, plain))
        assert mine.http == its.http
        for shape in ("input_shape", "output_shape"):
            one, other = getattr(mine, shape), getattr(its, shape)
            assert (one is None) == (other is None)
            if one is not None:
                assert list(one.members) == list(other.members)
                assert one.metadata == other.metadata


CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("kinesis", "put_records", {"StreamName": "s", "Records": [{"Data": b"x", "PartitionKey": "k"}]}),
    ("dynamodb", "get_item", {"TableName": "t", "Key": {"pk": {"S": "a"}}, "ConsistentRead": True}),
    ("dynamodb", "query", {"TableName": "t", "KeyConditionExpression": "pk = :p"}),
    ("s3", "get_object", {"Bucket": "bucket", "Key": "k"}),
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
    """Only texts: a shape may have a member that is called so."""
    data = {
        "documentation": "<p>words</p>",
        "members": {"documentation": {"shape": "Text", "documentation": "more"}, "services": {"shape": "Services"}},
        "partitions": [{"dnsSuffix": "x", "services": {"kinesis": {"endpoints": {}}, "ec2": {"endpoints": {}}}}],
    }
    assert slimmed(data) == {
        "documentation": "",
        "members": {"documentation": {"shape": "Text", "documentation": ""}, "services": {"shape": "Services"}},
        "partitions": [{"dnsSuffix": "x", "services": {"kinesis": {"endpoints": {}}}}],
    }
    assert slimmed(None) is None


def test_what_a_session_holds_is_slim() -> None:
    """The loader keeps what it loaded: that is where the memory goes."""
    session = get_session()
    slim(session)
    client(session, "kinesis", "eu-central-1")
    loader = session.get_component("data_loader")
    assert loader.load_service_model("kinesis", "service-2")["documentation"] == ""
    assert all(len(partition["services"]) <= 4 for partition in loader.load_data("endpoints")["partitions"])
