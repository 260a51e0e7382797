"""The self-test of pins and readers, on the real libraries: simulated chips, and pcscd with virtual readers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.rigs import site
from tests.rigs.daemon import Daemon
from tests.rigs.doctor import controller, doctor
from tests.rigs.gpio_libs import Library, library
from tests.rigs.gpio_rig import GpioRig, gpio_rig
from tests.rigs.pcscd import PcscdRig

pytestmark = pytest.mark.system

RELAY, REX = 17, 23
ON_PINS = f"""
[[door]]
id = "front"
[door.lock]
driver = "gpio"
pin = {RELAY}
fail = "safe"
[[door.reader]]
name = "front-in"
direction = "in"
driver = "emulated"
[door.inputs.rex]
driver = "gpio"
pin = {REX}
normally = "open"
"""


def _with_reader(*lines: str) -> str:
    door = '[[door]]\nid = "front"\n[door.lock]\ndriver = "emulated"\nfail = "secure"\n'
    return "\n".join([door, "[[door.reader]]", 'name = "front-in"', 'direction = "in"', *lines, ""])


def _controller(tmp_path: Path, body: str, environment: Mapping[str, str] | None = None) -> Daemon:
    """An installed controller with a list, whose daemon does not run."""
    daemon = controller(tmp_path, body, environment=environment)
    site.install(daemon.state_dir, site.items())
    return daemon


@pytest.fixture(params=["rpi-gpio", "rpi-lgpio"])
def chip(request: pytest.FixtureRequest) -> Iterator[GpioRig]:
    """A simulated chip under each of the two libraries."""
    name: Library = request.param
    with gpio_rig(name) as rig:
        rig.drive(REX, high=True)
        yield rig


def test_pins_pass_and_are_not_touched(tmp_path: Path, chip: GpioRig) -> None:
    """The library is named, and no pin saw the self-test: with no daemon, and beside one that holds them."""
    daemon = _controller(tmp_path, ON_PINS, chip.env)
    told = doctor(daemon.config, chip.env)
    assert told.failed() == set()
    assert told.line("gpio", "library")["what"].startswith(
        {"rpi-gpio": "RPi.GPIO", "rpi-lgpio": "rpi-lgpio"}[chip.name]
    )
    assert chip.transitions(RELAY) == chip.transitions(REX) == []
    with daemon:
        before = chip.transitions(RELAY)
        told = doctor(daemon.config, chip.env)
        assert chip.transitions(RELAY) == before
        # A maglock's relay: driven all the time, and let go by any library that tidies up behind itself.
        assert chip.is_output(RELAY)
        assert chip.level(RELAY)
    assert told.failed() == set()


def test_pin_that_another_program_holds_is_told(tmp_path: Path) -> None:
    """By the kernel's own books, with the part of the door that it costs."""
    with gpio_rig("rpi-lgpio") as rig:
        hold = (
            "import RPi.GPIO as GPIO, sys\nGPIO.setmode(GPIO.BCM)\n"
            f"GPIO.setup({RELAY}, GPIO.OUT, initial=0)\nprint('held', flush=True)\nsys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", hold], env={**rig.env, "LG_WD": str(tmp_path)}, stdin=-1, stdout=-1, text=True
        ) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            told = doctor(_controller(tmp_path / "home", ON_PINS).config, rig.env)
            other.kill()
    assert told.failed() == {("gpio", "pins")}
    assert told.line("gpio", "pins")["what"].startswith(f"pin {RELAY} (front) is held by")


def test_two_gpio_libraries_are_told(tmp_path: Path) -> None:
    """Both provide one module: which one is imported is chance."""
    with gpio_rig("rpi-gpio") as rig:
        both = {**rig.env, "PYTHONPATH": f"{rig.env['PYTHONPATH']}:{library('rpi-lgpio')}"}
        told = doctor(_controller(tmp_path, ON_PINS).config, both)
    assert told.failed() == {("gpio", "library")}
    assert "RPi.GPIO and rpi-lgpio are both installed" in told.line("gpio", "library")["what"]


def test_machine_without_pins_is_told(tmp_path: Path) -> None:
    """No library: fail with what to install."""
    told = doctor(_controller(tmp_path, ON_PINS).config)
    assert told.failed() == {("gpio", "library")}
    assert "cardea-access[gpio]" in told.line("gpio", "library")["remedy"]


def test_pcsc_readers_are_found_missed_and_confused(tmp_path: Path) -> None:
    """One that matches passes; none and two fail; one that nobody configured is a warning with its lines."""
    with PcscdRig(readers=2) as rig:
        exact = rig.reader_name(0)
        daemon = _controller(tmp_path, _with_reader('driver = "pcsc"', f'match = "{exact}"'))
        told = doctor(daemon.config, rig.env)
        assert told.failed() == set()
        assert told.line("readers", "reader")["what"] == f"front-in: {exact}"
        stranger = told.line("readers", "not configured")
        assert (stranger["verdict"], rig.reader_name(1) in stranger["what"]) == ("warn", True)
        assert 'match = "' in stranger["remedy"]

        daemon.write_config(_with_reader('driver = "pcsc"', 'match = "ACS *"'))
        told = doctor(daemon.config, rig.env)
        assert told.failed() == {("readers", "reader")}
        assert exact in told.line("readers", "reader")["what"]
        daemon.write_config(_with_reader('driver = "pcsc"', 'match = "Virtual*"'))
        told = doctor(daemon.config, rig.env)
        assert "several readers match" in told.line("readers", "reader")["what"]


def test_pcscd_that_is_not_there_or_hangs_is_told(tmp_path: Path) -> None:
    """Not running: named with its remedy. Stopped in its tracks: the question is given up in time."""
    daemon = _controller(tmp_path, _with_reader('driver = "pcsc"', 'match = "Virtual*"'))
    with PcscdRig() as rig:
        assert rig._process is not None
        os.kill(rig._process.pid, signal.SIGSTOP)
        try:
            told = doctor(daemon.config, rig.env)
        finally:
            os.kill(rig._process.pid, signal.SIGCONT)
        assert ("readers", "service") in told.failed()
        assert "did not answer within" in told.line("readers", "service")["what"]
        rig.stop()
        told = doctor(daemon.config, rig.env)
    assert told.failed() == {("readers", "service"), ("readers", "reader")}
    assert "is pcscd installed and running?" in told.line("readers", "service")["what"]


def test_reader_of_a_running_daemon_is_not_taken(tmp_path: Path) -> None:
    """The daemon's word stands beside what is seen, and its reader is ready all the time."""
    with PcscdRig() as rig:
        lines = _with_reader('driver = "pcsc"', f'match = "{rig.reader_name(0)}"')
        daemon = _controller(tmp_path, lines, rig.env)
        with daemon:
            told = doctor(daemon.config, rig.env)
            assert daemon.status()["readers"][0]["state"] == "ready"
            assert daemon.events("reader.lost") == []
    assert [(item["what"], item["by_daemon"]) for item in told.lines("readers", "reader")] == [
        (f"front-in: {rig.reader_name(0)}", False),
        ("front-in: ready", True),
    ]


def test_serial_reader_is_looked_for_and_not_opened(tmp_path: Path) -> None:
    """A port that is not there fails; so does one that is no port."""
    told = doctor(_controller(tmp_path, _with_reader('driver = "nfc"', 'path = "tty:USB77:pn532"')).config)
    line = told.line("readers", "reader")
    assert line["verdict"] == "fail"
    assert line["what"] == "front-in: /dev/ttyUSB77: No such file or directory"
