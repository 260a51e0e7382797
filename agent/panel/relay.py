"""A loopback relay between the agent and the local AWS, so that the panel can cut the network and restore it.

Two ways to be cut, because networks die in two ways:

- `Cut.RESET`, a link that goes down: every connection is reset at once (RST, no orderly end) and every new one is
  accepted and reset. The listener stays open: closed, its port could be taken by another program before `restore`.
- `Cut.SILENCE`, a pulled cable behind a switch: nothing is closed, nothing moves, and new connections wait unanswered
  in the kernel's queue (in vain for a place in it, once it is full). Only timeouts end that. After `restore` the held
  bytes move on, as TCP's retransmission would make them.

One thread carries all connections. For loopback only: there is neither authentication nor encryption here.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from enum import Enum
from types import TracebackType
from typing import Any, Final, Self

MAX_CONNECTIONS: Final = 64
"""Full policy: a further connection is reset. The agent holds fewer than ten."""
CHUNK_BYTES: Final = 64 * 1024
CONNECT_S: Final = 5.0
CALL_S: Final = 5.0
_LINGER_RESET: Final = struct.pack("ii", 1, 0)


class Cut(Enum):
    """How the network is dead."""

    RESET = "reset"
    SILENCE = "silence"


class Relay:
    """Listens on a free port of 127.0.0.1 from `start` on; any thread may call."""

    def __init__(self, target_host: str, target_port: int) -> None:
        self._target = (target_host, target_port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=MAX_CONNECTIONS)
        self._listener.setblocking(False)
        self.port: Final[int] = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="panel-relay", daemon=True)
        self._carrying: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._how: Cut | None = None

    @property
    def how_cut(self) -> Cut | None:
        """How the network is cut; None while it is up."""
        return self._how

    def start(self) -> None:
        """Begin to carry connections."""
        self._thread.start()
        self._call(self._flow())

    def cut(self, how: Cut = Cut.RESET) -> None:
        """Cut the network; on return nothing passes but what a socket's buffer holds already."""
        self._call(self._cut(how))

    def restore(self) -> None:
        """Let traffic pass again."""
        self._call(self._restore())

    def close(self) -> None:
        """Reset what is left and free the port; idempotent."""
        if not self._loop.is_closed():
            if self._thread.is_alive():
                self._call(self._shut())
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join(CALL_S)
            self._loop.close()
        self._listener.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_S)

    async def _cut(self, how: Cut) -> None:
        self._how = how
        if how is Cut.SILENCE:
            self._flowing.clear()
            self._loop.remove_reader(self._listener)
        else:
            await self._flow()
            for writer in self._writers:
                _reset(writer)

    async def _restore(self) -> None:
        self._how = None
        await self._flow()

    async def _flow(self) -> None:
        self._flowing.set()
        self._loop.add_reader(self._listener, self._accept)

    async def _shut(self) -> None:
        await self._cut(Cut.RESET)
        self._loop.remove_reader(self._listener)
        if self._carrying:
            await asyncio.wait(self._carrying, timeout=CALL_S / 2)

    def _accept(self) -> None:
        # Not a task: one that is cancelled between accept and its next step would lose the connection, still open.
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            connection, _ = self._listener.accept()
            task = self._loop.create_task(self._serve(connection))
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)

    async def _serve(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection, limit=CHUNK_BYTES)
        if self._how is Cut.RESET or len(self._carrying) > MAX_CONNECTIONS:
            _reset(writer)
            return
        self._writers.add(writer)
        try:
            await self._carry(reader, writer)
        finally:
            _reset(writer)
            self._writers.discard(writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Both directions of one connection, until both have ended."""
        try:
            async with asyncio.timeout(CONNECT_S):
                far_reader, far_writer = await asyncio.open_connection(*self._target, limit=CHUNK_BYTES)
        except (OSError, TimeoutError):
            return
        self._writers.add(far_writer)
        try:
            # It may have been cut while the far end was being reached.
            if not writer.is_closing():
                ends = (writer, far_writer)
                await asyncio.gather(self._pump(reader, far_writer, ends), self._pump(far_reader, writer, ends))
                writer.close()  # orderly: what is still in its buffer goes out first
        finally:
            far_writer.close()
            self._writers.discard(far_writer)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        """One direction. An orderly end is passed on; anything else resets both ends."""
        try:
            while data := await reader.read(CHUNK_BYTES):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
            await self._flowing.wait()
            if not writer.is_closing():
                writer.write_eof()
        except OSError:
            for end in ends:
                _reset(end)


def _reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with RST: as a dead link looks, not as a peer that says goodbye."""
    if writer.is_closing():
        return
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
    writer.transport.abort()
