"""The wheel, built offline with the locked back end."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(target)], cwd=ROOT, check=True)
    (built,) = target.glob("dr_runbooks-*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_module_of_every_portion_is_in_the_wheel(names: set[str]) -> None:
    modules = {
        path.relative_to(path.parents[len(path.relative_to(ROOT).parts) - 2]).as_posix()
        for path in ROOT.glob("*/dr/**/*.py")
    }
    assert "dr/engine/core/__init__.py" in modules
    assert modules - names == set()


def test_the_wheel_leaves_the_namespace_open(names: set[str]) -> None:
    assert "dr/__init__.py" not in names


def test_the_shipped_runbooks_are_in_the_wheel(names: set[str]) -> None:
    shipped = {
        f"dr/engine/service/shipped_{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / "runbooks").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert shipped
    assert shipped - names == set()


def test_the_wheel_carries_nothing_beside_the_package_and_its_papers(names: set[str]) -> None:
    assert {name.split("/")[0] for name in names} == {"dr", "dr_runbooks-0.1.0.dist-info"}


def test_the_command_is_called_dr(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        entry_points = archive.read("dr_runbooks-0.1.0.dist-info/entry_points.txt").decode()
    assert entry_points.split() == ["[console_scripts]", "dr", "=", "dr.cli.app:main"]


def test_an_unpacked_wheel_imports_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    # -S keeps the editable install of the checkout out of sight; the core needs nothing else
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import dr.engine.core as c; print(c.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().startswith(str(tmp_path))
