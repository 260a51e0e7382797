"""The shipped unit under a real systemd: start, confinement, and every death, on the real GPIO libraries.

Two doors, a strike and a maglock: a strike has power while it is unlocked, a maglock while it is locked. After any
death neither has.
"""

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.rigs import site
from tests.rigs.gpio_libs import ROOT, Library, library
from tests.rigs.gpio_rig import GpioRig, gpio_rig
from tests.rigs.hung_thread import hung_thread
from tests.rigs.systemd_box import REPOSITORY, SystemdBox, systemd_box
from tests.rigs.waiting import wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

STRIKE, MAGLOCK, REX = 17, 18, 23
CHIP: Final = "/opt/chip"
"""Where the container has a rig's folder, and after it the library's name."""
CONFIG: Final = f"""
[device]
id = "test-door-1"
site = "hq"
clock = "trusted"
[[door]]
id = "front"
[door.lock]
driver = "gpio"
pin = {STRIKE}
fail = "secure"
strike_s = 60.0
[[door.reader]]
name = "front-in"
direction = "in"
driver = "emulated"
[door.inputs.rex]
driver = "gpio"
pin = {REX}
normally = "open"
[[door]]
id = "vault"
[door.lock]
driver = "gpio"
pin = {MAGLOCK}
active = "low"
fail = "safe"
strike_s = 60.0
[[door.reader]]
name = "vault-in"
direction = "in"
driver = "emulated"
"""
WATCHDOG_S: Final = 120.0
"""Silence is noticed after 10 s and the watchdog runs out 10 s later; a busy machine is given time."""


@dataclass(frozen=True, slots=True)
class Service:
    """The service in its container, on a simulated chip."""

    box: SystemdBox
    chip: GpioRig

    def start(self) -> None:
        """Start it; returns once systemd counts it as started."""
        self.box.systemctl("start", "cardea")

    def restarts(self) -> int:
        """How often systemd had to start it again."""
        return int(self.box.show("NRestarts"))

    def powered(self) -> tuple[bool, bool]:
        """Whether strike and maglock have power."""
        return self.chip.level(STRIKE), not self.chip.level(MAGLOCK)

    def unlock_strike(self) -> None:
        """Both relays have power: the worst moment to die in."""
        assert self.box.cardea("tap", site.ALICE, "--reader", "front-in")["decision"] == "granted"
        assert self.powered() == (True, True)

    def wait_restarted(self, before: int, timeout_s: float = 30.0) -> None:
        """Until a new process serves the doors."""
        wait_for(
            lambda: self.restarts() > before and self.box.show("ActiveState") == "active",
            "the service to be started again",
            timeout_s,
        )


@pytest.fixture(scope="module")
def chips() -> Iterator[dict[Library, GpioRig]]:
    """A chip for each library; the one for rpi-lgpio keeps outputs, as Raspberry Pi OS's kernels do."""
    with gpio_rig("rpi-gpio") as registers, gpio_rig("rpi-lgpio", keeps_outputs=True) as lines:
        yield {"rpi-gpio": registers, "rpi-lgpio": lines}


@pytest.fixture(scope="module")
def box(chips: dict[Library, GpioRig]) -> Iterator[SystemdBox]:
    """One container for all tests."""
    for chip in chips.values():
        library(chip.name)
        assert chip.env  # compiles what the container can't
        open_to_all(chip.folder)
    with systemd_box({chip.folder: f"{CHIP}-{name}" for name, chip in chips.items()}) as box:
        box.install()
        yield box


@pytest.fixture(params=["rpi-gpio", "rpi-lgpio"])
def service(request: pytest.FixtureRequest, box: SystemdBox, chips: dict[Library, GpioRig]) -> Iterator[Service]:
    """The service, not started, with its people and without a past."""
    yield from prepared(box, chips[request.param])


@pytest.fixture
def simple(box: SystemdBox, chips: dict[Library, GpioRig]) -> Iterator[Service]:
    """The same where the library makes no difference."""
    yield from prepared(box, chips["rpi-gpio"])


