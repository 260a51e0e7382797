"""The feed keeps the newest state, tells its listeners, and ends promptly."""

import time
from pathlib import Path

from agent.panel.feed import SILENT_S, Feed
from tests.rigs.stand_in_daemon import StandInDaemon
from tests.rigs.waiting import wait_for


def test_listener_is_told_until_it_is_detached(tmp_path: Path) -> None:
    """And not once more: its page is gone then."""
    feed = Feed(tmp_path / "none.sock")
    told: list[int] = []
    detach = feed.attach(lambda: told.append(feed.picture.number))
    feed.touch()
    detach()
    detach()
    feed.touch()
    assert told == [1]


def test_feed_sees_the_daemon_come_and_go(tmp_path: Path) -> None:
    """It waits for a daemon that is not there yet, and says why it has none."""
    path = tmp_path / "control.sock"
    with Feed(path) as feed:
        wait_for(lambda: "no daemon answers" in (feed.picture.why or ""), "the daemon's absence")
        with StandInDaemon(path):
            wait_for(lambda: feed.picture.here, "the daemon")
            assert feed.picture.status is not None
        wait_for(lambda: not feed.picture.here, "the daemon's end")
        assert feed.picture.status is None


def test_feed_closes_without_waiting_for_the_daemon(tmp_path: Path) -> None:
    """Also twice, and while it waits for the daemon's next word."""
    path = tmp_path / "control.sock"
    with StandInDaemon(path), Feed(path) as feed:
        wait_for(lambda: feed.picture.here, "the daemon")
        before_s = time.monotonic()
        feed.close()
        assert time.monotonic() - before_s < SILENT_S / 2
        assert feed.ended
