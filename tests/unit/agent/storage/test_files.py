"""Plain files: replaced whole, set aside and never deleted."""

import os
from pathlib import Path

import pytest

from agent.errors import StorageError
from agent.storage.files import make_private, only_writer, set_aside, write_atomic


def test_write_atomic_replaces_the_content_and_leaves_nothing_beside(tmp_path: Path) -> None:
    """Old content goes, no temporary file stays, only the owner can read."""
    path = tmp_path / "marker"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["marker"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_write_atomic_keeps_the_old_content_when_it_can_not_finish(tmp_path: Path) -> None:
    """A failed replacement leaves what was there."""
    path = tmp_path / "marker"
    write_atomic(path, b"one")
    (tmp_path / "marker.tmp").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomic(path, b"two")
    assert path.read_bytes() == b"one"


def test_set_aside_moves_all_side_files_into_a_new_folder_each_time(tmp_path: Path) -> None:
    """Nothing of an earlier damage is overwritten."""
    for number in (1, 2):
        for suffix in ("", "-wal"):
            (tmp_path / f"list.db{suffix}").write_text(f"{number}{suffix}")
        folder = set_aside(tmp_path / "list.db")
        assert folder == tmp_path / "set-aside" / str(number)
        assert (folder / "list.db-wal").read_text() == f"{number}-wal"
    assert not (tmp_path / "list.db").exists()


def test_make_private_leaves_an_existing_file_alone(tmp_path: Path) -> None:
    """Content and mode of what is there stay."""
    path = tmp_path / "x.db"
    make_private(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("kept")
    make_private(path)
    assert path.read_text() == "kept"


def test_only_writer_keeps_a_second_one_out_until_it_ends(tmp_path: Path) -> None:
    """The lock goes with its holder."""
    path = tmp_path / "x.db"
    with only_writer(path), pytest.raises(StorageError, match="another process"), only_writer(path):
        pass
    with only_writer(path):
        assert len(os.listdir(tmp_path)) == 1  # noqa: PTH208