def prepared(box: SystemdBox, chip: GpioRig, lines: Sequence[str] = ()) -> Iterator[Service]:
    """Set it up; stopped in the end."""
    chip.drive(REX, high=True)
    box.run("/bin/sh", "-c", "rm -rf /var/lib/cardea/*")
    site.install(box.root / "var/lib/cardea", site.items(["front", "vault"]))
    box.configure(CONFIG, site.KEYS, [*on_chip(chip), *lines])
    box.systemctl("reset-failed")
    try:
        yield Service(box, chip)
    finally:
        box.systemctl("stop", "cardea", check=False)


def open_to_all(folder: Path) -> None:
    """The service's user must reach the chip's files, as it reaches a Pi's devices by its groups."""
    for path in (folder, *folder.iterdir()):
        path.chmod(0o777)


def on_chip(chip: GpioRig) -> list[str]:
    """Lines that put the service and its hook on the chip."""
    inside = {name: value for name, value in chip.env.items() if name.startswith(("LD_", "GPIO", "RPI_"))}
    inside["PYTHONPATH"] = str(library(chip.name))
    lines = [f"ReadWritePaths={CHIP}-{chip.name}"]
    for name, value in inside.items():
        value = value.replace(str(chip.folder), f"{CHIP}-{chip.name}").replace(str(ROOT), REPOSITORY)
        lines.append(f"Environment={name}={value}")
    return lines


