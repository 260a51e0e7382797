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
FAILING = """
import logging, structlog
from agent import logs
logs.configure("debug")

def hash_card(key):
    raise MemoryError

for log in (structlog.get_logger("agent"), logging.getLogger("hardware")):
    try:
        card = "04a1" + "b2c3d4"
        hash_card("site-" + "key")
    except MemoryError:
        log.exception("worker.failed")
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


def test_a_traceback_tells_where_and_never_what_was_held_there() -> None:
    """Locals are keys and card numbers; in our own lines as in those of drivers."""
    ended = subprocess.run([sys.executable, "-c", FAILING], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [line["exception"][0]["frames"][-1]["name"] for line in lines] == ["hash_card", "hash_card"]
    assert "site-key" not in ended.stdout
    assert "04a1b2c3d4" not in ended.stdout
