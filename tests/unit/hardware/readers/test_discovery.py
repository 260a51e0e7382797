"""The lines that discovery suggests."""

import subprocess
import sys
import tomllib
from fnmatch import fnmatchcase

import pytest

from hardware.readers.discovery import _glob, _nfc_entries, _toml

ACR = "ACS ACR122U PICC Interface 00 00"
OMNIKEY = "HID Global OMNIKEY 5022 Smart Card Reader [OMNIKEY 5022 CL] (0123) 01 00"


def test_discovery_pattern_survives_another_plug_order() -> None:
    """A reader that is alone of its name is matched whatever number pcscd gives it."""
    pattern = _glob(ACR, [ACR, OMNIKEY])
    assert fnmatchcase("ACS ACR122U PICC Interface 03 00", pattern)
    assert not fnmatchcase(OMNIKEY, pattern)


def test_discovery_pattern_takes_brackets_as_they_are() -> None:
    """A name with the glob's own characters is matched by its pattern."""
    assert fnmatchcase(OMNIKEY, _glob(OMNIKEY, [ACR, OMNIKEY]))
    twins = [OMNIKEY, OMNIKEY.replace("01 00", "02 00")]
    assert [[fnmatchcase(name, _glob(one, twins)) for name in twins] for one in twins] == [[True, False], [False, True]]


@pytest.mark.parametrize("text", [ACR, OMNIKEY, 'a "quoted" \\ name', "Lesegerät"])
def test_discovery_strings_are_toml(text: str) -> None:
    """Whatever a reader calls itself comes back from the configuration file."""
    assert tomllib.loads(f"match = {_toml(text)}") == {"match": text}


def test_discovery_names_an_nfc_device_by_its_model() -> None:
    """The path of a device that is alone of its kind survives replugging; one that can't be opened says so."""
    one, other = _nfc_entries([(0x072F, 0x2200, 1, 4), (0x054C, 0x06C3, 1, 5)], lambda _, address: address == 4)
    assert one.config == ('driver = "nfc"', 'path = "usb:072f:2200"')
    assert one.note is None
    assert other.config[1] == 'path = "usb:054c:06c3"'
    assert "/dev/bus/usb/001/005" in (other.note or "")


def test_discovery_tells_nfc_twins_apart_by_their_place() -> None:
    """Two devices of one model get paths that differ, with a warning."""
    twins = _nfc_entries([(0x072F, 0x2200, 1, 4), (0x072F, 0x2200, 2, 7)], lambda *_: True)
    assert [twin.config[1] for twin in twins] == ['path = "usb:001:004"', 'path = "usb:002:007"']
    assert all("plugged elsewhere" in (twin.note or "") for twin in twins)


def test_discovery_without_the_libraries_gives_notes() -> None:
    """On a machine without pyscard and nfcpy each driver is a note that names the package; nothing is raised."""
    program = (
        "import sys; sys.modules['smartcard'] = sys.modules['nfc'] = None\n"
        "from hardware.readers.discovery import attached\n"
        "for entry in attached(): print(entry.driver, entry.name, entry.note)"
    )
    lines = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    ).stdout.splitlines()
    assert [line.split(" ")[:2] for line in lines] == [["pcsc", "None"], ["nfc", "None"]]
    assert "cardea-access[pcsc]" in lines[0]
    assert "cardea-access[nfc]" in lines[1]
