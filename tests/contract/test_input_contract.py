"""What every bank of inputs promises, on the emulated one and on both real GPIO libraries."""

import itertools
import queue
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Protocol

import pytest

from hardware.errors import ClosedError, OpenError
from hardware.gpio.emulated import EmulatedInputBank
from hardware.protocols import InputChange
from hardware.settings import InputSettings, Normally, Pull
from tests.rigs.gpio_rig import GpioRig, gpio_rig
from tests.rigs.remote_drivers import DriverHost, RemoteInputs, Report, driver_host

DEBOUNCE_S: Final = 0.03
GLITCH_S: Final = 0.0002
QUIET_S: Final = 0.15
"""Five debounce times: what the other input has to report has come by then."""
PATIENCE_S: Final = 10.0


class Inputs(Protocol):
    """A bank that runs in a thread."""

    def open(self) -> Mapping[str, bool]: ...

    def start(self) -> None: ...

    def stop(self) -> float: ...

    def run_once(self) -> None: ...

    def close(self) -> None: ...


class InputBench(Protocol):
    """A maker of banks, with a hand on the wires."""

    reports: "queue.Queue[Report | Exception]"

    def make(self, *wires: InputSettings) -> Inputs: ...

    def wire(
        self, normally: Normally = Normally.OPEN, pull: Pull = Pull.UP, debounce_s: float = DEBOUNCE_S
    ) -> InputSettings:
        """Settings of an input that no other test has, its circuit open."""

    def close_circuit(self, wire: InputSettings, closed: bool) -> None: ...


class EmulatedInputs:
    def __init__(self, bank: EmulatedInputBank, reports: "queue.Queue[Report | Exception]") -> None:
        self._bank = bank
        self._reports = reports
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self) -> Mapping[str, bool]:
        return self._bank.open()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._bank.run, args=(self._report, self._stopped.is_set))
        self._thread.start()

    def stop(self) -> float:
        assert self._thread is not None
        start_s = time.monotonic()
        self._stopped.set()
        self._thread.join(5)
        return time.monotonic() - start_s

    def run_once(self) -> None:
        self._bank.run(self._report, lambda: True)

    def close(self) -> None:
        self._bank.close()

    def _report(self, change: InputChange) -> None:
        self._reports.put(Report(change, time.monotonic()))


class EmulatedBench:
    def __init__(self) -> None:
        self.reports: queue.Queue[Report | Exception] = queue.Queue()
        self._banks: dict[str, EmulatedInputBank] = {}
        self._circuits: dict[str, bool] = {}
        self._numbers = itertools.count()

    def wire(
        self, normally: Normally = Normally.OPEN, pull: Pull = Pull.UP, debounce_s: float = DEBOUNCE_S
    ) -> InputSettings:
        return InputSettings(f"input-{next(self._numbers)}", "emulated", normally, debounce_s, None, pull)

    def make(self, *wires: InputSettings) -> Inputs:
        bank = EmulatedInputBank(wires)
        for wire in wires:
            self._banks[wire.name] = bank
            self.close_circuit(wire, self._circuits.get(wire.name, False))
        return EmulatedInputs(bank, self.reports)

    def close_circuit(self, wire: InputSettings, closed: bool) -> None:
        self._circuits[wire.name] = closed
        if wire.name in self._banks:
            self._banks[wire.name].set(wire.name, closed != (wire.normally is Normally.CLOSED))


class PinBench:
    def __init__(self, rig: GpioRig, host: DriverHost) -> None:
        self.reports = host.reports
        self._rig = rig
        self._host = host
        self._numbers = itertools.count()
        self._banks = itertools.count()

    def wire(
        self, normally: Normally = Normally.OPEN, pull: Pull = Pull.UP, debounce_s: float = DEBOUNCE_S
    ) -> InputSettings:
        pin = next(self._numbers) % 54
        wire = InputSettings(f"input-{pin}", "gpio", normally, debounce_s, pin, pull)
        self.close_circuit(wire, False)
        return wire

    def make(self, *wires: InputSettings) -> Inputs:
        return RemoteInputs(self._host, f"bank-{next(self._banks)}", wires)

    def close_circuit(self, wire: InputSettings, closed: bool) -> None:
        assert wire.pin is not None
        # An open circuit leaves the pin to its resistor: the chip's, or with `off` one outside to 3.3 V.
        resting = True if wire.pull is Pull.OFF else None
        self._rig.drive(wire.pin, (wire.pull is Pull.DOWN) if closed else resting)


