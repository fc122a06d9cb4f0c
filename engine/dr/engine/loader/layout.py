"""Where each step of a runbook file stands, and what has ended before it starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from dr.engine.loader.fileformat import RunbookFile, RungFile, StepFile
from dr.inventory.strictyaml.document import Path


@dataclass(frozen=True)
class Placed:
    """A step with its place in the file.

    ``siblings`` are the ids of the list it stands in; only they can be needed.  ``needs`` is
    resolved: without ``needs`` it is the step above.
    """

    step: StepFile
    path: Path
    siblings: frozenset[str]
    needs: tuple[str, ...]
    ladder: str | None = None
    rung: RungFile | None = None
    in_finally: bool = False

    @property
    def id(self) -> str:
        return self.step.id


@dataclass(frozen=True)
class Layout:
    """Every step of a file, in page order, a ladder before the steps of its rungs."""

    file: RunbookFile
    steps: tuple[Placed, ...] = field(default=())

    @cached_property
    def by_id(self) -> Mapping[str, Placed]:
        """Each step by id; of two with the same id the first."""
        found: dict[str, Placed] = {}
        for placed in self.steps:
            found.setdefault(placed.id, placed)
        return found

    @cached_property
    def _number(self) -> Mapping[str, int]:
        return {id_: number for number, id_ in enumerate(self.by_id)}

    def first_of(self, ids: Iterable[str]) -> Placed:
        """Return the step that comes first on the page."""
        return self.by_id[min(ids, key=self._number.__getitem__)]

    @cached_property
    def _before(self) -> Mapping[str, int]:
        """For each step the steps before it as bits of one integer: small and fast to unite."""
        before: dict[str, int] = {}
        for start in self.by_id:
            stack = [start]
            open_: set[str] = set()
            while stack:
                current = stack[-1]
                missing = [n for n in self._above(current) if n not in before and n not in open_]
                if current not in before and missing and current not in open_:
                    open_.add(current)
                    stack.extend(missing)
                    continue
                stack.pop()
                bits = 0
                for need in self._above(current):
                    bits |= before.get(need, 0) | 1 << self._number[need]
                before[current] = bits
        # a rung's step comes after what its ladder comes after, not after the ladder itself
        return {
            id_: bits & ~(1 << self._number[placed.ladder]) if placed.ladder else bits
            for id_, placed in self.by_id.items()
            for bits in (before[id_],)
        }

    def _above(self, id_: str) -> list[str]:
        placed = self.by_id[id_]
        needs = [need for need in placed.needs if need in self.by_id]
        return [*needs, placed.ladder] if placed.ladder else needs

    def is_before(self, first: str, second: str) -> bool:
        """Tell whether ``first`` has ended whenever ``second`` starts."""
        return bool(self._before[second] >> self._number[first] & 1)

    def bits(self, ids: Iterable[str]) -> int:
        """Return a set of steps as the bits of one integer, for ``is_any_before``."""
        return sum(1 << self._number[id_] for id_ in set(ids))

    def is_any_before(self, bits: int, id_: str) -> bool:
        """Tell whether one of a set of steps has ended whenever the step starts."""
        return bool(self._before[id_] & bits)

    @cached_property
    def ladders(self) -> tuple[Placed, ...]:
        """The steps that are ladders."""
        return tuple(placed for placed in self.by_id.values() if placed.step.try_ is not None)


def lay_out(file: RunbookFile) -> Layout:
    """Return the layout of a file."""
    steps = [
        *_place(file.steps, ("steps",)),
        *_place(file.finally_, ("finally",), in_finally=True),
    ]
    return Layout(file, tuple(steps))


def _place(
    steps: Sequence[StepFile],
    path: Path,
    *,
    ladder: str | None = None,
    rung: RungFile | None = None,
    in_finally: bool = False,
) -> Iterator[Placed]:
    ids = [step.id for step in steps]
    siblings = frozenset(ids)
    for index, step in enumerate(steps):
        here: Path = (*path, index)
        above = (ids[index - 1],) if index else ()
        needs = above if step.needs is None else tuple(dict.fromkeys(step.needs))
        yield Placed(step, here, siblings, needs, ladder, rung, in_finally)
        for number, alternative in enumerate(step.try_ or ()):
            yield from _place(
                alternative.steps,
                (*here, "try", number, "steps"),
                ladder=step.id,
                rung=alternative,
                in_finally=in_finally,
            )
