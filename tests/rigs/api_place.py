"""One environment of the backend in the local AWS, as far as the API needs it: table, bucket of requests, secrets."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3

from cloud.adapters.aws import AwsAccess
from cloud.adapters.entities import EntityStore, key_attributes, to_attributes
from cloud.adapters.secrets import site_secret
from cloud.contract.events import GENESIS, Event, EventType, event_id
from cloud.contract.signing import credential_hash
from cloud.domain import keys
from cloud.domain.intake import event_fields, event_key
from cloud.domain.keys import Key
from cloud.domain.roles import Role
from cloud.local.server import LocalAws
from tests.rigs.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient


@dataclass(frozen=True, slots=True)
class ApiPlace:
    """The environment, with the administrator's clients."""

    environment: str
    table: str
    bucket: str
    access: AwsAccess
    dynamodb: "DynamoDBClient"
    s3: "S3Client"
    secrets: "SecretsManagerClient"

    @property
    def variables(self) -> Mapping[str, str]:
        """Of the functions of the API."""
        return {
            "CARDEA_ENVIRONMENT": self.environment,
            "CARDEA_TABLE": self.table,
            "CARDEA_REQUESTS_BUCKET": self.bucket,
        }

    @property
    def entities(self) -> EntityStore:
        """The table."""
        return EntityStore(self.table, self.dynamodb)

    def put(self, key: Key, fields: Mapping[str, Any]) -> None:
        """Put an item."""
        item = {**to_attributes({"v": 1, "rev": 1, **fields}), **key_attributes(key)}
        self.dynamodb.put_item(TableName=self.table, Item=item)

    def site(self, name: str | None = None) -> str:
        """A new site with its secret."""
        name = name or f"site-{uuid4().hex[:10]}"
        self.put(keys.site(name), {"site": name, "name": name.upper(), "zone": "UTC", "g2pk": "SITES", "g2sk": name})
        self.secrets.create_secret(
            Name=site_secret(self.environment, name, "card-hash"), SecretString=self.card_key(name).hex()
        )
        return name

    def card_key(self, site: str) -> bytes:
        """What its cards are hashed with."""
        return site.encode().ljust(32, b"\0")[:32]

    def card(self, site: str, uid: str) -> str:
        """The keyed hash of a number."""
        return credential_hash(self.card_key(site), bytes.fromhex(uid))

    def grant(
        self, subject: str, role: Role, site: str, *, valid_from: str | None = None, valid_until: str | None = None
    ) -> None:
        """Give somebody a role."""
        name = f"g-{uuid4().hex[:8]}"
        fields = {
            "grant": name,
            "subject": subject,
            "role": role.value,
            "site": site,
            "g2pk": f"OPERATORS#{site}",
            "g2sk": f"{subject}#{name}",
            "valid_from": valid_from,
            "valid_until": valid_until,
        }
        present = {field: value for field, value in fields.items() if value is not None}
        self.put(keys.role_grant(subject, site, name), present)

    def person(self, site: str, person: str, **fields: Any) -> None:
        """A person."""
        known = {
            "person": person,
            "name": f"Name of {person}",
            "status": "active",
            "created_at": "2026-01-01T00:00:00Z",
        }
        listed = {"g2pk": f"PEOPLE#{site}", "g2sk": person}
        self.put(keys.person(site, person), {**known, **listed, **fields})

    def add_card(self, site: str, card: str, status: str = "issued", **fields: Any) -> None:
        """A card."""
        listed = {"g2pk": f"CARDS#{site}", "g2sk": f"{status}#{card}"}
        self.put(keys.card(site, card), {"card": card, "status": status, **listed, **fields})

    def event(self, site: str, door: str, at: str, seq: int, person: str | None = None) -> None:
        """An event of a door, and of a person, as the consumer puts it."""
        device = f"{site}-{door}"
        event = Event(
            id=event_id(device, 1, seq), device=device, site=site, epoch=1, seq=seq, prev=GENESIS,
            type=EventType.ACCESS_GRANTED, at=at, clock="synced", boot="b", mono_ms=seq, online=True, door=door,
            reader="r", direction="in", reason="allowed", person=person,
        )  # fmt: skip
        self.put(event_key(event), event_fields(event, at, keep_days=30))

    def items(self, partition: str) -> list[Any]:
        """All that lies in a partition."""
        return self.entities.query_all(None, partition)

    def stored(self, name: str) -> Any:
        """A stored request."""
        return json.loads(self.s3.get_object(Bucket=self.bucket, Key=name)["Body"].read())


@contextmanager
def api_place(aws: LocalAws) -> Iterator[ApiPlace]:
    """A fresh environment."""
    environment = f"t{uuid4().hex[:10]}"
    given = aws.environment()
    access = AwsAccess(aws.endpoint, given["AWS_REGION"], given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"])
    session = boto3.Session(access.access_key, access.secret_key, region_name=access.region)
    with (
        closing(session.client("dynamodb", endpoint_url=aws.endpoint)) as dynamodb,
        closing(session.client("s3", endpoint_url=aws.endpoint)) as s3,
        closing(session.client("secretsmanager", endpoint_url=aws.endpoint)) as secrets,
    ):
        table, bucket = f"cardea-{environment}", f"cardea-{environment}-requests"
        create_table(dynamodb, table)
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        secrets.create_secret(Name=f"cardea/{environment}/api/cursor", SecretString="c0" * 32)
        yield ApiPlace(environment, table, bucket, access, dynamodb, s3, secrets)
