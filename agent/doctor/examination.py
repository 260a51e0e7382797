"""The whole self-test: reads the configuration, asks the daemon, runs every check. The command shows the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from agent.aws.probe import SERVICES
from agent.config import Config
from agent.configfile import load
from agent.doctor import (
    clock,
    cloud,
    configuration,
    daemon,
    disk,
    gpio,
    identity,
    journal,
    power,
    readers,
    service,
    system,
)
from agent.doctor.finding import Area, Finding, Line, Verdict, worst
from agent.doctor.runner import Check, Progress, run
from agent.doctor.scene import Scene, service_account
from agent.errors import ConfigError
from agent.places import default_socket

MAX_TEXT: Final = 600
"""Characters of a finding's text."""

CHECKS: Final[Sequence[Check]] = (
    Check(configuration.OWNER, configuration.look),
    Check(identity.DEVICE_KEY, identity.look, within_s=8.0),
    Check(clock.SYNCHRONISED, clock.look),
    Check(disk.FOLDER, disk.look),
    # As long as it takes to see that a flush never ends.
    Check(disk.FLUSH, disk.flush, within_s=20.0),
    # SQLite's own check of the pages comes first and can't be cut short: 256 MiB on a slow card.
    Check(journal.WHOLE, journal.look, within_s=90.0),
    Check(gpio.LIBRARY, gpio.look, within_s=30.0),
    Check(readers.SERVICE, readers.look, within_s=20.0),
    Check(daemon.RUNNING, daemon.look),
    # One bounded wait to connect and one for the answer, after the library was loaded.
    *(Check(cloud.ENDPOINT, partial(cloud.endpoint, service), within_s=30.0) for service in SERVICES),
    # Four such waits: the credentials' own service, its retry, and two questions.
    Check(cloud.LIST, cloud.access, within_s=60.0),
    Check(service.UNIT, service.look),
    Check(power.SUPPLY, power.look),
    Check(system.MODEL, system.look),
)

LINES: Final[Sequence[Line]] = tuple(
    line
    for part in (
        configuration,
        identity,
        clock,
        disk,
        journal,
        gpio,
        readers,
        daemon,
        cloud,
        service,
        power,
        system,
    )
    for line in part.LINES
)
"""Every line that a report may hold, by area."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the self-test found."""

    file: Path
    device: str | None
    """None when the configuration can't be used."""
    daemon: bool
    """Whether a daemon answered."""
    findings: Sequence[Finding]

    @property
    def verdict(self) -> Verdict:
        """The worst of all lines."""
        return worst(self.findings)

    def to_json(self) -> Mapping[str, Any]:
        """The document of `cardea doctor --json`."""
        count = {verdict.value: sum(item.verdict is verdict for item in self.findings) for verdict in Verdict}
        return {
            "config": str(self.file),
            "device": self.device,
            "daemon": self.daemon,
            "verdict": self.verdict.value,
            "count": count,
            "findings": [
                {
                    "area": item.area.value,
                    "name": item.name,
                    "verdict": item.verdict.value,
                    "what": item.what,
                    "remedy": item.remedy,
                    "by_daemon": item.by_daemon,
                }
                for item in self.findings
            ],
        }


def examine(file: Path, progress: Progress, *, root: Path = Path("/"), checks: Sequence[Check] = CHECKS) -> Report:
    """Look at everything. Never raises for what it finds; each check is bounded in time.

    With a configuration that can't be used its problems are the report.
    """
    try:
        config = _plain(load(file))
    except ConfigError as error:
        return Report(file, None, False, configuration.problems(error))
    progress([Area.DAEMON.value])
    told = daemon.ask_status(config.device.socket or default_socket())
    unit = service.ask_unit(root)
    scene = Scene(file=file, config=config, told=told, account=service_account(unit), unit=unit, root=root)
    order = list(Area)
    found = [_printable(finding) for finding in run(checks, scene, progress)]
    findings = sorted(found, key=lambda finding: order.index(finding.area))
    return Report(file, config.device.id, told.status is not None, findings)


def _printable(finding: Finding) -> Finding:
    """What devices and peers call themselves must not move a terminal's cursor, nor fill it."""
    remedy = None if finding.remedy is None else _one_line(finding.remedy)
    return replace(finding, what=_one_line(finding.what), remedy=remedy)


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)[:MAX_TEXT]


def _plain(config: Config) -> Config:
    """Paths as a person would write them, without the `..` of a relative one."""
    device = config.device.model_copy(update={"state_dir": config.device.state_dir.resolve()})
    return config.model_copy(update={"device": device})
