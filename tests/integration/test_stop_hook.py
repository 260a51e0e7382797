"""The stop hook on both ways to the pins: after a death that left a relay with power, and with nothing to do."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardware.settings import Fail, Level, LockSettings, Pull
from tests.rigs.gpio_libs import ROOT, Library
from tests.rigs.gpio_rig import GpioRig, gpio_rig
from tests.rigs.gpiochip import GpiochipRig
from tests.rigs.remote_drivers import RemoteLock, driver_host

pytestmark = pytest.mark.system

HOOK = ["/usr/bin/python3", "-IS", str(ROOT / "systemd" / "cardea-safe")]
FRONT, VAULT = 17, 18
EACH_KERNEL = pytest.mark.parametrize(
    ("library", "keeps_outputs"), [("rpi-gpio", False), ("rpi-lgpio", False), ("rpi-lgpio", True)]
)


def run_hook(rig: GpioRig, text: str | None) -> subprocess.CompletedProcess[str]:
    """The hook on this chip, with this list; it finds no library of ours."""
    path = rig.folder / "locks"
    if text is not None:
        path.write_text(text)
    environment = {name: value for name, value in rig.env.items() if name != "PYTHONPATH"}
    return subprocess.run([*HOOK, str(path)], env=environment, capture_output=True, text=True, timeout=30, check=False)


@contextlib.contextmanager
def killed_with_power(library: Library, *, keeps_outputs: bool, fail: Fail, active: Level) -> Iterator[GpioRig]:
    """A chip whose program was killed while this kind of lock had power: a strike unlocked, a maglock locked."""
    with gpio_rig(library, keeps_outputs=keeps_outputs) as rig, driver_host(rig) as host:
        lock = RemoteLock(host, LockSettings("front", "gpio", fail, FRONT, active))
        lock.open()
        if fail is Fail.SECURE:
            lock.unlock(60.0)
        assert rig.level(FRONT) is (active is Level.HIGH)
        os.kill(host.process.pid, signal.SIGKILL)
        host.process.wait(5)
        yield rig


def power(rig: GpioRig, active: Level) -> list[bool]:
    """Whether the relay had power, each time that this changed while the pin was driven."""
    driven = [state.high is (active is Level.HIGH) for state in rig.transitions(FRONT) if state.output]
    return [on for place, on in enumerate(driven) if place == 0 or driven[place - 1] is not on]


@EACH_KERNEL
@pytest.mark.parametrize("active", Level)
@pytest.mark.parametrize("fail", Fail)
def test_no_relay_has_power_after_the_hook(library: Library, keeps_outputs: bool, fail: Fail, active: Level) -> None:
    """By driving it, and then by the chip's resistor alone; it gets none on the way, and again changes nothing."""
    with killed_with_power(library, keeps_outputs=keeps_outputs, fail=fail, active=active) as rig:
        before = power(rig, active)
        for _ in range(2):
            done = run_hook(rig, f"{FRONT} {active.value} front\n")
            assert (done.returncode, done.stdout) == (0, "")
            way = "by its registers" if library == "rpi-gpio" else "by the kernel"
            assert done.stderr == f"cardea-safe: front: pin {FRONT} has no power ({way})\n"
            assert not rig.is_output(FRONT)
            assert rig.level(FRONT) is (active is Level.LOW)
            assert rig.pull(FRONT) is (Pull.UP if active is Level.LOW else Pull.DOWN)
        assert power(rig, active) in (before, [*before, False])


def test_a_line_that_a_hanging_process_still_holds_is_taken_by_force_or_told() -> None:
    """A process that waits for a dead disk can't be killed. Where the registers are out of reach the hook says so."""
    with gpio_rig("rpi-lgpio") as rig, driver_host(rig) as host:
        lock = RemoteLock(host, LockSettings("front", "gpio", Fail.SECURE, FRONT))
        lock.open()
        lock.unlock(60.0)
        done = run_hook(rig, f"{FRONT} high front\n{VAULT} low vault\n")
        assert done.returncode == 1
        first, second = done.stderr.splitlines()
        assert first.startswith("cardea-safe: '17 high front': FAILED, the relay may have power: ")
        assert "busy" in first
        assert second.startswith("cardea-safe: vault: pin 18 has no power")


@pytest.mark.parametrize("text", ["17 high\n", "17 up front\n", "99 high front\n", "-1 low front\n", "x y z\n", "\0\n"])
def test_nonsense_in_the_list_is_told_and_keeps_no_other_relay_from_its_safe_state(text: str) -> None:
    """One damaged line costs one line."""
    with gpio_rig("rpi-gpio") as rig:
        done = run_hook(rig, text + f"{FRONT} high front\n")
        assert done.returncode == 1
        assert [": FAILED," in line for line in done.stderr.splitlines()] == [True, False]
        assert rig.pull(FRONT) is Pull.DOWN


def test_without_a_list_there_is_nothing_to_do() -> None:
    """The daemon writes the list before it drives a pin."""
    with gpio_rig("rpi-gpio") as rig:
        done = run_hook(rig, None)
        assert done.returncode == 0
        assert "no relay was driven" in done.stderr


def test_a_line_that_is_broken_is_told() -> None:
    """The chip's driver is gone: somebody has to look."""
    with gpio_rig("rpi-lgpio") as rig:
        assert isinstance(rig, GpiochipRig)
        with driver_host(rig) as host:  # so that the chip's memory is in use as it is in life
            host.ask("library")
        rig.break_line(FRONT)
        assert run_hook(rig, f"{FRONT} high front\n").returncode == 1


def test_nobody_who_reads_its_output_is_needed(tmp_path: Path) -> None:
    """The journal may be what is broken."""
    with gpio_rig("rpi-gpio") as rig:
        (rig.folder / "locks").write_text(f"{FRONT} high front\n{VAULT} low vault\n")
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [*HOOK, str(rig.folder / "locks")], env=rig.env, stdout=full, stderr=full, timeout=30, check=False
            )
        assert done.returncode == 0
        assert (rig.pull(FRONT), rig.pull(VAULT)) == (Pull.DOWN, Pull.UP)


def test_an_older_chip_is_told_by_its_mark_and_its_newer_registers_are_left_alone() -> None:
    """The Raspberry Pi 1 to 3 set resistors another way; they answer with a mark where the 4 has a register."""
    with gpio_rig("rpi-gpio") as rig:
        with (rig.folder / "gpiomem").open("r+b") as registers:
            registers.seek(0xF0)
            registers.write(b"oipg")
        done = run_hook(rig, f"{FRONT} high front\n{VAULT} low vault\n")
        assert done.returncode == 0, done.stderr
        assert [state.output for state in rig.transitions(FRONT)] == [True, False]
        assert (rig.pull(FRONT), rig.pull(VAULT)) == (Pull.OFF, Pull.OFF)
