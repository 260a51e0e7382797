"""Stacks through real change sets, and what the device policy allows in the account that they make."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cloud.adapters.aws import AwsAccess, AwsError, aws_errors
from cloud.deploy.plan import EnvironmentPlan, StackPlan, bucket_name, local_environment
from cloud.deploy.stacks import Deployer, Progress
from cloud.errors import DeployError
from cloud.local.device_user import create_device_user
from cloud.local.server import REGION
from tests.integration.cloud.conftest import Account

pytestmark = pytest.mark.system

# The local AWS takes most mistakes; this one it refuses as AWS does, after another resource was made.
BROKEN = """
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties: {BucketName: made-before}
  Broken:
    Type: AWS::IoT::ProvisioningTemplate
    DependsOn: Bucket
    Properties: {TemplateName: x, TemplateBody: "{}", ProvisioningRoleArn: "arn:aws:iam::123456789012:role/x"}
"""


def deployer(access: AwsAccess, seen: list[Progress]) -> Deployer:
    return Deployer(access.cloudformation(), seen.append, poll_s=0.02)


def test_environment_is_deployed_once_and_then_left_alone(empty_account: AwsAccess) -> None:
    """The first time makes every resource, the second changes nothing and gives the same outputs."""
    plan = EnvironmentPlan("prod", bucket_name("prod", "123456789012"), ("hq", "depot")).stacks()
    seen: list[Progress] = []
    outputs = deployer(empty_account, seen).apply(plan)
    assert outputs["StreamName"] == "cardea-prod-events"
    assert outputs["TableName"] == "cardea-prod"
    assert outputs["BucketName"] == "cardea-prod-lists-123456789012"
    made = [(event.resource, event.status) for event in seen if event.status == "CREATE_COMPLETE"]
    assert [name for name, _ in made if not name.startswith("cardea-")] == [
        "Table", "Stream", "Bucket", "TlsOnly", "Policy", "Policy",
    ]  # fmt: skip
    again: list[Progress] = []
    assert deployer(empty_account, again).apply(plan) == outputs
    assert [event.status for event in again] == ["UNCHANGED"] * len(plan)


def test_two_environments_live_side_by_side(empty_account: AwsAccess) -> None:
    """Nothing of one has a name that the other needs."""
    first = deployer(empty_account, []).apply(EnvironmentPlan("one", "cardea-one-lists", ("hq",)).stacks())
    second = deployer(empty_account, []).apply(EnvironmentPlan("two", "cardea-two-lists", ("hq",)).stacks())
    assert not set(first.values()) & set(second.values())


def test_change_of_a_parameter_updates_the_stack(empty_account: AwsAccess) -> None:
    """What differs is applied, through an update."""
    events = EnvironmentPlan("upd", "cardea-upd-lists", ()).stacks()[1]
    deployer(empty_account, []).apply([events])
    seen: list[Progress] = []
    longer = replace(events, parameters={**events.parameters, "RetentionHours": "48"})
    deployer(empty_account, seen).apply([longer])
    assert ("Stream", "UPDATE_COMPLETE") in [(event.resource, event.status) for event in seen]


def test_failure_names_its_first_cause_and_can_be_tried_again(empty_account: AwsAccess, tmp_path: Path) -> None:
    """The resource at fault is named, not the ones that were rolled back; what is left does not block a better try."""
    path = tmp_path / "stack.yaml"
    path.write_text(BROKEN)
    plan = StackPlan("try-again", path, {})
    with pytest.raises(DeployError, match=r"^try-again: ROLLBACK_COMPLETE: Broken \(AWS::IoT::ProvisioningTemplate\)"):
        deployer(empty_account, []).apply([plan])
    path.write_text(BROKEN[: BROKEN.index("  Broken:")])
    seen: list[Progress] = []
    deployer(empty_account, seen).apply([plan])
    assert seen[-1] == Progress("try-again", "try-again", "CREATE_COMPLETE", None)


def test_parameter_out_of_range_is_refused(empty_account: AwsAccess) -> None:
    """The service's own words reach the caller."""
    events = EnvironmentPlan("Upper", "b", ()).stacks()[1]
    with pytest.raises(AwsError, match="lower-case letters and digits"):
        deployer(empty_account, []).apply([events])


def test_input_that_no_stack_gives_is_refused_before_anything_is_called(empty_account: AwsAccess) -> None:
    """A plan in the wrong order is a mistake of ours, told as such."""
    device = local_environment("hq").stacks()[-1]
    with pytest.raises(DeployError, match="no stack before it has the output BucketArn"):
        deployer(empty_account, []).apply([device])


def test_device_policy_is_enforced(account: Account) -> None:
    """A door's key sends events and reads its own list; everything else that we try is refused.

    The local AWS does not check `dynamodb:LeadingKeys`, so that the table is not tried with another site's key here.
    """
    key = create_device_user(account.access.iam(), "door", account.outputs["PolicyArn"])
    door = AwsAccess(account.access.endpoint, REGION, key.id, key.secret)
    table, bucket, stream = (account.outputs[name] for name in ("TableName", "BucketName", "StreamName"))
    for name in ("lists/hq/1", "lists/depot/1"):
        account.access.s3().put_object(Bucket=bucket, Key=name, Body=b"x")
    item = {"pk": {"S": "HEAD#hq"}, "sk": {"S": "-"}}
    dynamodb, s3, kinesis = door.dynamodb(), door.s3(), door.kinesis()

    allowed: list[Callable[[], object]] = [
        lambda: kinesis.put_records(StreamName=stream, Records=[{"Data": b"x", "PartitionKey": "d"}]),
        lambda: dynamodb.get_item(TableName=table, Key=item, ConsistentRead=True),
        lambda: dynamodb.query(
            TableName=table, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": "DELTA#hq"}}
        ),
        lambda: s3.get_object(Bucket=bucket, Key="lists/hq/1"),
    ]
    refused: list[Callable[[], object]] = [
        lambda: kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="d"),
        lambda: kinesis.describe_stream(StreamName=stream),
        lambda: dynamodb.put_item(TableName=table, Item=item),
        lambda: dynamodb.delete_item(TableName=table, Key=item),
        lambda: dynamodb.scan(TableName=table),
        lambda: s3.get_object(Bucket=bucket, Key="lists/depot/1"),
        lambda: s3.put_object(Bucket=bucket, Key="lists/hq/2", Body=b"x"),
        lambda: s3.delete_object(Bucket=bucket, Key="lists/hq/1"),
        lambda: s3.list_objects_v2(Bucket=bucket),
        lambda: door.iam().list_users(),
    ]
    for call in allowed:
        call()
    for call in refused:
        with pytest.raises(AwsError) as caught, aws_errors():
            call()
        assert caught.value.code in ("AccessDenied", "AccessDeniedException")
