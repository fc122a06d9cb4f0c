"""Workspaces for bad days."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dr.lab.testing import LabFactory, lab_factory
from tests.integration.bad_days.workplace import DR, Workplace, surroundings

__all__ = ["lab_factory"]

INVENTORY = "inventory/production"


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what ``dr init`` writes, as a practice environment: nothing has to be confirmed."""
    folder = tmp_path_factory.mktemp("template") / "workspace"
    done = subprocess.run([DR, "init", folder], capture_output=True, check=True)
    assert done.returncode == 0
    settings = folder / "dr.yaml"
    text = settings.read_text(encoding="utf-8")
    assert "{ kind: production," in text
    settings.write_text(text.replace("{ kind: production,", "{ kind: lab,"), encoding="utf-8")
    return folder


@pytest.fixture
def here(template: Path, tmp_path: Path) -> Iterator[Workplace]:
    """Return a fresh workspace with nothing behind its addresses."""
    folder = tmp_path / "workspace"
    shutil.copytree(template, folder)
    place = Workplace(folder, surroundings(DR_PERSON="first.engineer"))
    yield place
    place.stop_engines()


@pytest.fixture(scope="module")
def hosts(lab_factory: LabFactory) -> Path:
    """Return a lab of this module's own."""
    return lab_factory(staging=False, branches=1)


@pytest.fixture
def lab(hosts: Path) -> Iterator[Workplace]:
    """Return the workspace of that lab; keys and known hosts are as before after the test."""
    folder = hosts / "workspace"
    saved = {path: path.read_bytes() for path in (folder / "keys").iterdir() if path.is_file()}
    place = Workplace(folder, surroundings(DR_PERSON="liu.yang", DR_LAB=str(hosts)))
    yield place
    for path, content in saved.items():
        path.write_bytes(content)
    place.stop_engines()
