"""What is deployed, as bytes: the same input gives the same name, another input another."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cloud.deploy.package import AWS_TARGET, Target, code_artifact, layer_artifact, local_target
from cloud.deploy.plan import nested_templates
from cloud.deploy.release import template_artifacts
from cloud.errors import DeployError


def a_package(folder: Path) -> Path:
    """Code as it lies in a checkout, with what must not get into the zip."""
    package = folder / "cloud"
    for name in ("__init__.py", "domain/rules.py", "deploy/plan.py", "local/main.py", "__pycache__/x.py", "notes.txt"):
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")
    return package


def test_code_holds_what_functions_import_and_nothing_else(tmp_path: Path) -> None:
    """Neither the tools of the operator's machine nor what an editor or an interpreter leaves behind."""
    artifact = code_artifact(a_package(tmp_path))
    with zipfile.ZipFile(io.BytesIO(artifact.data)) as archive:
        assert archive.namelist() == ["cloud/__init__.py", "cloud/domain/rules.py"]


def test_same_code_has_the_same_name_wherever_and_whenever(tmp_path: Path) -> None:
    """Neither time, mode nor folder of a checkout counts, so that nothing is deployed that did not change."""
    first, second = a_package(tmp_path / "a"), a_package(tmp_path / "b")
    (second / "domain/rules.py").chmod(0o755)
    os.utime(second / "domain/rules.py", (1, 1))
    assert code_artifact(first) == code_artifact(second)


def test_changed_code_has_another_name(tmp_path: Path) -> None:
    """One byte is enough to deploy."""
    package = a_package(tmp_path)
    before = code_artifact(package)
    (package / "domain/rules.py").write_text("# changed\n")
    assert code_artifact(package).key != before.key


def test_code_imports_without_the_rest_of_the_checkout(tmp_path: Path) -> None:
    """Every handler is importable from the zip alone: none needs a part that is left out."""
    archive = tmp_path / "code.zip"
    archive.write_bytes(code_artifact().data)
    with zipfile.ZipFile(archive) as opened:
        handlers = [
            n.removesuffix(".py").replace("/", ".") for n in opened.namelist() if n.startswith("cloud/handlers/")
        ]
    script = "import importlib, sys; sys.path.insert(0, sys.argv[1])\nfor n in sys.argv[2:]: importlib.import_module(n)"
    names = [name.removesuffix(".__init__") for name in handlers]
    result = subprocess.run(
        [sys.executable, "-I", "-c", script, str(archive), *names],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_layer_comes_from_the_cache_if_it_is_there(tmp_path: Path) -> None:
    """The same lock for the same target is installed once; another target or lock is another layer."""
    lock = tmp_path / "lock"
    lock.write_text("")
    target = local_target()
    first = layer_artifact(target, lock, tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(b"kept")
    assert layer_artifact(target, lock, tmp_path / "cache").data == b"kept"
    lock.write_text("# another\n")
    assert layer_artifact(target, lock, tmp_path / "cache") == first


def test_layer_that_can_not_be_installed_says_why(tmp_path: Path) -> None:
    """The last line of the installer is the reason; nothing half done stays in the cache."""
    lock = tmp_path / "lock"
    lock.write_text("no-such-package-of-ours==1.0\n")
    with pytest.raises(DeployError, match="dependencies can't be installed for python3"):
        layer_artifact(local_target(), lock, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_a_checkout_there_is_nothing_to_deploy(tmp_path: Path) -> None:
    """An installed package has no lock; that is said, instead of a trace."""
    with pytest.raises(DeployError, match="from a checkout of the repository"):
        layer_artifact(local_target(), tmp_path / "lock", tmp_path / "cache")


def test_targets_are_named_as_lambda_names_them() -> None:
    """On AWS a processor that costs less; locally what the tests run on."""
    assert (AWS_TARGET.runtime, AWS_TARGET.architecture) == ("python3.13", "arm64")
    assert local_target() == Target(f"3.{sys.version_info.minor}", local_target().architecture, here=True)


def test_nested_templates_lie_in_one_folder_named_by_all_of_them() -> None:
    """They name each other by file name, so a change of one moves all; those that stand alone are not among them."""
    artifacts = template_artifacts()
    folders = {artifact.key.rpartition("/")[0] for artifact in artifacts}
    assert len(folders) == 1
    assert {artifact.key.rpartition("/")[2] for artifact in artifacts} == set(nested_templates())
    assert not {"root.yaml", "artifacts.yaml", "device.yaml"} & set(nested_templates())
