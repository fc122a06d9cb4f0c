"""What may be done next, decided purely from the runbook and the view.

The planner looks only at steps that something happened to and at those that wait for them,
so the work for one event does not grow with the length of the run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from dr.engine.core.model import OnFailure, Runbook, Step
from dr.engine.core.states import ENDED, ENDED_WELL, StepState
from dr.engine.core.view import RunView, StepView

_S = StepState


@dataclass(frozen=True, slots=True)
class Release:
    """All that the step needs has ended well: evaluate its condition and start it."""

    step: Step


@dataclass(frozen=True, slots=True)
class RungPassed:
    """Every step of the running rung has ended well."""

    ladder: Step
    rung: str


@dataclass(frozen=True, slots=True)
class RungBroken:
    """A step of the running rung has failed."""

    ladder: Step
    rung: str
    step: Step


@dataclass(frozen=True, slots=True)
class Failed:
    """A step outside a rung has failed and its policy must be followed."""

    step: Step


Decision = Release | RungPassed | RungBroken | Failed


def ended_well(step: Step, view: StepView | None) -> bool:
    """Whether ``step`` releases what needs it."""
    if view is None:
        return False
    if view.state in ENDED_WELL:
        return True
    return view.state is _S.FAILED and step.on_failure is OnFailure.CONTINUE


@dataclass
class Planner:
    """Decides for one run.  ``open_finally`` lets the ``finally`` steps start."""

    runbook: Runbook
    view: RunView
    finally_open: bool = False
    _dependents: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _dirty: dict[str, None] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)
    _seen_failures: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for step in self.runbook.walk():
            for need in step.needs:
                self._dependents[need].append(step.id)
            self._dirty[step.id] = None
        self._open = {s.id for s in self.runbook.steps if not self._is_over(s)}

    def touch(self, step_id: str) -> None:
        """Say that something happened to a step."""
        step = self.runbook.by_id.get(step_id)
        if step is None:
            return
        self._dirty[step_id] = None
        self._touch_dependents(step_id)
        if step.ladder:
            self._dirty[step.ladder] = None
        for rung in step.rungs:
            for inner in rung.steps:
                self._dirty[inner.id] = None
        if step.ladder is None and not step.in_finally:
            if self._is_over(step):
                self._open.discard(step_id)
            else:
                self._open.add(step_id)

    def _touch_dependents(self, step_id: str) -> None:
        for dependent in (*self._dependents[step_id], *self.view.guarded.get(step_id, ())):
            self._dirty[dependent] = None
            seen = self.view.steps.get(dependent)
            if seen is not None and seen.state is _S.SKIPPED and seen.forced:
                self._touch_dependents(dependent)  # what waits behind it waits for this

    def open_finally(self) -> None:
        """Let the ``finally`` steps start."""
        self.finally_open = True
        self._dirty.update(dict.fromkeys(s.id for s in self.runbook.finally_))

    def decide(self) -> list[Decision]:
        """List what may be done now, in the order in which things happened to the steps."""
        dirty, self._dirty = self._dirty, {}
        return [d for step_id in dirty for d in self._look(self.runbook.by_id[step_id])]

    def _look(self, step: Step) -> Iterable[Decision]:
        view = self.view.steps.get(step.id)
        state = view.state if view else _S.PENDING
        if state is _S.PENDING and self._is_released(step):
            yield Release(step)
        elif view is not None and step.is_ladder and state is _S.RUNNING and view.rung:
            yield from self._look_at_rung(step, view)
        elif (
            state is _S.FAILED and step.ladder is None and step.on_failure is not OnFailure.CONTINUE
        ):
            yield Failed(step)

    def _is_released(self, step: Step) -> bool:
        if step.in_finally and not self.finally_open:
            return False
        if step.ladder:
            parent = self.view.steps.get(step.ladder)
            if parent is None or parent.rung != step.rung or parent.state is not _S.RUNNING:
                return False
            if parent.rungs.get(step.rung or "") != "started":
                return False
        seen = self.view.steps.get(step.id)
        needs = (*step.needs, *(seen.guards if seen else ()))
        return all(self._stands(self.runbook.by_id[need]) for need in needs)

    def _stands(self, step: Step) -> bool:
        """Whether ``step`` releases what needs it.

        One that people skipped before its time opens no way past what it waited for itself: a
        gate between would never have been asked.
        """
        view = self.view.steps.get(step.id)
        if not ended_well(step, view):
            return False
        if view is None or view.state is not _S.SKIPPED or not view.forced:
            return True
        return all(self._stands(self.runbook.by_id[need]) for need in step.needs)

    def _look_at_rung(self, ladder: Step, view: StepView) -> Iterable[Decision]:
        name = view.rung or ""
        if view.rungs.get(name) != "started":
            return
        rung = next(r for r in ladder.rungs if r.name == name)
        for step in rung.steps:
            inner = self.view.steps.get(step.id)
            if inner and inner.state is _S.FAILED and step.on_failure is not OnFailure.CONTINUE:
                yield RungBroken(ladder, name, step)
                return
        if all(ended_well(s, self.view.steps.get(s.id)) for s in rung.steps):
            yield RungPassed(ladder, name)

    def _is_over(self, step: Step) -> bool:
        view = self.view.steps.get(step.id)
        return view is not None and view.state in ENDED

    @property
    def main_over(self) -> bool:
        """Whether every step outside ``finally`` has ended."""
        return not self._open

    def open_steps(self) -> list[Step]:
        """Steps outside ``finally`` and outside rungs that have not ended, in page order."""
        return [s for s in self.runbook.steps if s.id in self._open]

    def finally_over(self) -> bool:
        """Whether every ``finally`` step has ended."""
        return all(self._is_over(s) for s in self.runbook.finally_)
