"""A process of its own that waits for cards and prints when it had each one's UID, and since when it knew of the card.

`python -m tests.bench.watch pcsc|pcsc-bare NAME` or `nfc-bare PATH`: our driver, or the least that reads a UID. Of a
card that nfcpy finds, the look that found it is the beginning.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import DEVNULL, PIPE, Popen

import nfc
import nfc.clf
from smartcard import scard

from hardware.readers.pcsc import PcscReader
from hardware.settings import ReaderSettings
from tests.bench.context import ROOT, environment

_GET_UID = bytes.fromhex("FFCA000000")
_WAIT_S = 1.0
_PROTOCOLS = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1


@dataclass(frozen=True, slots=True)
class Seen:
    """Monotonic instants of one card."""

    event_s: float
    uid_s: float


@dataclass(slots=True)
class Watcher:
    """The running process."""

    process: "Popen[str]"

    def seen(self) -> Seen:
        """The next card; the caller has put one there."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the process that watches a reader ended"
        return Seen(**json.loads(line))


@contextmanager
def watcher(how: str, where: str, **variables: str) -> Iterator[Watcher]:
    """Run it for the length of the block; it is ready when this yields."""
    command = [sys.executable, "-m", "tests.bench.watch", how, where]
    with Popen(
        command, stdin=DEVNULL, stdout=PIPE, text=True, encoding="utf-8", cwd=ROOT, env=environment(**variables)
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield Watcher(process)
        finally:
            process.kill()


def _pcsc(name: str) -> Iterator[Seen]:
    reader = PcscReader(ReaderSettings("bench", "pcsc", 0.2, match=name))
    reader.open()
    _ready()
    while True:
        card = reader.wait_for_card(_WAIT_S)
        if card is not None:
            yield Seen(card.seen_s, time.monotonic())


def _bare_pcsc(name: str) -> Iterator[Seen]:
    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    assert code == scard.SCARD_S_SUCCESS
    state = scard.SCARD_STATE_UNAWARE
    _ready()
    while True:
        code, [(_, state, _)] = scard.SCardGetStatusChange(context, int(_WAIT_S * 1000), [(name, state)])
        event_s = time.monotonic()
        changed = state & scard.SCARD_STATE_CHANGED
        state &= ~scard.SCARD_STATE_CHANGED
        if code != scard.SCARD_S_SUCCESS or not changed or not state & scard.SCARD_STATE_PRESENT:
            continue
        code, handle, protocol = scard.SCardConnect(context, name, scard.SCARD_SHARE_SHARED, _PROTOCOLS)
        if code != scard.SCARD_S_SUCCESS:
            continue
        code, answer = scard.SCardTransmit(handle, protocol, list(_GET_UID))
        uid_s = time.monotonic()
        scard.SCardDisconnect(handle, scard.SCARD_LEAVE_CARD)
        if code == scard.SCARD_S_SUCCESS and answer[-2:] == [0x90, 0x00]:
            yield Seen(event_s, uid_s)


def _bare_nfc(path: str) -> Iterator[Seen]:
    frontend = nfc.ContactlessFrontend(path)
    last = b""
    _ready()
    while True:
        look_s = time.monotonic()
        target = frontend.sense(nfc.clf.RemoteTarget("106A"))
        uid_s = time.monotonic()
        uid = bytes(target.sdd_res) if target is not None else b""
        if uid and uid != last:
            yield Seen(look_s, uid_s)
        last = uid
        time.sleep(0.02)


def _ready() -> None:
    print("ready", flush=True)


def main() -> None:
    """Watch until killed."""
    how, where = sys.argv[1:]
    for seen in {"pcsc": _pcsc, "pcsc-bare": _bare_pcsc, "nfc-bare": _bare_nfc}[how](where):
        print(json.dumps({"event_s": seen.event_s, "uid_s": seen.uid_s}), flush=True)


if __name__ == "__main__":
    main()
