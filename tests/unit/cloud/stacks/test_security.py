"""Who may do what, and how what is stored and sent is protected."""

import json
import re

import pytest

from tests.rigs.templates import NAMES, STACKS, Resource, Statement, resource, resources, statements, template, text

MANAGED_BY_AWS = {"lists.yaml:Bucket", "artifacts.yaml:Bucket"}
"""Buckets without a key of ours: doors read the one, and the other is there before the key is."""


@pytest.mark.parametrize("bucket", resources("AWS::S3::Bucket"), ids=str)
def test_bucket_is_closed_to_the_world(bucket: Resource) -> None:
    """No public access whatever an object or a policy says, no access lists, and encryption."""
    block = bucket.properties["PublicAccessBlockConfiguration"]
    assert (len(block), set(block.values())) == (4, {True})
    assert bucket.properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    (rule,) = bucket.properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    if str(bucket) in MANAGED_BY_AWS:
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    else:
        assert rule["ServerSideEncryptionByDefault"] == {
            "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Ref": "KeyArn"},
        }  # fmt: skip
        assert rule["BucketKeyEnabled"] is True


@pytest.mark.parametrize("bucket", resources("AWS::S3::Bucket"), ids=str)
def test_bucket_refuses_plain_http(bucket: Resource) -> None:
    """What is read or written in the clear is refused, whoever asks."""
    (policy,) = [
        found
        for found in resources("AWS::S3::BucketPolicy")
        if found.template == bucket.template and found.properties["Bucket"] == {"Ref": bucket.name}
    ]
    assert policy.body["Condition"] == "TlsIsRequired"
    statement = policy.properties["PolicyDocument"]["Statement"][0]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(statement["Resource"]) == 2


