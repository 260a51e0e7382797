"""Runs parts, each in a process of its own: one after the other, or side by side. Shows how far they are.

A part that ends with an error is an outcome with a problem, like a promise that was not kept.
"""

import multiprocessing
import queue
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.rigs.long_run import LongRun
from tests.soak.parts import Part

Job = tuple[Part, float]
"""A part, and how much of it."""
Show = Callable[[str, int, int], None]
"""Told (name of the part, done, of how many)."""
_LOOK_S: Final = 1.0
_END_S: Final = 60.0
"""A part that is told to stop takes its daemon and its rigs down within this."""
_LINE_EVERY_S: Final = 30.0
_SPAWN: Final = multiprocessing.get_context("spawn")
"""Not fork: there may be threads."""


@dataclass(frozen=True, slots=True)
class _Message:
    part: str
    done: int = 0
    of: int = 0
    found: LongRun | None = None


def run(
    jobs: Sequence[Job], seed: int, scratch: Path, *, side_by_side: bool, show: Show
) -> Iterator[tuple[Job, LongRun]]:
    """Outcomes as they come. What was started is stopped when the caller stops asking.

    `scratch` is on the disk that is to be met, and its path is short: sockets lie below it.
    """
    for batch in [jobs] if side_by_side else [[job] for job in jobs]:
        yield from _run_at_once(batch, seed, scratch, show)


def _run_at_once(jobs: Sequence[Job], seed: int, scratch: Path, show: Show) -> Iterator[tuple[Job, LongRun]]:
    messages: Any = _SPAWN.Queue()
    running: dict[str, tuple[Job, SpawnProcess]] = {}
    try:
        for part, amount in jobs:
            process = _SPAWN.Process(
                target=_work, args=(part, amount, seed, scratch, messages), name=f"soak-{part.name}"
            )
            process.start()
            running[part.name] = (part, amount), process
        while running:
            ended = [name for name, (_, process) in running.items() if not process.is_alive()]
            message = _next(messages)
            if message is not None and message.found is None:
                show(message.part, message.done, message.of)
            elif message is not None and message.found is not None:
                job, process = running.pop(message.part)
                process.join(_END_S)
                yield job, message.found
            else:
                # Nothing came from a process that had ended before we asked: nothing will.
                for name in ended:
                    job, process = running.pop(name)
                    yield job, LongRun(seed, 0.0, {}, (f"the process ended with {process.exitcode}",))
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.join(_END_S)


def _next(messages: Any) -> _Message | None:
    try:
        message: _Message = messages.get(timeout=_LOOK_S)
    except queue.Empty:
        return None
    return message


def _work(part: Part, amount: float, seed: int, scratch: Path, messages: Any) -> None:
    """The body of a part's process."""
    # As an exception, so that every rig on the way out is taken down; Ctrl-C comes to us as this, from who started us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    began_s = time.monotonic()
    home = Path(tempfile.mkdtemp(prefix="s", dir=scratch))
    try:
        found = part.run(amount, seed, lambda done, of: messages.put(_Message(part.name, done, of)), home)
    except Exception as error:  # noqa: BLE001 - a process's boundary: told as an outcome
        traceback.print_exc()
        found = LongRun(seed, round(time.monotonic() - began_s, 1), {}, (f"{type(error).__name__}: {error}"[:2000],))
    except SystemExit:
        shutil.rmtree(home, ignore_errors=True)
        raise
    if found.problems:
        print(f"soak: what {part.name} left is in {home}", file=sys.stderr)
    else:
        shutil.rmtree(home, ignore_errors=True)
    messages.put(_Message(part.name, found=found))


@contextmanager
def shown(jobs: Sequence[Job]) -> Iterator[Show]:
    """Bars on a terminal, else a line per part now and then."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    words, counts = TextColumn("{task.description}"), MofNCompleteColumn()
    with Progress(words, BarColumn(), counts, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as bars:
        tasks = {part.name: bars.add_task(part.title, total=None) for part, _ in jobs}
        yield lambda name, done, of: bars.update(tasks[name], completed=done, total=of)


def _lines() -> Show:
    told_s: dict[str, float] = {}

    def show(name: str, done: int, of: int) -> None:
        now_s = time.monotonic()
        if done < of and now_s - told_s.get(name, float("-inf")) < _LINE_EVERY_S:
            return
        told_s[name] = now_s
        print(f"soak {name}: {done:,} of {of:,}", file=sys.stderr, flush=True)

    return show
