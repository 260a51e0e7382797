"""The daemon as a process, with emulated doors: what a person at the door and a person at the console see."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.control_client import ControlClient
from agent.errors import ControlError
from cloud.contract.items import DoorMode
from tests.rigs import site
from tests.rigs.daemon import CARDEA, ROOT, Daemon
from tests.rigs.waiting import wait_for

FRONT = """
[[door]]
id = "front"
held_open_s = 5.0
pre_alarm_s = 2.0
[door.lock]
driver = "emulated"
fail = "secure"
strike_s = 2.0
[[door.reader]]
name = "front-in"
direction = "in"
driver = "emulated"
[[door.reader]]
name = "front-out"
direction = "out"
driver = "emulated"
[door.inputs.contact]
driver = "emulated"
normally = "closed"
[door.inputs.rex]
driver = "emulated"
normally = "open"
[door.inputs.fire]
driver = "emulated"
normally = "closed"
[emulated.cards]
alice = "04A1B2C3D4E580"
bob = "04B0B0B0B0B080"
mallory = "04DEADBEEF0180"
"""
BACK = """
[[door]]
id = "back"
follows_fire_of = ["front"]
[door.lock]
driver = "emulated"
fail = "safe"
strike_s = 1.0
[[door.reader]]
name = "back-in"
direction = "in"
driver = "emulated"
"""


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Daemon]:
    """A running door that knows its people."""
    daemon = Daemon(tmp_path, FRONT, keys=site.KEYS)
    site.install(daemon.state_dir, site.items())
    with daemon:
        yield daemon


def test_a_known_card_opens_and_the_event_is_on_disk_first(front: Daemon) -> None:
    """The outcome names the event that stands in the journal."""
    result = front.tap("alice", "front-in")
    assert (result["decision"], result["reason"], result["door"]) == ("granted", "allowed", "front")
    assert front.door()["lock"] == "unlocked"
    event = front.events("access.granted")[0]
    assert (event["id"], event["seq"]) == (result["event_id"], result["seq"])
    assert event["person"] == "alice"
    assert event["credential"] == site.credential(site.ALICE)
    assert not event["sent"]
    wait_for(lambda: front.door()["lock"] == "locked", "relock on time")
    assert front.wait_event("access.not_taken")["person"] == "alice"


@pytest.mark.parametrize(("card", "reason"), [("mallory", "stolen"), (site.NOBODY, "unknown_card")])
def test_a_wrong_card_stays_outside_and_inside_it_may_leave(front: Daemon, card: str, reason: str) -> None:
    """Entry is denied with the reason; exit is granted and notes it."""
    assert front.tap(card, "front-in")["reason"] == reason
    assert front.door()["lock"] == "locked"
    left = front.tap(card, "front-out")
    assert (left["decision"], left["reason"]) == ("granted", "exit")
    assert front.events("access.granted")[0]["detail"] == {"noted": reason}


def test_no_raw_card_number_reaches_log_or_journal(front: Daemon) -> None:
    """Numbers of known and unknown cards stay in the reader path."""
    for card in ("alice", site.NOBODY):
        front.tap(card, "front-in")
    kept = front.log_text().lower() + str(front.events()).lower()
    kept += "".join(path.read_bytes().hex() for path in front.state_dir.glob("journal*"))
    for uid in (site.ALICE, site.NOBODY):
        assert uid.lower() not in kept
        assert uid.lower().encode().hex() not in kept


def test_rex_unlocks_and_excuses_the_opening(front: Daemon) -> None:
    """Whoever leaves by the button raises no alarm."""
    front.input("rex", "press")
    wait_for(lambda: front.door()["lock"] == "unlocked", "REX to unlock")
    front.input("contact", "on")
    front.wait_event("door.opened")
    assert not front.events("door.forced")


def test_a_forced_door_is_an_alarm_and_a_held_one_another(front: Daemon) -> None:
    """Forced and held are told apart."""
    front.input("contact", "on")
    front.wait_event("door.forced")
    front.input("contact", "off")
    front.wait_event("door.closed")
    assert front.tap("alice", "front-in")["decision"] == "granted"
    front.input("contact", "on")
    front.wait_event("door.held_warned")
    front.wait_event("door.held")
    assert len(front.events("door.forced")) == 1


def test_fire_releases_every_door_that_follows_until_it_is_reset_by_hand(tmp_path: Path) -> None:
    """Fire beats the lock of both doors, survives SIGKILL, and ends by a reset after the input is quiet."""
    daemon = Daemon(tmp_path, FRONT + BACK, keys=site.KEYS)
    site.install(daemon.state_dir, site.items(["front", "back"], DoorMode.LOCKDOWN))
    with daemon:
        daemon.input("front.fire", "on")
        wait_for(lambda: [door["lock"] for door in daemon.status()["doors"]] == ["unlocked"] * 2, "fire to unlock")
        daemon.wait_event("fire.activated", count=2)
        daemon.kill()
        daemon.start()
        # The emulated input of a new process is quiet again; the latch is not.
        wait_for(lambda: [door["lock"] for door in daemon.status()["doors"]] == ["unlocked"] * 2, "the latch to hold")
        daemon.request("fire-reset", door=None)
        wait_for(lambda: [door["lock"] for door in daemon.status()["doors"]] == ["locked"] * 2, "the reset")
        assert daemon.tap("alice", "front-in")["reason"] == "lockdown"


def test_a_reset_while_the_fire_input_is_active_is_refused(front: Daemon) -> None:
    """Nobody locks a door during a fire."""
    front.input("fire", "on")
    front.wait_event("fire.activated")
    front.request("fire-reset", door="front")
    front.wait_event("command.refused")
    assert front.door()["lock"] == "unlocked"


def test_anti_passback_survives_a_restart(tmp_path: Path) -> None:
    """One card does not let two in, not even across SIGKILL; leaving makes it good again."""
    turnstile = FRONT.replace('[door.inputs.contact]\ndriver = "emulated"\nnormally = "closed"\n', "")
    daemon = Daemon(tmp_path, turnstile, keys=site.KEYS)
    site.install(daemon.state_dir, site.items(anti_passback=True))
    with daemon:
        assert daemon.tap("alice", "front-in")["decision"] == "granted"
        assert daemon.tap("alice", "front-in")["reason"] == "passback"
        assert daemon.tap("bob", "front-in")["decision"] == "granted"
        daemon.kill()
        daemon.start()
        assert daemon.tap("alice", "front-in")["reason"] == "passback"
        assert daemon.tap("alice", "front-out")["decision"] == "granted"
        assert daemon.tap("alice", "front-in")["decision"] == "granted"


def test_sigterm_in_mid_strike_locks_and_is_recorded(front: Daemon) -> None:
    """Stopping takes less than 5 s, leaves the lock in its safe state and the journal whole."""
    front.tap("alice", "front-in")
    assert front.door()["lock"] == "unlocked"
    assert front.stop() == 0
    front.start()
    assert front.door()["lock"] == "locked"
    kinds = [event["type"] for event in front.events()]
    assert kinds[kinds.index("access.granted") :][:3] == ["access.granted", "agent.stopped", "agent.started"]
    verified = subprocess.run(
        [*CARDEA, "verify-journal", "--config", str(front.config)], capture_output=True, text=True
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_sequence_and_chain_go_on_through_sigkill(front: Daemon) -> None:
    """What was answered before SIGKILL is there after it, and numbering goes on without a gap."""
    answered = [front.tap("alice", "front-in")["event_id"] for _ in range(5)]
    front.kill()
    front.start()
    front.tap("bob", "front-in")
    events = front.events()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert set(answered) <= {event["id"] for event in events}


def test_without_keys_the_door_starts_denies_entry_and_lets_out(tmp_path: Path) -> None:
    """A door that lost its keys still serves those inside."""
    with Daemon(tmp_path, FRONT) as daemon:
        assert {"no_card_hash_key", "no_list_verify_key", "no_allowlist"} <= set(daemon.status()["degraded"])
        assert daemon.tap("alice", "front-in")["reason"] == "no_allowlist"
        assert daemon.tap("alice", "front-out")["decision"] == "granted"
        wait_for(lambda: daemon.door()["lock"] == "locked", "relock")
        daemon.input("rex", "press")
        wait_for(lambda: daemon.door()["lock"] == "unlocked", "REX")


def test_sighup_takes_over_behaviour_and_refuses_hardware(front: Daemon) -> None:
    """A reload changes what it can; for the rest it says what needs a restart, and changes nothing."""
    front.write_config(FRONT.replace("strike_s = 2.0", "strike_s = 60.0"))
    front.signal(signal.SIGHUP)
    front.wait_event("config.reloaded")
    front.tap("alice", "front-in")
    assert front.door()["unlock_left_s"] > 50
    front.write_config(FRONT.replace('fail = "secure"', 'fail = "safe"'))
    front.signal(signal.SIGHUP)
    refused = wait_for(lambda: front.log_lines("config.refused"), "the refusal")
    assert refused[0]["where"] == ["door.0.lock.fail", "door.0.lock.strike_s"][:1]
    front.write_config("nonsense")
    front.signal(signal.SIGHUP)
    wait_for(lambda: len(front.log_lines("config.refused")) == 2, "the second refusal")
    assert front.tap("bob", "front-in")["decision"] == "granted"


def test_why_explains_without_opening(front: Daemon) -> None:
    """The door's own decision function answers, and nothing moves or is recorded."""
    before = front.status()["journal"]["seq"]
    result = front.request("why", card="mallory", door="front")["result"]
    assert (result["decision"], result["reason"]) == ("denied", "stolen")
    assert not result["checks"][-1]["passed"]
    assert (
        front.request("why", card="alice", door="front", at="2030-01-01T00:00:00Z")["result"]["decision"] == "granted"
    )
    assert front.door()["lock"] == "locked"
    assert front.status()["journal"]["seq"] == before


