"""A PN532 reader chip on a serial line that does not exist: a pty, linked under a name that nfcpy accepts.

    with Pn532Field() as field:
        reader at field.path, such as tty:USB900:pn532
        field.insert(Type4A(uid))

nfcpy's own PN532 driver talks to it: this is the closest to a reader on a Raspberry Pi's UART. Type A only; the timing
of the air is not modelled. The line's speed is: the chip hears nothing that comes at another speed than its own.
Needs root, for the link in /dev.

`mood` makes the chip misbehave; `vanish` and `plug` are a plug pulled and put back, at the same name.
"""

import os
import select
import termios
import threading
import tty
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from nfc.clf.transport import TTY

from tests.rigs.nfc_cards import Card, Type2, TypeA

_ACK: Final = bytes.fromhex("0000FF00FF00")
_START: Final = b"\x00\xff"
_TIME_OUT: Final = b"\x01"
_OK: Final = b"\x00"
_FIFO_REGISTER: Final = bytes.fromhex("6339")
_SENSE_REQUEST: Final = 0x26
_LINKS: Final = range(900, 1000)
_TTY_READ: Final = TTY.read
_PATIENCE_MS: Final = 5000
_SPEEDS: Final = (
    termios.B9600,
    termios.B19200,
    termios.B38400,
    termios.B57600,
    termios.B115200,
    termios.B230400,
    termios.B460800,
    termios.B921600,
)
"""By their number in SetSerialBaudRate."""
_BAUD: Final = (9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)


class Mood(Enum):
    """What a chip that is not well does with a command."""

    WELL = auto()
    SILENT = auto()
    """Nothing: it doesn't even read."""
    ONLY_ACKNOWLEDGES = auto()
    """Acknowledges and never answers."""
    ACKNOWLEDGES_FOR_EVER = auto()
    GARBLES = auto()
    """Answers with `garbage`."""
    LAMES = auto()
    """Answers late, but within nfcpy's time-outs."""


