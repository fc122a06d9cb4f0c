"""Every registered action keeps the promises of the contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dr.engine.actions.conformance import CHECKS, Build, Example, SilentConnections
from dr.engine.actions.hosts import Connections
from dr.engine.actions.standard import standard_actions
from dr.engine.core.ports import Action
from tests.contract.actions.examples import EXAMPLES, INVENTORY

NAMES = standard_actions(SilentConnections(), plugins=False).names()


def test_every_action_has_an_example() -> None:
    assert sorted(EXAMPLES) == NAMES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_action_keeps_its_promise(
    name: str, check: Callable[[Build, Example], None], tmp_path: Path
) -> None:
    def build(connections: Connections) -> Action:
        return standard_actions(connections, workspace=tmp_path, plugins=False).get(name)

    inventory: dict[str, Any] = {**INVENTORY, "paths": {"reports": str(tmp_path)}}
    check(build, Example(EXAMPLES[name], inventory))
