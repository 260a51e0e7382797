"""What outlives its stack, and what does not."""

from tests.rigs.templates import NAMES, resources, template

KEPT = {
    "archive.yaml:Bucket",
    "archive.yaml:Rejected",
    "data.yaml:Table",
    "events.yaml:Stream",
    "identity.yaml:Pool",
    "keys.yaml:Key",
    "lists.yaml:Bucket",
    "requests.yaml:Bucket",
}


def test_exactly_what_holds_data_is_retained() -> None:
    """Deleting or replacing a stack by mistake loses nothing; a failed first deployment leaves nothing behind."""
    assert {str(found) for found in resources() if "DeletionPolicy" in found.body} == KEPT
    for found in resources():
        if str(found) in KEPT:
            assert found.body["DeletionPolicy"] == "RetainExceptOnCreate", found
            assert found.body["UpdateReplacePolicy"] == "Retain", found


def test_what_holds_data_stays_when_the_environment_is_stopped() -> None:
    """`cardea cloud destroy` sets Running to false: nothing that holds data may depend on it, nor may its stack."""
    for found in resources():
        if str(found) in KEPT:
            assert "Condition" not in found.body, found
    nested = {found.name: found for found in resources("AWS::CloudFormation::Stack") if found.template == "root.yaml"}
    assert {name for name, found in nested.items() if "Condition" not in found.body} == {
        "Archive", "Data", "Events", "FastPath", "Identity", "Keys", "Lists", "Requests",
    }  # fmt: skip


def test_what_waits_stays_when_the_environment_is_stopped() -> None:
    """Requests that were answered with 202, dead letters, events on their way to the archive, addresses that confirmed
    that they want alarms: none of it is made anew with the next deployment."""
    waiting = ("AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::SNS::Subscription")
    assert {found.body.get("Condition") for found in resources(*waiting)} == {None, "HasAddress"}
    families = [found for found in resources("AWS::CloudFormation::Stack") if found.template == "requests.yaml"]
    assert families
    for found in families:
        assert "Condition" not in found.body, found
        assert found.properties["Parameters"]["Running"] == {"Ref": "Running"}, found
    for found in resources("AWS::SQS::Queue"):
        assert found.properties["MessageRetentionPeriod"] >= 10 * 86400, found
    archiving = [found for found in resources() if found.body.get("Condition") == "IsArchiving"]
    assert {"Transform", "Delivery"} <= {found.name for found in archiving}


def test_what_works_stops_with_the_environment() -> None:
    """Whatever costs money by the hour or acts by itself is gone after `cardea cloud destroy`, but for the archive."""
    conditional = {"Api", "Observability"}
    acting = resources(
        "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping", "AWS::Events::Rule", "AWS::CloudWatch::Alarm",
    )  # fmt: skip
    for found in acting:
        if found.name == "Transform":
            continue
        in_conditional_stack = found.template.removesuffix(".yaml") in {name.lower() for name in conditional}
        assert in_conditional_stack or found.body.get("Condition") == "IsRunning", found
    for name in conditional:
        assert template("root.yaml")["Resources"][name]["Condition"] == "IsRunning"


def test_data_can_be_brought_back() -> None:
    """The table to any second of the last days, buckets to what was overwritten."""
    table = template("data.yaml")["Resources"]["Table"]["Properties"]
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] == {"Fn::If": ["Protected", True, False]}
    for bucket in resources("AWS::S3::Bucket"):
        assert bucket.properties["VersioningConfiguration"] == {"Status": "Enabled"}, bucket


def test_requests_can_not_be_changed() -> None:
    """An administrative act is a record: locked from the moment it is stored, and longer than any other process."""
    bucket = template("requests.yaml")["Resources"]["Bucket"]["Properties"]
    assert bucket["ObjectLockEnabled"] is True
    rule = bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert rule == {"Mode": {"Ref": "LockMode"}, "Days": {"Ref": "LockDays"}}
    parameters = template("requests.yaml")["Parameters"]
    assert parameters["LockDays"]["Default"] == 365
    assert parameters["ExpireDays"]["Default"] > parameters["LockDays"]["Default"]


def test_protection_is_on_unless_it_is_taken_away() -> None:
    """No template is more lenient by default than an environment on AWS needs."""
    for name in NAMES:
        parameters = template(name)["Parameters"]
        for parameter, strict in (("DeletionProtection", "true"), ("RequireTls", "true"), ("MfaMode", "ON")):
            if parameter in parameters:
                assert parameters[parameter]["Default"] == strict, (name, parameter)
