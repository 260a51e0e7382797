"""Stacks through real change sets, and what the device policy allows in the account that they make."""

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cloud.adapters.aws import AwsAccess, AwsError, aws_errors
from cloud.adapters.entities import EntityStore
from cloud.adapters.keys import ensure_site_keys
from cloud.deploy.environment import SiteStart, deploy
from cloud.deploy.following import Progress
from cloud.deploy.plan import EnvironmentPlan, SitePlan, StackPlan, local_environment
from cloud.deploy.release import stage
from cloud.deploy.removal import erase, stop
from cloud.deploy.retained import Eraser, Retained
from cloud.deploy.stacks import Deployer
from cloud.deploy.status import status
from cloud.domain.keys import site as site_key
from cloud.domain.outcome import Item
from cloud.domain.routes import Family
from cloud.errors import DeployError
from cloud.local.device_user import create_device_user
from cloud.local.server import REGION
from tests.integration.cloud.conftest import Account
from tests.rigs.back_office import client_of

pytestmark = pytest.mark.system

# The local AWS takes most mistakes; this one it refuses as AWS does, after another resource was made.
BROKEN = """
Resources:
  Before:
    Type: AWS::SNS::Topic
  Broken:
    Type: AWS::IoT::ProvisioningTemplate
    DependsOn: Before
    Properties: {TemplateName: x, TemplateBody: "{}", ProvisioningRoleArn: "arn:aws:iam::123456789012:role/x"}
"""


def deployer(access: AwsAccess, seen: list[Progress] | None = None) -> Deployer:
    return Deployer(access.cloudformation(), seen.append if seen is not None else None, poll_s=0.02)


def environment(name: str, *sites: str, **options: str) -> EnvironmentPlan:
    return local_environment(*(SitePlan(site, site) for site in sites or ("hq",)), name=name, options=options)


def states(seen: list[Progress]) -> set[str]:
    return {progress.status for progress in seen}


def function_names(access: AwsAccess, name: str) -> set[str]:
    pages = client_of(access, "lambda").get_paginator("list_functions").paginate()
    names = {function["FunctionName"] for page in pages for function in page["Functions"]}
    return {found for found in names if found.startswith(f"cardea-{name}-")}


def test_environment_is_deployed_from_nothing_and_then_left_alone(empty_account: AwsAccess) -> None:
    """The first time makes every resource, the second changes nothing and gives the same outputs."""
    plan = environment("prod", "hq", "depot")
    seen: list[Progress] = []
    outputs = deploy(empty_account, deployer(empty_account, seen), plan)
    assert outputs["StreamName"] == "cardea-prod-events"
    assert outputs["TableName"] == "cardea-prod"
    assert outputs["BucketName"] == "cardea-prod-lists"
    assert states(seen) == {"CREATE_IN_PROGRESS", "CREATE_COMPLETE"}
    made = {progress.resource for progress in seen if progress.status == "CREATE_COMPLETE"}
    assert made >= {
        "Table",
        "Stream",
        "Policy",
        "Consumer",
        "Processor",
        "Router",
        "Delivery",
        "Api",
        "Pool",
        "Dashboard",
    }
    families = {f"process-{family.value}" for family in Family}
    others = {"consumer", "gaps", "snapshots", "transform", "router", "api-read", "api-change"}
    assert function_names(empty_account, "prod") == {f"cardea-prod-{name}" for name in families | others}
    again: list[Progress] = []
    assert deploy(empty_account, deployer(empty_account, again), plan) == outputs
    assert [progress.status for progress in again] == ["UNCHANGED"] * 4


def test_site_gets_its_keys_its_list_and_its_entry_once(account: Account) -> None:
    """They are there after the first deployment, and the same after the next."""
    names = [f"cardea/dev/site/hq/{what}" for what in ("list-sign", "card-hash")]
    secrets = account.access.secretsmanager()

    def made() -> tuple[list[str], str | None, Item | None]:
        keys = [secrets.get_secret_value(SecretId=name, VersionStage="AWSCURRENT")["SecretString"] for name in names]
        store = EntityStore(account.outputs["TableName"], account.access.dynamodb())
        return keys, account.store("hq").head(), store.get(site_key("hq"))

    first = made()
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in first[0])
    assert first[1] is not None
    assert first[2] == {
        "pk": "SITE#hq", "sk": "-", "g2pk": "SITES", "g2sk": "hq", "v": 1, "rev": 1,
        "site": "hq", "name": "Headquarters", "zone": "Europe/Berlin",
    }  # fmt: skip
    renamed = local_environment(SitePlan("hq", "Another name", "UTC"))
    deploy(account.access, deployer(account.access), renamed)
    assert made() == first


