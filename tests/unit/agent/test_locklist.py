"""The list that the stop hook reads."""

from pathlib import Path

import pytest

from agent.errors import StorageError
from agent.locklist import lock_list
from hardware.settings import Fail, Level, LockSettings

FRONT = LockSettings("front", "gpio", Fail.SECURE, 17)
VAULT = LockSettings("vault", "gpio", Fail.SAFE, 18, Level.LOW)
TOY = LockSettings("toy", "emulated", Fail.SECURE)


def test_each_relay_has_its_line(tmp_path: Path) -> None:
    """Pin, level that energises, door; what has no pin needs no hook."""
    with lock_list(tmp_path / "run", [FRONT, TOY, VAULT]):
        pass
    assert (tmp_path / "run" / "locks").read_text() == "17 high front\n18 low vault\n"


def test_a_list_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """No pin is driven that no hook would know of."""
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(StorageError, match="locks"), lock_list(tmp_path / "run", [FRONT]):
        pass


def test_a_second_agent_does_not_replace_the_list_of_a_running_one(tmp_path: Path) -> None:
    """Else the hook would release the wrong pins when the first one dies."""
    with lock_list(tmp_path, [FRONT]):
        with pytest.raises(StorageError, match="in use by another process"), lock_list(tmp_path, [VAULT]):
            pass
        assert (tmp_path / "locks").read_text() == "17 high front\n"
    with lock_list(tmp_path, [VAULT]):
        assert (tmp_path / "locks").read_text() == "18 low vault\n"
