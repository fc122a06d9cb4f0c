"""What can be broken has a name, a target and a way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from dr.lab.errors import LabUsageError
from dr.lab.faults import ALIASES, FAULTS, Target, find_fault
from dr.lab.topology import plan_topology

REFERENCE = Path(__file__).parents[3] / "docs/reference/lab.md"


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_hits_something_that_a_lab_has(name: str) -> None:
    topology, fault = plan_topology(), FAULTS[name]
    found = topology.site if fault.target is Target.SITE else topology.host
    assert found(fault.default).name == fault.default


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_can_be_healed_or_says_why_not(name: str) -> None:
    fault = FAULTS[name]
    assert bool(fault.heal) != bool(fault.no_heal)


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_is_in_the_reference(name: str) -> None:
    assert f"`{name}`" in REFERENCE.read_text(encoding="utf-8")


def test_a_short_name_means_a_fault_that_exists() -> None:
    assert {find_fault(alias).name for alias in ALIASES} <= set(FAULTS)
    assert find_fault("storage").name == "storage-killed"


def test_an_unknown_fault_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(LabUsageError, match="no fault is called 'wan-cutt'") as wrong:
        find_fault("wan-cutt")
    assert wrong.value.hint == "Did you mean 'wan-cut'?"
