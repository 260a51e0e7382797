"""The files of systemd/: that systemd takes them as they are meant, and that they fit what they speak of."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from nfc.clf.device import usb_device_map

from tests.rigs.gpio_libs import ROOT

UNIT = ROOT / "systemd" / "cardea.service"
EXPOSURE = 20
"""Tenths, of 100: what `systemd-analyze security` may find at most."""


@pytest.mark.system
def test_the_sandbox_is_as_tight_as_promised() -> None:
    """2.0 or better, although the service has pins, readers, and the cloud to reach."""
    if shutil.which("systemd-analyze") is None:
        pytest.fail("systemd-analyze is missing: apt-get install systemd")
    command = ["systemd-analyze", "--no-pager", "security", "--offline=true", f"--threshold={EXPOSURE}", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    print(done.stdout.strip().splitlines()[-1])
    assert (done.returncode, done.stderr) == (0, "")


def test_every_line_of_the_unit_is_explained() -> None:
    """A setting stands under a comment, or in a group of settings that one comment explains."""
    for paragraph in UNIT.read_text().split("\n\n"):
        lines = [line for line in paragraph.splitlines() if not line.startswith("[")]
        if lines:
            assert lines[0].startswith("#") or paragraph.startswith("[Unit]") or "[Install]" in paragraph, paragraph


def test_devices_that_may_come_later_are_known_at_the_start() -> None:
    """An allowed group of devices whose module is not loaded by then is left out, says systemd.resource-control(5)."""
    unit = UNIT.read_text()
    for group, module in (("ttyUSB", "usbserial"), ("ttyACM", "cdc_acm")):
        assert f"DeviceAllow=char-{group} " in unit
        for order in ("Wants", "After"):
            assert re.search(rf"^{order}=.*\bmodprobe@{module}\.service\b", unit, re.MULTILINE), (order, module)


def test_the_rules_name_every_usb_reader_that_nfcpy_drives() -> None:
    """A reader that is missing here opens for root alone."""
    rules = (ROOT / "systemd" / "cardea.rules").read_text()
    named = {
        (int(vendor, 16), int(product, 16))
        for vendor, products in re.findall(r'idVendor}=="(\w+)", ATTR{idProduct}=="([\w|]+)"', rules)
        for product in products.split("|")
    }
    assert named == set(usb_device_map)


def test_the_hook_imports_nothing_but_the_interpreters_own_modules() -> None:
    """What the daemon consists of may be what is broken."""
    text = (ROOT / "systemd" / "cardea-safe").read_text()
    imports = re.findall(r"^\s*(?:import|from) (\w+)", text, re.MULTILINE)
    assert imports == ["errno", "fcntl", "mmap", "os", "struct", "sys"]
    # Isolated, and without the installation's site-packages: neither a variable nor a file there can break it.
    assert text.startswith("#!/usr/bin/python3 -IS\n")
    assert "/usr/bin/python3 -IS " in UNIT.read_text()


def test_the_installer_places_what_the_unit_calls() -> None:
    """Paths are written in two files; they must not drift apart."""
    placed = set(re.findall(r"^ *put \d+ \S+ (\S+)", (ROOT / "systemd" / "install.sh").read_text(), re.MULTILINE))
    hook = re.search(r"^ExecStopPost=/usr/bin/python3 -IS (\S+)", UNIT.read_text(), re.MULTILINE)
    assert hook is not None
    assert hook[1] in placed
    assert str(Path("/etc/systemd/system") / UNIT.name) in placed