SYSTEM = [pytest.param("rpi-gpio", marks=pytest.mark.system), pytest.param("rpi-lgpio", marks=pytest.mark.system)]


@pytest.fixture(scope="module", params=["emulated", *SYSTEM])
def bench(request: pytest.FixtureRequest) -> Iterator[InputBench]:
    if request.param == "emulated":
        yield EmulatedBench()
        return
    with gpio_rig(request.param) as rig, driver_host(rig) as host:
        print("GPIO library:", *host.ask("library"))
        yield PinBench(rig, host)


@contextmanager
def running(bench: InputBench, *wires: InputSettings) -> Iterator[Mapping[str, bool]]:
    inputs = bench.make(*wires)
    states = inputs.open()
    inputs.start()
    try:
        yield states
    finally:
        inputs.stop()
        inputs.close()


def next_report(bench: InputBench) -> Report:
    report = bench.reports.get(timeout=PATIENCE_S)
    assert isinstance(report, Report)
    return report


def assert_nothing_is_reported(bench: InputBench, sentinel: InputSettings) -> None:
    """The next report is that of a change made now, whose debounce time is long: the others would have come by then."""
    bench.close_circuit(sentinel, True)
    assert next_report(bench).change.name == sentinel.name
    assert bench.reports.empty()


def hold(for_s: float) -> None:
    """Let time pass exactly: the scheduler can't sleep for 0.2 ms."""
    end_s = time.monotonic() + for_s
    while time.monotonic() < end_s:
        pass


def glitch(bench: InputBench, wire: InputSettings, *, from_closed: bool = False, for_s: float = GLITCH_S) -> float:
    """Flip a circuit and back; returns for how long at most it was flipped."""
    start_s = time.monotonic()
    bench.close_circuit(wire, not from_closed)
    hold(for_s)
    bench.close_circuit(wire, from_closed)
    return time.monotonic() - start_s


def bounce(bench: InputBench, wire: InputSettings, times: int, *, on_s: float, off_s: float, closed: bool) -> bool:
    """Flip a circuit so often; False when this process was kept waiting so that a glitch became a press."""
    longest_s = 0.0
    for _ in range(times):
        longest_s = max(longest_s, glitch(bench, wire, from_closed=closed, for_s=on_s))
        hold(off_s)
    return longest_s < DEBOUNCE_S / 2


def assert_bounces_are_ignored(
    bench: InputBench, times: int, *, on_s: float, off_s: float = 0.003, closed: bool = False
) -> None:
    """Try until the scheduler lets us make the bounces that are meant."""
    for _ in range(20):
        wire, sentinel = bench.wire(), bench.wire(debounce_s=QUIET_S)
        bench.close_circuit(wire, closed)
        with running(bench, wire, sentinel):
            as_meant = bounce(bench, wire, times, on_s=on_s, off_s=off_s, closed=closed)
            if as_meant:
                assert_nothing_is_reported(bench, sentinel)
                return
        while not bench.reports.empty():
            bench.reports.get()
    pytest.fail("the machine is too busy to make short glitches")


@pytest.mark.parametrize("pull", Pull)
@pytest.mark.parametrize("normally", Normally)
@pytest.mark.parametrize("closed", [False, True])
def test_inputs_tell_their_state_at_open_as_it_is(
    bench: InputBench, normally: Normally, pull: Pull, closed: bool
) -> None:
    """An input that is active at start is known to be, for every kind of circuit."""
    wire = bench.wire(normally, pull, 0.005)
    bench.close_circuit(wire, closed)
    inputs = bench.make(wire)
    assert inputs.open() == {wire.name: closed != (normally is Normally.CLOSED)}
    inputs.close()


