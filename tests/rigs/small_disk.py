"""A disk of its own for a test: a small ext4 file system on a loop device, that can be full, read-only or dead."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """A mounted file system of some MiB."""

    def __init__(self, image: Path, folder: Path) -> None:
        self.folder = folder
        self._image = image
        self._device: str | None = None
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave not one block."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (1 << 16, 1024):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        """Give it all back."""
        self._ballast.unlink()

    def sync(self) -> None:
        """What a test put there plainly is on it now."""
        _run("sync", "--file-system", self.folder)

    def mount(self, *options: str) -> None:
        """Put it in its place, on a device of its own.

        Whatever made a mount namespace meanwhile (such as another test's pcscd) keeps what was mounted, and the kernel
        refuses the same device with other options for so long.
        """
        self._device = _run("losetup", "--find", "--show", self._image).strip()
        _run("mount", "-o", ",".join(("noatime", *options)), self._device, self.folder)

    def remount(self, option: str) -> None:
        """`abort` is what ext4 does to itself after an error of the device: read-only from now on."""
        _run("mount", "-o", f"remount,{option}", self.folder)

    def unmount(self) -> None:
        """Take it away, with all that it holds on the image; nobody must use it."""
        assert self._device is not None
        _run("umount", self.folder)
        _run("blockdev", "--flushbufs", self._device)
        _run("losetup", "--detach", self._device)
        self._device = None

    def discard(self) -> None:
        """Take it away, whoever uses it."""
        subprocess.run(["umount", "--lazy", self.folder], check=False, capture_output=True)
        if self._device is not None:
            subprocess.run(["losetup", "--detach", self._device], check=False, capture_output=True)


@contextmanager
def small_disk(image: Path, folder: Path, mib: int = 8) -> Iterator[SmallDisk]:
    """An empty disk at the folder."""
    folder.mkdir(parents=True)
    with image.open("wb") as file:
        file.truncate(mib << 20)
    # Blocks of the size that a card gets. With smaller ones SQLite's shared memory has holes, and a full disk is fatal.
    _run("mkfs.ext4", "-q", "-m", "0", "-b", "4096", "-O", "^has_journal", image)
    disk = SmallDisk(image, folder)
    try:
        disk.mount()
        yield disk
    finally:
        disk.discard()


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"this test mounts a small disk and needs root, loop devices and e2fsprogs: {done.stderr}")
    return done.stdout
