"""The local AWS as a process: started, waited for, stopped, and never outliving its parent.

It is ministack, in an environment of its own (`.localaws`), on the loopback interface only. It forgets everything
when it stops. Must never be given the credentials or the Docker daemon of whoever starts it.
"""

import contextlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from cloud.errors import LocalAwsError

HOST: Final = "127.0.0.1"
ACCOUNT: Final = "123456789012"
REGION: Final = "eu-central-1"
ROOT_KEY: Final = "test"
"""Access key and secret of the account's root; the emulator never checks its signature."""

_LAUNCHER: Final = Path(__file__).with_name("ministack_beside.py")
_REPOSITORY: Final = Path(__file__).resolve().parents[2]
_READY_S: Final = 20.0
"""It takes 0.3 s on a laptop; a loaded CI machine with a cold disk has needed several."""
_STOP_S: Final = 3.0
_POLL_S: Final = 0.02
_TRIES: Final = 5
"""Between choosing a free port and listening on it, another process may take it."""

# The shell becomes the Python that runs ministack; its child waits for the end of standard input, which comes when the
# parent closes the pipe or dies in whatever way, and then kills the process group. PR_SET_PDEATHSIG would not do: it
# follows the thread that forked, not the process.
_GUARDED: Final = 'exec 3<&0; (cat <&3 >/dev/null; kill -KILL 0) & exec "$0" "$@" </dev/null 3<&-'


class LocalAws:
    """One local AWS. `home` holds its log and its temporary files; `port` None picks a free one.

    Raises LocalAwsError from `start` when it is not installed, the port is taken, or it does not become ready.
    """

    def __init__(self, home: Path, port: int | None = None) -> None:
        self._home = home.resolve()
        self._wanted_port = port
        self._port: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """URL that all services answer on."""
        if self._port is None:
            raise LocalAwsError("the local AWS is not running")
        return f"http://{HOST}:{self._port}"

    @property
    def log(self) -> Path:
        """File with what it had to say."""
        return self._home / "local-aws.log"

    @property
    def running(self) -> bool:
        """Whether its process is alive."""
        return self._process is not None and self._process.poll() is None

    def environment(self) -> Mapping[str, str]:
        """Variables with which any AWS client talks to this one, as the account's root."""
        return client_environment(self.endpoint, ROOT_KEY, ROOT_KEY)

    def start(self) -> None:
        """Return once every service answers; a second call while it runs does nothing."""
        if self.running:
            return
        python = _python()
        self._home.mkdir(parents=True, exist_ok=True)
        tries = 1 if self._wanted_port else _TRIES
        for attempt in range(1, tries + 1):
            port = self._wanted_port or _free_port()
            problem = f"port {port} is in use" if _is_taken(port) else self._try_start(python, port)
            if problem is None:
                return
            self.stop()
            if attempt == tries:
                raise LocalAwsError(f"local AWS: {problem}")

    def stop(self) -> None:
        """Stop it with all its children and remove its temporary files; idempotent."""
        process, self._process, self._port = self._process, None, None
        if process is not None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_S)
            _kill_group(process)
        shutil.rmtree(self._temporary, ignore_errors=True)

    @property
    def _temporary(self) -> Path:
        return self._home / "local-aws.tmp"

    def _try_start(self, python: Path, port: int) -> str | None:
        """Start it once; None when it is ready, else what went wrong."""
        self._temporary.mkdir(exist_ok=True)
        token = secrets.token_hex(8)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a fixed command; the path is the operator's own
                # Safe path: the folder of the script is not to be searched for modules.
                ["/bin/sh", "-c", _GUARDED, str(python), "-P", str(_LAUNCHER)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self._server_environment(port, token),
                cwd=self._temporary,
                start_new_session=True,
            )
        if _wait_ready(self._process, port, token):
            self._port = port
            return None
        what = "ended before it was ready" if self._process.poll() is not None else f"was not ready in {_READY_S:.0f} s"
        return f"it {what}; see {self.log}"

    def _server_environment(self, port: int, token: str) -> Mapping[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(self._temporary),
            "TMPDIR": str(self._temporary),
            "STATE_DIR": str(self._temporary / "state"),
            "S3_DATA_DIR": str(self._temporary / "s3"),
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            # Told back by its health page: a stranger on the same port is not taken for ours.
            "MINISTACK_EDITION": token,
            "LOG_LEVEL": "WARNING",
            "AUTH": "true",
            # Both of these listen on all interfaces, whatever BIND_HOST says.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # It would remove containers of the Docker daemon that it finds.
            "DOCKER_HOST": f"unix://{self._temporary / 'no-docker.sock'}",
        }


def client_environment(endpoint: str, access_key: str, secret_key: str) -> Mapping[str, str]:
    """Variables with which any AWS client talks to `endpoint` with this key."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": f"{HOST},localhost",
    }


def _python() -> Path:
    given = os.environ.get("CARDEA_LOCALAWS_BIN")
    path = Path(given) if given else _REPOSITORY / ".localaws" / "bin" / "python"
    if not os.access(path, os.X_OK):
        raise LocalAwsError(f"the local AWS is not installed ({path} is missing): run `make localaws`")
    return path.absolute()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def _wait_ready(process: subprocess.Popen[bytes], port: int, token: str) -> bool:
    deadline = time.monotonic() + _READY_S
    while process.poll() is None and time.monotonic() < deadline:
        if _edition(port) == token and process.poll() is None:
            return True
        time.sleep(_POLL_S)
    return False


def _edition(port: int) -> object:
    """What the server on this port calls itself once it is ready; None while nobody answers or it is not ready."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/_ministack/ready")
        reply = connection.getresponse()
        reply.read()
        if reply.status != http.client.OK:
            return None
        connection.request("GET", "/_ministack/health")
        health = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return health.get("edition") if isinstance(health, dict) else None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    # The group lives as long as the guard does, so its id can't have gone to somebody else.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        process.stdin.close()
    process.wait()
