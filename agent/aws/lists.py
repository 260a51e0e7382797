"""Reads a site's lists: head and deltas from the table, snapshots from the bucket. Must never return unsigned data."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.aws.errors import Translated, failure
from agent.aws.session import AwsSession
from agent.errors import FailureKind
from cloud.contract.allowlist import (
    MAX_SNAPSHOT_BYTES,
    Delta,
    Head,
    Snapshot,
    delta_key,
    head_key,
    open_delta,
    open_head,
    open_snapshot,
)
from cloud.contract.errors import ContractError, HashMismatchError, WrongSiteError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

CHUNK_BYTES: Final = 1 << 18
"""A snapshot is read in pieces of this size, so that one that is too big is noticed before it fills the memory."""

MAX_EMPTY_PAGES: Final = 10
"""In a row. A query without a filter has none; an endpoint that promises more for ever must not hold the sync."""


class DynamoListSource:
    """`agent.ports.ListSource` over one table and one bucket; every read of the table is strongly consistent.

    Args:
        session: Where the clients come from.
        table: Name of the table.
        bucket: Name of the bucket.
        site: A document that was signed for another site is refused.
        keys: The site's list-verification keys.
        max_bytes: A snapshot object above this is refused before it is read to its end.
    """

    def __init__(
        self,
        session: AwsSession,
        *,
        table: str,
        bucket: str,
        site: str,
        keys: Sequence[Ed25519PublicKey],
        max_bytes: int = MAX_SNAPSHOT_BYTES,
    ) -> None:
        self._session = session
        self._table = table
        self._bucket = bucket
        self._site = site
        self._keys = tuple(keys)
        self._max_bytes = max_bytes

    def head(self) -> Head | None:
        """The site's head; None when the site has published nothing. Raises Transient, Permanent, ContractError."""
        partition, sort = head_key(self._site)
        client = self._session.dynamodb()
        with self._session.call("GetItem"):
            answer = client.get_item(
                TableName=self._table, Key={"pk": {"S": partition}, "sk": {"S": sort}}, ConsistentRead=True
            )
            item = answer.get("Item")
        _check_answered(answer, "GetItem")
        if item is None:
            return None
        head = open_head(_text(item, "head"), self._keys)
        self._check_site(head, "head")
        return head

    def deltas(self, epoch: int, after: int, upto: int) -> Iterator[Delta]:
        """The deltas of `epoch` with after < version <= upto, in order; pages are fetched as they are needed.

        Raises Transient, Permanent, ContractError, also between two of them.
        """
        if after >= upto:
            # The service refuses a range that ends before it begins.
            return
        partition, first = delta_key(self._site, epoch, after + 1)
        _, last = delta_key(self._site, epoch, upto)
        client = self._session.dynamodb()
        start: Mapping[str, Any] | None = None
        empty = 0
        while True:
            more: dict[str, Any] = {"ExclusiveStartKey": start} if start else {}
            with self._session.call("Query"):
                page = client.query(
                    TableName=self._table,
                    KeyConditionExpression="pk = :p AND sk BETWEEN :first AND :last",
                    ExpressionAttributeValues={":p": {"S": partition}, ":first": {"S": first}, ":last": {"S": last}},
                    ConsistentRead=True,
                    **more,
                )
                items, start = list(page.get("Items") or ()), page.get("LastEvaluatedKey")
            _check_answered(page, "Query")
            empty = 0 if items else empty + 1
            if empty > MAX_EMPTY_PAGES:
                raise failure(FailureKind.SERVICE, "Query: one page after another with nothing on it")
            for item in items:
                delta = open_delta(_text(item, "delta"), _changes(item), self._keys)
                self._check_site(delta, "delta")
                yield delta
            if not start:
                return

    def snapshot(self, head: Head) -> Snapshot:
        """The snapshot that the head names; raises Transient, Permanent, ContractError."""
        data = self._object(head.snapshot_key)
        if hashlib.sha256(data).hexdigest() != head.snapshot_sha256:
            raise HashMismatchError("snapshot: not the bytes that the head names")
        snapshot = open_snapshot(data, self._keys)
        self._check_site(snapshot, "snapshot")
        return snapshot

    def _object(self, key: str) -> bytes:
        client = self._session.s3()
        data = bytearray()
        with self._session.call("GetObject"):
            body = client.get_object(Bucket=self._bucket, Key=key)["Body"]
        try:
            while len(data) <= self._max_bytes:
                with Translated("GetObject"):
                    chunk = body.read(CHUNK_BYTES)
                if not chunk:
                    return bytes(data)
                data += chunk
        finally:
            body.close()
        raise ContractError(f"snapshot: above {self._max_bytes} bytes")

    def _check_site(self, document: Head | Delta | Snapshot, what: str) -> None:
        if document.site != self._site:
            raise WrongSiteError(f"{what}: signed for site {document.site!r}, ours is {self._site!r}")


def _check_answered(answer: Mapping[str, Any], doing: str) -> None:
    """Only the service's own answer may say that nothing is there: a network's login page reads as an empty one."""
    if not answer.get("ResponseMetadata", {}).get("RequestId"):
        raise failure(FailureKind.TRANSPORT, f"{doing}: the answer is not the service's")


def _text(item: "Mapping[str, AttributeValueTypeDef]", what: str) -> str:
    value = _attribute(item, "doc").get("S")
    if not isinstance(value, str):
        raise ContractError(f"{what}: attribute doc is missing or no string")
    return value


def _attribute(item: object, name: str) -> Mapping[str, Any]:
    """An attribute of an item; empty where there is none. botocore lets null through at every level."""
    value = item.get(name) if isinstance(item, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _changes(item: "Mapping[str, AttributeValueTypeDef]") -> bytes:
    value = _attribute(item, "changes").get("B")
    if not isinstance(value, bytes):
        raise ContractError("delta: attribute changes is missing or not binary")
    return value
