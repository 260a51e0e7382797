"""A process that stands for Kinesis and DynamoDB: takes records as the weather lets it, and has a list for the door.

`python -m tests.bench.endpoint WEATHER COUNT` prints its addresses as JSON, and at the end of its input what became of
the events 1 to COUNT. A line of its input is a card: it is revoked at once by a new version of the list, and the
instant is printed.
"""

import base64
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cloud.contract.allowlist import delta_key, seal_delta, seal_head
from tests.bench import site
from tests.bench.context import ROOT, environment
from tests.bench.tally import Tally, tally
from tests.bench.weather import WEATHERS
from tests.rigs.fault_kinesis import OK, FaultKinesis
from tests.rigs.site import LIST_KEY

_COUNT_S = 60.0


@dataclass(slots=True)
class Endpoint:
    """The running process, as its user sees it."""

    process: subprocess.Popen[str]
    variables: Mapping[str, str]
    """For the environment of whoever is to find it."""

    def revoke(self, uid: str) -> float:
        """Publish a list without this card; the monotonic instant from which on every poll finds it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{uid}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def finish(self) -> Tally:
        """End it; what became of the events."""
        out, _ = self.process.communicate("", timeout=_COUNT_S)
        return Tally(**json.loads(out))


@contextmanager
def endpoint(weather: str = "clean", count: int = 0) -> Iterator[Endpoint]:
    """Run it for the length of the block."""
    command = [sys.executable, "-m", "tests.bench.endpoint", weather, str(count)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", cwd=ROOT, env=environment()
    ) as process:
        try:
            assert process.stdout is not None
            found = json.loads(process.stdout.readline())
            variables = {
                "AWS_ENDPOINT_URL_KINESIS": found["kinesis"],
                "AWS_ENDPOINT_URL_DYNAMODB": found["dynamodb"],
                "AWS_ACCESS_KEY_ID": "bench",
                "AWS_SECRET_ACCESS_KEY": "bench",
                "AWS_DEFAULT_REGION": "eu-central-1",
            }
            yield Endpoint(process, variables)
        finally:
            process.kill()


class _Table(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    published: "_Published"
    """Set before the first request."""

    def do_POST(self) -> None:
        """GetItem of the head, and Query of the deltas after the version that the door holds."""
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
        body = json.dumps(self.published.answer(asked)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", "00000000-0000-0000-0000-000000000000")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""


class _Published:
    """The list's versions: the snapshot that every door of a benchmark holds, and a delta for each revoked card."""

    def __init__(self) -> None:
        self._deltas: dict[str, dict[str, Any]] = {}
        self._head = ""
        self._publish(1)

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Of one request."""
        if "Key" in asked:
            return {"Item": {"doc": {"S": self._head}}}
        values = asked["ExpressionAttributeValues"]
        first, last = values[":first"]["S"], values[":last"]["S"]
        return {"Items": [item for sort, item in list(self._deltas.items()) if first <= sort <= last]}

    def revoke(self, uid: str) -> float:
        """Take a card away; the monotonic instant."""
        version = len(self._deltas) + 2
        text, packed = seal_delta(site.revocation(version, uid), LIST_KEY)
        _, sort = delta_key(site.NAME, 1, version)
        self._deltas[sort] = {"doc": {"S": text}, "changes": {"B": base64.b64encode(packed).decode("ascii")}}
        self._publish(version)
        return time.monotonic()

    def _publish(self, version: int) -> None:
        self._head = seal_head(site.head(None, version), LIST_KEY)


def main() -> None:
    """Serve until the input ends."""
    weather, count = sys.argv[1], int(sys.argv[2])
    published = _Table.published = _Published()
    with FaultKinesis() as kinesis, ThreadingHTTPServer(("127.0.0.1", 0), _Table) as table:
        kinesis.play(OK)  # a client's first request opens its connection
        kinesis.otherwise(WEATHERS[weather]())
        threading.Thread(target=table.serve_forever, name="table", daemon=True).start()
        addresses = {"kinesis": kinesis.endpoint, "dynamodb": f"http://127.0.0.1:{table.server_address[1]}"}
        print(json.dumps(addresses), flush=True)
        for uid in sys.stdin:
            print(published.revoke(uid.strip()), flush=True)
        print(json.dumps(asdict(tally((record.data for record in kinesis.records), count))), flush=True)
        table.shutdown()


if __name__ == "__main__":
    main()
