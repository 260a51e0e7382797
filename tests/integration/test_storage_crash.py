"""SIGKILL at any instant loses nothing that was acknowledged, and leaves the old list or the new one."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.storage.allowlist import SqliteAllowListReader, SqliteAllowListStore
from agent.storage.verify import verify
from cloud.contract.events import parse_event
from tests.rigs.journals import open_journal
from tests.rigs.lists import card, credential, snapshot

_ROOT = Path(__file__).parents[2]
_APPEND = """
import sys
from pathlib import Path
from tests.rigs.journals import open_journal
from tests.rigs.stamps import opened
with open_journal(Path(sys.argv[1]), max_events=400) as journal:
    while True:
        event = journal.append(opened(), 10)
        print(event.seq, event.chain_hash(), flush=True)
        if event.seq % 7 == 0:
            run = journal.next_unsent(5, 100_000)
            journal.mark_sent(run[0].epoch, run[0].seq, run[-1].seq)
"""
_APPLY = """
import sys
from pathlib import Path
from agent.storage.allowlist import SqliteAllowListStore
from tests.rigs.lists import card, snapshot
with SqliteAllowListStore(Path(sys.argv[1]), on_set_aside=print) as store:
    version = store.position().version
    print("ready", flush=True)
    while True:
        version += 1
        store.apply_snapshot(snapshot((card(n, person=f"v-{version}") for n in range(3000)), version=version))
"""


def _start(script: str, directory: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, str(directory)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT)


def _kill(child: subprocess.Popen[str]) -> str:
    child.send_signal(signal.SIGKILL)
    assert child.stdout is not None
    output = child.stdout.read()
    child.stdout.close()
    child.wait(10)
    return output


def test_killed_journal_holds_every_event_that_append_returned(tmp_path: Path) -> None:
    """Five times killed in the middle of appends, acks and drops at the bound."""
    chance = random.Random(3)
    newest = 0
    for _ in range(5):
        child = _start(_APPEND, tmp_path)
        assert child.stdout is not None
        seen = [child.stdout.readline() for _ in range(chance.randrange(20, 250))]
        lines = "".join(seen) + _kill(child)
        returned = dict(line.split() for line in lines.splitlines(keepends=True) if line.endswith("\n"))
        assert verify(tmp_path / "journal.db") is None
        with open_journal(tmp_path, max_events=400) as journal:
            stats = journal.stats()
            assert stats.epoch == 1
            assert stats.seq >= max(map(int, returned))
            stored = {str(place.event.seq): place.event.chain_hash() for place in journal.events(limit=500)}
            assert all(parse_event(place.event.to_json()) for place in journal.events(limit=5))
            kept = returned.keys() & stored.keys()
            assert {seq: returned[seq] for seq in kept} == {seq: stored[seq] for seq in kept}
            # What is not there any more was dropped at the bound, and so is older than all that is.
            assert all(int(seq) < stats.seq - 300 for seq in returned.keys() - kept)
            assert min(map(int, returned)) > newest
            newest = stats.seq


def test_list_killed_while_it_is_applied_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    """Every card is of the version that the list says it is."""
    with SqliteAllowListStore(tmp_path, on_set_aside=pytest.fail) as store:
        store.apply_snapshot(snapshot((card(n, person="v-1") for n in range(3000)), version=1))
    chance = random.Random(5)
    for _ in range(5):
        child = _start(_APPLY, tmp_path)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        # A crash comes at any instant: this waits for none in particular.
        time.sleep(chance.uniform(0.0, 0.25))
        _kill(child)
        with SqliteAllowListStore(tmp_path, on_set_aside=pytest.fail) as store:
            position = store.position()
            assert position is not None
            with SqliteAllowListReader(tmp_path) as reader:
                assert reader.count_cards() == 3000
                for number in (0, 1499, 2999):
                    holder, policy = reader.find(credential(number))
                    assert holder is not None
                    assert policy is not None
                    assert holder.card.person == f"v-{position.version}"
                    assert policy.version == position.version
