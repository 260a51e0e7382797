"""What a log line looks like, and what never becomes one."""

import json
import subprocess
import sys

PROGRAM = """
import logging, structlog
from agent import logs
logs.configure("debug")
structlog.get_logger("agent").info("door.opened", door="front")
logging.getLogger("hardware.gpio").info("input.unsettled", extra={"input": "front.rex"})
logging.getLogger("nfc.clf").debug(">> 00A4040007D276")
logging.getLogger("botocore").warning("slow")
try:
    raise OSError("unplugged")
except OSError:
    structlog.get_logger("agent").exception("worker.failed")
"""


def test_every_line_is_one_json_object_and_vendor_bytes_are_none() -> None:
    """Our lines and those of drivers have the same form; debug output of vendor libraries stays out."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["door.opened", "input.unsettled", "slow", "worker.failed"]
    assert lines[0]["door"] == "front"
    assert lines[1]["input"] == "front.rex"
    assert lines[3]["exception"][0]["exc_value"] == "unplugged"
    assert all({"level", "timestamp"} <= set(line) for line in lines)
