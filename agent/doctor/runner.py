"""Runs the checks side by side, each within its time. A check that hangs or breaks is a failed line, never the end."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from agent.doctor.finding import Finding, Line
from agent.doctor.scene import Scene

HUNG: Final = "Something that it looks at hangs: look at the system log for the device, and restart the machine."
NOT_ALLOWED: Final = "Run the self-test as root."
BROKEN: Final = "This is a fault of the self-test itself: please report this line."

Progress = Callable[[Sequence[str]], None]
"""Told the names of what still runs, whenever that changes."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at. `look` may take its time, up to `within_s`; it may yield any number of lines."""

    line: Line
    """The line that says so when it hangs or breaks."""
    look: Callable[[Scene], Iterable[Finding]]
    within_s: float = 10.0


def run(checks: Sequence[Check], scene: Scene, progress: Progress) -> list[Finding]:
    """The findings of all checks in the checks' order. Returns when the last is done or out of time."""
    begun_s = time.monotonic()
    done: queue.SimpleQueue[tuple[int, list[Finding]]] = queue.SimpleQueue()
    found: dict[int, list[Finding]] = {}
    for number, check in enumerate(checks):
        # Daemon threads: one that hangs in the kernel must not keep the command from ending.
        threading.Thread(
            target=_look, args=(number, check, scene, done), name=f"check-{check.line.name}", daemon=True
        ).start()
    while waiting := [number for number in range(len(checks)) if number not in found]:
        progress([checks[number].line.area.value for number in waiting])
        left_s = begun_s + min(checks[number].within_s for number in waiting) - time.monotonic()
        try:
            number, findings = done.get(timeout=max(0.0, left_s))
            found.setdefault(number, findings)
        except queue.Empty:
            for number in waiting:
                if time.monotonic() - begun_s >= checks[number].within_s:
                    found[number] = [_hung(checks[number])]
    return [finding for number in range(len(checks)) for finding in found[number]]


def _look(number: int, check: Check, scene: Scene, done: "queue.SimpleQueue[tuple[int, list[Finding]]]") -> None:
    findings: list[Finding] = []
    try:
        findings.extend(check.look(scene))
    except PermissionError as error:
        findings.append(check.line.warns(f"{error.filename}: this user may not look at it", NOT_ALLOWED))
    except Exception as error:  # noqa: BLE001 - a thread's boundary: told as a failed line
        text = " ".join(str(error).split())[:200]
        findings.append(check.line.fails(f"the check itself broke: {type(error).__name__}: {text}", BROKEN))
    done.put((number, findings))


def _hung(check: Check) -> Finding:
    return check.line.fails(f"no answer within {check.within_s:g} s: this check hangs", HUNG)
