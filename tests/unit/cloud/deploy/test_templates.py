"""The CloudFormation templates: clean, complete, and least privilege."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load

STACKS = Path(__file__).resolve().parents[4] / "cloud" / "stacks"


def template(name: str) -> dict[str, Any]:
    """A template as plain data, short forms such as !Ref spelled out."""
    document: dict[str, Any] = json.loads(json.dumps(load(str(STACKS / name))))
    return document


@pytest.mark.parametrize("name", sorted(path.name for path in STACKS.glob("*.yaml")))
def test_template_describes_its_parameters_and_outputs(name: str) -> None:
    """A person who deploys by hand finds out what each value means."""
    document = template(name)
    for section in ("Parameters", "Outputs"):
        for key, value in document[section].items():
            assert value.get("Description"), f"{section}.{key}"


def test_templates_are_clean() -> None:
    """cfn-lint has nothing to say; the local AWS would let most mistakes pass."""
    command = [Path(sys.executable).with_name("cfn-lint"), *sorted(STACKS.glob("*.yaml"))]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize(
    ("name", "resource"), [("data.yaml", "Table"), ("events.yaml", "Stream"), ("lists.yaml", "Bucket")]
)
def test_deleting_a_stack_keeps_what_it_holds(name: str, resource: str) -> None:
    """Data outlives a mistaken deletion or replacement of its stack."""
    found = template(name)["Resources"][resource]
    assert found["DeletionPolicy"] == "RetainExceptOnCreate"
    assert found["UpdateReplacePolicy"] == "Retain"


def test_device_policy_allows_three_things() -> None:
    """A stolen controller can send events and read its own site's list, and nothing else."""
    statements = template("device.yaml")["Resources"]["Policy"]["Properties"]["PolicyDocument"]["Statement"]
    allowed = {statement["Sid"]: statement for statement in statements}
    assert {statement["Effect"] for statement in statements} == {"Allow"}
    assert allowed["SendEvents"]["Action"] == "kinesis:PutRecords"
    assert allowed["ReadOwnList"]["Action"] == ["dynamodb:GetItem", "dynamodb:Query"]
    assert allowed["ReadOwnList"]["Condition"] == {
        "ForAllValues:StringEquals": {
            "dynamodb:LeadingKeys": [{"Fn::Sub": "HEAD#${Site}"}, {"Fn::Sub": "DELTA#${Site}"}]
        }
    }
    assert allowed["ReadOwnSnapshots"]["Action"] == "s3:GetObject"
    assert allowed["ReadOwnSnapshots"]["Resource"] == {"Fn::Sub": "${BucketArn}/lists/${Site}/*"}
    assert not [statement for statement in statements if "*" in (statement["Resource"], statement["Action"])]


def test_bucket_is_closed_to_the_world() -> None:
    """No public access, no plain HTTP, old versions kept, encrypted."""
    resources = template("lists.yaml")["Resources"]
    bucket = resources["Bucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["BucketEncryption"]
    (statement,) = resources["TlsOnly"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert template("lists.yaml")["Parameters"]["RequireTls"]["Default"] == "true"
