"""Spoiling business and ledgers of a lab on purpose, with the truth kept aside.

    spoil(lab, "lost-holes", count=5, seed=7)
    for truth in truth_of(lab): ...

What is spoilt is visible at once to whoever compares the register with what branches hand in; what
must be found is told by :func:`truth_of` alone.
"""

from __future__ import annotations

from pathlib import Path

from dr.lab.spoiling.counter import handed_in
from dr.lab.spoiling.kinds import KINDS, Kind, find_kind
from dr.lab.spoiling.truths import NOTHING, Batch, Truth, batches, in_force, path_of
from dr.lab.spoiling.work import Spoilt, spoil


def truth_of(directory: Path) -> list[Truth]:
    """Return everything that must be found now in the lab of ``directory``, oldest first.

    A file that was replaced since is not handed in any more and is left out; :func:`batches` has
    it, and tells which batch is in doubt because its process ended half way.
    """
    return in_force(batches(directory))


__all__ = [
    "KINDS",
    "NOTHING",
    "Batch",
    "Kind",
    "Spoilt",
    "Truth",
    "batches",
    "find_kind",
    "handed_in",
    "in_force",
    "path_of",
    "spoil",
    "truth_of",
]
