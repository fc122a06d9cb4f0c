"""The steps of a run as its first event lists them, so that titles need no runbook file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dr.cli.words import say
from dr.engine.core.states import ENDED, StepState
from dr.engine.core.view import RunView

PHASES = ("assess", "decide", "isolate", "recover", "prove", "return")


@dataclass(frozen=True, slots=True)
class OutlineStep:
    """What is known of a step before it starts."""

    id: str
    title: Mapping[str, str] = field(default_factory=dict)
    phase: str = ""
    uses: str = ""
    effect: str = ""
    ladder: str | None = None
    rung: str | None = None
    in_finally: bool = False


@dataclass(frozen=True, slots=True)
class Outline:
    """The steps of a run in page order, and what the run is about."""

    run: str
    runbook: str
    environment: str
    kind: str
    mode: str
    requester: str
    rto_s: float | None
    steps: Mapping[str, OutlineStep]

    def title(self, step: str) -> str:
        """Return the step's title in the language in use, else its id."""
        known = self.steps.get(step)
        return (say(known.title) if known else "") or step

    def is_not_tried(self, view: RunView, step: str) -> bool:
        """Whether the step is of a rung that was not tried, and now never will be."""
        known = self.steps.get(step)
        if known is None or not known.rung or not known.ladder:
            return False
        seen, ladder = view.steps.get(step), view.steps.get(known.ladder)
        is_over = view.state.ended or (ladder is not None and ladder.state in ENDED)
        return is_over and (seen is None or seen.state is StepState.PENDING)

    def walk(self, view: RunView) -> Iterator[OutlineStep]:
        """Yield the steps in page order, then those that only the journal knows."""
        yield from self.steps.values()
        for step in view.steps:
            if step not in self.steps:
                yield OutlineStep(step)


def outline_of(view: RunView) -> Outline:
    """Read the outline from the event that created the run."""
    data = view.created
    environment = data.get("environment", "")
    named = isinstance(environment, Mapping)
    objectives = data.get("objectives") or {}
    runbook = data.get("runbook", "")
    phase, steps = "", {}
    for entry in data.get("outline") or ():
        # a step without a phase stands in the column of the step above it
        phase = str(entry.get("phase") or phase)
        steps[str(entry["id"])] = _step(entry, phase)
    return Outline(
        run=view.id,
        runbook=str(runbook.get("name", "") if isinstance(runbook, Mapping) else runbook),
        environment=str(environment.get("name", "") if named else environment),
        kind=str(environment.get("kind", "") if named else data.get("kind", environment)),
        mode=str(data.get("mode", "real")),
        requester=str(data.get("requester", "")),
        rto_s=objectives.get("rto_s"),
        steps=steps,
    )


def _step(entry: Mapping[str, Any], phase: str) -> OutlineStep:
    title = entry.get("title") or {}
    return OutlineStep(
        id=str(entry["id"]),
        title=title if isinstance(title, Mapping) else {"en": str(title)},
        phase=phase,
        uses=str(entry.get("uses") or ""),
        effect=str(entry.get("effect") or ""),
        ladder=entry.get("ladder"),
        rung=entry.get("rung"),
        in_finally=bool(entry.get("in_finally", False)),
    )