def test_systemd_takes_every_line_of_the_unit(box: SystemdBox) -> None:
    """It only warns of a word that it does not know, and goes on without the protection: no warning may be left."""
    done = box.run("systemd-analyze", "verify", "/etc/systemd/system/cardea.service", check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_tap_works_for_whoever_is_in_the_group_once_systemd_counts_it_as_started(service: Service) -> None:
    """`systemctl start` returns when a card would open; a stranger on the machine gets no answer."""
    service.start()
    service.unlock_strike()
    shown = "front unlocked, vault locked"
    wait_for(lambda: service.box.show("StatusText").startswith(shown), "systemctl status to show it")
    socket = ("--socket", "/run/cardea/control.sock")
    stranger = service.box.cardea("status", *socket, user=("--reuid=nobody", "--regid=nogroup", "--clear-groups"))
    assert stranger["code"] == 4
    assert "Permission denied" in stranger["error"]


def test_the_daemon_has_no_rights_to_lose(simple: Service) -> None:
    """No capability, no way to one, a filter on system calls, a user of its own."""
    simple.start()
    status = simple.box.run("cat", f"/proc/{simple.box.main_pid()}/status").stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")
    assert "0" not in fields["Uid"].split()


def test_a_stop_in_mid_strike_takes_the_power_without_a_pulse(service: Service) -> None:
    """Within 5 s, by the daemon itself; the hook finds nothing left to do."""
    service.start()
    assert service.powered() == (False, True)
    service.unlock_strike()
    seen = len(service.chip.transitions(STRIKE)), len(service.chip.transitions(MAGLOCK))
    service.box.systemctl("stop", "cardea")
    assert service.powered() == (False, False)
    assert service.box.show("Result") == "success"
    for pin, already, powered in ((STRIKE, seen[0], True), (MAGLOCK, seen[1], False)):
        after = [state.high for state in service.chip.transitions(pin)[already:] if state.output]
        assert powered not in after, "the relay had power while it was being stopped"


def test_after_sigkill_no_relay_has_power_and_a_new_process_serves(service: Service) -> None:
    """The hook takes the power between the two; the next process locks the maglock again."""
    service.start()
    service.unlock_strike()
    before, seen = service.restarts(), len(service.chip.transitions(MAGLOCK))
    service.box.systemctl("kill", "--signal=KILL", "cardea")
    service.wait_restarted(before)
    assert service.powered() == (False, True)
    assert "cardea-safe: front: pin 17 has no power" in service.box.log()
    released = [state.high for state in service.chip.transitions(MAGLOCK)[seen:] if state.output]
    assert released[:1] == [True], "the maglock kept its power"
    assert service.box.cardea("tap", site.ALICE, "--reader", "vault-in")["decision"] == "granted"


def test_a_process_that_stands_still_is_replaced(simple: Service) -> None:
    """SIGSTOP in mid-strike: no thread of its own can help, the watchdog does."""
    simple.start()
    simple.unlock_strike()
    before = simple.restarts()
    simple.box.run("kill", "-STOP", str(simple.box.main_pid()))
    simple.wait_restarted(before, WATCHDOG_S)
    assert simple.powered() == (False, True)
    assert "Failed with result 'watchdog'" in simple.box.log()


def test_a_controller_that_hangs_is_replaced(simple: Service) -> None:
    """The process lives and pings no more; where each thread stood is in the log."""
    simple.start()
    simple.unlock_strike()
    before = simple.restarts()
    with hung_thread(simple.box.host_pid(), "controller"):
        simple.wait_restarted(before, WATCHDOG_S)
    assert simple.powered() == (False, True)
    log = simple.box.log()
    assert '"worker": "controller"' in log
    assert "watchdog.withheld" in log
    assert "in _watch_over" in log, "the watchdog's signal told nothing of the threads"


def test_no_number_of_crashes_makes_systemd_give_up(box: SystemdBox, chips: dict[Library, GpioRig]) -> None:
    """Its default is five in ten seconds; at once, so that they are more than that."""
    with contextlib.contextmanager(prepared)(box, chips["rpi-gpio"], ["RestartSec=0"]) as service:
        assert service.box.show("StartLimitIntervalUSec") == "0"
        service.start()
        for _ in range(6):
            before = service.restarts()
            service.box.systemctl("kill", "--signal=KILL", "cardea")
            service.wait_restarted(before)
        assert service.box.cardea("tap", site.ALICE, "--reader", "front-in")["decision"] == "granted"


def test_a_configuration_that_is_wrong_is_tried_until_it_is_right(simple: Service) -> None:
    """Nobody has to come and start it by hand."""
    config = simple.box.root / "etc/cardea/cardea.toml"
    right = config.read_text()
    config.write_text(right.replace("strike_s = 60.0", "strike_s = 0"))
    simple.box.systemctl("start", "--no-block", "cardea")
    wait_for(lambda: simple.restarts() >= 3, "three tries", 60)
    config.write_text(right)
    wait_for(lambda: simple.box.show("ActiveState") == "active", "the corrected configuration to be used", 30)
    assert simple.powered() == (False, True)


def test_a_machine_that_goes_down_leaves_no_relay_with_power(chips: dict[Library, GpioRig]) -> None:
    """Shutting down in mid-strike; after the next boot the first thing is to lock."""
    chip = chips["rpi-gpio"]
    with systemd_box({chip.folder: f"{CHIP}-rpi-gpio"}) as machine:
        machine.install()
        with contextlib.contextmanager(prepared)(machine, chip) as service:
            service.start()
            service.unlock_strike()
            machine.power_off()
            assert service.powered() == (False, False)


def test_a_reload_takes_over_what_can_change(simple: Service) -> None:
    """`systemctl reload` reaches the agent, and the door goes on."""
    simple.start()
    config = simple.box.root / "etc/cardea/cardea.toml"
    config.write_text(config.read_text().replace("strike_s = 60.0", "strike_s = 30.0"))
    before = simple.box.main_pid()
    simple.box.systemctl("reload", "cardea")
    wait_for(lambda: '"config.reloaded"' in simple.box.log(), "the reload")
    assert simple.box.main_pid() == before


PROBE = ROOT / "tests" / "rigs" / "sandbox_probe.py"


def test_the_sandbox_gives_what_a_door_needs_and_nothing_else(simple: Service) -> None:
    """A program under the unit's own lines tries what an intruder would, and what the agent does."""
    unit = (simple.box.root / "etc/systemd/system/cardea.service").read_text()
    unit = re.sub(r"(?m)^(ExecStart|ExecStopPost|ExecReload|Restart|WatchdogSec)=.*\n", "", unit)
    unit = unit.replace(
        "Type=notify", f"Type=oneshot\nExecStart=/opt/cardea/bin/python3 {REPOSITORY}/tests/rigs/{PROBE.name}"
    )
    (simple.box.root / "etc/systemd/system/probe.service").write_text(unit)
    drop_in = simple.box.root / "etc/systemd/system/probe.service.d"
    drop_in.mkdir(exist_ok=True)
    (drop_in / "test.conf").write_text((drop_in.parent / "cardea.service.d/test.conf").read_text())
    simple.box.systemctl("daemon-reload")
    simple.box.systemctl("start", "probe")
    found: dict[str, Any] = json.loads((simple.box.root / "var/lib/cardea/probe.json").read_text())
    assert {name: said for name, said in found["allowed"].items() if said != "ok"} == {}
    assert {name: said for name, said in found["refused"].items() if said == "ok"} == {}
