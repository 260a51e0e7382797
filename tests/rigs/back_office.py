"""A site of the back office in the local AWS: table, buckets, topics, keys, and the functions that work on them."""

import itertools
import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Final

import boto3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.adapters.aws import AwsAccess
from cloud.adapters.entities import EntityStore, from_attributes
from cloud.adapters.list_store import ListStore
from cloud.adapters.publisher import Publisher
from cloud.adapters.secrets import site_secret
from cloud.adapters.transactions import commit, transact_items
from cloud.contract.allowlist import Head
from cloud.domain import keys
from cloud.domain.envelope import Envelope, Operator, object_name, request_id
from cloud.domain.lists import Items, index
from cloud.domain.outcome import Item, Put
from cloud.domain.payloads import RequestType
from cloud.domain.routes import Family, family
from cloud.domain.rules import listing
from cloud.domain.rules.entities import Card, Person
from cloud.domain.rules.entity import Entity
from cloud.domain.rules.place_entities import Area, Door, Group, Holidays, Schedule
from cloud.domain.times import moment_text
from cloud.handlers import processor, router
from cloud.local.server import REGION, ROOT_KEY, LocalAws
from tests.rigs.tables import create_table
from tests.rigs.topic_queue import TopicQueue

ENVIRONMENT: Final = "test"
ADMINISTRATOR: Final = "adm-1"
CARD: Final = "0123456789abcdef0123456789abcdef"
_numbers = itertools.count(1)


def card_id(number: int) -> str:
    """The keyed hash that stands for a card of this number."""
    return f"{number:032x}"


@dataclass(frozen=True)
class Context:
    """What Lambda hands a function beside the event."""

    left_ms: int = 60_000
    function_name: str = "test"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:test"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return self.left_ms


@dataclass(frozen=True)
class Offices:
    """One environment: what its sites share."""

    access: AwsAccess
    table: str
    requests_bucket: str
    lists_bucket: str
    topic_prefix: str
    topics: TopicQueue
    """Subscribed to the topics of all families."""

    @property
    def dynamodb(self) -> Any:
        """A client, as whoever runs the account has it."""
        return client_of(self.access, "dynamodb")

    @property
    def s3(self) -> Any:
        """As for `dynamodb`."""
        return client_of(self.access, "s3")

    def environ(self, of: Family = Family.CARDS) -> Mapping[str, str]:
        """The variables of a function."""
        return {
            "CARDEA_ENVIRONMENT": ENVIRONMENT,
            "CARDEA_TABLE": self.table,
            "CARDEA_REQUESTS_BUCKET": self.requests_bucket,
            "CARDEA_LISTS_BUCKET": self.lists_bucket,
            "CARDEA_TOPIC_PREFIX": self.topic_prefix,
            "CARDEA_FAMILY": of.value,
        }

    def published(self, least: int = 0) -> list[dict[str, Any]]:
        """The messages that the topics got since the last time, as a queue hands them to Lambda; waits for `least`."""
        return [sqs_record(body) for body in self.topics.take(least)]


