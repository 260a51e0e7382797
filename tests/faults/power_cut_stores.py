"""The small state and the allow-list under power cuts: what was saved durable is there, and a list is old or new."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

from agent.storage.allowlist import SqliteAllowListReader, SqliteAllowListStore
from agent.storage.state import SqliteStateStore
from tests.rigs.lists import Raw, card, credential, delete, delta, group, person, put, snapshot
from tests.rigs.power_cuts import Damaged, History, Lost, State

_NAMES = ("presence", "latch")
_CARDS = 60


class StateSubject:
    """`Subject` for state.db."""

    def prepare(self, folder: Path, chance: Random) -> None:
        """A new device."""

    def live(self, folder: Path, chance: Random, history: History) -> None:
        """See `Subject`."""
        with SqliteStateStore(folder, on_set_aside=_refuse) as state:
            history.begin(_entries(state))
            for _ in range(40):
                durable = chance.random() < 0.4
                with history.change(lambda: _entries(state), durable=durable):
                    value = None if chance.random() < 0.2 else "x" * chance.choice([1, 8, 900])
                    state.save(chance.choice(_NAMES), f"k-{chance.randrange(12)}", value, durable=durable)

    def reopen(self, folder: Path, allowed: list[State], chance: Random) -> None:
        """See `Subject`."""
        with SqliteStateStore(folder, on_set_aside=_refuse) as state:
            found = _entries(state)
            if found not in allowed:
                raise Lost(f"{found} is none of {len(allowed)} states")
            state.save("latch", "fire", "1", durable=True)
        _check_pages(folder / "state.db")


class AllowListSubject:
    """`Subject` for allowlist.db."""

    def prepare(self, folder: Path, chance: Random) -> None:
        """A new device."""

    def live(self, folder: Path, chance: Random, history: History) -> None:
        """See `Subject`."""
        with SqliteAllowListStore(folder, on_set_aside=_refuse) as store:
            position = store.position()
            version = position.version if position else 0
            history.begin(version)
            for _ in range(6):
                version += 1
                with history.change(lambda: version):  # noqa: B023 - called within the loop
                    if version == 1 or chance.random() < 0.3:
                        store.apply_snapshot(snapshot(_site(version), version=version))
                    else:
                        gone = [delete(card(number)) for number in range(version, version + 3)]
                        changed = [put(raw) for raw in _site(version)]
                        store.apply_delta(delta(*gone, *changed, version=version))

    def reopen(self, folder: Path, allowed: list[State], chance: Random) -> None:
        """See `Subject`: every card is of the version that the list says it is."""
        with SqliteAllowListStore(folder, on_set_aside=_refuse) as store, SqliteAllowListReader(folder) as reader:
            position = store.position()
            version = position.version if position else 0
            if version not in allowed:
                raise Lost(f"version {version} is none of {allowed}")
            for number in range(_CARDS if version else 0):
                holder, policy = reader.find(credential(number))
                if holder is None or holder.card.person != f"v-{version}" or policy is None:
                    raise Damaged(f"card {number} of version {version} is {holder}")
                if policy.version != version or policy.groups["staff"].grants[0].door != f"door-{version}":
                    raise Damaged(f"policy {policy} with version {version}")
            store.apply_snapshot(snapshot(_site(version + 1), version=version + 1))
        _check_pages(folder / "allowlist.db")


def _site(version: int) -> Iterator[Raw]:
    for number in range(_CARDS):
        yield card(number, person=f"v-{version}")
    yield person(1, f"g-{version}")
    yield group("staff", f"door-{version}")


def _entries(state: SqliteStateStore) -> State:
    return tuple(tuple(sorted(state.load(name).items())) for name in _NAMES)


def _check_pages(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        (verdict,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise Damaged(f"pages: {verdict}")


def _refuse(why: str) -> None:
    raise Damaged(f"a sound file was set aside: {why}")