def test_given_key_that_is_not_the_one_that_is_there_is_refused(account: Account, tmp_path: Path) -> None:
    """No deployment may make every card of a site unknown."""
    starts = {"hq": SiteStart(keys=ensure_site_keys(tmp_path))}
    plan = local_environment(SitePlan("hq", "Headquarters"))
    with pytest.raises(DeployError, match="cardea/dev/site/hq/list-sign: is there and holds another key"):
        deploy(account.access, deployer(account.access), plan, starts)


def test_change_of_code_updates_functions_and_nothing_else(account: Account) -> None:
    """Stacks without functions are not touched, and what functions work on stays the same."""
    plan = local_environment(SitePlan("hq", "Headquarters"))
    bucket = account.outputs["ArtifactsBucket"]
    release = stage(account.access.s3(), bucket, plan.target)
    account.access.s3().put_object(Bucket=bucket, Key="code/other.zip", Body=zip_of("cloud/__init__.py"))
    functions = client_of(account.access, "lambda")

    def hashes() -> set[str]:
        names = function_names(account.access, "dev")
        return {functions.get_function(FunctionName=name)["Configuration"]["CodeSha256"] for name in names}

    before = hashes()
    seen: list[Progress] = []
    given = {"ArtifactsBucket": bucket}
    changed = deployer(account.access, seen).apply([plan.root(replace(release, code_key="code/other.zip"))], given)
    assert len(before) == len(hashes()) == 1
    assert hashes() != before
    touched = {progress.stack.removeprefix("cardea-dev").strip("-").partition("-")[0] for progress in seen}
    assert touched == {"", "Archive", "FastPath", "Requests", "Api"}
    assert {name for name in changed if changed[name] != account.outputs.get(name)} == {"CodeKey"}
    deploy(account.access, deployer(account.access), plan)
    assert hashes() == before


def test_two_environments_live_side_by_side(empty_account: AwsAccess) -> None:
    """Nothing of one has a name that the other needs, and the end of one is none of the other's business."""
    one, two = environment("one"), environment("two")
    first = deploy(empty_account, deployer(empty_account), one)
    second = deploy(empty_account, deployer(empty_account), two)
    assert not set(first.values()) - {first["CodeKey"]} & set(second.values())
    erase(empty_account, deployer(empty_account), "one")
    found = status(empty_account, "two")
    assert (found.running, found.is_sound, found.code_is_current) == (True, True, True)
    assert len(function_names(empty_account, "two")) == 13
    names = [secret["Name"] for secret in empty_account.secretsmanager().list_secrets()["SecretList"]]
    assert [name for name in names if name.startswith("cardea/one/")] == []
    assert len([name for name in names if name.startswith("cardea/two/")]) == 3


def test_environment_that_was_stopped_finds_its_data_again(empty_account: AwsAccess) -> None:
    """What works is gone, what holds data is not; the next deployment goes on where the last one ended."""
    plan = environment("back")
    before = deploy(empty_account, deployer(empty_account), plan)
    item = {"pk": {"S": "PERSON#hq#anna"}, "sk": {"S": "-"}}
    empty_account.dynamodb().put_item(TableName=before["TableName"], Item=item)
    for output in ("BucketName", "ArchiveBucket", "RejectedBucket"):
        empty_account.s3().put_object(Bucket=before[output], Key="kept", Body=b"x")
    empty_account.cognito().admin_create_user(
        UserPoolId=before["PoolId"], Username="olga", TemporaryPassword="Correct-Horse-7-Staple"
    )

    sqs = empty_account.sqs()
    dead = sqs.get_queue_url(QueueName="cardea-back-cards-dlq")["QueueUrl"]
    sqs.send_message(QueueUrl=dead, MessageBody="letter")

    stop(deployer(empty_account), "back")
    found = status(empty_account, "back")
    assert (found.running, found.is_sound) == (False, True)
    # The archive goes on: what doors send meanwhile would never get there.
    assert function_names(empty_account, "back") == {"cardea-back-transform"}
    assert client_of(empty_account, "events").list_rules(NamePrefix="cardea-back-")["Rules"] == []

    after = deploy(empty_account, deployer(empty_account), plan)
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"ApiId", "ApiUrl"}
    assert [message["Body"] for message in sqs.receive_message(QueueUrl=dead)["Messages"]] == ["letter"]
    assert empty_account.dynamodb().get_item(TableName=after["TableName"], Key=item)["Item"] == item
    for output in ("BucketName", "ArchiveBucket", "RejectedBucket"):
        assert empty_account.s3().get_object(Bucket=after[output], Key="kept")["Body"].read() == b"x"
    assert empty_account.cognito().admin_get_user(UserPoolId=after["PoolId"], Username="olga")["Enabled"]
    assert status(empty_account, "back").running


