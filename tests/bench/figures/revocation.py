"""From the moment at which a card is revoked to its first denial, by polling alone: no push tells the door."""

import time
from collections.abc import Sequence

from tests.bench import doors, site
from tests.bench.context import Context
from tests.bench.endpoint import endpoint
from tests.bench.result import Figure, Row, at_most, measure
from tests.rigs.daemon import Daemon
from tests.rigs.site import KEYS
from tests.rigs.waiting import wait_for

POLL_S = 1.0
BEYOND_S = 0.5
_CLOUD = f"{doors.CLOUD}[allowlist]\npoll_s = {POLL_S}\n"
_LIMIT_S = 30.0
_BETWEEN_TAPS_S = 0.01


def run(context: Context) -> Sequence[Row]:
    """One card after another, each tapped until the door denies it."""
    found_s: list[float] = []
    with endpoint() as cloud:
        daemon = Daemon(context.folder(), _CLOUD + doors.DOOR, keys=KEYS, environment=cloud.variables)
        context.stocked(daemon.state_dir)
        with daemon, daemon.client() as client:

            def denied(card: str) -> bool:
                time.sleep(_BETWEEN_TAPS_S)
                result = client.request("tap", card=card, reader="front-in")["result"]
                assert result["reason"] in ("allowed", "unknown_card"), result["reason"]
                return bool(result["decision"] == "denied")

            wait_for(lambda: daemon.status()["sync"]["state"] == "online", "the first look at the list")
            for number in range(context.rounds(30, 2)):
                card = site.uid(number)
                assert not denied(card)
                revoked_s = cloud.revoke(card)
                wait_for(lambda card=card: denied(card), "the card to be denied", _LIMIT_S)  # type: ignore[misc]
                found_s.append(time.monotonic() - revoked_s)
            daemon.stop()
    ours = measure(f"revocation to denial, polling every {POLL_S:g} s", "s", found_s)
    return [
        Row(
            ours,
            measure("the poll interval", "s", [POLL_S]),
            (at_most("p99, the interval and 0.5 s", "s", POLL_S + BEYOND_S, ours.p99),),
        )
    ]


FIGURE = Figure("revocation", "Revocation to denial", run)
