"""Labs for tests: import the fixtures into a conftest.py.

A lab of these is tied to the test process: when that is killed, the lab goes with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dr.lab.api import LabOptions, down, up
from dr.lab.doctor import obstacles

LabFactory = Callable[..., Path]
SMALL: Mapping[str, Any] = {"staging": False, "branches": 1, "volume": "dir"}
"""Options of the cheapest lab with a whole registration service: half the work of a full one."""


def _skip_where_impossible() -> None:
    found = obstacles()
    if found:
        pytest.skip(f"no lab on this machine: {found[0].message}")


@pytest.fixture(scope="session")
def lab_factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabFactory]:
    """Make labs: ``lab_factory(only_ssh=True)`` takes fields of LabOptions, gives the directory."""
    _skip_where_impossible()
    made: list[Path] = []

    def make(**options: object) -> Path:
        directory = tmp_path_factory.mktemp("lab") / "lab"
        made.append(directory)
        base = LabOptions(directory=directory, tie_pid=os.getpid())
        up(replace(base, **options))  # type: ignore[arg-type]
        return directory

    yield make
    for directory in made:
        down(directory)


@pytest.fixture(scope="session")
def lab_directory(lab_factory: LabFactory) -> Path:
    """One whole lab for all tests of the session; leave it as you found it."""
    return lab_factory()


@pytest.fixture(scope="module")
def fresh_lab(lab_factory: LabFactory) -> Path:
    """Return a lab of this module's own, to break for good."""
    return lab_factory(staging=False)


@pytest.fixture(scope="module")
def small_lab(lab_factory: LabFactory) -> Path:
    """Return a lab of this module's own that starts fast: see :data:`SMALL`."""
    return lab_factory(**SMALL)