def test_environment_is_erased_with_all_its_data(empty_account: AwsAccess) -> None:
    """Versions and delete markers too, protected or not; and its name is free for the next one."""
    plan = replace(environment("gone"), deletion_protection=True)
    outputs = deploy(empty_account, deployer(empty_account), plan)
    s3 = empty_account.s3()
    for body in (b"1", b"2"):
        s3.put_object(Bucket=outputs["BucketName"], Key="lists/hq/x", Body=body)
    s3.delete_object(Bucket=outputs["BucketName"], Key="lists/hq/x")
    s3.put_object(Bucket=outputs["RequestsBucket"], Key="requests/hq/x.json", Body=b"{}")

    assert erase(empty_account, deployer(empty_account), "gone").locked == {}
    assert "cardea-gone" not in empty_account.dynamodb().list_tables()["TableNames"]
    assert "cardea-gone-events" not in empty_account.kinesis().list_streams()["StreamNames"]
    assert [b["Name"] for b in s3.list_buckets()["Buckets"] if b["Name"].startswith("cardea-gone-")] == []
    pools = empty_account.cognito().list_user_pools(MaxResults=60)["UserPools"]
    assert [pool for pool in pools if pool["Id"] == outputs["PoolId"]] == []
    assert empty_account.kms().describe_key(KeyId=outputs["KeyArn"])["KeyMetadata"]["KeyState"] == "PendingDeletion"
    with pytest.raises(DeployError, match="there is no such stack"):
        status(empty_account, "gone")
    deploy(empty_account, deployer(empty_account), plan)
    erase(empty_account, deployer(empty_account), "gone")


def test_what_is_locked_stays_and_is_told(empty_account: AwsAccess) -> None:
    """Where nobody may delete a request before its time, not even this may; the key to it stays as well."""
    plan = environment("law", LockMode="COMPLIANCE")
    outputs = deploy(empty_account, deployer(empty_account), plan)
    # The local AWS does not take the bucket's own rule from its template.
    empty_account.s3().put_object_lock_configuration(
        Bucket=outputs["RequestsBucket"],
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}},
        },
    )
    empty_account.s3().put_object(Bucket=outputs["RequestsBucket"], Key="requests/hq/x.json", Body=b"{}")
    # Before the stacks go: the local AWS would take along what they nest, whatever their templates say.
    retained = Retained(
        outputs["TableName"], outputs["StreamName"], (outputs["RequestsBucket"],), None, outputs["KeyArn"]
    )
    eraser = Eraser(empty_account)
    assert eraser.empty(outputs["RequestsBucket"]) == 1
    eraser.delete(retained, keep=frozenset(retained.buckets))
    assert empty_account.s3().head_object(Bucket=outputs["RequestsBucket"], Key="requests/hq/x.json")
    key = empty_account.kms().describe_key(KeyId=outputs["KeyArn"])["KeyMetadata"]
    assert key["KeyState"] == "Enabled"
    assert "cardea-law" not in empty_account.dynamodb().list_tables()["TableNames"]
    # What is gone already is none of a second try's troubles.
    assert erase(empty_account, deployer(empty_account), "law").locked == {outputs["RequestsBucket"]: 1}


