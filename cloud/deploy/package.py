"""Makes what functions run: a zip of our code, and a zip of its locked dependencies for one Python and processor.

The same input gives the same bytes, so that a name made of their hash says whether anything changed. Must never pick
up what lies around: only our Python files, and only what the lock names.
"""

import compileall
import hashlib
import io
import platform
import py_compile
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloud.errors import DeployError

_REPOSITORY: Final = Path(__file__).resolve().parents[2]
LOCK: Final = _REPOSITORY / "requirements" / "lambda.lock"
CACHE: Final = _REPOSITORY / "build" / "lambda"
_LEFT_OUT: Final = frozenset({"console", "deploy", "local", "stacks"})
"""Parts of `cloud` that no function imports."""
_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""The first that a zip can hold."""
_PROCESSORS: Final = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
_WHEELS: Final = ("manylinux2014", "manylinux_2_17", "manylinux_2_28")
"""What the C library of the Lambda runtimes since Python 3.12 (2.34) runs."""
_INSTALL_S: Final = 600.0
_LAYER_ROOT: Final = "/opt"
"""Where Lambda unpacks layers."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """Bytes to be staged, and the key that they are staged under."""

    key: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """Where functions run."""

    python: str
    """Minor version, such as 3.13."""
    architecture: str
    """As Lambda names it: arm64 or x86_64."""
    here: bool = False
    """Whether that is this interpreter and this machine, as for the local AWS."""

    @property
    def runtime(self) -> str:
        """As Lambda names the Python."""
        return f"python{self.python}"


AWS_TARGET: Final = Target("3.13", "arm64")


def local_target() -> Target:
    """This interpreter on this machine, which the local AWS runs functions with. Raises DeployError on another CPU."""
    machine = platform.machine()
    if machine not in _PROCESSORS:
        raise DeployError(f"functions run on {', '.join(sorted(set(_PROCESSORS.values())))}, not on {machine}")
    return Target(f"{sys.version_info.major}.{sys.version_info.minor}", _PROCESSORS[machine], here=True)


def code_artifact(package: Path = _REPOSITORY / "cloud") -> Artifact:
    """Our code, as functions import it."""
    paths = (
        path
        for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] not in _LEFT_OUT and "__pycache__" not in path.parts
    )
    return _artifact("code", _zipped(paths, package.parent))


def layer_artifact(target: Target, lock: Path = LOCK, cache: Path = CACHE) -> Artifact:
    """The dependencies for a target: from the cache, or installed anew. Raises DeployError when they can't be had."""
    if not lock.exists():
        raise DeployError(f"{lock} is not there: a deployment is made from a checkout of the repository")
    name = hashlib.sha256(lock.read_bytes() + repr(target).encode()).hexdigest()[:16]
    kept = cache / f"layer-{target.runtime}-{target.architecture}-{name}.zip"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            root = Path(folder)
            _install(target, lock, root / "python")
            if target.here:
                _compile(root / "python")
            made = root / kept.name
            made.write_bytes(_zipped((root / "python").rglob("*"), root))
            # Whole or not at all: another deployment may look for it now.
            made.replace(kept)
    return _artifact("layers", kept.read_bytes())


def _install(target: Target, lock: Path, folder: Path) -> None:
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"),
        *("--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile"),
        *("--target", str(folder), "--requirement", str(lock)),
    ]
    if not target.here:
        machine = "aarch64" if target.architecture == "arm64" else target.architecture
        command += ["--implementation", "cp", "--python-version", target.python]
        command += [option for wheel in _WHEELS for option in ("--platform", f"{wheel}_{machine}")]
    # The command is fixed but for our own paths and the target.
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_INSTALL_S)  # noqa: S603
    if result.returncode:
        cause = result.stderr.strip().splitlines() or ["no reason was given"]
        raise DeployError(f"the functions' dependencies can't be installed for {target.runtime}: {cause[-1]}")


def _compile(folder: Path) -> None:
    """Compile once what every new process of a function would compile anew: most of the time that it takes to start."""
    compileall.compile_dir(
        folder,
        quiet=2,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        # The place of this build is nobody's business, and would give the same layer another name each time.
        stripdir=folder.parent,
        prependdir=_LAYER_ROOT,
    )


def _zipped(paths: Iterable[Path], root: Path) -> bytes:
    """A zip of the files among the paths, named from `root`; programs and what pip notes down are left out."""
    buffer = io.BytesIO()
    named = {path.relative_to(root).as_posix(): path for path in paths if path.is_file()}
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(named):
            if name.startswith("python/bin/") or name.endswith((".pyi", "/RECORD")):
                continue
            info = zipfile.ZipInfo(name, _TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o100644 << 16
            archive.writestr(info, named[name].read_bytes())
    return buffer.getvalue()


def main() -> None:
    """Make the local AWS's layer, so that it lies in the cache when it is needed."""
    layer_artifact(local_target())


def _artifact(folder: str, data: bytes) -> Artifact:
    return Artifact(f"{folder}/{hashlib.sha256(data).hexdigest()}.zip", data)


if __name__ == "__main__":
    main()
