"""The two GPIO libraries, each in a folder of its own under `build/`, since both are called `RPi.GPIO`.

Also builds the rigs' C parts there. Several test processes may ask at once: a lock file lets one of them work.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

Library = Literal["rpi-gpio", "rpi-lgpio"]

ROOT: Final = Path(__file__).resolve().parents[2]
BUILD: Final = ROOT / "build"
_EXTENSION: Final = {"rpi-gpio": "RPi/_GPIO", "rpi-lgpio": "_lgpio"}


def library(name: Library) -> Path:
    """The folder to put on PYTHONPATH; installed from the pinned lock file if it is not there yet."""
    folder = BUILD / name
    if not _is_complete(name, folder):
        with _one_at_a_time():
            if not _is_complete(name, folder):
                _install(name, folder)
    return folder


def shared_object(source: Path) -> Path:
    """The compiled rig; compiled anew when its source has changed."""
    target = BUILD / "rigs" / f"{source.stem}.so"
    with _one_at_a_time():
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh = target.with_suffix(f".{os.getpid()}")
            flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]
            subprocess.run(["cc", *flags, "-o", fresh, source, "-ldl"], check=True)
            fresh.rename(target)
    return target


def _is_complete(name: Library, folder: Path) -> bool:
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    return (folder / "RPi/GPIO/__init__.py").exists() and (folder / f"{_EXTENSION[name]}{suffix}").exists()


def _install(name: Library, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
        target = Path(scratch) / "lib"
        options = ["--require-hashes", "--no-deps", "--no-build-isolation", "--no-cache-dir", "--quiet"]
        # As the Makefile does: lgpio builds its own library when PYPI is set, with the swig of this environment.
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        subprocess.run(
            [sys.executable, "-m", "pip", "install", *options, "--target", target, "-r", f"requirements/{name}.lock"],
            cwd=ROOT,
            env=os.environ | {"PYPI": "1", "PATH": path},
            check=True,
        )
        shutil.rmtree(folder, ignore_errors=True)
        target.rename(folder)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    BUILD.mkdir(exist_ok=True)
    with (BUILD / ".rigs.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
