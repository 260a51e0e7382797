"""A real systemd that runs the shipped unit: in a container whose disk is this machine's, with all changes in memory.

    with systemd_box() as box:
        box.install()
        box.systemctl("start", "cardea")

Nothing is downloaded and nothing of the machine is changed: an overlay over `/`, no network, cgroups of its own. It
needs root and a machine that lets systemd-nspawn work; where one does not, the message says so.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from tests.rigs.waiting import wait_for

ROOT: Final = Path(__file__).resolve().parents[2]
REPOSITORY: Final = "/opt/repository"
_HOME: Final = "/opt/cardea"
_PYTHON: Final = "/opt/python"
_SITE: Final = f"{_HOME}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
_COMMAND: Final = f"""\
#!{_HOME}/bin/python3
import sys
sys.path.insert(0, "{REPOSITORY}")
from agent.cli import main
sys.exit(main())
"""
_DROP_IN: Final = "etc/systemd/system/cardea.service.d/test.conf"
BOOT_S: Final = 60.0


class SystemdBox:
    """The running container. Paths are the container's unless they say otherwise."""

    def __init__(self, root: Path, container: subprocess.Popen[bytes], leader: int) -> None:
        self.root: Final = root
        """Its `/`, seen from here."""
        self._container = container
        self._leader = leader
        self._environment = {} if _uses_system_python() else {"LD_LIBRARY_PATH": f"{_PYTHON}/lib"}

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command as root inside."""
        done = subprocess.run(
            ["nsenter", "-t", str(self._leader), "-a", *command],
            capture_output=True,
            text=True,
            timeout=60,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **self._environment},
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{shlex.join(command)}: {done.returncode}: {done.stdout}{done.stderr}\n{self.log()}")
        return done

    def systemctl(self, *words: str, check: bool = True) -> str:
        """`systemctl`; what it printed."""
        return self.run("systemctl", "--no-pager", *words, check=check).stdout.strip()

    def show(self, name: str, unit: str = "cardea") -> str:
        """A property of the unit."""
        return self.systemctl("show", "--value", "-p", name, unit)

    def log(self) -> str:
        """All that the unit logged, and systemd about it."""
        journal = [
            "nsenter",
            "-t",
            str(self._leader),
            "-a",
            "journalctl",
            "-b",
            "-u",
            "cardea",
            "-o",
            "cat",
            "--no-pager",
        ]
        return subprocess.run(journal, capture_output=True, text=True, check=False).stdout[-12000:]

    def cardea(self, *words: str, user: Sequence[str] = ("--reuid=nobody", "--regid=cardea", "--clear-groups")) -> Any:
        """The command line as somebody of group cardea; its JSON document."""
        done = self.run("setpriv", *user, f"{_HOME}/bin/cardea", *words, "--json", check=False)
        return json.loads(done.stdout) if done.stdout else {"code": done.returncode, "error": done.stderr}

    def install(self) -> None:
        """What an installer does: user, folders, unit, hook."""
        self.run("/bin/sh", f"{REPOSITORY}/systemd/install.sh")

    def configure(self, text: str, files: Mapping[str, str], lines: Sequence[str] = ()) -> None:
        """Write the configuration, the state directory's files, and lines of a drop-in for what a test needs more."""
        (self.root / "etc/cardea/cardea.toml").write_text(text)
        for name, content in files.items():
            (self.root / "var/lib/cardea" / name).write_text(content)
        drop_in = self.root / _DROP_IN
        drop_in.parent.mkdir(parents=True, exist_ok=True)
        variables = [f"Environment={name}={value}" for name, value in self._environment.items()]
        drop_in.write_text("\n".join(["[Service]", *variables, *lines, ""]))
        self.run("chown", "-R", "cardea:cardea", "/var/lib/cardea")
        self.run("chgrp", "-R", "cardea", "/etc/cardea")
        self.systemctl("daemon-reload")

    def main_pid(self) -> int:
        """The daemon, as the container numbers it; 0 while there is none."""
        return int(self.show("MainPID"))

    def host_pid(self) -> int:
        """The daemon, as this machine numbers it."""
        inside = str(self.main_pid())
        namespace = Path(f"/proc/{self._leader}/ns/pid").readlink()
        for process in Path("/proc").glob("[0-9]*"):
            # Processes come and go while they are looked at.
            with suppress(OSError):
                numbers = re.search(r"(?m)^NSpid:\s+(.*)$", (process / "status").read_text())
                same = (process / "ns/pid").readlink() == namespace
                if same and numbers is not None and numbers[1].split()[-1] == inside:
                    return int(process.name)
        raise AssertionError("the daemon does not run")

    def power_off(self) -> None:
        """Shut the machine down as `poweroff` does, and wait until it is off."""
        self.run("systemctl", "poweroff", "--no-block")
        self._container.wait(60)


