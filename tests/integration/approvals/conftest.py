"""Fixtures of the approvals' room."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.integration.approvals.bureau import Bureau, make_inventory


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return a workspace with people's keys, made once: keys are never changed by tests."""
    workspace = tmp_path_factory.mktemp("workspace")
    return workspace, make_inventory(workspace)


@pytest.fixture
def bureau(made: tuple[Path, dict[str, Any]]) -> Bureau:
    """Return a fresh journal and clock around people with real keys."""
    workspace, inventory = made
    return Bureau(workspace, copy.deepcopy(inventory))
