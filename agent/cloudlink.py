"""The edge's way to the cloud, put together: uplink and sync over the AWS adapters; nothing where there is no [aws].

Part of the composition root: it names concrete classes.
"""

import time
from collections.abc import Callable
from typing import Final

from agent.aws.kinesis import KinesisSink
from agent.aws.lists import DynamoListSource
from agent.aws.session import AwsSession
from agent.config import Config
from agent.core.clock import boot_at_ms, correct
from agent.keyring import Keyring
from agent.ports import AllowListStore, Applied, Clock, CloudClock, Journal
from agent.runtime.follow import Told
from agent.runtime.inbox import Inbox
from agent.runtime.link import Link, LinkReport
from agent.runtime.messages import ListApplied, ListConfirmed, ListRefused, UplinkChanged
from agent.runtime.retry import waits
from agent.runtime.status import LinkState
from agent.runtime.supervisor import Supervisor, Worker
from agent.runtime.sync import Sync
from agent.runtime.uplink import Uplink
from cloud.contract.events import Event
from cloud.contract.reasons import Reason

JOURNAL_S: Final = 60.0
"""The uplink's patience: a question to the journal takes up to 30 s when its disk stalls."""
APPLYING_S: Final = 900.0
"""The sync's patience: the largest snapshot on the slowest card is applied within minutes, and without a heartbeat."""


class CloudLink:
    """Uplink and sync of one agent. Off when the configuration has no [aws]."""

    WRITES_DISK: Final = frozenset({"sync"})
    """Workers that write the disk themselves, so that they hang when it does."""

    def __init__(
        self,
        config: Config,
        *,
        journal: Journal,
        open_store: Callable[[], AllowListStore],
        keys: Keyring,
        clock: Clock,
        cloud_clock: CloudClock,
        inbox: Inbox,
        on_change: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._inbox = inbox
        self._on_change = on_change
        self._session: AwsSession | None = None
        self._uplink: Uplink | None = None
        self._sync: Sync | None = None
        if config.aws is None:
            return
        self._session = AwsSession(config.aws.region, config.uplink.timeout_s, clock=cloud_clock)
        table = waits(config.uplink.first_wait_s, config.uplink.max_wait_s)
        self._uplink = Uplink(
            journal,
            KinesisSink(self._session, config.aws.stream, config.device.id),
            keys.device,
            waits=table,
            on_state=self._uplink_changed,
            begin=self._session.learn_time,
            correct=self._correct,
        )
        if keys.lists:
            source = DynamoListSource(
                self._session,
                table=config.aws.table,
                bucket=config.aws.bucket,
                site=config.device.site,
                keys=keys.lists,
            )
            self._sync = Sync(
                source,
                open_store,
                poll_s=config.allowlist.poll_s,
                waits=table,
                told=Told(applied=self._applied, refused=self._refused, confirmed=self._confirmed),
            )

    def start(self, supervisor: Supervisor) -> None:
        """Start the workers that there are."""
        if self._uplink is not None:
            supervisor.start(Worker("uplink", self._uplink.run, patience_s=JOURNAL_S))
        if self._sync is not None:
            supervisor.start(Worker("sync", self._sync.run, patience_s=APPLYING_S))

    def uplink_report(self) -> LinkState:
        """The uplink's part of the status."""
        return _shown(None if self._uplink is None else self._uplink.report)

    def sync_report(self) -> LinkState:
        """The sync's part of the status."""
        return _shown(None if self._sync is None else self._sync.report)

    def close(self) -> None:
        """Close all connections; idempotent."""
        if self._session is not None:
            self._session.close()

    def _correct(self, event: Event) -> Event:
        return correct(event, self._clock.boot_id(), boot_at_ms(self._clock.now(), self._clock.boot_ms()))

    def _uplink_changed(self, online: bool) -> None:
        self._inbox.post(UplinkChanged(online))

    def _applied(self, applied: Applied) -> None:
        self._inbox.post(ListApplied(applied))

    def _confirmed(self) -> None:
        self._inbox.post(ListConfirmed())

    def _refused(self, reason: Reason, detail: str, epoch: int, version: int) -> None:
        self._inbox.post(ListRefused(reason, detail, epoch, version))


def _shown(report: LinkReport | None) -> LinkState:
    if report is None:
        return LinkState(Link.OFF.value, None)
    ago_s = None if report.last_ok_s is None else round(max(0.0, time.monotonic() - report.last_ok_s), 1)
    return LinkState(report.state.value, ago_s, report.trouble)
