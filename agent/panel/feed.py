"""Keeps the newest STATUS of the daemon for the page: one thread watches, any number of pages read.

Only the newest state is kept: a page that is slow misses pictures in between, never the last one.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from agent.control_client import ControlClient
from agent.errors import ControlError

SILENT_S: Final = 4.0
"""The daemon says something every second; silent for this long, it is away."""
FIRST_WAIT_S: Final = 0.2
MAX_WAIT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of the daemon; replaced as a whole."""

    number: int
    """Grows with every change."""
    here: bool
    status: Mapping[str, Any] | None
    """None while the daemon is away."""
    why: str | None
    """Why it is away, in words."""


class Feed:
    """Context manager: watches from enter to exit."""

    def __init__(self, socket: Path) -> None:
        self._path = socket
        self._lock = threading.Lock()
        self._picture = Picture(0, here=False, status=None, why="not asked yet")
        self._listeners: set[Callable[[], None]] = set()
        self._stop = threading.Event()
        self._client: ControlClient | None = None
        self._thread = threading.Thread(target=self._run, name="panel-feed", daemon=True)

    @property
    def picture(self) -> Picture:
        """The newest one."""
        return self._picture

    @property
    def ended(self) -> bool:
        """Whether the panel is closing: those who read are to stop."""
        return self._stop.is_set()

    def attach(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have `listener` called on any thread after every change; returns what ends that."""
        with self._lock:
            self._listeners.add(listener)

        def detach() -> None:
            with self._lock:
                self._listeners.discard(listener)

        return detach

    def touch(self) -> None:
        """Something else that pages show has changed."""
        with self._lock:
            old = self._picture
            self._picture = Picture(old.number + 1, here=old.here, status=old.status, why=old.why)
            for listener in self._listeners:
                listener()

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """Stop watching and wake everyone; idempotent."""
        self._stop.set()
        with self._lock:
            if self._client is not None:
                self._client.close()
        if self._thread.is_alive():
            self._thread.join(SILENT_S)
        self.touch()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._stop.is_set():
            try:
                with ControlClient(self._path, timeout_s=SILENT_S) as client:
                    with self._lock:
                        self._client = client
                    for status in client.watch():
                        wait_s = FIRST_WAIT_S
                        self._show(status, None)
                        if self._stop.is_set():
                            return
            except ControlError as error:
                self._show(None, str(error))
            self._stop.wait(wait_s)
            wait_s = min(MAX_WAIT_S, wait_s * 2)

    def _show(self, status: Mapping[str, Any] | None, why: str | None) -> None:
        with self._lock:
            self._picture = Picture(self._picture.number, here=status is not None, status=status, why=why)
        self.touch()
