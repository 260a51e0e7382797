"""What the daemon takes while nothing happens: memory and processor, with the large list and a cloud that answers."""

import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench import doors, site
from tests.bench.context import Context, python
from tests.bench.endpoint import endpoint
from tests.bench.result import Figure, Row, at_most, measure
from tests.rigs.daemon import Daemon
from tests.rigs.site import KEYS
from tests.rigs.waiting import wait_for

PSS_MIB = 70.0
CPU_PERCENT = 1.0
_TAPS = 50
_BOTO3 = "import boto3, sys; print('ready', flush=True); sys.stdin.read()"


def run(context: Context) -> Sequence[Row]:
    """Both processes idle side by side, after the daemon has worked for a while."""
    window_s = context.rounds(10, 1)
    ours: list[float] = []
    bare: list[float] = []
    with endpoint() as cloud, python(_BOTO3) as peer:
        assert peer.stdout is not None
        assert peer.stdout.readline() == "ready\n"
        daemon = Daemon(context.folder(), doors.DOOR + doors.CLOUD, keys=KEYS, environment=cloud.variables)
        context.stocked(daemon.state_dir)
        with daemon:
            _work(daemon)
            pid = daemon.process.pid if daemon.process is not None else 0
            for _ in range(context.rounds(3, 1)):
                before = _used_s(pid), _used_s(peer.pid), time.monotonic()
                time.sleep(window_s)
                took_s = time.monotonic() - before[2]
                ours.append(100 * (_used_s(pid) - before[0]) / took_s)
                bare.append(100 * (_used_s(peer.pid) - before[1]) / took_s)
            held, plain = _memory_mib(pid), _memory_mib(peer.pid)
            threads = sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
            daemon.stop()
    # PSS counts what other Pythons share by parts. On a controller nothing else runs Python: there, all pages of the
    # process are its own, and its PSS is what is its resident size here.
    memory = measure(f"daemon with {context.cards:,} cards, PSS as if it ran alone", "MiB", [held["Rss"]])
    processor = measure(f"daemon idle for {window_s} s", "% of a core", ours)
    return [
        Row(
            memory,
            measure("Python that imported boto3, likewise", "MiB", [plain["Rss"]]),
            (at_most("PSS", "MiB", PSS_MIB, memory.median),),
            (
                f"private: {_private(held):.1f} MiB, beside {_private(plain):.1f} MiB",
                f"PSS here, where other Pythons share: {held['Pss']:.1f} MiB, beside {plain['Pss']:.1f} MiB",
                f"{threads} threads",
            ),
        ),
        Row(
            processor,
            measure("Python that imported boto3", "% of a core", bare),
            (at_most("median", "% of a core", CPU_PERCENT, processor.median),),
        ),
    ]


def _work(daemon: Daemon) -> None:
    """Taps until every thread has done its part, and all of it is delivered."""
    with daemon.client() as client:
        for number in range(_TAPS):
            client.request("tap", card=site.uid(number), reader="front-in")

    def quiet() -> bool:
        status = daemon.status()
        connected = status["uplink"]["state"] == status["sync"]["state"] == "online"
        return bool(connected and status["journal"]["unsent"] == 0 and status["doors"][0]["lock"] == "locked")

    wait_for(quiet, "the daemon to have delivered all and to be quiet", 30)


def _used_s(pid: int) -> float:
    """Processor time of all threads, from the scheduler: exact where the ticks of `stat` are not."""
    return sum(int(path.read_text("ascii").split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def _memory_mib(pid: int) -> dict[str, float]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()[1:]
    return {name: int(rest.split()[0]) / 1024 for name, _, rest in (line.partition(":") for line in lines)}


def _private(memory: dict[str, float]) -> float:
    return memory["Private_Clean"] + memory["Private_Dirty"]


FIGURE = Figure("idle", "Memory and idle processor", run)
