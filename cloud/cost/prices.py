"""What AWS charges, as its price pages say: on demand, without free tiers, savings plans or taxes.

Prices change and differ by region; `AS_OF` and `REGION` say which these are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

REGION: Final = "us-east-1"
AS_OF: Final = "2026-11"


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for `per` units."""

    usd: float
    per: float
    unit: str
    source: str

    def of(self, units: float) -> float:
        """US dollars for so many units."""
        return units / self.per * self.usd


_MILLION: Final = 1_000_000
_PAGES: Final = "https://aws.amazon.com"

PRICES: Final[Mapping[str, Price]] = {
    "shard": Price(0.015, 1, "shard hour, Kinesis", f"{_PAGES}/kinesis/data-streams/pricing/"),
    "shard_retention": Price(0.020, 1, "shard hour kept up to 7 days", f"{_PAGES}/kinesis/data-streams/pricing/"),
    "put_payload": Price(0.014, _MILLION, "PUT payload units of 25 KB", f"{_PAGES}/kinesis/data-streams/pricing/"),
    "firehose_gb": Price(0.029, 1, "GB, records rounded up to 5 KB", f"{_PAGES}/firehose/pricing/"),
    "firehose_partition_gb": Price(0.020, 1, "GB partitioned", f"{_PAGES}/firehose/pricing/"),
    "firehose_objects": Price(0.005, 1000, "objects delivered", f"{_PAGES}/firehose/pricing/"),
    "write_units": Price(0.625, _MILLION, "write request units", f"{_PAGES}/dynamodb/pricing/on-demand/"),
    "read_units": Price(0.125, _MILLION, "read request units", f"{_PAGES}/dynamodb/pricing/on-demand/"),
    "table_gb": Price(0.25, 1, "GB month in the table", f"{_PAGES}/dynamodb/pricing/on-demand/"),
    "table_recovery_gb": Price(0.20, 1, "GB month of point-in-time recovery", f"{_PAGES}/dynamodb/pricing/on-demand/"),
    "invocations": Price(0.20, _MILLION, "invocations", f"{_PAGES}/lambda/pricing/"),
    "gb_seconds": Price(0.0000133334, 1, "GB seconds on arm64", f"{_PAGES}/lambda/pricing/"),
    "bucket_gb": Price(0.023, 1, "GB month in S3", f"{_PAGES}/s3/pricing/"),
    "bucket_puts": Price(0.005, 1000, "PUT requests to S3", f"{_PAGES}/s3/pricing/"),
    "bucket_gets": Price(0.0004, 1000, "GET requests to S3", f"{_PAGES}/s3/pricing/"),
    "egress_gb": Price(0.09, 1, "GB out to the internet", f"{_PAGES}/ec2/pricing/on-demand/"),
    "queue_requests": Price(0.40, _MILLION, "requests to SQS", f"{_PAGES}/sqs/pricing/"),
    "topic_publishes": Price(0.50, _MILLION, "publications to SNS", f"{_PAGES}/sns/pricing/"),
    "api_requests": Price(1.00, _MILLION, "requests to the HTTP API", f"{_PAGES}/api-gateway/pricing/"),
    "log_gb": Price(0.50, 1, "GB of logs taken in", f"{_PAGES}/cloudwatch/pricing/"),
    "alarms": Price(0.10, 1, "alarm month", f"{_PAGES}/cloudwatch/pricing/"),
    "metrics": Price(0.30, 1, "custom metric month", f"{_PAGES}/cloudwatch/pricing/"),
    "dashboards": Price(3.00, 1, "dashboard month", f"{_PAGES}/cloudwatch/pricing/"),
    "keys": Price(1.00, 1, "customer-managed key month", f"{_PAGES}/kms/pricing/"),
    "key_requests": Price(0.03, 10_000, "requests to a key", f"{_PAGES}/kms/pricing/"),
    "secrets": Price(0.40, 1, "secret month", f"{_PAGES}/secrets-manager/pricing/"),
    "secret_calls": Price(0.05, 10_000, "calls for a secret", f"{_PAGES}/secrets-manager/pricing/"),
    "users": Price(0.015, 1, "staff signed in, Cognito Essentials", f"{_PAGES}/cognito/pricing/"),
}
