"""Runs `cardea doctor` as a person does, as a process, and reads its report."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rigs import site
from tests.rigs.daemon import CARDEA, ROOT, Daemon

DOOR = """
[[door]]
id = "front"
[door.lock]
driver = "emulated"
fail = "secure"
[[door.reader]]
name = "front-in"
direction = "in"
driver = "emulated"
"""
CALM_ENVIRONMENT = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
"""Keeps a test from asking anything outside this machine for credentials."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one run."""

    code: int
    report: Mapping[str, Any]

    def lines(self, area: str, name: str | None = None) -> list[Mapping[str, Any]]:
        """The findings of an area, or of one line of it."""
        found: Sequence[Mapping[str, Any]] = self.report["findings"]
        return [item for item in found if item["area"] == area and name in (None, item["name"])]

    def line(self, area: str, name: str) -> Mapping[str, Any]:
        """The one finding of this line."""
        (found,) = self.lines(area, name)
        return found

    def failed(self) -> set[tuple[str, str]]:
        """The lines that fail, but for the flush: how fast this machine's disk is today is not the test's business."""
        found = {(item["area"], item["name"]) for item in self.report["findings"] if item["verdict"] == "fail"}
        return found - {("disk", "flush")}


def controller(
    home: Path,
    body: str = DOOR,
    *,
    keys: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Daemon:
    """A controller as a good installer leaves it, its daemon not started; with the small site's keys unless told."""
    daemon = Daemon(home, body, keys=site.KEYS if keys is None else keys, environment=environment)
    daemon.config.chmod(0o640)
    daemon.state_dir.chmod(0o750)
    for path in daemon.state_dir.iterdir():
        path.chmod(0o600)
    return daemon


def doctor(
    config: Path, environment: Mapping[str, str] | None = None, *, prefix: Sequence[str] = (), within_s: float = 110.0
) -> Told:
    """One run with --json; what is on stdout must be one JSON document, and nothing on stderr."""
    done = run([*prefix, *CARDEA, "doctor", "--config", str(config), "--json"], environment, within_s)
    assert done.stderr == "", done.stderr
    assert done.stdout.count("\n") == 1
    return Told(done.returncode, json.loads(done.stdout))


def run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, within_s: float = 110.0
) -> subprocess.CompletedProcess[str]:
    """One run of any command in the environment that `doctor` uses."""
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=within_s,
        cwd=ROOT,
        env={**os.environ, **CALM_ENVIRONMENT, "PYTHONPATH": str(ROOT), **(environment or {})},
    )