def test_only_the_api_stores_requests() -> None:
    """What lies there is carried out in the name of whom it names: no other role may put it there, whatever it has."""
    statements_ = resource("requests.yaml", "BucketPolicy").properties["PolicyDocument"]["Statement"]
    (denied,) = [each for each in statements_ if each["Sid"] == "OnlyTheApiStores"]
    assert (denied["Effect"], denied["Principal"], denied["Action"]) == ("Deny", "*", "s3:PutObject")
    role = resource("api.yaml", "ChangeRole").properties["RoleName"]["Fn::Sub"]
    assert denied["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]["Fn::Sub"].endswith(f":role/{role}")


@pytest.mark.parametrize("found", resources("AWS::SNS::Topic", "AWS::SQS::Queue"), ids=str)
def test_messages_are_encrypted_and_travel_over_tls(found: Resource) -> None:
    """With the environment's key, and a policy that refuses plain HTTP."""
    assert found.properties["KmsMasterKeyId"] == {"Ref": "KeyArn"}
    policies = [
        policy.properties
        for policy in resources("AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy")
        if policy.template == found.template
        and {"Ref": found.name} in [*policy.properties.get("Topics", ()), *policy.properties.get("Queues", ())]
    ]
    assert len(policies) == 1
    told = json.dumps(policies[0]["PolicyDocument"])
    assert '"Effect": "Deny"' in told
    assert '"aws:SecureTransport": "false"' in told


def test_key_rotates_and_serves_the_services_that_must_use_it() -> None:
    """S3 publishes to a topic, a topic to queues, alarms to a topic: each fails in silence without the key."""
    key = template("keys.yaml")["Resources"]["Key"]["Properties"]
    assert key["EnableKeyRotation"] is True
    statements_ = {statement["Sid"]: statement for statement in key["KeyPolicy"]["Statement"]}
    messages = statements_["MessagesFromServices"]
    assert set(messages["Principal"]["Service"]) == {
        "s3.amazonaws.com",
        "sns.amazonaws.com",
        "cloudwatch.amazonaws.com",
    }
    assert set(messages["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey*"}
    assert messages["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    logs = statements_["LogGroupsOfThisEnvironment"]
    assert "cardea-${Environment}-" in text(logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"])


WILD = {
    # X-Ray has no resources that could be named.
    "xray:PutTelemetryRecords": r"\*",
    "xray:PutTraceSegments": r"\*",
    # A group's streams: Lambda and Firehose name them by the hour.
    "logs:CreateLogStream": r".*:log-group:/aws/lambda/cardea-\$\{Environment\}-[^*]+:\*",
    "logs:PutLogEvents": r".*:log-group:/aws/(lambda|kinesisfirehose)/cardea-\$\{Environment\}-[^*]+:\*",
    # Objects below one prefix.
    "s3:GetObject": r"arn:\S+:s3:::\$\{\w+\}/(requests|lists)/\*",
    "s3:PutObject": r"arn:\S+:s3:::\$\{\w+\}/((requests|lists|rejected)/)?\*",
    "s3:DeleteObject": r"arn:\S+:s3:::\$\{\w+\}/lists/\*",
    "s3:AbortMultipartUpload": r"arn:\S+:s3:::\$\{\w+\}/\*",
    # One kind of secret, of every site; Secrets Manager ends each name with six characters of its own.
    "secretsmanager:GetSecretValue": (
        r".*:secret:cardea/\$\{Environment\}/(site/\*/(list-sign|card-hash)|api/cursor)-\*"
    ),
}
"""Actions that need a wildcard in their resource, with the pattern of the narrowest there is."""


@pytest.mark.parametrize("statement", list(statements()), ids=lambda statement: statement.name)
def test_role_names_what_it_may_use(statement: Statement) -> None:
    """No action with a wildcard, and no resource with one where it could be named."""
    assert statement.body["Effect"] == "Allow"
    for action in statement.actions:
        assert "*" not in action
        for found in statement.resources:
            if "*" in found:
                assert action in WILD, found
                assert re.fullmatch(WILD[action], found), found


def test_no_role_may_do_what_no_function_of_ours_does() -> None:
    """Scans, other accounts' roles, keys and users are nobody's business here."""
    actions = {action for statement in statements() for action in statement.actions}
    assert not {action for action in actions if action.split(":")[0] in ("iam", "sts", "cognito-idp", "cloudformation")}
    assert not actions & {
        "dynamodb:Scan",
        "dynamodb:DeleteTable",
        "s3:DeleteObjectVersion",
        "s3:BypassGovernanceRetention",
    }


TABLE = {
    "api.yaml:ReadRole": "BatchGetItem GetItem PutItem Query",
    "api.yaml:ChangeRole": "GetItem PutItem Query",
    "archive.yaml:TransformRole": "BatchGetItem",
    "fastpath.yaml:ConsumerRole": "BatchGetItem BatchWriteItem GetItem PutItem UpdateItem",
    "fastpath.yaml:GapsRole": "BatchGetItem GetItem PutItem Query",
    "fastpath.yaml:SnapshotsRole": "BatchWriteItem GetItem PutItem Query",
    "requests.yaml:RouterRole": "GetItem PutItem",
    "processor.yaml:ProcessorRole": "BatchGetItem ConditionCheckItem DeleteItem GetItem PutItem Query UpdateItem",
}
"""What each function's code calls, and no more; that it suffices is shown by the tests of the deployed functions."""


def test_functions_do_no_more_with_the_table_than_their_code() -> None:
    """Nor does any read an index that it does not need."""
    found: dict[str, set[str]] = {}
    indexes: set[tuple[str, str]] = set()
    for statement in statements():
        actions = {action.removeprefix("dynamodb:") for action in statement.actions if action.startswith("dynamodb:")}
        if actions:
            found.setdefault(str(statement.role), set()).update(actions)
            names = (each.rpartition("/index/")[2] for each in statement.resources if "/index/" in each)
            indexes |= {(str(statement.role), name) for name in names}
    assert found == {role: set(actions.split()) for role, actions in TABLE.items()}
    assert indexes == {
        ("api.yaml:ReadRole", "gsi1"),
        ("api.yaml:ReadRole", "gsi2"),
        ("fastpath.yaml:GapsRole", "gsi1"),
        ("fastpath.yaml:SnapshotsRole", "gsi2"),
    }


def test_secrets_are_read_by_those_who_need_them() -> None:
    """Signing keys by who signs lists, card hashes by who takes card numbers, the cursor's by who pages."""
    readers: dict[str, set[str]] = {}
    for statement in statements():
        if "secretsmanager:GetSecretValue" in statement.actions:
            for found in statement.resources:
                kind = found.rpartition("/")[2].removesuffix("-*")
                readers.setdefault(kind, set()).add(str(statement.role))
    assert readers == {
        "list-sign": {"processor.yaml:ProcessorRole", "fastpath.yaml:SnapshotsRole"},
        "card-hash": {"api.yaml:ChangeRole", "api.yaml:ReadRole"},
        "cursor": {"api.yaml:ReadRole"},
    }


def test_api_can_not_carry_out_what_it_accepts() -> None:
    """The functions behind the API store requests and notes of the audit; people, cards and lists are out of reach."""
    writing = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"}
    for statement in statements():
        if statement.role.template == "api.yaml" and writing & set(statement.actions):
            partitions = statement.body["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
            assert set([partitions] if isinstance(partitions, str) else partitions) <= {"AUDIT#*", "REQUEST#*"}


def test_transform_reads_controllers_alone() -> None:
    """What goes into the archive is judged by their keys; people and cards are none of its business."""
    (statement,) = (
        it
        for it in statements()
        if str(it.role) == "archive.yaml:TransformRole" and it.body["Sid"] == "KnowControllers"
    )
    assert statement.body["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": "DEVICE#*"}}


def test_staff_sign_in_with_two_factors_and_short_tokens() -> None:
    """Nobody signs up, no password leaves the client, no name is told to be unknown, and a stolen token soon ends."""
    pool = resource("identity.yaml", "Pool").properties
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert pool["MfaConfiguration"] == {"Ref": "MfaMode"}
    assert pool["Policies"]["PasswordPolicy"]["MinimumLength"] >= 12
    client = resource("identity.yaml", "Client").properties
    assert client["GenerateSecret"] is False
    nothing = {"Ref": "AWS::NoValue"}
    assert client["AllowedOAuthFlows"] == {"Fn::If": ["HasPage", ["code"], nothing]}
    # An empty one among the addresses would be refused.
    for name, where, when in (("CallbackURLs", "CallbackUrls", "HasPage"), ("LogoutURLs", "LogoutUrls", "HasLogout")):
        assert client[name] == {"Fn::If": [when, {"Ref": where}, nothing]}
        assert template("root.yaml")["Parameters"][where]["Default"] == ""
    assert client["ExplicitAuthFlows"] == ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    assert client["PreventUserExistenceErrors"] == "ENABLED"
    assert client["TokenValidityUnits"] == {"AccessToken": "minutes", "IdToken": "minutes", "RefreshToken": "hours"}
    assert max(client["AccessTokenValidity"], client["IdTokenValidity"]) <= 60
    assert client["RefreshTokenValidity"] <= 24


def test_nothing_names_an_account_a_region_or_a_host() -> None:
    """Two environments, and two accounts anywhere, are deployed from the same files."""
    for name in NAMES:
        body = (STACKS / name).read_text(encoding="utf-8")
        assert not re.search(r"\b\d{12}\b", body), name
        assert not re.search(r"\b(us|eu|ap|sa|ca|me|af|il)-(gov-)?[a-z]+-\d\b", body), name
        assert not re.search(r"arn:aws", body), name
        hosts = set(re.findall(r"[\w.-]+\.(?:com|org|net|cn)\b", body))
        assert hosts <= {
            f"{service}.amazonaws.com"
            for service in ("apigateway", "cloudwatch", "events", "firehose", "lambda", "s3", "sns")
        }, name
