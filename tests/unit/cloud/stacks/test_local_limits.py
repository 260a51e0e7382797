"""What the local AWS ignores or can't do, held against the templates; docs/backend-local.md lists it all."""

import json
import re
from pathlib import Path

from cloud.deploy.plan import nested_templates
from tests.rigs.templates import resource, resources, template

ROOT = Path(__file__).resolve().parents[4]
LIST = ROOT / "docs" / "backend-local.md"


def test_every_bucket_forgets_what_nobody_needs() -> None:
    """Superseded versions and unfinished uploads do not pile up."""
    for bucket in resources("AWS::S3::Bucket"):
        rules = bucket.properties["LifecycleConfiguration"]["Rules"]
        assert {rule["Status"] for rule in rules} == {"Enabled"}, bucket
        assert any("NoncurrentVersionExpiration" in rule for rule in rules), bucket
        assert any("AbortIncompleteMultipartUpload" in rule for rule in rules), bucket


def test_table_and_stream_are_encrypted_and_old_events_expire() -> None:
    """With keys that AWS manages: doors use both, and shall need no permission on a key."""
    table = resource("data.yaml", "Table").properties
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    stream = resource("events.yaml", "Stream").properties
    assert stream["StreamEncryption"] == {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}


def test_nested_template_takes_no_attribute_of_its_own_resources() -> None:
    """The local AWS does not find it when only something else of the stack changes. Nor has it hosts of one's own."""
    for name in nested_templates().keys() - {"domain.yaml"}:
        told = json.dumps(template(name))
        assert "Fn::GetAtt" not in told, name
        for attribute in re.findall(r"\$\{(\w+)\.\w+\}", told):
            assert attribute not in template(name)["Resources"], (name, attribute)


def test_alarms_watch_plain_metrics() -> None:
    """The local AWS refuses metric math, and a plain limit is easier to reason about at night."""
    for alarm in resources("AWS::CloudWatch::Alarm"):
        assert "Metrics" not in alarm.properties, alarm


def test_list_names_tests_that_exist() -> None:
    """A row that points to nothing would say that something is held which is not."""
    text = LIST.read_text(encoding="utf-8")
    named = re.findall(r"`((?:[\w/]+/)?test_\w+\.py)::(test_\w+)`", text)
    assert len(named) > 15
    for path, test in named:
        file = ROOT / path if "/" in path else Path(__file__).with_name(path)
        assert f"def {test}(" in file.read_text(encoding="utf-8"), (path, test)
    for test in re.findall(r"`(test_\w+)`", text):
        assert any(f"def {test}(" in file.read_text() for file in Path(__file__).parent.glob("test_*.py")), test
