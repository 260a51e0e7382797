"""Every function: its role, its log, its traces, and what becomes of what it fails at."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from cloud.api.routes import ROUTES
from cloud.domain.routes import Family
from cloud.handlers.counts import tell_counts
from tests.rigs.templates import Resource, queue_of, resource, resources, template, text

FUNCTIONS = resources("AWS::Lambda::Function")
QUEUES = resources("AWS::SQS::Queue")
MAPPINGS = resources("AWS::Lambda::EventSourceMapping")


def role_name(found: Resource) -> str:
    return text(found.properties["Role"]).rpartition("/")[2]


@pytest.mark.parametrize("found", FUNCTIONS, ids=str)
def test_function_has_a_role_of_its_own(found: Resource) -> None:
    """What one function may do, no other may."""
    roles = [role for role in resources("AWS::IAM::Role") if text(role.properties["RoleName"]) == role_name(found)]
    assert [role.template for role in roles] == [found.template]
    assert len([other for other in FUNCTIONS if role_name(other) == role_name(found)]) == 1
    (trust,) = roles[0].properties["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}


@pytest.mark.parametrize("found", FUNCTIONS, ids=str)
def test_function_has_a_log_that_ends_and_is_traced(found: Resource) -> None:
    """A group that Lambda made itself would be kept for ever, in the clear, after the function is gone."""
    name = text(found.properties["FunctionName"])
    (log,) = [
        group
        for group in resources("AWS::Logs::LogGroup")
        if text(group.properties["LogGroupName"]) == f"/aws/lambda/{name}"
    ]
    assert log.properties["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert log.properties["KmsKeyId"] == {"Ref": "KeyArn"}
    assert log.name in found.body["DependsOn"]
    assert found.properties["TracingConfig"] == {"Mode": "Active"}


@pytest.mark.parametrize("found", FUNCTIONS, ids=str)
def test_function_runs_code_of_ours(found: Resource) -> None:
    """The handler's module is there, and code and layer come by name of content."""
    module, _, name = found.properties["Handler"].rpartition(".")
    assert name == "handler"
    assert find_spec(module) is not None
    assert found.properties["Code"] == {"S3Bucket": {"Ref": "ArtifactsBucket"}, "S3Key": {"Ref": "CodeKey"}}
    assert found.properties["Layers"] == [{"Ref": "LayerArn"}]


@pytest.mark.parametrize("mapping", MAPPINGS, ids=str)
def test_one_bad_record_does_not_hold_up_its_batch(mapping: Resource) -> None:
    """Every source takes partial answers; the stream's also halves, gives up in the end, and says what it gave up."""
    assert mapping.properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    if "kinesis" in text(mapping.properties["EventSourceArn"]):
        assert mapping.properties["BisectBatchOnFunctionError"] is True
        assert mapping.properties["MaximumRetryAttempts"] == {"Ref": "MaximumRetryAttempts"}
        target = text(mapping.properties["DestinationConfig"]["OnFailure"]["Destination"])
        assert queue_of(target) == "cardea-${Environment}-stream-failures"


def seconds(template_name: str, value: Any) -> int:
    """A number, or the default of the parameter that stands for it."""
    if isinstance(value, dict):
        value = template(template_name)["Parameters"][value["Ref"]]["Default"]
    return int(value)


@pytest.mark.parametrize("mapping", [m for m in MAPPINGS if "sqs" in text(m.properties["EventSourceArn"])], ids=str)
def test_message_stays_hidden_for_six_times_the_functions_time(mapping: Resource) -> None:
    """Else a batch that is throttled or retried is worked on twice at once."""
    name = queue_of(text(mapping.properties["EventSourceArn"]))
    (queue,) = [q for q in QUEUES if text(q.properties["QueueName"]) == name and q.template == mapping.template]
    function = resource(mapping.template, mapping.properties["FunctionName"]["Ref"])
    hidden = seconds(queue.template, queue.properties["VisibilityTimeout"])
    assert hidden >= 6 * seconds(function.template, function.properties["Timeout"])


def test_import_takes_longer_and_is_hidden_longer() -> None:
    """The one family whose times are not the defaults keeps the same rule."""
    parameters = resource("requests.yaml", "Imports").properties["Parameters"]
    assert int(parameters["VisibilitySeconds"]) >= 6 * int(parameters["TimeoutSeconds"])
    assert parameters["BatchSize"] == "1"


def test_snapshots_have_room_for_the_largest_list() -> None:
    """620 MB were seen with 250,000 cards and persons; half as much again must fit."""
    assert resource("fastpath.yaml", "Snapshots").properties["MemorySize"] >= 1.5 * 620


