"""The demo site on deployed stacks, seen only from outside: the API, the stream, and what a door reads.

Staff sign in at the user pool, controllers sign with keys of their own and are registered by the API, and both lists
and records go over the wire with a door's narrow credentials. Only `Account` looks where the account's owner may.
"""

import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode
from uuid import uuid4

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.aws.lists import DynamoListSource
from agent.aws.session import AwsSession
from agent.core.decision import decide
from agent.core.model import DecisionSettings, Direction, Holder, Now, Policy, Request
from agent.office.profile import Profile
from agent.office.signin import Provider
from agent.office.tokens import Tokens
from cloud.adapters.aws import AwsAccess
from cloud.contract.allowlist import Change
from cloud.contract.itemcodec import parse_item
from cloud.contract.items import Area, Card, Door, Group, Holidays, Item, Person, Schedule
from cloud.contract.reasons import Reason
from cloud.deploy.staff import Member, ensure_member, new_password
from cloud.domain.lists import ItemKey, applied, index
from cloud.domain.roles import Role
from cloud.local.main import LocalCloudDetails
from cloud.local.server import ACCOUNT, ROOT_KEY
from tests.rigs.histories import Device
from tests.rigs.http_events import Reply
from tests.rigs.topic_queue import TopicQueue
from tests.rigs.waiting import wait_for

PATIENCE_S: Final = 90.0
"""A dozen functions start for the first time, on a machine that does other things."""
_CALL_S: Final = 60.0
_EARLY_S: Final = 60.0
Document = Mapping[str, Any]


class _NobodyToAsk:
    """`agent.office.signin.Prompts` of staff whose passwords are for good."""

    def new_password(self) -> str:
        raise AssertionError("another password is asked for")

    def code(self) -> str:
        raise AssertionError("a second factor is asked for")

    def show_secret(self, secret: str, user: str) -> None:
        raise AssertionError("a second factor is to be set up")


@dataclass
class Caller:
    """A member of staff at their desk. One per thread: it keeps its connection."""

    details: LocalCloudDetails
    name: str
    subject: str
    password: str = field(repr=False)
    _tokens: Tokens | None = field(default=None, repr=False)
    _session: requests.Session = field(default_factory=requests.Session, repr=False)

    def call(self, method: str, path: str, body: Any = None, *, key: str | None = None, **query: Any) -> Reply:
        """One call at a path below the site, or from the root on if it begins with /."""
        below = path if path.startswith("/") else f"/v1/sites/{self.details.site}/{path}"
        headers = {"Authorization": f"Bearer {self.token()}"}
        headers |= {} if method == "GET" else {"Idempotency-Key": key or str(uuid4())}
        url = f"{self.details.api}{quote(below)}" + (f"?{urlencode(query)}" if query else "")
        answer = self._session.request(method, url, json=body, headers=headers, timeout=_CALL_S)
        return Reply(answer.status_code, answer.json(), {name.lower(): value for name, value in answer.headers.items()})

    def get(self, path: str, **query: Any) -> Any:
        """What is at a path."""
        reply = self.call("GET", path, **query)
        assert reply.status == 200, reply
        return reply.body

    def pages(self, path: str, limit: int, **query: Any) -> Iterator[Sequence[Any]]:
        """A list, page by page."""
        following: Mapping[str, str] = {}
        while True:
            page = self.get(path, limit=limit, **query, **following)
            yield page["items"]
            if page["next"] is None:
                return
            following = {"cursor": page["next"]}

    def all(self, path: str, **query: Any) -> list[Any]:
        """A whole list."""
        return [entry for page in self.pages(path, 200, **query) for entry in page]

    def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> str:
        """Ask for a change; the id of the request."""
        reply = self.call(method, path, body, key=key)
        assert reply.status == 202, reply
        return str(reply.body["request"])

    def ended(self, request: str) -> Any:
        """A request once it has ended."""

        def end() -> Any:
            seen = self.call("GET", f"requests/{request}")
            return seen.body if seen.body.get("status") in ("done", "rejected") else None

        return wait_for(end, f"the end of request {request}", PATIENCE_S)

    def change(self, method: str, path: str, body: Any = None) -> Any:
        """Ask for a change, and wait for its end."""
        return self.ended(self.ask(method, path, body))

    def do(self, method: str, path: str, body: Any = None) -> Any:
        """Ask for a change that must be done."""
        request = self.change(method, path, body)
        assert request["status"] == "done", request
        return request

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def token(self) -> str:
        """A token that holds a while yet."""
        if self._tokens is None or self._tokens.expires_at - _EARLY_S < time.time():
            self._tokens = _signed_in(self.details, self.name, self.password)
        return self._tokens.access


