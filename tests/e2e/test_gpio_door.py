"""The daemon on the real GPIO libraries: from the card and the button to the relay's pin, and through every ending."""

import contextlib
import re
import resource
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs import site
from tests.rigs.daemon import Daemon
from tests.rigs.gpio_libs import Library
from tests.rigs.gpio_rig import GpioRig, gpio_rig
from tests.rigs.hung_thread import hung_thread
from tests.rigs.stalling_disk import stalling_disk
from tests.rigs.waiting import wait_for

pytestmark = pytest.mark.system

RELAY, REX, CONTACT = 17, 23, 22
DOOR = f"""
[[door]]
id = "front"
[door.lock]
driver = "gpio"
pin = {RELAY}
fail = "secure"
strike_s = 3.0
[[door.reader]]
name = "front-in"
direction = "in"
driver = "emulated"
[door.inputs.rex]
driver = "gpio"
pin = {REX}
normally = "open"
[door.inputs.contact]
driver = "gpio"
pin = {CONTACT}
normally = "closed"
"""


@pytest.fixture(params=["rpi-gpio", "rpi-lgpio"])
def chip(request: pytest.FixtureRequest) -> Iterator[GpioRig]:
    """A simulated chip under each of the two libraries, the door shut and nobody at the button."""
    name: Library = request.param
    with gpio_rig(name) as rig:
        rig.drive(REX, high=True)
        rig.drive(CONTACT, high=False)
        yield rig


@pytest.fixture
def front(chip: GpioRig, tmp_path: Path) -> Iterator[Daemon]:
    """The daemon on the chip."""
    daemon = Daemon(tmp_path, DOOR, keys=site.KEYS, environment=chip.env)
    site.install(daemon.state_dir, site.items())
    with daemon:
        yield daemon


def test_card_and_button_reach_the_relay(front: Daemon, chip: GpioRig) -> None:
    """A grant and REX drive the pin; a denial does not; opening relocks."""
    assert chip.is_output(RELAY)
    assert not chip.level(RELAY)
    front.tap(site.MALLORY)
    assert not chip.level(RELAY)
    front.tap(site.ALICE)
    assert chip.level(RELAY)
    chip.drive(CONTACT, high=True)
    wait_for(lambda: not chip.level(RELAY), "relock on opening")
    chip.drive(CONTACT, high=False)
    front.wait_event("door.closed")

    pressed_s = time.monotonic()
    chip.drive(REX, high=False)
    wait_for(lambda: chip.level(RELAY), "REX to reach the relay", 2)
    took_s = time.monotonic() - pressed_s
    chip.drive(REX, high=True)
    front.wait_event("rex.pressed")
    print(f"{chip.name}: REX to relay in {took_s * 1000:.0f} ms, 30 ms of it debouncing")


def test_a_door_that_is_open_at_the_start_is_reported_open(chip: GpioRig, tmp_path: Path) -> None:
    """The initial state is read, not assumed, and is no alarm."""
    chip.drive(CONTACT, high=True)
    daemon = Daemon(tmp_path, DOOR, keys=site.KEYS, environment=chip.env)
    with daemon:
        assert daemon.door()["contact"] == "open"
        assert daemon.wait_event("door.opened")["detail"] == {"at_start": True}
        assert not daemon.events("door.forced")


def test_no_pulse_from_start_to_stop(front: Daemon, chip: GpioRig) -> None:
    """The relay sees power only for the grant."""
    front.tap(site.ALICE)
    wait_for(lambda: not chip.level(RELAY), "relock on time")
    assert front.stop() == 0
    driven = [state.high for state in chip.transitions(RELAY) if state.output]
    changes = [level for place, level in enumerate(driven) if place == 0 or driven[place - 1] != level]
    assert changes == [False, True, False]


def test_sigterm_in_mid_strike_leaves_the_relay_without_power(front: Daemon, chip: GpioRig) -> None:
    """Stopping is not a way to keep a door open."""
    front.tap(site.ALICE)
    assert chip.level(RELAY)
    assert front.stop() == 0
    assert not chip.level(RELAY)


def test_a_controller_that_hangs_in_mid_strike_does_not_hold_the_door(front: Daemon, chip: GpioRig) -> None:
    """The lock's own guard takes the power long before the watchdog notices."""
    front.tap(site.ALICE)
    assert chip.level(RELAY)
    assert front.process is not None
    with hung_thread(front.process.pid, "controller"):
        wait_for(lambda: not chip.level(RELAY), "the guard to lock", 20)


def test_after_sigkill_in_mid_strike_the_next_start_locks(front: Daemon, chip: GpioRig) -> None:
    """A killed process may leave the relay driven; the first thing that the next one does is to lock."""
    front.tap(site.ALICE)
    front.signal(signal.SIGKILL)
    front.kill()
    front.start()
    assert not chip.level(RELAY)
    assert front.door()["lock"] == "locked"


def test_without_memory_the_button_still_opens_and_the_agent_recovers_or_is_given_up(
    front: Daemon, chip: GpioRig
) -> None:
    """Nothing on the way from the button to the relay needs more memory than the agent has. A thread that could not
    begin may take the control socket with it: then nobody vouches for the agent, and a new process comes."""
    assert front.process is not None
    pid = front.process.pid
    (size_kib,) = re.findall(r"VmSize:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    before = resource.prlimit(pid, resource.RLIMIT_AS, (int(size_kib) << 10, resource.RLIM_INFINITY))
    try:
        for _ in range(20):  # more than the clients that it serves at a time
            answers(front)
        chip.drive(REX, high=False)
        wait_for(lambda: chip.level(RELAY), "REX to reach the relay", 20)
        chip.drive(REX, high=True)
    finally:
        resource.prlimit(pid, resource.RLIMIT_AS, before)
    wait_for(lambda: answers(front) or front.log_lines("watchdog.withheld"), "recovery, or the watchdog", 60)


def answers(daemon: Daemon) -> bool:
    """Whether the control socket does, soon."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, contextlib.suppress(OSError):
        client.settimeout(0.5)
        client.connect(str(daemon.socket))
        client.sendall(b'{"op": "status"}\n')
        return client.recv(1) != b""
    return False


def test_a_stop_while_the_disk_stalls_takes_the_power_all_the_same(chip: GpioRig, tmp_path: Path) -> None:
    """A write that waits can't be killed; the relay is let go of before anybody waits for it."""
    with stalling_disk(tmp_path / "state") as disk:
        daemon = Daemon(
            tmp_path, DOOR.replace("strike_s = 3.0", "strike_s = 60.0"), keys=site.KEYS, environment=chip.env
        )
        site.install(daemon.state_dir, site.items())
        with daemon:
            with disk.stalled():
                daemon.tap(site.ALICE)
                assert chip.level(RELAY)
                daemon.signal(signal.SIGTERM)
                wait_for(lambda: daemon.log_lines("agent.stopped"), "the agent to stop", 20)
                assert not chip.level(RELAY)
            assert daemon.process is not None
            assert daemon.process.wait(20) == 0
