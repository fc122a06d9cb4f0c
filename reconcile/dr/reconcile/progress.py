"""From one comparison to the next: only what two of them find is put to a person.

A record may be half way while a comparison looks.  So the first finds what may be wrong, a second
one on a fresh snapshot confirms it; later ones tell what was corrected.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dr.reconcile.breaks import Break


@dataclass(frozen=True, slots=True)
class Progress:
    """What became of breaks; ``still`` as the later comparison sees them."""

    new: tuple[Break, ...]
    still: tuple[Break, ...]
    gone: tuple[Break, ...]


def progress(
    before: Iterable[Break], after: Iterable[Break], branches: Iterable[str] | None = None
) -> Progress:
    """Compare the breaks of two comparisons of one session.

    Args:
        branches: those that the later one looked at; breaks of others stay as they were.  None
            when it looked at all.
    """
    looked = None if branches is None else frozenset(branches)
    known = {b.id: b for b in before}
    found = {b.id: b for b in after}
    kept = {i: b for i, b in known.items() if looked is not None and b.branch not in looked}
    return Progress(
        new=tuple(b for i, b in found.items() if i not in known),
        still=tuple(b for i, b in {**kept, **found}.items() if i in known),
        gone=tuple(b for i, b in known.items() if i not in found and i not in kept),
    )