@dataclass
class Account:
    """What the account's owner sees of a deployment."""

    access: AwsAccess
    environment: str = "dev"

    @cached_property
    def s3(self) -> Any:
        """A client."""
        return self.access.s3()

    def objects(self, kind: str, prefix: str = "") -> dict[str, bytes]:
        """Objects of the bucket of a kind (archive, rejected, ...), by name."""
        bucket = f"cardea-{self.environment}-{kind}"
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        names = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        return {name: self.s3.get_object(Bucket=bucket, Key=name)["Body"].read() for name in names}


@dataclass
class AlarmQueue:
    """Somebody who is on call: all that the alarms topic tells from now on."""

    queue: TopicQueue
    _told: list[dict[str, Any]] = field(default_factory=list)

    def told(self, **facts: Any) -> list[dict[str, Any]]:
        """The alarms so far that say this."""
        self._told += [json.loads(body) for body in self.queue.take()]
        return [alarm for alarm in self._told if alarm.items() >= facts.items()]

    @classmethod
    def on(cls, account: Account) -> "AlarmQueue":
        """A queue that listens to the alarms topic."""
        access = account.access
        topic = f"arn:aws:sns:{access.region}:{ACCOUNT}:cardea-{account.environment}-alarms"
        return cls(TopicQueue.on(access, f"on-call-{secrets.token_hex(4)}", [topic]))


