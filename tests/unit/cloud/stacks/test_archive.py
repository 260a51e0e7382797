"""The archive: what is delivered, where it lies, and what can be asked of it."""

import re
from dataclasses import fields

from cloud.contract.events import Event
from cloud.handlers.transform import MAX_ANSWER_BYTES
from tests.rigs.templates import resource, resources, text

DELIVERY = resource("archive.yaml", "Delivery").properties["ExtendedS3DestinationConfiguration"]
TABLE = resource("archive.yaml", "Events").properties["TableInput"]


def test_table_has_a_column_for_every_field_of_an_event() -> None:
    """A field that the contract gets must not stay unseen; what is a partition can't be a column as well."""
    columns = {column["Name"] for column in TABLE["StorageDescriptor"]["Columns"]}
    partitions = {key["Name"] for key in TABLE["PartitionKeys"]}
    assert partitions == {"site", "dt"}
    assert not columns & partitions
    assert columns | partitions == {field.name for field in fields(Event) if field.init} | {
        "v",
        "dt",
        "arrived_at",
        "delay",
    }


def test_partitions_lie_where_they_are_delivered() -> None:
    """Neither a crawler nor anybody else has to tell of a new day or site."""
    path = re.sub(r"!\{partitionKeyFromLambda:(\w+)\}", r"${!\1}", DELIVERY["Prefix"])
    assert text(TABLE["Parameters"]["storage.location.template"]) == "s3://${Bucket}/" + path
    assert TABLE["Parameters"]["projection.enabled"] == "true"
    for name in ("site", "dt"):
        assert f"projection.{name}.type" in TABLE["Parameters"]


def test_delivery_is_small_compressed_and_encrypted() -> None:
    """Objects are gathered and compressed, encrypted with the environment's key, and what fails has its own place."""
    assert DELIVERY["CompressionFormat"] == "GZIP"
    assert DELIVERY["EncryptionConfiguration"]["KMSEncryptionConfig"] == {"AWSKMSKeyARN": {"Ref": "KeyArn"}}
    assert DELIVERY["DynamicPartitioningConfiguration"]["Enabled"] is True
    assert DELIVERY["BufferingHints"]["SizeInMBs"] >= 64
    assert DELIVERY["ErrorOutputPrefix"].startswith("failed/")
    assert DELIVERY["CloudWatchLoggingOptions"]["Enabled"] is True


def test_everything_in_the_bucket_ends_some_day() -> None:
    """Events, answers of queries, and what was not archived: it may name people too."""
    rules = resource("archive.yaml", "Bucket").properties["LifecycleConfiguration"]["Rules"]
    ending = {rule["Prefix"] for rule in rules if "ExpirationInDays" in rule}
    assert ending == {"events/", "answers/", DELIVERY["ErrorOutputPrefix"].split("!")[0]}


def test_transform_is_never_handed_more_than_it_can_answer() -> None:
    """Events are inflated up to twentyfold and come back in base64."""
    (processor,) = DELIVERY["ProcessingConfiguration"]["Processors"]
    parameters = {each["ParameterName"]: each["ParameterValue"] for each in processor["Parameters"]}
    assert float(parameters["BufferSizeInMBs"]) * (1 << 20) * 20 < MAX_ANSWER_BYTES


def test_query_can_not_leave_its_limits() -> None:
    """How much is read, where answers go and how they are encrypted is not the asker's choice."""
    configuration = resource("archive.yaml", "Queries").properties["WorkGroupConfiguration"]
    assert configuration["EnforceWorkGroupConfiguration"] is True
    assert configuration["BytesScannedCutoffPerQuery"] == {"Ref": "ScanLimitBytes"}
    result = configuration["ResultConfiguration"]
    assert text(result["OutputLocation"]).startswith("s3://${Bucket}/")
    assert result["EncryptionConfiguration"] == {"EncryptionOption": "SSE_KMS", "KmsKey": {"Ref": "KeyArn"}}


def test_named_queries_read_one_site_and_some_days() -> None:
    """Without its partitions a query would read the whole history, or be refused for want of a site."""
    queries = resources("AWS::Athena::NamedQuery")
    assert len(queries) >= 4
    for query in queries:
        assert query.body["Condition"] == "HasQueries"
        assert "site = ? AND dt BETWEEN ? AND ?" in query.properties["QueryString"], query