@dataclass
class Office:
    """One site of it."""

    offices: Offices
    site: str = field(default_factory=lambda: f"site-{next(_numbers)}")
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def __post_init__(self) -> None:
        client_of(self.offices.access, "secretsmanager").create_secret(
            Name=site_secret(ENVIRONMENT, self.site, "list-sign"), SecretString=self.key.private_bytes_raw().hex()
        )
        Publisher(self.lists, self.key).publish(())
        self.put(keys.site(self.site), {"site": self.site, "g2pk": "SITES", "g2sk": self.site})
        self.grant(ADMINISTRATOR, "administrator")

    @cached_property
    def entities(self) -> EntityStore:
        return EntityStore(self.offices.table, self.offices.dynamodb)

    @cached_property
    def lists(self) -> ListStore:
        offices = self.offices
        return ListStore(self.site, offices.table, offices.lists_bucket, offices.dynamodb, offices.s3)

    # ---- what is there ----------------------------------------------------------------------------------------------

    def put(self, key: keys.Key, fields: Mapping[str, Any]) -> None:
        """Put an item by hand."""
        items = transact_items(self.offices.table, [Put(key, fields)], {key: self.entities.get(key)})
        commit(self.offices.dynamodb, items)

    def grant(
        self, subject: str, role: str, valid_from: str | None = None, valid_until: str | None = None, site: str = ""
    ) -> None:
        """Let a member of staff have a role."""
        name = secrets.token_hex(8)
        fields = {
            "subject": subject, "grant": name, "role": role, "site": site or self.site, "granted_by": "nobody",
            "valid_from": valid_from or "2020-01-01T00:00:00Z", "valid_until": valid_until,
        }  # fmt: skip
        self.put(keys.role_grant(subject, site or self.site, name), fields)

    def status(self, envelope: Envelope) -> Item:
        """How far a request has come."""
        item = self.entities.get(keys.request(envelope.id))
        assert item is not None
        return item

    def audit(self, envelope: Envelope) -> list[Item]:
        """The audit's entries of a request."""
        partition, _ = keys.audit(self.site, envelope.at, envelope.id)
        return [item for item in self.entities.query_all(None, partition) if item["request"] == envelope.id]

    def head(self) -> Head:
        """The head of the site's list."""
        current = Publisher(self.lists, self.key).current()
        assert current is not None
        return current[0]

    def doors_view(self) -> Items:
        """What a door of the site knows: the signed snapshot, and every delta since."""
        current = Publisher(self.lists, self.key).current()
        assert current is not None
        return current[1]

    def tables_view(self) -> Items:
        """What doors should know: made anew from all that lies in the table."""
        documents = (listing.document(entity) for entity in self._all())
        return index(document for document in documents if document is not None)

    def _all(self) -> Iterator[Entity]:
        pages = self.offices.dynamodb.get_paginator("scan").paginate(TableName=self.offices.table)
        kinds: Mapping[str, type[Entity]] = {
            f"PERSON#{self.site}#": Person, f"CARD#{self.site}#": Card,
        }  # fmt: skip
        places: Mapping[str, type[Entity]] = {
            "AREA#": Area, "DOOR#": Door, "GROUP#": Group, "SCHEDULE#": Schedule, "HOLIDAYS#": Holidays,
        }  # fmt: skip
        for item in (from_attributes(item) for page in pages for item in page["Items"]):
            named = places if item["pk"] == f"SITE#{self.site}" else kinds if item["sk"] == keys.ONLY else {}
            at = item["sk"] if named is places else item["pk"]
            for prefix, kind in named.items():
                if at.startswith(prefix):
                    yield kind.of(item)

    # ---- requests ---------------------------------------------------------------------------------------------------

    def ask(
        self,
        kind: RequestType | str,
        payload: Mapping[str, Any],
        *,
        subject: str = ADMINISTRATOR,
        roles: Sequence[str] = ("administrator",),
        at_s: float | None = None,
    ) -> Envelope:
        """Store a request as the API does, its item excepted."""
        envelope = Envelope(
            v=1,
            id=request_id(self.site, subject, secrets.token_hex(8)),
            type=RequestType(kind),
            site=self.site,
            at=moment_text(time.time() if at_s is None else at_s),
            operator=Operator(subject=subject, name="Somebody", roles=list(roles)),
            payload=dict(payload),
        )
        self.store(object_name(self.site, envelope.id), envelope.to_bytes())
        return envelope

    def store(self, name: str, data: bytes) -> None:
        """Put an object into the bucket of requests."""
        self.offices.s3.put_object(Bucket=self.offices.requests_bucket, Key=name, Body=data)

    def message(self, envelope: Envelope) -> dict[str, Any]:
        """The message that the router publishes about a request, as a queue hands it to Lambda."""
        told = {
            "bucket": self.offices.requests_bucket,
            "key": object_name(self.site, envelope.id),
            "id": envelope.id,
            "type": envelope.type.value,
            "site": self.site,
        }
        return sqs_record(sns_body(json.dumps(told)))

    def deliver(self, *envelopes: Envelope, access: AwsAccess | None = None, context: Context | None = None) -> Any:
        """Hand requests of one family to its processor, in one batch; the failures it names, by position."""
        mine = family(envelopes[0].type)
        function = processor.assemble(self.offices.environ(mine), access) if access else _warm(self.offices, mine)
        records = [self.message(envelope) for envelope in envelopes]
        failed = failures(function({"Records": records}, context or Context()))
        return [place for place, record in enumerate(records) if record["messageId"] in failed]

    def route(self, *records: Mapping[str, Any], access: AwsAccess | None = None) -> set[str]:
        """Hand messages to the router; ids of those that it wants again."""
        function = router.assemble(self.offices.environ(), access or self.offices.access)
        return failures(function({"Records": list(records)}, Context()))

    def do(self, kind: RequestType | str, payload: Mapping[str, Any], **more: Any) -> Item:
        """Ask, and have it carried out; the request's item."""
        envelope = self.ask(kind, payload, **more)
        assert self.deliver(envelope) == []
        return self.status(envelope)

    def people(self, *names: str, status: str = "active") -> None:
        """Let these people be known."""
        for name in names:
            assert self.do("person.create", {"person": name, "name": name, "status": status})["status"] == "done"

    def cards(self, *numbers: int) -> None:
        """Let the pool hold these cards."""
        payload = {"cards": [{"card": card_id(number)} for number in numbers]}
        assert self.do("card.register", payload)["status"] == "done"


