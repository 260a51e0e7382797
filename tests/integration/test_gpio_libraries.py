"""What the two real GPIO libraries do and what our wrapper makes of it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hardware.errors import DeviceLost, OpenError
from hardware.protocols import InputChange
from hardware.settings import Fail, InputSettings, LockSettings, Normally
from tests.rigs.gpio_libs import ROOT, Library, library
from tests.rigs.gpio_rig import gpio_rig
from tests.rigs.gpiochip import GpiochipRig
from tests.rigs.remote_drivers import RemoteInputs, RemoteLock, Report, driver_host

pytestmark = pytest.mark.system

LOCK = LockSettings("door", "gpio", Fail.SECURE, 17)
REX = InputSettings("rex", "gpio", Normally.OPEN, 0.03, 27)
EACH_LIBRARY = pytest.mark.parametrize("name", ["rpi-gpio", "rpi-lgpio"])

TAKE_AND_LOOK = """
import json, os
from hardware.gpio import rpi
from hardware.gpio.inputs import GpioInputBank
from hardware.gpio.lock import GpioLock
from hardware.settings import Fail, InputSettings, LockSettings, Normally
lock = GpioLock(LockSettings("door", "gpio", Fail.SECURE, 17))
inputs = GpioInputBank([InputSettings("rex", "gpio", Normally.OPEN, 0.01, 27)])
lock.open(); inputs.open(); inputs.close(); lock.close()
print(json.dumps({"library": rpi.connect().library.name, "cwd": os.getcwd(), "LG_WD": os.environ.get("LG_WD")}))
"""


def _wait_until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.002)


@EACH_LIBRARY
def test_library_that_runs_is_known(name: Library) -> None:
    """Status and doctor can say which library answers, and its own version."""
    with gpio_rig(name) as rig, driver_host(rig) as host:
        found = host.ask("library")
        print("GPIO library:", *found)
        assert found[:2] == {"rpi-gpio": ["RPi.GPIO", "0.7.1"], "rpi-lgpio": ["rpi-lgpio", "0.6"]}[name]
        assert Path(found[2]).is_relative_to(library(name))


@EACH_LIBRARY
def test_library_leaves_no_trace_in_the_working_directory(name: Library, tmp_path: Path) -> None:
    """lgpio's FIFO and its change of the working directory do not reach the service or its temporary directory."""
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    with gpio_rig(name) as rig:
        env = {**rig.env, "TMPDIR": str(temporary)}
        env.pop("LG_WD", None)
        found = subprocess.run(
            [sys.executable, "-c", TAKE_AND_LOOK],
            cwd=here,
            env=env,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    seen = json.loads(found.stdout)
    assert (seen["cwd"], seen["LG_WD"], found.stderr) == (str(here), None, "")
    assert list(here.iterdir()) == []
    assert list(temporary.iterdir()) == []


@EACH_LIBRARY
def test_machine_that_is_no_pi_is_refused_in_one_line(name: Library) -> None:
    """Outside the rig the real libraries refuse this machine; the message says what to install on a Pi."""
    env = os.environ | {"PYTHONPATH": f"{library(name)}:{ROOT}"}
    program = "from hardware.gpio import rpi\nrpi.connect()"
    found = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=30)
    last = found.stderr.strip().splitlines()[-1]
    assert last.startswith("hardware.errors.OpenError: ")
    assert "Raspberry Pi!" in last
    assert "cardea-access[gpio-pi5]" in last


def test_rpi_lgpio_tells_edges_and_a_missed_one_heals() -> None:
    """With edges a press needs no polling; one that gets lost is found within the slow reading's second."""
    with gpio_rig("rpi-lgpio") as rig, driver_host(rig) as host:
        assert isinstance(rig, GpiochipRig)
        inputs = RemoteInputs(host, "inputs", [REX])
        inputs.open()
        assert inputs.has_edges
        inputs.start()
        for high in (False, True):
            rig.drive(27, high)
            assert isinstance(host.reports.get(timeout=10), Report)
        rig.tells_edges = False
        driven_s = time.monotonic()
        rig.drive(27, False)
        report = host.reports.get(timeout=10)
        assert isinstance(report, Report)
        assert report.change == InputChange("rex", True, report.change.at_s)
        assert report.reported_s - driven_s < 2.0
        inputs.stop()


def test_rpi_gpio_is_polled_on_a_kernel_without_the_old_interface() -> None:
    """Where add_event_detect fails, the bank polls; that both ways work is the contract's to test."""
    with gpio_rig("rpi-gpio") as rig, driver_host(rig) as host:
        inputs = RemoteInputs(host, "inputs", [REX])
        inputs.open()
        assert not inputs.has_edges


def test_pin_that_another_process_holds_is_refused_by_name() -> None:
    """rpi-lgpio's kernel interface gives a line to one process only."""
    with gpio_rig("rpi-lgpio") as rig, driver_host(rig) as first, driver_host(rig) as second:
        RemoteLock(first, LOCK).open()
        with pytest.raises(OpenError, match=r"pin 17 .*another process"):
            RemoteLock(second, LOCK).open()


def test_line_that_breaks_is_lost_and_locks_once_it_is_back() -> None:
    """A failing call is DeviceLost for lock and inputs, and the guard goes on trying to lock."""
    with gpio_rig("rpi-lgpio") as rig, driver_host(rig) as host:
        assert isinstance(rig, GpiochipRig)
        lock, inputs = RemoteLock(host, LOCK), RemoteInputs(host, "inputs", [REX])
        lock.open()
        inputs.open()
        inputs.start()
        lock.unlock(30.0)
        rig.break_line(17)
        rig.break_line(27)
        with pytest.raises(DeviceLost, match="pin 17"):
            lock.lock()
        lost = host.reports.get(timeout=10)
        assert isinstance(lost, DeviceLost)
        assert "pin 27" in str(lost)
        rig.break_line(17, broken=False)
        _wait_until(lambda: not rig.level(17))
        inputs.close()
        lock.close()