class Pn532Field:
    """The chip and what lies on it. Nothing that nfcpy reads takes longer than `patience_ms`, if that is longer than
    nfcpy's own time-out: a test in which reads end in vain wants it short."""

    def __init__(self, *, patience_ms: int = _PATIENCE_MS) -> None:
        self._patience_ms = patience_ms
        self.mood = Mood.WELL
        self.lame_s = 0.0
        self.garbage: Callable[[bytes], bytes] = lambda _: os.urandom(16)
        """What a chip that garbles answers to a command, in place of acknowledgement and answer."""
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._card: Card | None = None
        self._registers: dict[bytes, int] = {}
        self.damage: Callable[[int, bytes], bytes] = lambda _command, answer: answer
        """What becomes of the data of an answer, by the command's code, before it is framed."""
        self._connect()
        self._link = _link_to(self.device)
        self.path: Final = f"tty:{self._link.name.removeprefix('tty')}:pn532"
        self._commands: Final[Mapping[int, Callable[[bytes], bytes]]] = {
            0x00: lambda data: data if data[0] == 0 else _OK,  # Diagnose
            0x02: lambda _: bytes.fromhex("32010607"),  # GetFirmwareVersion
            0x06: self._read_registers,
            0x08: self._write_registers,
            0x10: self._set_speed,
            0x12: lambda _: b"",  # SetParameters
            0x14: lambda _: b"",  # SAMConfiguration
            0x16: lambda _: _OK,  # PowerDown
            0x32: self._configure_field,
            0x40: lambda data: self._exchange(data[1:]),  # InDataExchange
            0x42: self._communicate_through,
            0x4A: self._list_passive_target,
        }

    def insert(self, card: Card) -> None:
        """Put a card on the reader, in place of the one there."""
        with self._lock:
            card.field_off()
            self._card = card

    def remove(self) -> None:
        """Take the card away."""
        with self._lock:
            self._card = None

    def vanish(self) -> None:
        """Pull the plug: the line ends. Idempotent."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._thread.join(5)
            self._link.unlink(missing_ok=True)
            os.close(self._chip)
            os.close(self._host)

    def plug(self) -> None:
        """Put the plug back: a chip that was without power, under the same name."""
        self.mood = Mood.WELL
        self._registers.clear()
        self._stopped.clear()
        self._connect()
        self._link.symlink_to(self.device)
        self._thread.start()

    @property
    def speed(self) -> int:
        """Baud that the chip listens at."""
        return _BAUD[_SPEEDS.index(self._speed)]

    @staticmethod
    def framed(command: bytes, answer: bytes) -> bytes:
        """Acknowledgement and answer to a command, as a chip that is well would frame them."""
        return _ACK + _frame(bytes([0xD5, command[1] + 1]) + answer)

    def forget_speed(self) -> None:
        """What a power cut does to the chip alone."""
        self._speed = termios.B115200

    def __enter__(self) -> Self:
        TTY.read = _patiently(_TTY_READ, self._patience_ms)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.vanish()
        TTY.read = _TTY_READ

    def _connect(self) -> None:
        self._host, self._chip = os.openpty()
        for end in (self._host, self._chip):
            tty.setraw(end)
        os.set_blocking(self._host, False)
        self.device = os.ttyname(self._chip)
        self._speed = termios.B115200
        self._thread = threading.Thread(target=self._serve, name="pn532", daemon=True)

    def _serve(self) -> None:
        received = b""
        while not self._stopped.is_set():
            ready = select.select([self._host], [], [], 0.02)[0]
            if not ready or self.mood is Mood.SILENT:
                self._stopped.wait(0.002)
                continue
            heard = os.read(self._host, 4096)
            if termios.tcgetattr(self._chip)[5] != self._speed:
                received = b""
                continue
            received, commands = _split(received + heard)
            for command in commands:
                self._answer(command)

    def _say(self, data: bytes) -> None:
        with suppress(BlockingIOError):  # nobody reads: the line is full
            os.write(self._host, data)

    def _answer(self, command: bytes) -> None:
        mood = self.mood
        if mood is Mood.GARBLES:
            self._say(self.garbage(command))
            return
        self._say(_ACK)
        while self.mood is Mood.ACKNOWLEDGES_FOR_EVER and not self._stopped.wait(0.005):
            self._say(_ACK)
        if mood in (Mood.ONLY_ACKNOWLEDGES, Mood.ACKNOWLEDGES_FOR_EVER):
            return
        if mood is Mood.LAMES:
            self._stopped.wait(self.lame_s)
        with self._lock:
            answer = self.damage(command[1], self._commands[command[1]](command[2:]))
        self._say(_frame(bytes([0xD5, command[1] + 1]) + answer))

    def _set_speed(self, data: bytes) -> bytes:
        # A real chip waits for one more acknowledgement; nfcpy sends it and changes its own speed at once.
        self._speed = _SPEEDS[data[0]]
        return b""

    def _read_registers(self, data: bytes) -> bytes:
        # The chip's FIFO still holds the sense request when nothing answered it: nfcpy looks there.
        names = (data[i : i + 2] for i in range(0, len(data), 2))
        return bytes(self._registers.get(name, _SENSE_REQUEST if name == _FIFO_REGISTER else 0) for name in names)

    def _write_registers(self, data: bytes) -> bytes:
        for i in range(0, len(data), 3):
            self._registers[data[i : i + 2]] = data[i + 2]
        return b""

    def _configure_field(self, data: bytes) -> bytes:
        if self._card is not None and data[0] == 1 and not data[1] & 1:
            self._card.field_off()
        return b""

    def _list_passive_target(self, data: bytes) -> bytes:
        """InListPassiveTarget: the chip does the whole anticollision by itself."""
        card = self._card
        if data[1] != 0 or not isinstance(card, TypeA):
            return b"\x00"
        card.answer("106A", b"\x26")
        for level, part in enumerate(card.levels):
            card.answer("106A", bytes([0x93 + 2 * level, 0x70]) + part)
        return bytes([1, 1, *reversed(card.sens_res), card.sel_res, len(card.uid)]) + card.uid

    def _exchange(self, frame: bytes) -> bytes:
        answer = self._card.answer("106A", frame) if self._card is not None else None
        return _TIME_OUT if answer is None else _OK + answer

    def _communicate_through(self, frame: bytes) -> bytes:
        answer = self._exchange(frame)
        # nfcpy switches the chip's check off for type 2 and gets the CRC as the card sent it.
        return answer + _crc_a(answer[1:]) if isinstance(self._card, Type2) and len(answer) > 2 else answer


def _patiently(read: Callable[[TTY, float], bytearray], patience_ms: int) -> Callable[[TTY, float], bytearray]:
    """nfcpy gives the chip 100 ms to acknowledge; a shared machine may stop this process for longer than that."""

    def patient(line: TTY, timeout: float) -> bytearray:
        return read(line, max(timeout, patience_ms))

    return patient


def _link_to(device: str) -> Path:
    """A name of its own in /dev, whatever else runs on this machine."""
    for number in _LINKS:
        link = Path(f"/dev/ttyUSB{number}")
        try:
            link.symlink_to(device)
        except FileExistsError:
            if not link.exists():  # left by a run that was killed
                link.unlink(missing_ok=True)
            continue
        return link
    raise RuntimeError(f"no name free among /dev/ttyUSB{_LINKS.start} to {_LINKS.stop - 1}")


def _split(received: bytes) -> tuple[bytes, Iterator[bytes]]:
    """What is left over, and the commands (with their direction byte) that are complete."""
    commands = []
    while (start := received.find(_START)) >= 0:
        frame = received[start + 2 :]
        if len(frame) >= 2 and frame[:2] == b"\x00\xff":  # an acknowledgement of the host: it gives up a command
            received = frame[2:]
            continue
        extended = frame[:2] == b"\xff\xff"
        head = 5 if extended else 2
        if len(frame) < head:
            break
        length = int.from_bytes(frame[2:4], "big") if extended else frame[0]
        if len(frame) < head + length + 1:
            break
        commands.append(frame[head : head + length])
        received = frame[head + length + 1 :]
    return received, iter(commands)


def _frame(body: bytes) -> bytes:
    length = len(body)
    if length < 255:
        head = bytes([length, -length & 0xFF])
    else:
        size = length.to_bytes(2, "big")
        head = b"\xff\xff" + size + bytes([-sum(size) & 0xFF])
    return b"\x00\x00\xff" + head + body + bytes([-sum(body) & 0xFF, 0])


def _crc_a(data: bytes) -> bytes:
    crc = 0x6363
    for byte in data:
        byte ^= crc & 0xFF
        byte ^= byte << 4 & 0xFF
        crc = crc >> 8 ^ byte << 8 ^ byte << 3 ^ byte >> 4
    return (crc & 0xFFFF).to_bytes(2, "little")
