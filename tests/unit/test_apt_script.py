"""requirements/apt.sh, with the system's tools stood in for: it installs what is missing, or says so in one line."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "requirements" / "apt.sh"


class Machine:
    """A PATH with stand-ins that note how they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        self.packages = folder / "list.apt"
        self.packages.write_text("# a list\nhere   # with a reason\nabsent-one\nabsent-two\n")
        self.tool("dpkg-query", 'for last; do :; done; [ "$last" = here ] && printf installed')
        self.tool("apt-get", f'echo "$*" >> {self.calls}')
        self.tool("sudo", "exit 1")
        self.user(0)
        self.tool("python3", "exit 0")

    def tool(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def user(self, number: int) -> None:
        self.tool("id", f"echo {number}")

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder}:/usr/bin:/bin"
        return subprocess.run(
            ["/bin/sh", SCRIPT, self.packages],
            env={"PATH": path, **environment},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


INSTALL = "install -y --no-install-recommends absent-one absent-two"


def test_root_installs_only_what_is_missing(machine: Machine) -> None:
    """One call, for what dpkg does not have; the lists of packages are not fetched without need."""
    result = machine.run()
    assert (result.returncode, result.stdout) == (0, "installing Debian packages: absent-one absent-two\n")
    assert machine.calls.read_text().splitlines() == [INSTALL]


def test_nothing_missing_says_and_calls_nothing(machine: Machine) -> None:
    """The second time takes no time."""
    machine.packages.write_text("here\npython3-venv\npython3-dev\n")
    result = machine.run()
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert not machine.calls.exists()


def test_old_lists_are_fetched_once(machine: Machine) -> None:
    """A machine that has never fetched them, or long ago, gets there at the second try."""
    machine.tool("apt-get", f'echo "$*" >> {machine.calls}; [ $(wc -l < {machine.calls}) -ge 2 ]')
    assert machine.run().returncode == 0
    assert machine.calls.read_text().splitlines() == [INSTALL, "update", INSTALL]


def test_failed_installation_shows_why(machine: Machine) -> None:
    """The package manager's last words and the packages; no success is claimed."""
    machine.tool("apt-get", "echo 'E: no space left'; exit 100")
    result = machine.run()
    assert result.returncode == 1
    assert "E: no space left" in result.stderr
    assert "absent-one absent-two" in result.stderr


def test_user_without_rights_is_told_in_one_line(machine: Machine) -> None:
    """Who may not install is told what to install, and is asked for no password."""
    machine.user(1000)
    result = machine.run()
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == "cardea: please run: sudo apt-get install --no-install-recommends absent-one absent-two\n"
    assert not machine.calls.exists()


def test_user_with_passwordless_sudo_installs(machine: Machine) -> None:
    """Rights that need no password are used."""
    machine.user(1000)
    machine.tool("sudo", 'shift; exec "$@"')
    assert machine.run().returncode == 0
    assert machine.calls.read_text().splitlines() == [INSTALL]


def test_python_without_venv_gets_the_package(machine: Machine) -> None:
    """Asked of the Python that will be used, not of the package manager."""
    machine.packages.write_text("python3-venv\npython3-dev\n")
    machine.tool("other-python", "exit 1")
    assert machine.run(PYTHON="other-python").returncode == 0
    assert machine.calls.read_text().splitlines() == [f"{INSTALL.split(' absent')[0]} python3-venv python3-dev"]


def test_packages_can_come_by_other_means(machine: Machine) -> None:
    """An image that was built with them is not touched."""
    assert machine.run(CARDEA_SKIP_APT="1").returncode == 0
    assert not machine.calls.exists()
