"""Ask another program, within a time. What may hang for good (a USB library, pcscd, systemctl) is asked this way: a
child can be ended, a thread can't.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agent.errors import AgentError

MAX_ANSWER: Final = 1 << 20
"""Characters of an answer that are read on."""
_HERE: Final = (sys.executable, "-P")
"""This interpreter, which takes no module from the folder that somebody happens to stand in."""


class NoAnswer(AgentError):  # noqa: N818 - named for what happened
    """The program is not there, failed, or did not answer in time."""


def ask(command: Sequence[str], within_s: float) -> str:
    """What the program printed; raises NoAnswer with one line."""
    name = Path(command[0]).name
    path = shutil.which(command[0])
    if path is None:
        raise NoAnswer(f"{name} is not installed")
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands of ours
            [path, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=within_s,
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired:
        raise NoAnswer(f"{name} did not answer within {within_s:g} s") from None
    except OSError as error:
        raise NoAnswer(f"{name}: {error.strerror}") from error
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise NoAnswer(f"{name} ended with {done.returncode}: {last[:200] or 'no word'}")
    return done.stdout.decode("utf-8", "replace")[:MAX_ANSWER]


def ask_ourselves(code: Sequence[str], within_s: float) -> str:
    """The same of a Python program of ours, such as `("-m", "hardware.gpio.probe")`."""
    return ask([*_HERE, *code], within_s)
