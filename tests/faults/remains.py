"""What dead daemons leave behind: a whole journal, no litter, and nothing in the log that was not asked for."""

import subprocess
from typing import Final

from tests.faults.ledger import Problems
from tests.rigs.daemon import CARDEA, Daemon

_DATABASES: Final = ("journal.db", "allowlist.db", "state.db")
_STATE_FILES: Final = frozenset(
    {"card-hash.key", "device.key", "journal.epoch"}
    | {f"{name}{suffix}" for name in _DATABASES for suffix in ("", "-wal", "-shm", ".lock")}
)
_HOME_FILES: Final = frozenset({"cardea.toml", "control.sock", "locks", "locks.lock", "log", "state"})
"""`locks` is for the stop hook, which is to find it after any death."""
_EXPECTED: Final = ("uplink.event_refused", "keys.list_verify_missing", "journal.degraded")
"""Errors in the log that the endpoint's faults, the missing key and a busy machine's disk are known to cause."""
_VERIFY_S: Final = 120.0


def check_remains(daemon: Daemon, problems: Problems) -> None:
    """Of a daemon that is dead; empties its log."""
    command = [*CARDEA, "verify-journal", "--config", str(daemon.config)]
    verified = subprocess.run(command, capture_output=True, text=True, timeout=_VERIFY_S)
    if verified.returncode != 0:
        problems.add(f"verify-journal: {verified.stdout}{verified.stderr}".strip())
    for folder, known in ((daemon.home, _HOME_FILES), (daemon.state_dir, _STATE_FILES)):
        for litter in {path.name for path in folder.iterdir()} - known:
            problems.add(f"{folder.name}/{litter} was left behind")
    for line in daemon.log_text().splitlines():
        # A line that SIGKILL cut off is no JSON; the next life begins behind it, in the same line.
        if line.startswith("Traceback") or ('"level": "error"' in line and not any(kind in line for kind in _EXPECTED)):
            problems.add(f"in the log: {line[:500]}")
    (daemon.home / "log").write_bytes(b"")
