"""From the request that links a card to its end, and until the door knows, through the deployed backend.

The local AWS runs every function in a process of its own on this machine, and the door polls: what is measured is our
own way through bucket, topics, queues and functions, not Amazon's network.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from agent.office.api import Api
from agent.office.changes import Patience, follow
from agent.office.profile import Profile
from agent.office.signin import Provider
from agent.office.tokens import FixedToken
from agent.panel.staff import NobodyToAsk
from cloud.local.main import LocalCloud, LocalCloudDetails
from tests.bench.context import Context
from tests.bench.result import Figure, Row, measure
from tests.rigs.daemon import Daemon
from tests.rigs.waiting import wait_for

POLL_S = 1.0
_LIMIT_S = 120.0
_DOOR = """
[[door]]
id = "hq-office"
[door.lock]
driver = "emulated"
fail = "secure"
[allowlist]
poll_s = {poll_s}
[aws]
region = "{details.region}"
stream = "{details.stream}"
table = "{details.table}"
bucket = "{details.bucket}"
"""


def run(context: Context) -> Sequence[Row]:
    """One card after another, to one person after another."""
    count = context.rounds(40, 2)
    done_s: list[float] = []
    known_s: list[float] = []
    read_s: list[float] = []
    with LocalCloud(context.folder()) as details, _door(context, details) as door, closing(_api(details)) as api:
        patience = Patience(_LIMIT_S, time.monotonic, time.sleep)
        cards = [f"{number:032x}" for number in range(1, count + 2)]
        rows = [{"line": n, "person": f"p-{n}", "name": f"P {n}"} for n, _ in enumerate(cards, 1)]
        follow(api, api.change("POST", "people", "import", body={"rows": rows}), patience)
        follow(api, api.change("POST", "cards", body={"cards": [{"card": card} for card in cards]}), patience)
        for number, card in enumerate(cards, 1):
            start_s = time.monotonic()
            body = {"person": f"p-{number}"}
            end = follow(api, api.change("POST", "cards", card, "issue", body=body), patience)
            done_s.append(time.monotonic() - start_s)
            version = end["list"]["version"]
            wait_for(lambda version=version: _version(door) >= version, "the door to know", _LIMIT_S)  # type: ignore[misc]
            known_s.append(time.monotonic() - start_s)
            start_s = time.monotonic()
            api.get("cards", card)
            read_s.append(time.monotonic() - start_s)
        door.stop()
    # The first one waits until each function has started.
    return [
        Row(
            measure("link request until it is done", "s", done_s[1:]),
            measure("a reading of the same API", "s", read_s[1:]),
        ),
        Row(
            measure(f"link request until the door knows, polling every {POLL_S:g} s", "s", known_s[1:]),
            measure("the poll interval", "s", [POLL_S]),
        ),
    ]


@contextmanager
def _door(context: Context, details: LocalCloudDetails) -> Iterator[Daemon]:
    folder = Path(details.door_dir)
    keys = {name: (folder / name).read_text() for name in ("card-hash.key", "list-verify.pub")}
    body = _DOOR.format(poll_s=POLL_S, details=details)
    daemon = Daemon(context.folder(), body, device="bench-1", keys=keys, environment=details.environment)
    with daemon:
        wait_for(lambda: _version(daemon) > 0, "the first list", _LIMIT_S)
        yield daemon


def _version(door: Daemon) -> int:
    version: int | None = door.status()["allowlist"]["version"]
    return version or 0


def _api(details: LocalCloudDetails) -> Api:
    profile = Profile(details.api, details.site, details.pool_id, details.client_id, details.region, details.endpoint)
    member = details.staff["administrator"]
    with closing(Provider(profile, time.time)) as provider:
        token = provider.sign_in(member.name, member.password, NobodyToAsk()).access
    return Api(details.api, details.site, FixedToken(token), time.sleep)


FIGURE = Figure("link", "Linking a card through the backend", run)
