"""A small file system that stalls on command: from then on a write waits, for as long as the test wants.

    with stalling_disk(state_dir) as disk:
        with disk.stalled():
            ...

As with a dying card, what waits can't be killed. Needs root and a loop device.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

_SIZE: Final = 64 << 20


class StallingDisk:
    """Mounted at `place`."""

    def __init__(self, place: Path) -> None:
        self._place = place

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """While this holds, no write comes back."""
        subprocess.run(["fsfreeze", "--freeze", self._place], check=True)
        try:
            yield
        finally:
            subprocess.run(["fsfreeze", "--unfreeze", self._place], check=True)


@contextmanager
def stalling_disk(place: Path) -> Iterator[StallingDisk]:
    """Mount one at this folder, which is made."""
    if os.geteuid() != 0:
        pytest.fail("a file system that stalls needs root")
    place.mkdir(parents=True, exist_ok=True)
    image = Path(tempfile.mkdtemp(prefix="cardea-disk-")) / "image"
    try:
        with image.open("wb") as file:
            file.truncate(_SIZE)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        mounted = subprocess.run(["mount", "-o", "loop", image, place], capture_output=True, text=True, check=False)
        if mounted.returncode:
            pytest.fail(f"no loop device here: {mounted.stderr.strip()}; a privileged container is needed")
        try:
            yield StallingDisk(place)
        finally:
            subprocess.run(["umount", "-l", place], check=True)
    finally:
        shutil.rmtree(image.parent)