def test_only_the_bucket_that_locks_is_told_to_override_its_locks(
    empty_account: AwsAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 refuses that word for any other bucket, and the end of the environment would stop half-way."""
    plan = environment("lock")
    outputs = deploy(empty_account, deployer(empty_account), plan)
    s3, told = empty_account.s3(), dict[str, bool]()
    for name in ("BucketName", "RequestsBucket"):
        s3.put_object(Bucket=outputs[name], Key="requests/hq/x.json", Body=b"{}")
    s3.meta.events.register(
        "provide-client-params.s3.DeleteObjects",
        lambda params, **_: told.update({params["Bucket"]: "BypassGovernanceRetention" in params}),
    )
    monkeypatch.setattr(AwsAccess, "s3", lambda _self: s3)
    erase(empty_account, deployer(empty_account), "lock")
    assert told.pop(outputs["RequestsBucket"])
    assert set(told.values()) == {False}


def test_protection_holds_until_the_very_end(empty_account: AwsAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    """An end that fails on its way leaves second factors and protection as they were, and can be tried again."""
    plan = replace(environment("half"), deletion_protection=True)
    outputs = deploy(empty_account, deployer(empty_account), plan)
    table = empty_account.dynamodb().describe_table(TableName=outputs["TableName"])["Table"]
    assert table["DeletionProtectionEnabled"]
    before = empty_account.cognito().describe_user_pool(UserPoolId=outputs["PoolId"])["UserPool"]
    with monkeypatch.context() as broken:
        broken.setattr(Eraser, "empty", lambda *_args, **_kwargs: pytest.fail("no way to S3"))
        with pytest.raises(pytest.fail.Exception):
            erase(empty_account, deployer(empty_account), "half")
    after = empty_account.cognito().describe_user_pool(UserPoolId=outputs["PoolId"])["UserPool"]
    assert (after.get("MfaConfiguration"), after["DeletionProtection"]) == (before.get("MfaConfiguration"), "ACTIVE")
    # Whoever thinks better of it has all of it again.
    deploy(empty_account, deployer(empty_account), plan)
    deliveries = client_of(empty_account, "firehose").list_delivery_streams()["DeliveryStreamNames"]
    assert "cardea-half-archive" in deliveries
    erase(empty_account, deployer(empty_account), "half")
    # Whatever died between the root and what it was made from is finished by another call.
    deploy(empty_account, deployer(empty_account), plan)
    deployer(empty_account).delete("cardea-half")
    erase(empty_account, deployer(empty_account), "half")
    with pytest.raises(DeployError, match="there is no such stack"):
        erase(empty_account, deployer(empty_account), "half")


def test_pool_with_a_sign_in_page_can_be_erased(empty_account: AwsAccess) -> None:
    """Cognito deletes no pool that a host name leads to."""
    outputs = deploy(empty_account, deployer(empty_account), environment("page"))
    cognito = empty_account.cognito()
    cognito.create_user_pool_domain(Domain="cardea-page-test", UserPoolId=outputs["PoolId"])
    erase(empty_account, deployer(empty_account), "page")
    assert cognito.describe_user_pool_domain(Domain="cardea-page-test")["DomainDescription"] == {}


def test_what_was_set_once_stays_set(empty_account: AwsAccess) -> None:
    """A deployment that does not name a parameter must not weaken it."""
    deploy(empty_account, deployer(empty_account), environment("kept", LockMode="COMPLIANCE", LockDays="7"))
    seen: list[Progress] = []
    deploy(empty_account, deployer(empty_account, seen), environment("kept"))
    assert {progress.status for progress in seen} == {"UNCHANGED"}
    deploy(empty_account, deployer(empty_account), environment("kept", LockDays="8"))
    root = deployer(empty_account).find("cardea-kept")
    assert root is not None
    now = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in root["Parameters"]}
    assert (now["LockMode"], now["LockDays"]) == ("COMPLIANCE", "8")


def test_failure_is_explained_by_the_resource_that_failed_first(empty_account: AwsAccess, tmp_path: Path) -> None:
    """It lies two stacks deep; those that contain it only say that something in them failed."""
    s3 = empty_account.s3()
    s3.create_bucket(Bucket="nested", CreateBucketConfiguration={"LocationConstraint": REGION})
    for name, body in {"inner.yaml": BROKEN, "middle.yaml": nesting("inner", s3.meta.endpoint_url)}.items():
        s3.put_object(Bucket="nested", Key=name, Body=body.encode())
    path = tmp_path / "root.yaml"
    path.write_text(nesting("middle", s3.meta.endpoint_url))
    seen: list[Progress] = []
    with pytest.raises(DeployError, match=r"^deep: ROLLBACK_COMPLETE: Broken \(AWS::IoT::ProvisioningTemplate\): "):
        deployer(empty_account, seen).apply([StackPlan("deep", path, {})])
    assert ("Broken", "CREATE_FAILED") in [(progress.resource, progress.status) for progress in seen]


def nesting(name: str, endpoint: str) -> str:
    return f"""
Resources:
  {name.capitalize()}:
    Type: AWS::CloudFormation::Stack
    Properties: {{TemplateURL: "{endpoint}/nested/{name}.yaml"}}
"""


def zip_of(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, "")
    return buffer.getvalue()


def test_failure_names_its_first_cause_and_can_be_tried_again(empty_account: AwsAccess, tmp_path: Path) -> None:
    """The resource at fault is named, not the ones that were rolled back; what is left does not block a better try."""
    path = tmp_path / "stack.yaml"
    path.write_text(BROKEN)
    plan = StackPlan("try-again", path, {})
    with pytest.raises(DeployError, match=r"^try-again: ROLLBACK_COMPLETE: Broken \(AWS::IoT::ProvisioningTemplate\)"):
        deployer(empty_account).apply([plan])
    path.write_text(BROKEN[: BROKEN.index("  Broken:")])
    seen: list[Progress] = []
    deployer(empty_account, seen).apply([plan])
    assert seen[-1] == Progress("try-again", "try-again", "CREATE_COMPLETE", None)


def test_parameter_out_of_range_is_refused(empty_account: AwsAccess) -> None:
    """The service's own words reach the caller."""
    with pytest.raises(AwsError, match="lower-case letters and digits"):
        deployer(empty_account).apply([environment("Upper").artifacts()])


def test_input_that_no_stack_gives_is_refused_before_anything_is_called(empty_account: AwsAccess) -> None:
    """A plan in the wrong order is a mistake of ours, told as such."""
    with pytest.raises(DeployError, match="no stack before it has the output BucketArn"):
        deployer(empty_account).apply(environment("dev").devices())


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
