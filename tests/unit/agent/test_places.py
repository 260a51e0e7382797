"""Where the control socket is, for whom."""

from pathlib import Path

import pytest

from agent.places import SOCKET_NAME, SYSTEM, default_socket, runtime_folder


@pytest.mark.parametrize(
    ("environment", "user", "place"),
    [
        ({"RUNTIME_DIRECTORY": "/run/cardea:/run/other"}, 990, "/run/cardea/control.sock"),
        ({"XDG_RUNTIME_DIR": "/run/user/1000"}, 0, "/run/cardea/control.sock"),
        ({"XDG_RUNTIME_DIR": "/run/user/1000"}, 1000, "/run/user/1000/cardea/control.sock"),
        ({"HOME": "/home/ada"}, 1000, "/home/ada/.local/state/cardea/control.sock"),
    ],
)
def test_the_socket_is_where_only_its_user_can_put_it(environment: dict[str, str], user: int, place: str) -> None:
    """systemd's directory, the system's, the session's, the home: never one that everybody may write to."""
    if (SYSTEM / SOCKET_NAME).exists():
        # A machine where the daemon runs: everybody talks to that one.
        place = str(SYSTEM / "control.sock")
    assert default_socket(environment, user) == Path(place)


def test_what_ends_with_the_boot_is_in_systemds_directory_or_beside_the_socket() -> None:
    """The stop hook looks in one place, wherever the configuration puts the socket."""
    socket = Path("/srv/cardea/control.sock")
    assert runtime_folder(socket, {"RUNTIME_DIRECTORY": "/run/cardea"}) == Path("/run/cardea")
    assert runtime_folder(socket, {}) == Path("/srv/cardea")
    assert runtime_folder(None, {"HOME": "/home/me"}) == default_socket({"HOME": "/home/me"}).parent
