"""A process that stands for Kinesis and DynamoDB: takes every record, and always has the list that the door holds.

`python -m tests.bench.endpoint` prints its addresses as JSON, and at the end of its input how many records it took.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cloud.contract.allowlist import seal_head
from tests.bench import site
from tests.bench.context import ROOT, environment
from tests.rigs.fault_kinesis import FaultKinesis
from tests.rigs.site import LIST_KEY

_QUIET_S = 5.0


@dataclass(slots=True)
class Endpoint:
    """The running process, as its user sees it."""

    process: subprocess.Popen[str]
    variables: Mapping[str, str]
    """For the environment of whoever is to find it."""

    def finish(self) -> int:
        """End it; how many records it took."""
        out, _ = self.process.communicate("", timeout=_QUIET_S)
        return int(json.loads(out)["records"])


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    """Run it for the length of the block."""
    command = [sys.executable, "-m", "tests.bench.endpoint"]
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
            }
            yield Endpoint(process, variables)
        finally:
            process.kill()


class _Table(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    head: bytes
    """The answer, set before the first request."""

    def do_POST(self) -> None:
        """GetItem of the head; nothing else is asked for by a door that holds the newest list."""
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(self.head)))
        self.send_header("x-amzn-RequestId", "00000000-0000-0000-0000-000000000000")
        self.end_headers()
        self.wfile.write(self.head)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""


def main() -> None:
    """Serve until the input ends."""
    _Table.head = json.dumps({"Item": {"doc": {"S": seal_head(site.head(None), LIST_KEY)}}}).encode()
    with FaultKinesis() as kinesis, ThreadingHTTPServer(("127.0.0.1", 0), _Table) as table:
        threading.Thread(target=table.serve_forever, name="table", daemon=True).start()
        addresses = {"kinesis": kinesis.endpoint, "dynamodb": f"http://127.0.0.1:{table.server_address[1]}"}
        print(json.dumps(addresses), flush=True)
        sys.stdin.read()
        print(json.dumps({"records": len(kinesis.records)}), flush=True)
        table.shutdown()


if __name__ == "__main__":
    main()
