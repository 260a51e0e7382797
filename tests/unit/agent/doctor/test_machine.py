"""The looking itself, on the files of a Raspberry Pi that is not in good shape."""

from pathlib import Path

import pytest

from agent.configfile import load
from agent.doctor import clock, disk, power, readers, system
from agent.doctor.finding import Finding, Verdict
from agent.doctor.scene import Scene, Told, Unit, service_account

FILES = {
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.5\0",
    "proc/sys/kernel/osrelease": "6.6.51+rpt-rpi-v8\n",
    "proc/meminfo": "MemTotal: 945364 kB\nMemAvailable: 51200 kB\n",
    "proc/self/mountinfo": "22 1 179:2 / / ro,relatime - ext4 /dev/mmcblk0p2 ro,errors=remount-ro\n",
    "proc/swaps": "Filename Type Size Used Priority\n/var/swap file 102396 0 -2\n",
    "proc/modules": "pn533_usb 20480 0 - Live 0x0\n",
    "proc/cmdline": "console=serial0,115200 console=ttyS0,115200 root=PARTUUID=1-02\n",
    "etc/fstab": "PARTUUID=1-02 / ext4 defaults,noatime 0 1\n",
    "etc/systemd/journald.conf": "[Journal]\n#Storage=auto\n",
    "etc/systemd/journald.conf.d/10-keep.conf": "[Journal]\nStorage=persistent\n",
    "sys/block/mmcblk0/device/type": "SD\n",
    "sys/block/mmcblk0/device/name": "SU16G\n",
    "sys/block/mmcblk0/device/date": "03/2019\n",
    "sys/class/thermal/thermal_zone0/temp": "81234\n",
    "sys/class/hwmon/hwmon2/name": "rpi_volt\n",
    "sys/class/hwmon/hwmon2/in0_lcrit_alarm": "1\n",
}
CONFIG = """
[device]
id = "d"
site = "hq"
state_dir = "state"
[[door]]
id = "front"
[door.lock]
driver = "emulated"
fail = "secure"
[[door.reader]]
name = "usb"
direction = "in"
driver = "nfc"
path = "usb:001:004"
[[door.reader]]
name = "line"
direction = "out"
driver = "nfc"
path = "tty:S0:pn532"
"""


@pytest.fixture
def pi(tmp_path: Path) -> Scene:
    """A controller on that machine."""
    root = tmp_path / "root"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    file = tmp_path / "cardea.toml"
    file.write_text(CONFIG)
    return Scene(
        file=file, config=load(file), told=Told(tmp_path / "s", None), account=service_account(Unit(None)), root=root
    )


def _bad(found: list[Finding]) -> dict[str, tuple[Verdict, str]]:
    return {item.name: (item.verdict, item.what) for item in found if item.verdict is not Verdict.PASS}


def test_disk_of_a_raspberry_pi(pi: Scene) -> None:
    """A card that turned read-only, with swap and the system's log on it; what it is and how old is told."""
    found = list(disk.look(pi))
    bad = _bad(found)
    assert set(bad) == {"file system", "swap", "system log"}
    assert bad["file system"] == (Verdict.FAIL, "ext4 at / is read-only")
    assert bad["system log"][1] == "kept on the SD card (Storage=persistent)"
    assert [item.what for item in found if item.name == "card"] == [
        "mmcblk0 SD SU16G of 03/2019 tells nothing of its wear"
    ]


def test_system_and_power_of_a_raspberry_pi(pi: Scene) -> None:
    """Little memory, a root that the kernel turned read-only, heat, and a supply that is too weak."""
    found = list(system.look(pi))
    assert "Raspberry Pi 4 Model B Rev 1.5, Linux 6.6.51+rpt-rpi-v8" in [item.what for item in found]
    assert set(_bad(found)) == {"memory", "root file system"}
    assert _bad(list(power.look(pi))) == {
        "supply": (Verdict.FAIL, "the voltage is too low now"),
        "temperature": (Verdict.WARN, "81 degrees"),
    }


def test_clock_of_a_raspberry_pi(pi: Scene) -> None:
    """It has no battery clock, unless a module was fitted."""
    assert "battery clock" in _bad(list(clock.look(pi)))
    (pi.root / "sys/class/rtc/rtc0").mkdir(parents=True)
    assert "battery clock" not in _bad(list(clock.look(pi)))


def test_nfc_readers_of_a_raspberry_pi(pi: Scene) -> None:
    """Neither the USB place nor the port is there; a kernel driver and a console are in the way."""
    found = [item.what for item in readers.look(pi) if item.verdict is Verdict.FAIL]
    assert [what for what in found if "usb:" in what or "line:" in what] == [
        f"usb: {pi.root}/dev/bus/usb/001/004: No such file or directory",
        "line: /dev/ttyS0: No such file or directory",
    ]
    assert "pn533_usb is loaded and takes the device" in found
    assert "/dev/ttyS0 is a login console" in found
