"""attached(): what hangs on this machine, with configuration lines that work."""

import tomllib

import pytest

from hardware.readers.discovery import attached
from hardware.registry import make_reader
from hardware.settings import ReaderSettings
from tests.rigs.pcscd import pcscd_folder_of_this_process, pcscd_for_this_process

pytestmark = pytest.mark.system


def test_discovery_gives_lines_that_open_exactly_that_reader() -> None:
    """Every PC/SC reader's lines are TOML, and a reader configured by them opens, alone of its name or not."""
    with pcscd_for_this_process(readers=2) as rig:
        found = [reader for reader in attached() if reader.driver == "pcsc"]
        assert [reader.name for reader in found] == [rig.reader_name(0), rig.reader_name(1)]
        for entry in found:
            lines = tomllib.loads("\n".join(entry.config))
            reader = make_reader(ReaderSettings("found", lines["driver"], 1.0, match=lines["match"]))
            reader.open()
            reader.close()


def test_discovery_without_pcscd_is_a_note() -> None:
    """No pcscd: a note that says what to do, no exception."""
    pcscd_folder_of_this_process()
    (note,) = [entry for entry in attached() if entry.driver == "pcsc"]
    assert note.name is None
    assert not note.config
    assert "pcscd installed and running" in (note.note or "")
