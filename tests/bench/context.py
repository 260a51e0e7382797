"""What every figure gets: how large to be, where to work, and the large site, which is made once."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import structlog

from agent import logs
from agent.storage.allowlist_schema import FILE_NAME

ROOT: Final = Path(__file__).parents[2]
_CHILD_S: Final = 600.0


@dataclass(slots=True)
class Context:
    """Shared by the figures of one run. `scratch` lies on the disk that is measured."""

    scratch: Path
    quick: bool
    say: Callable[[str], None]
    cards: int
    """Of the large site; 0: no figure needs it."""
    _numbers: Iterator[int] = field(default_factory=count)

    def rounds(self, full: int, quick: int) -> int:
        """How many samples to take."""
        return quick if self.quick else full

    def folder(self) -> Path:
        """A new empty folder; its name is short, since a socket may lie in it."""
        place = self.scratch / str(next(self._numbers))
        place.mkdir(parents=True)
        return place

    def snapshot(self) -> Path:
        """The signed snapshot of the large site."""
        path = self.scratch / "snapshot"
        if not path.exists():
            self.say(f"making a site of {self.cards:,} cards")
            self.child("tests.bench.site", str(path), str(self.cards))
        return path

    def stocked(self, state_dir: Path) -> Path:
        """The folder, now with the applied list of the large site in it."""
        state_dir.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._stock() / FILE_NAME, state_dir / FILE_NAME)
        return state_dir

    def _stock(self) -> Path:
        made = self.scratch / "stock"
        if not made.exists():
            snapshot = self.snapshot()
            self.say("applying its list")
            self.child("tests.bench.apply", str(snapshot), str(made), "0", "0", str(self.cards))
        return made

    def prepare(self) -> None:
        """Make what figures share, so that no figure pays for it."""
        if self.cards:
            self._stock()

    def child(self, *module: str) -> str:
        """What `python -m` prints, run from the repository's root; raises CalledProcessError."""
        command = [sys.executable, "-m", *module]
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, timeout=_CHILD_S, check=True, text=True, encoding="utf-8"
        )
        return done.stdout


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """What the agent's parts log in this process is made as the daemon makes it, and goes into a file."""
    with path.open("w", encoding="utf-8") as lines:
        try:
            with redirect_stdout(lines):
                logs.configure("info")
            yield
        finally:
            structlog.reset_defaults()


def environment(**more: str) -> dict[str, str]:
    """The environment for a process that finds our modules from any folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


@contextmanager
def python(code: str, arguments: Sequence[str] = ()) -> Iterator[subprocess.Popen[str]]:
    """A Python that runs this code, with pipes; ended when the block ends."""
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environment()
    ) as process:
        try:
            yield process
        finally:
            process.kill()
