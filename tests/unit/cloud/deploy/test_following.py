"""Following a stack's operation over what the service answers."""

from datetime import UTC, datetime

import boto3
from botocore.config import Config
from botocore.stub import Stubber

from cloud.deploy.following import Following, Progress


def test_look_that_is_throttled_is_made_up_for_by_the_next() -> None:
    """A dozen nested stacks are asked at once; that the service has enough of it ends no deployment."""
    options = Config(retries={"total_max_attempts": 1})
    client = boto3.client(
        "cloudformation", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x", config=options
    )
    event = {
        "StackId": "arn:aws:cloudformation:eu-central-1:1:stack/cardea-dev/1",
        "EventId": "1",
        "StackName": "cardea-dev",
        "LogicalResourceId": "cardea-dev",
        "ResourceType": "AWS::CloudFormation::Stack",
        "Timestamp": datetime(2026, 1, 1, tzinfo=UTC),
        "ResourceStatus": "UPDATE_COMPLETE",
        "ClientRequestToken": "ours",
    }
    seen: list[Progress] = []
    with Stubber(client) as stub:
        stub.add_client_error("describe_stack_events", "Throttling", "Rate exceeded", 400)
        stub.add_response("describe_stack_events", {"StackEvents": [event]})
        following = Following(client, "cardea-dev", "ours", seen.append)
        assert following.step() is None
        assert following.step() == "UPDATE_COMPLETE"
    assert [progress.status for progress in seen] == ["UPDATE_COMPLETE"]