@contextmanager
def systemd_box(binds: Mapping[Path, str] | None = None) -> Iterator[SystemdBox]:
    """Boot one; `binds` are folders of this machine and where they appear in it, writable."""
    for tool, package in (("systemd-nspawn", "systemd-container"), ("nsenter", "util-linux")):
        if shutil.which(tool) is None:
            pytest.fail(f"{tool} is missing: apt-get install {package}")
    if os.geteuid() != 0:
        pytest.fail("a container with systemd needs root")
    folder = Path(tempfile.mkdtemp(prefix="cardea-box-"))
    name = f"cardea-{uuid.uuid4().hex[:12]}"
    cgroups = [base / name for base in _cgroup_bases()]
    try:
        with _overlay(folder) as root:
            _lay_out(root)
            container = _spawn(folder, root, name, cgroups, binds or {})
            try:
                yield SystemdBox(root, container, _booted(container, folder / "log"))
            finally:
                _end(container, cgroups)
    finally:
        shutil.rmtree(folder)


@contextmanager
def _overlay(folder: Path) -> Iterator[Path]:
    memory, root = folder / "memory", folder / "root"
    memory.mkdir()
    root.mkdir()
    mounted: list[Path] = []
    try:
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(memory))
        mounted.append(memory)
        for part in ("upper", "work"):
            (memory / part).mkdir(mode=0o755)
        options = f"lowerdir=/,upperdir={memory}/upper,workdir={memory}/work"
        _mount("-t", "overlay", "-o", options, "overlay", str(root))
        mounted.append(root)
        yield root
    finally:
        for place in reversed(mounted):
            subprocess.run(["umount", "-l", place], check=True)


def _mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(
            f"this machine lets nobody mount {words[-1]}: {done.stderr.strip()}; a privileged container is needed"
        )


def _uses_system_python() -> bool:
    return sys.base_prefix in ("/usr", "/usr/local")


def _lay_out(root: Path) -> None:
    """`/opt/cardea` as the README makes it: this test's own environment, under the path of an installed one."""
    home = root / _HOME[1:]
    shutil.rmtree(home, ignore_errors=True)
    for place in (home / "bin", root / _SITE[1:], root / REPOSITORY[1:], root / _PYTHON[1:]):
        place.mkdir(parents=True)
    python = sys.base_prefix if _uses_system_python() else _PYTHON
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    (home / "pyvenv.cfg").write_text(
        f"home = {python}/bin\ninclude-system-site-packages = false\nversion = {version}\n"
    )
    (home / "bin/python3").symlink_to(f"{python}/bin/python{version}")
    command = home / "bin/cardea"
    command.write_text(_COMMAND)
    command.chmod(0o755)


def _cgroup_bases() -> list[Path]:
    """Where a container needs a cgroup of its own: version 2, and with version 1 the hierarchy that systemd numbers."""
    bases = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, kind = line.partition(" - ")
        options = kind.split()
        if options[0] == "cgroup2" or (options[0] == "cgroup" and "name=systemd" in options[2]):
            bases.append(Path(fields.split()[4]))
    return bases


def _spawn(
    folder: Path, root: Path, name: str, cgroups: Sequence[Path], binds: Mapping[Path, str]
) -> subprocess.Popen[bytes]:
    site = next(path for path in sys.path if path.endswith("/site-packages") and path.startswith(sys.prefix))
    mounts = [f"--bind-ro={ROOT}:{REPOSITORY}", f"--bind-ro={site}:{_SITE}"]
    mounts += [] if _uses_system_python() else [f"--bind-ro={sys.base_prefix}:{_PYTHON}"]
    mounts += [f"--bind={here}:{there}" for here, there in binds.items()]
    command = [
        "systemd-nspawn",
        f"--machine={name}",
        "-D",
        str(root),
        "--register=no",
        "--keep-unit",
        "--private-network",
    ]
    command += ["--link-journal=no", "--resolv-conf=off", "--timezone=off", *mounts, "-b"]
    # As on a real machine: by itself nspawn refuses even to read how the clock is kept. To set it takes a capability.
    command.append("--system-call-filter=adjtimex clock_adjtime clock_adjtime64")
    # What the machine itself would start at its boot is not this test's: only what every unit stands on.
    command += ["systemd.unit=basic.target", "systemd.mask=timers.target", "systemd.show_status=0"]
    # A cgroup of its own, so that two of these, or this one and the machine's own systemd, never meet.
    steps = [f"mkdir {path} && echo $$ > {path}/cgroup.procs" for path in cgroups]
    steps.append(f"exec {shlex.join(command)}")
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            ["/bin/sh", "-c", "; ".join(steps)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _booted(container: subprocess.Popen[bytes], log: Path) -> int:
    """The process id of its systemd, once it takes commands."""

    def leader() -> int | None:
        if container.poll() is not None:
            pytest.fail(f"systemd-nspawn does not work on this machine: {log.read_text(errors='replace')[-2000:]}")
        children = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()
        for child in map(int, children):
            asked = ["nsenter", "-t", str(child), "-a", "systemctl", "is-system-running"]
            with suppress(subprocess.TimeoutExpired):
                said = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=False).stdout
                if said.strip() in ("running", "degraded"):
                    return child
        return None

    found = wait_for(leader, f"systemd to boot in a container: {log}", BOOT_S)
    assert found is not None
    return found


def _end(container: subprocess.Popen[bytes], cgroups: Sequence[Path]) -> None:
    container.terminate()
    try:
        container.wait(20)
    except subprocess.TimeoutExpired:
        container.kill()
        container.wait(10)
    for top in cgroups:
        for path in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
            with suppress(OSError):
                path.rmdir()
        with suppress(OSError):
            top.rmdir()