@pytest.mark.parametrize(
    ("request_fields", "words"),
    [
        ({"op": "tap", "card": "nobody-of-that-name", "reader": "front-in"}, "neither a UID"),
        ({"op": "tap", "card": "alice", "reader": "side"}, "no emulated reader 'side'"),
        ({"op": "tap", "card": "alice"}, "which emulated reader?"),
        ({"op": "tap", "card": 7}, "card is missing"),
        ({"op": "input", "name": "bell", "action": "on"}, "no emulated input"),
        ({"op": "input", "name": "rex", "action": "kick"}, "not on, off or press"),
        ({"op": "events", "since": -1}, "whole numbers"),
        ({"op": "why", "card": "alice", "at": "tomorrow"}, "not an ISO 8601 instant"),
        ({"op": "open-sesame"}, "unknown op"),
    ],
)
def test_a_wrong_request_gets_words_and_has_no_effect(
    front: Daemon, request_fields: dict[str, object], words: str
) -> None:
    """Nothing opens, nothing is recorded, and the next request is served."""
    before = front.status()["journal"]["seq"]
    fields = dict(request_fields)
    with front.client() as client, pytest.raises(ControlError, match=words):
        client.request(str(fields.pop("op")), **fields)
    assert front.status()["journal"]["seq"] == before
    assert front.door()["lock"] == "locked"


