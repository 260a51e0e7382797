"""The relay: bytes arrive unchanged, a cut really cuts, and what was cut comes back."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from agent.panel.relay import MAX_CONNECTIONS, Cut, Relay


class EchoServer:
    """Sends back what it gets, connection by connection in threads."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.threads: list[threading.Thread] = []
        self.acceptor = threading.Thread(target=self._accept)
        self.acceptor.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                thread = threading.Thread(target=self._echo, args=(client,))
                thread.start()
                self.threads.append(thread)

    def _echo(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            while data := client.recv(65536):
                client.sendall(data)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in [self.acceptor, *self.threads]:
            thread.join(5)


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    server = EchoServer()
    yield server
    server.close()


@pytest.fixture
def relay(echo: EchoServer) -> Iterator[Relay]:
    with Relay("127.0.0.1", echo.port) as running:
        yield running


def connect(relay: Relay, timeout_s: float = 5.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", relay.port), timeout=timeout_s)


def ask(client: socket.socket, text: bytes = b"hello") -> bytes:
    client.sendall(text)
    return client.recv(len(text), socket.MSG_WAITALL)


def test_bytes_arrive_unchanged(relay: Relay) -> None:
    """More than any buffer on the way holds, and the end of one direction is passed on."""
    sent = bytes(range(256)) * 20_000
    with connect(relay) as client:

        def send() -> None:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        received = b""
        while data := client.recv(65536):
            received += data
        sender.join(5)
    assert received == sent


def test_cut_kills_a_live_connection(relay: Relay) -> None:
    """It is reset, as by a dead link, not closed in good order."""
    with connect(relay) as client:
        assert ask(client) == b"hello"
        relay.cut()
        assert relay.how_cut is Cut.RESET
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_cut_refuses_new_connections(relay: Relay) -> None:
    """A new connection never gets an answer."""
    relay.cut()
    with pytest.raises(ConnectionResetError), connect(relay) as client:
        client.recv(1)


def test_restore_lets_new_connections_through(relay: Relay) -> None:
    """On the same port as before."""
    relay.cut()
    relay.restore()
    assert relay.how_cut is None
    with connect(relay) as client:
        assert ask(client) == b"hello"


def test_silence_stalls_and_restore_delivers(relay: Relay) -> None:
    """Nothing is closed and nothing moves; after the restore the held bytes arrive."""
    with connect(relay) as old:
        assert ask(old) == b"hello"
        relay.cut(Cut.SILENCE)
        with connect(relay) as new:
            for client in (old, new):
                client.settimeout(0.1)
                client.sendall(b"later")
                with pytest.raises(TimeoutError):
                    client.recv(1)
            relay.restore()
            for client in (old, new):
                client.settimeout(5.0)
                assert client.recv(5, socket.MSG_WAITALL) == b"later"


def test_cut_after_silence_resets_what_hung(relay: Relay) -> None:
    """One way of being cut can follow the other."""
    with connect(relay) as client:
        assert ask(client) == b"hello"
        relay.cut(Cut.SILENCE)
        relay.cut(Cut.RESET)
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_dead_target_resets_the_client() -> None:
    """No answer is made up for a target that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with Relay("127.0.0.1", port) as relay, pytest.raises(ConnectionResetError), connect(relay) as client:
        client.recv(1)


def test_connections_are_bounded(relay: Relay) -> None:
    """One more than the limit is reset; the others go on, and a free place can be taken again."""
    with contextlib.ExitStack() as held:
        clients = [held.enter_context(connect(relay)) for _ in range(MAX_CONNECTIONS)]
        assert all(ask(client) == b"hello" for client in clients)
        with pytest.raises(ConnectionResetError), connect(relay) as further:
            further.recv(1)
        assert ask(clients[0]) == b"hello"


def test_close_ends_everything_twice_over(echo: EchoServer) -> None:
    """Also while silent with connections held; no thread is left."""
    relay = Relay("127.0.0.1", echo.port)
    relay.start()
    relay.cut(Cut.SILENCE)
    with connect(relay) as client:
        relay.close()
        relay.close()
        with pytest.raises(ConnectionError):
            client.recv(1)
    assert not any(thread.name == "panel-relay" for thread in threading.enumerate())
