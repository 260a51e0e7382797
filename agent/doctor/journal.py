"""Is the journal whole? Read as any reader does, beside a running agent, and changed in nothing."""

import time
from collections.abc import Iterator
from typing import Final

from agent.doctor.finding import Area, Finding, Line
from agent.doctor.scene import Scene
from agent.errors import StorageError
from agent.ports import JournalBreak
from agent.storage.journal_schema import FILE_NAME
from agent.storage.verify import verify

WHOLE: Final = Line(
    Area.JOURNAL,
    "journal",
    "Pages, sequence and hash chain are whole, as far as 20 s suffice; `cardea verify-journal` checks all. None is "
    "there before the first start.",
    "Leave the file as it is: the agent rescues what it can at its next start and says so. If it comes again, replace "
    "the card.",
)
SIZE: Final = Line(
    Area.JOURNAL,
    "size",
    "The journal keeps to its bounds, `journal.max_mib` and `journal.max_events`. Warns when it is above.",
    "See the daemon's lines: the agent makes room when it next writes. If it does not, report it.",
)
LINES: Final = (WHOLE, SIZE)

ENOUGH_S: Final = 20.0
_MIB: Final = 1 << 20
_SLACK_MIB: Final = 4
"""What the log beside the file may take, and pages that are not full."""


class _EnoughError(Exception):
    """The time for this check is over."""


def look(scene: Scene) -> Iterator[Finding]:
    """All lines of this area."""
    path = scene.state_dir / FILE_NAME
    if not path.exists():
        yield WHOLE.passes("none yet: the first start makes it")
        return
    until_s = time.monotonic() + ENOUGH_S
    checked, total = 0, 0

    def progress(done: int, of: int) -> None:
        nonlocal checked, total
        checked, total = done, of
        if time.monotonic() > until_s:
            raise _EnoughError

    try:
        yield judge_break(verify(path, progress), checked)
    except _EnoughError:
        yield WHOLE.passes(f"the first {checked} of {total} events are whole; `cardea verify-journal` checks all")
    except StorageError as error:
        yield WHOLE.fails(
            f"it can't be read: {error}", "See the lines of the disk; run the self-test as root or as cardea."
        )
    yield judge_size(path.stat().st_size, scene.config.journal.max_mib)


def judge_break(found: JournalBreak | None, checked: int) -> Finding:
    """What the check of the whole journal came to."""
    if found is None:
        return WHOLE.passes(f"{checked} events, whole")
    where = f" at epoch {found.epoch}, event {found.seq}" if found.seq else ""
    return WHOLE.fails(f"broken{where}: {found.what}")


def judge_size(size_bytes: int, max_mib: int) -> Finding:
    """The file's size against its bound."""
    text = f"{size_bytes / _MIB:.1f} of at most {max_mib} MiB"
    return SIZE.passes(text) if size_bytes <= (max_mib + _SLACK_MIB) * _MIB else SIZE.warns(text)