@pytest.mark.parametrize("queue", QUEUES, ids=str)
def test_message_that_fails_ends_where_somebody_looks(queue: Resource) -> None:
    """A queue that is read has a dead-letter queue; that keeps for 14 days, with alarms on depth and age."""
    name = text(queue.properties["QueueName"])
    last = name.endswith(("-dlq", "-stream-failures"))
    if last:
        assert queue.properties["MessageRetentionPeriod"] == 14 * 86400
        alarms = {
            alarm.properties["MetricName"]
            for alarm in resources("AWS::CloudWatch::Alarm")
            for dimension in alarm.properties["Dimensions"]
            if text(dimension["Value"]) == name
        }
        assert alarms == {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"}
    else:
        redrive = queue.properties["RedrivePolicy"]
        assert queue_of(text(redrive["deadLetterTargetArn"])) == f"{name}-dlq"
        assert redrive["maxReceiveCount"] >= 3
        assert queue.properties["MessageRetentionPeriod"] < 14 * 86400


def test_every_function_has_an_alarm_on_its_errors() -> None:
    """A function that fails as a whole is seen within minutes."""
    watched = {
        text(dimension["Value"]) if "Ref" not in dimension["Value"] else f"{alarm.template}:{dimension['Value']['Ref']}"
        for alarm in resources("AWS::CloudWatch::Alarm")
        if alarm.properties["MetricName"] == "Errors"
        for dimension in alarm.properties["Dimensions"]
    }
    for found in FUNCTIONS:
        assert watched & {text(found.properties["FunctionName"]), str(found)}, found


def test_alarms_on_own_metrics_watch_what_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A metric is another one under other dimensions: an alarm on a name that nobody uses would never be raised."""
    watched = {
        (alarm.properties["MetricName"], dimensions["service"])
        for alarm in resources("AWS::CloudWatch::Alarm")
        if alarm.properties["Namespace"] == "Cardea"
        for dimensions in [{each["Name"]: each["Value"] for each in alarm.properties["Dimensions"]}]
        if dimensions["environment"] == {"Ref": "Environment"}
    }
    assert watched == {
        ("gaps_found", "gaps"),
        ("records_rejected", "consumer"),
        ("requests_unreadable", "router"),
        ("records_unarchived", "transform"),
    }
    sources = "".join(path.read_text() for path in (Path(__file__).parents[4] / "cloud" / "handlers").glob("*.py"))
    assert all(f'"{name}"' in sources for name, _ in watched)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "gaps")
    tell_counts("prod", {"gaps_found": 2})
    told = json.loads(capsys.readouterr().out)
    (metrics,) = told["_aws"]["CloudWatchMetrics"]
    assert (metrics["Namespace"], told["gaps_found"]) == ("Cardea", [2.0])
    # One set with both: two sets of one each would be two other metrics.
    assert [sorted(dimensions) for dimensions in metrics["Dimensions"]] == [["environment", "service"]]
    assert (told["environment"], told["service"]) == ("prod", "gaps")


def test_alarms_go_to_the_topic_when_they_begin_and_end() -> None:
    """An alarm that nobody is told of is none."""
    for alarm in resources("AWS::CloudWatch::Alarm"):
        for when in ("AlarmActions", "OKActions"):
            assert alarm.properties[when] == [{"Ref": "AlarmsTopic"}], alarm


def test_every_family_of_requests_has_a_processor() -> None:
    """What the router routes to is there, and nothing else is."""
    families = {
        found.properties["Parameters"]["Family"]
        for found in resources("AWS::CloudFormation::Stack")
        if found.template == "requests.yaml"
    }
    assert families == {family.value for family in Family}
    role = resource("requests.yaml", "RouterRole").properties["Policies"][0]["PolicyDocument"]["Statement"]
    (topics,) = [statement["Resource"] for statement in role if statement["Sid"] == "PassOn"]
    assert {text(topic).rpartition("-")[2] for topic in topics} == families


def test_api_has_a_route_for_every_operation_and_no_other() -> None:
    """The gateway lets through what the functions answer, to the function that answers it, with a token."""
    integrations = {"api-read": "ReadIntegration", "api-change": "ChangeIntegration"}
    expected = {f"{r.method} {r.path}": f"integrations/${{{integrations[r.function.value]}}}" for r in ROUTES}
    routes = resources("AWS::ApiGatewayV2::Route")
    assert {text(r.properties["RouteKey"]): text(r.properties["Target"]) for r in routes} == expected
    for found in routes:
        assert found.properties["AuthorizationType"] == "JWT", found
        assert found.properties["AuthorizerId"] == {"Ref": "Authorizer"}, found


def test_api_throttles_and_logs() -> None:
    """By default and, where a call is costly or nosy, by route; every call is logged without what was in it."""
    stage = resource("api.yaml", "Stage").properties
    assert set(stage["DefaultRouteSettings"]) >= {"ThrottlingBurstLimit", "ThrottlingRateLimit"}
    keys = {text(route.properties["RouteKey"]): route.name for route in resources("AWS::ApiGatewayV2::Route")}
    assert {keys[key] for key in stage["RouteSettings"]} <= set(resource("api.yaml", "Stage").body["DependsOn"])
    assert "POST /v1/sites/{site}/cards/lookup" in stage["RouteSettings"]
    access_log = stage["AccessLogSettings"]["Format"]
    assert "$context.authorizer.claims.sub" in access_log
    assert "body" not in access_log.lower()
    assert "querystring" not in access_log.lower()


def test_own_domain_turns_the_other_one_off() -> None:
    """Else the domain's limits and certificate could be gone round."""
    api = resource("api.yaml", "Api").properties
    assert api["DisableExecuteApiEndpoint"] == {"Fn::If": ["HasDomain", True, False]}