@cache
def _warm(offices: Offices, mine: Family) -> Any:
    """A processor that has its clients already, as most of a function's calls find it."""
    return processor.assemble(offices.environ(mine), offices.access)


def failures(response: Mapping[str, Any]) -> set[str]:
    """Ids of the messages that a function names as failed."""
    return {failure["itemIdentifier"] for failure in response["batchItemFailures"]}


def sns_body(message: str) -> str:
    """The body of a queue's message, as a topic writes it."""
    wrapped = {
        "Type": "Notification",
        "MessageId": secrets.token_hex(16),
        "TopicArn": "arn:aws:sns:eu-central-1:123456789012:topic",
        "Message": message,
        "Timestamp": "2026-03-01T08:00:00.000Z",
        "SignatureVersion": "1",
    }
    return json.dumps(wrapped)


def s3_body(bucket: str, *names: str) -> str:
    """The body of a queue's message about new objects; names as they travel, with their characters escaped."""
    records = [
        {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {"key": name, "size": 1}}}
        for name in names
    ]
    return sns_body(json.dumps({"Records": records}))


def sqs_record(body: str) -> dict[str, Any]:
    """A message as a queue hands it to Lambda."""
    return {
        "messageId": secrets.token_hex(16), "receiptHandle": "h", "body": body, "messageAttributes": {},
        "attributes": {
            "ApproximateReceiveCount": "1", "SentTimestamp": "1772352000000", "SenderId": "x",
            "ApproximateFirstReceiveTimestamp": "1772352000001",
        },
        "md5OfBody": "0", "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-central-1:1:q",
        "awsRegion": REGION,
    }  # fmt: skip


@cache
def client_of(access: AwsAccess, service: str) -> Any:
    """A client of a service that only the rig needs."""
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=access.endpoint,
        region_name=access.region,
        aws_access_key_id=access.access_key,
        aws_secret_access_key=access.secret_key,
    )


@contextmanager
def offices(aws: LocalAws) -> Iterator[Offices]:
    """A fresh environment."""
    access = AwsAccess(aws.endpoint, REGION, ROOT_KEY, ROOT_KEY)
    name = f"office-{secrets.token_hex(4)}"
    create_table(access.dynamodb(), name)
    for bucket in (f"{name}-requests", f"{name}-lists"):
        access.s3().create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    sns = access.sns()
    topics = {each: sns.create_topic(Name=f"{name}-{each.value}")["TopicArn"] for each in Family}
    prefix = topics[Family.CARDS].removesuffix(Family.CARDS.value)
    queue = TopicQueue.on(access, name, list(topics.values()), raw=False)
    yield Offices(access, name, f"{name}-requests", f"{name}-lists", prefix, queue)