@pytest.mark.parametrize("pull", Pull)
@pytest.mark.parametrize("normally", Normally)
def test_inputs_report_both_edges_once(bench: InputBench, normally: Normally, pull: Pull) -> None:
    """Away and back are reported, each once, for every kind of circuit, with the instant of the first edge."""
    wire, sentinel = bench.wire(normally, pull), bench.wire(debounce_s=QUIET_S)
    with running(bench, wire, sentinel):
        for closed in (True, False):
            driven_s = time.monotonic()
            bench.close_circuit(wire, closed)
            report = next_report(bench)
            assert report.change.name == wire.name
            assert report.change.active is (closed != (normally is Normally.CLOSED))
            assert driven_s - 0.001 <= report.change.at_s <= report.reported_s - DEBOUNCE_S
        assert_nothing_is_reported(bench, sentinel)


def test_inputs_report_a_held_press_within_100_ms(bench: InputBench) -> None:
    """An exit button with 30 ms of debounce is reported in less than 100 ms, pressed or let go (median of ten)."""
    wire = bench.wire()
    latencies_s = []
    with running(bench, wire):
        for press in range(10):
            driven_s = time.monotonic()
            bench.close_circuit(wire, press % 2 == 0)
            latencies_s.append(next_report(bench).reported_s - driven_s)
    print("latencies in ms:", [round(each * 1000, 1) for each in latencies_s])
    assert min(latencies_s) >= DEBOUNCE_S
    assert statistics.median(latencies_s) < 0.1


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("on_s", [GLITCH_S, 0.005])
def test_inputs_ignore_short_glitches(bench: InputBench, on_s: float, closed: bool) -> None:
    """A spike never counts, neither as a press of a resting input nor as a release of a held one."""
    assert_bounces_are_ignored(bench, 5, on_s=on_s, closed=closed)


def test_inputs_ignore_bounces_that_end_where_they_began(bench: InputBench) -> None:
    """A burst of twice the debounce time whose parts are shorter is nothing."""
    assert_bounces_are_ignored(bench, 20, on_s=0.003, off_s=0.001)


def test_inputs_report_a_bouncing_press_once(bench: InputBench) -> None:
    """Bounces before the press settles do not make more of it; it is dated to where they began."""
    wire, sentinel = bench.wire(), bench.wire(debounce_s=QUIET_S)
    with running(bench, wire, sentinel):
        start_s = time.monotonic()
        bounce(bench, wire, 4, on_s=0.001, off_s=0.001, closed=False)
        bench.close_circuit(wire, True)
        report = next_report(bench)
        assert report.change.active
        assert start_s - 0.001 <= report.change.at_s <= report.reported_s - DEBOUNCE_S
        assert_nothing_is_reported(bench, sentinel)


def test_inputs_report_what_changed_between_open_and_run(bench: InputBench) -> None:
    """Nothing is lost while the caller is busy after open."""
    wire = bench.wire()
    inputs = bench.make(wire)
    assert inputs.open() == {wire.name: False}
    bench.close_circuit(wire, True)
    inputs.start()
    assert next_report(bench).change.active
    inputs.stop()
    inputs.close()


def test_inputs_stop_soon(bench: InputBench) -> None:
    """Run asks `stopped` at least every 100 ms; twice that on a busy machine."""
    inputs = bench.make(bench.wire())
    inputs.open()
    inputs.start()
    assert inputs.stop() < 0.2
    inputs.close()


def test_inputs_raise_when_they_are_not_open(bench: InputBench) -> None:
    """Run needs open; close is idempotent; a second open is refused; open after close works."""
    wire = bench.wire()
    inputs = bench.make(wire)
    with pytest.raises(ClosedError):
        inputs.run_once()
    inputs.close()
    inputs.open()
    with pytest.raises(OpenError, match="already open"):
        inputs.open()
    inputs.run_once()
    inputs.close()
    inputs.close()
    with pytest.raises(ClosedError):
        inputs.run_once()
    bench.close_circuit(wire, True)
    assert inputs.open() == {wire.name: True}
    inputs.close()
