"""What people see when a runbook is wrong, kept as files; DR_WRITE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dr.engine.core.errors import RunbookError
from dr.engine.loader.loading import load
from dr.inventory.strictyaml.document import format_problem
from tests.unit.loader.registry import PROMISES

BAD = Path(__file__).parents[2] / "data/runbooks/bad"
EXPECTED = Path(__file__).parent / "expected"
FILES = sorted(path.name for path in BAD.glob("*.yaml"))


@pytest.mark.parametrize("name", FILES)
def test_the_error_output_is_what_was_agreed(name: str) -> None:
    with pytest.raises(RunbookError) as caught:
        load(BAD / name, actions=PROMISES, file=name)
    shown = "\n".join([str(caught.value), *map(format_problem, caught.value.problems)]) + "\n"
    golden = EXPECTED / f"{name}.txt"
    if os.environ.get("DR_WRITE_GOLDEN"):
        golden.write_text(shown, encoding="utf-8")

    assert shown == golden.read_text(encoding="utf-8")


def test_every_golden_file_belongs_to_a_bad_runbook() -> None:
    assert sorted(path.name.removesuffix(".txt") for path in EXPECTED.iterdir()) == FILES
