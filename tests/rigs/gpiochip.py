"""A simulated gpiochip0 for the real rpi-lgpio; what the program sees of it is in gpiochip.c.

The shared file `state` has four bytes for each line: level, is an output, is requested, is broken. A request is a
connection to `socket`: a message with the configuration comes in, a 32-bit errno goes out, then messages about new
levels come in and edge events (the kernel's struct gpio_v2_line_event) go out, until either end closes.
"""

import errno
import mmap
import select
import selectors
import socket
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hardware.settings import Pull
from tests.rigs.gpio_libs import shared_object
from tests.rigs.gpio_rig import GpioRig, PinState

_LINES: Final = 54
_MESSAGE: Final = struct.Struct("<IIQQQd64I")
_EVENT: Final = struct.Struct("<QIIII24x")
_OPEN, _SET_VALUES, _SET_CONFIG = 1, 2, 3
_ACTIVE_LOW, _OUTPUT, _RISING, _FALLING = 1 << 1, 1 << 3, 1 << 4, 1 << 5
_PULLS: Final = {1 << 8: Pull.UP, 1 << 9: Pull.DOWN, 1 << 10: Pull.OFF}
_REALTIME: Final = 1 << 11


@dataclass(slots=True)
class _Request:
    pins: tuple[int, ...]
    flags: int


class GpiochipRig(GpioRig):
    """Lines that the kernel takes back when the program ends."""

    def __init__(self, folder: Path, *, keeps_outputs: bool) -> None:
        super().__init__("rpi-lgpio", folder)
        self._keeps_outputs = keeps_outputs
        self._guard = threading.RLock()
        self._outside: list[bool | None] = [None] * _LINES
        self._pulls = [Pull.OFF] * _LINES
        self._log: list[tuple[int, PinState]] = []
        self._requests: dict[socket.socket, _Request] = {}
        self._events = 0
        self.tells_edges = True
        """False: edges get lost on their way to the program."""
        with (folder / "state").open("w+b") as file:
            file.truncate(mmap.PAGESIZE)
            self._memory = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._server.bind(str(folder / "socket"))
        self._server.listen(64)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server, selectors.EVENT_READ)
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="gpiochip-rig", daemon=True)
        self._thread.start()

    def _own_env(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(shared_object(Path(__file__).with_name("gpiochip.c"))),
            "GPIOCHIP_DIR": str(self.folder),
            "RPI_LGPIO_REVISION": "c03115",
            "RPI_LGPIO_CHIP": "0",
        }

    def drive(self, pin: int, high: bool | None) -> None:
        with self._guard:
            self._outside[pin] = high
            if not self.is_output(pin):
                self._become(pin, self._undriven(pin))

    def level(self, pin: int) -> bool:
        return bool(self._memory[4 * pin])

    def is_output(self, pin: int) -> bool:
        self._catch_up()
        return bool(self._memory[4 * pin + 1])

    def pull(self, pin: int) -> Pull:
        self._catch_up()
        return self._pulls[pin]

    def transitions(self, pin: int) -> list[PinState]:
        self._catch_up()
        with self._guard:
            return [state for of, state in self._log if of == pin]

    def break_line(self, pin: int, broken: bool = True) -> None:
        """From now on every call on the line fails with ENODEV, as after the chip's driver was unbound."""
        self._memory[4 * pin + 3] = int(broken)

    def close(self) -> None:
        self._closing = True
        self._wake.send(b"x")
        self._thread.join(5)
        for each in (*self._requests, self._server, self._wake, self._woken):
            each.close()
        self._selector.close()
        self._memory.close()

    def _serve(self) -> None:
        while not self._closing:
            self._selector.select()
            self._catch_up()

    def _catch_up(self) -> None:
        """Take in everything that programs have sent so far; messages are in our buffers once a call has returned."""
        with self._guard:
            while not self._closing and (ready := self._selector.select(0)):
                for key, _ in ready:
                    if key.fileobj is self._server:
                        self._selector.register(self._server.accept()[0], selectors.EVENT_READ)
                    elif isinstance(key.fileobj, socket.socket) and key.fileobj is not self._woken:
                        self._receive(key.fileobj)

    def _receive(self, line: socket.socket) -> None:
        if line.fileno() < 0:
            return  # freed meanwhile
        try:
            data = line.recv(_MESSAGE.size)
        except ConnectionResetError:
            data = b""
        if not data:
            self._free(line)
            return
        op, count, flags, mask, bits, at_s, *offsets = _MESSAGE.unpack(data)
        pins = tuple(offsets[:count])
        if op == _OPEN:
            self._finish_former_holders(pins)
        if op == _OPEN and any(self._memory[4 * pin + 2] for pin in pins):
            line.send(struct.pack("<i", errno.EBUSY))
            return
        if op in (_OPEN, _SET_CONFIG):
            self._requests[line] = _Request(pins, flags)
        for place, pin in enumerate(pins):
            if op != _SET_VALUES:
                self._configure(pin, flags)
            if self._memory[4 * pin + 1] and mask >> place & 1:
                self._log_and_set(pin, bool(bits >> place & 1) ^ bool(flags & _ACTIVE_LOW), output=True, at_s=at_s)
            elif not self._memory[4 * pin + 1]:
                self._log_and_set(pin, self._undriven(pin), output=False, at_s=at_s)
        if op == _OPEN:
            line.send(struct.pack("<i", 0))

    def _finish_former_holders(self, pins: tuple[int, ...]) -> None:
        """A line that was freed before it is asked for again is free, as in the kernel, where freeing is no message."""
        for line in [each for each, request in self._requests.items() if set(pins) & set(request.pins)]:
            while line in self._requests and select.select([line], [], [], 0)[0]:
                self._receive(line)

    def _configure(self, pin: int, flags: int) -> None:
        self._memory[4 * pin + 1] = int(bool(flags & _OUTPUT))
        self._memory[4 * pin + 2] = 1
        for flag, pull in _PULLS.items():
            if flags & flag:
                self._pulls[pin] = pull

    def _free(self, line: socket.socket) -> None:
        self._selector.unregister(line)
        line.close()
        request = self._requests.pop(line, _Request((), 0))
        for pin in request.pins:
            self._memory[4 * pin + 2] = 0
            if request.flags & _OUTPUT and not self._keeps_outputs:
                self._memory[4 * pin + 1] = 0
                self._log_and_set(pin, self._undriven(pin), output=False, at_s=time.monotonic())

    def _log_and_set(self, pin: int, high: bool, *, output: bool, at_s: float) -> None:
        before = next((state for of, state in reversed(self._log) if of == pin), None)
        if (output or (before and before.output)) and (
            before is None or (before.high, before.output) != (high, output)
        ):
            self._log.append((pin, PinState(at_s, high, output)))
        self._memory[4 * pin] = int(high)

    def _undriven(self, pin: int) -> bool:
        outside = self._outside[pin]
        return self._pulls[pin] is Pull.UP if outside is None else outside

    def _become(self, pin: int, high: bool) -> None:
        if bool(self._memory[4 * pin]) == high:
            return
        self._memory[4 * pin] = int(high)
        for line, request in self._requests.items():
            rising = high ^ bool(request.flags & _ACTIVE_LOW)
            if self.tells_edges and pin in request.pins and request.flags & (_RISING if rising else _FALLING):
                self._events += 1
                at_ns = time.time_ns() if request.flags & _REALTIME else time.monotonic_ns()
                line.send(_EVENT.pack(at_ns, 1 if rising else 2, pin, self._events, self._events))