def test_watch_tells_each_change(front: Daemon) -> None:
    """Who watches sees the door unlock and lock again."""
    with ControlClient(front.socket) as client:
        states = client.watch()
        assert next(states)["doors"][0]["lock"] == "locked"
        front.tap("alice", "front-in")
        wait_for(lambda: next(states)["doors"][0]["lock"] == "unlocked", "the unlock")
        wait_for(lambda: next(states)["doors"][0]["lock"] == "locked", "the relock")


def test_bad_configuration_ends_with_2_and_every_problem(tmp_path: Path) -> None:
    """The installer sees all of it at once."""
    path = tmp_path / "bad.toml"
    path.write_text('[device]\nid = "x"\nsight = "hq"\n[[door]]\nid = "d"\n[door.lock]\ndriver = "emulated"\n')
    for command in (["run", "--config", str(path)], ["check-config", str(path)]):
        ended = subprocess.run([*CARDEA, *command], capture_output=True, text=True, timeout=30)
        assert ended.returncode == 2
        assert "device.sight: is not a key of this table (did you mean 'site'?)" in ended.stderr
        assert "door.0.lock.fail: is missing" in ended.stderr


def test_no_daemon_ends_with_4(tmp_path: Path) -> None:
    """Scripts tell an absent daemon from a denial."""
    for command in (["status"], ["tap", "alice"], ["events"], ["input", "rex", "press"]):
        ended = subprocess.run(
            [*CARDEA, *command, "--socket", str(tmp_path / "none.sock")], capture_output=True, text=True, timeout=30
        )
        assert ended.returncode == 4, command
        assert len(ended.stderr.splitlines()) == 1


def test_a_missing_reader_library_is_one_line_that_names_the_package(tmp_path: Path) -> None:
    """Not a traceback, and not a door that silently never reads."""
    hidden = tmp_path / "hidden" / "smartcard"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('not here')")
    body = FRONT.replace(
        'driver = "emulated"\n[[door.reader]]\nname = "front-out"',
        'driver = "pcsc"\nmatch = "ACS*"\n[[door.reader]]\nname = "front-out"',
    )
    daemon = Daemon(tmp_path, body, environment={"PYTHONPATH": f"{hidden.parent}:{ROOT}"})
    daemon.start(ready=False)
    assert daemon.process is not None
    assert daemon.process.wait(20) == 1
    (line,) = daemon.log_lines("agent.not_started")
    assert "cardea-access[pcsc]" in line["error"]
