"""The folders of the checkout, and every list that must name each of them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

FLOOR_FILES = sorted(path.parent for path in ROOT.glob("*/dr/*/__init__.py"))
PORTIONS = sorted(path.parent.parent.name for path in FLOOR_FILES)


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _layers() -> set[str]:
    contracts = _pyproject()["tool"]["importlinter"]["contracts"]
    (floors,) = [contract for contract in contracts if contract["type"] == "layers"]
    return {name.strip() for layer in floors["layers"] for name in layer.split("|")}


def test_there_are_portions_to_check() -> None:
    assert {"engine", "cli", "inventory", "backups", "lab"} <= set(PORTIONS)


def test_no_portion_hides_the_others_with_an_init_file() -> None:
    assert list(ROOT.glob("*/dr/__init__.py")) == []
    assert not (ROOT / "dr").exists()


def test_a_folder_holds_the_package_of_its_own_name_and_nothing_else() -> None:
    found = {
        portion: sorted(
            path.name for path in (ROOT / portion / "dr").iterdir() if path.name != "__pycache__"
        )
        for portion in PORTIONS
    }
    assert found == {portion: [portion] for portion in PORTIONS}


def _named(table: str) -> set[str]:
    """Return the folders that one list of pyproject.toml names."""
    tool = _pyproject()["tool"]
    wheel = tool["hatch"]["build"]["targets"]["wheel"]
    lists: dict[str, set[str]] = {
        "dev-mode-dirs": set(tool["hatch"]["build"]["dev-mode-dirs"]),
        "wheel only-include": {name.removesuffix("/dr") for name in wheel["only-include"]},
        "wheel sources": set(wheel["sources"]),
        "sdist only-include": set(tool["hatch"]["build"]["targets"]["sdist"]["only-include"]),
        "pytest pythonpath": set(tool["pytest"]["ini_options"]["pythonpath"]),
        "mypy files": set(tool["mypy"]["files"]),
        "mypy_path": set(tool["mypy"]["mypy_path"]),
        "coverage source": set(tool["coverage"]["run"]["source"]),
        "ruff src": set(tool["ruff"]["src"]),
        "importlinter root_packages": {
            name.removeprefix("dr.") for name in tool["importlinter"]["root_packages"]
        },
    }
    return lists[table]


@pytest.mark.parametrize(
    "table",
    [
        "dev-mode-dirs",
        "wheel only-include",
        "wheel sources",
        "sdist only-include",
        "pytest pythonpath",
        "mypy files",
        "mypy_path",
        "coverage source",
        "ruff src",
        "importlinter root_packages",
    ],
)
def test_every_folder_is_named_in(table: str) -> None:
    beside = {"runbooks", "tests", "docs", "."}
    assert _named(table) - beside == set(PORTIONS)


def test_every_package_stands_on_a_floor() -> None:
    engine = ROOT / "engine/dr/engine"
    packages = {f"dr.engine.{path.parent.name}" for path in engine.glob("*/__init__.py")}
    packages |= {f"dr.{portion}" for portion in PORTIONS if portion != "engine"}
    assert _layers() == packages


def test_the_lock_names_no_host_and_no_index() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    assert [line for line in lock.splitlines() if line.startswith("--")] == []


def test_every_locked_requirement_is_pinned_with_a_hash() -> None:
    entries = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in entries.splitlines() if line and not line.lstrip().startswith("#")]
    assert lines
    assert [line for line in lines if "==" not in line or "--hash=sha256:" not in line] == []


def test_what_pyproject_asks_for_is_locked() -> None:
    project = _pyproject()
    asked = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = {line.split("==")[0] for line in lock.splitlines() if "==" in line}
    names = {spec.split(">")[0].split("[")[0].strip().lower() for spec in asked}
    assert names - locked == set()


def test_ci_only_calls_make_test() -> None:
    lines = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert lines[-1] == "exec make test"
    assert len(lines) == 3