class DeployedSite:
    """A running deployment with its demo site."""

    def __init__(self, details: LocalCloudDetails) -> None:
        self.details = details
        self.account = Account(AwsAccess(details.endpoint, details.region, ROOT_KEY, ROOT_KEY))
        self._staff = {
            role: Caller(details, member.name, member.subject, member.password)
            for role, member in ((Role(name), member) for name, member in details.staff.items())
        }
        self._hired: list[Caller] = []
        door = details.environment
        keys = (door["AWS_ACCESS_KEY_ID"], door["AWS_SECRET_ACCESS_KEY"])
        self._kinesis = AwsAccess(details.endpoint, details.region, *keys).kinesis()
        self._lists = _door_lists(details)

    def staff(self, role: Role = Role.ADMINISTRATOR) -> Caller:
        """Whoever has a role from the start."""
        return self._staff[role]

    def hire(self, role: Role, *, granted: bool = True) -> Caller:
        """One more member of staff, who is in the pool's group of a role, and by default has the role here."""
        name, password = f"{role.value}-{secrets.token_hex(4)}", new_password()
        site = self.details.site if granted else "elsewhere"
        outputs = {"PoolId": self.details.pool_id, "TableName": self.details.table}
        subject = ensure_member(self.account.access, outputs, Member(name, role, site, password=password))
        self._hired.append(Caller(self.details, name, subject, password))
        return self._hired[-1]

    # ---- what doors read --------------------------------------------------------------------------------------------

    def version(self) -> int:
        """The version of the list that a door would find now."""
        head = self._lists.head()
        assert head is not None
        return head.version

    def listed(self) -> dict[ItemKey, Document]:
        """The list as a door that has nothing yet reads it: the signed snapshot and every delta since, in wire form."""
        head = self._lists.head()
        assert head is not None
        items = index(self._lists.snapshot(head).items)
        for delta in self._lists.deltas(head.epoch, head.snapshot_version, head.version):
            items = applied(items, delta.changes)
        return items

    def at_doors(self, kind: str, name: str) -> Item:
        """One thing as a door reads it."""
        return parse_item(self.listed()[kind, name])

    def changes(self, request: Document) -> dict[ItemKey, Document | None]:
        """What the delta of a request tells a door that has the version before it; None: it goes."""
        version = request["list"]["version"]
        (delta,) = self._lists.deltas(request["list"]["epoch"], version - 1, version)
        return {(change.kind, change.id): change.item for change in delta.changes if isinstance(change, Change)}

    def decides(self, card: str, door: str, *, area: str | None = None, going: Direction = Direction.IN) -> Reason:
        """What a door that read its list just now says to a card now; `area` is where it knows the person to be."""
        items = [parse_item(document) for document in self.listed().values()]
        cards = {item.id: item for item in items if isinstance(item, Card)}
        people = {item.id: item for item in items if isinstance(item, Person)}
        policy = Policy(
            1,
            1,
            0,
            groups={item.id: item for item in items if isinstance(item, Group)},
            schedules={item.id: item for item in items if isinstance(item, Schedule)},
            holidays={item.id: item for item in items if isinstance(item, Holidays)},
            doors={item.id: item for item in items if isinstance(item, Door)},
            areas={item.id: item for item in items if isinstance(item, Area)},
        )
        holder = Holder(cards[card], people.get(cards[card].person)) if card in cards else None
        request = Request(door, going, holder, policy, 0.0, area)
        return decide(request, DecisionSettings(), Now(0.0, time.time(), known=True)).reason

    # ---- controllers ------------------------------------------------------------------------------------------------

    def controller(self, *doors: str, name: str | None = None) -> Device:
        """A controller with a key of its own, registered for doors; its events begin a little before now."""
        device = Device(
            name or f"device-{secrets.token_hex(6)}",
            site=self.details.site,
            key=Ed25519PrivateKey.generate(),
            start_s=time.time() - 30,
        )
        public = device.key.public_key().public_bytes_raw().hex()
        self.staff().do("PUT", f"devices/{device.name}", {"keys": [public], "doors": list(doors)})
        return device

    def send(self, device: str, *records: bytes) -> None:
        """Put records onto the stream, as a door may."""
        for start in range(0, len(records), 100):
            entries: Any = [{"Data": data, "PartitionKey": device} for data in records[start : start + 100]]
            answer = self._kinesis.put_records(StreamName=self.details.stream, Records=entries)
            assert answer["FailedRecordCount"] == 0

    def close(self) -> None:
        """Let go of all connections."""
        for caller in (*self._staff.values(), *self._hired):
            caller.close()
        self._kinesis.close()


def token() -> str:
    """What makes the ids of a test its own: 8 hex digits."""
    return secrets.token_hex(4)


def card_id(token: str, number: int = 1) -> str:
    """The keyed hash of a card of a test."""
    return f"{token * 3}{number:08x}"


def _signed_in(details: LocalCloudDetails, name: str, password: str) -> Tokens:
    profile = Profile(
        pool_id=details.pool_id, client_id=details.client_id, region=details.region, endpoint_url=details.endpoint
    )
    with closing(Provider(profile, time.time)) as provider:
        return provider.sign_in(name, password, _NobodyToAsk())


def _door_lists(details: LocalCloudDetails) -> DynamoListSource:
    public = bytes.fromhex((Path(details.door_dir) / "list-verify.pub").read_text(encoding="ascii"))
    session = AwsSession(details.region, 10.0)
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in details.environment.items():
            patch.setenv(variable, value)
        session.dynamodb(), session.s3()  # made now, while the door's variables hold
    return DynamoListSource(
        session,
        table=details.table,
        bucket=details.bucket,
        site=details.site,
        keys=[Ed25519PublicKey.from_public_bytes(public)],
    )
