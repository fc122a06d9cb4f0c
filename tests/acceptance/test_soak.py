"""Random deaths of engines, sessions, jobs, links and servers; ``make soak`` does it longer."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from dr.lab.testing import LabFactory
from tests.soak.field import LAB, Field
from tests.soak.injuries import Injuries
from tests.soak.soak import Ordeal, soak

pytestmark = [pytest.mark.lab, pytest.mark.slow]

LIAR = Path(__file__).resolve().parents[1] / "soak/liar"


@pytest.fixture(scope="module")
def lab(lab_factory: LabFactory) -> Path:
    return lab_factory(**LAB)


class OneCut(Injuries):
    """Kills the first engine at one exact point, and does nothing else."""

    at = ""

    def fault(self) -> str:
        point, self.at = self.at, ""
        return point

    def strike(self) -> None:
        """Nothing."""


def test_twenty_kills_lose_nothing_and_double_nothing(lab: Path) -> None:
    tally = soak(Field(lab).equip(), 20, seed=3, most=7)
    assert tally.kills >= 20
    assert tally.violations == []


@pytest.mark.parametrize(
    ("point", "found"), [("before-perform:6", False), ("after-perform:6", True)]
)
def test_an_engine_that_assumes_absence_is_found_out_where_the_effect_was_there(
    lab: Path, monkeypatch: pytest.MonkeyPatch, point: str, *, found: bool
) -> None:
    """The negative control: it repeats what had happened, and only that.

    The sixth attempt is that of 'one', which runs alone: of those before it two may be repeated.
    """
    monkeypatch.setenv("PYTHONPATH", str(LIAR))
    field = Field(lab).equip()
    injuries = OneCut(field, random.Random(0), 1)  # noqa: S311 - dice, no secret
    injuries.at = point
    violations = Ordeal(field, injuries).go_through()
    assert injuries.hits == {"engine at a named point": 1}
    assert any("'one' happened 2 times" in v for v in violations) is found, violations
