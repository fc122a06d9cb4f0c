"""The states in which a release leaves runs behind, made in the made-up world on a real journal.

``scripts/golden_journals.py`` writes them at a release; the test opens and finishes those of every
release since.  A scene may be added; one that is kept is never written again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from dr.engine.core.errors import RefusedError
from dr.engine.core.events import Draft, Event, Kind
from dr.engine.core.faults import PowerCut, armed
from dr.engine.core.questions import Answer, Question
from dr.engine.core.states import RunState
from dr.engine.journal.sql import SqlJournal
from dr.engine.loader.loading import load
from tests.made_up_world import Do, MadeUpWorld, Outside

HERE = Path(__file__).parent

SOURCE = """\
format: 1
name: golden
title: { en: Golden, zh: 样本 }
objectives: { rto: 4h, rpo: 15m }
locks: ["service:registry"]
inputs:
  - { id: reason, type: string, default: "a drill" }
steps:
  - {id: look, uses: do.look, effect: read, needs: []}
  - {id: single, uses: do.it, effect: once}
  - {id: blind, uses: do.blind, effect: once}
  - id: choose
    uses: gate.approve
    with:
      ask: { en: Go?, zh: 执行吗 }
      approvers: { group: leadership }
      quorum: 2
      chooses: ladder
  - id: ladder
    try:
      - name: first
        steps:
          - {id: one, uses: do.it, effect: once}
          - {id: two, uses: do.bad, effect: once}
      - name: second
        steps:
          - {id: three, uses: do.it, effect: irreversible}
  - id: fan
    uses: do.it
    hosts: web
    effect: once
    strategy: { batches: [1, "100%"] }
  - {id: person, uses: human.task, with: { group: support, instructions: { en: x, zh: x } }}
finally:
  - {id: report, uses: do.it, effect: idempotent}
"""

CAREFUL = (
    "single/engine", "blind/engine", "one/engine", "three/engine",
    "fan/web-1", "fan/web-2", "fan/web-3", "fan/web-4",
)  # fmt: skip
"""Effects that a finished run has brought about exactly once."""

When = Callable[[str, Sequence[Event]], bool]


def _opened(kind: str) -> When:
    return lambda _point, events: any(
        e.kind is Kind.QUESTION_OPENED and e.data["question"]["kind"] == kind for e in events
    )


def _ended(step: str, many: int) -> When:
    return lambda _point, events: (
        sum(e.kind is Kind.FINISHED and e.step == step for e in events) >= many
    )


def _acting(step: str) -> When:
    return lambda point, events: point == "outside-after-effect" and events[-1].step == step


SCENES: Mapping[str, Sequence[When]] = {
    "under-way": [_acting("single")],
    "in-doubt": [_acting("blind"), _opened("doubt")],
    "at-a-gate": [_opened("gate")],
    "mid-ladder": [lambda _point, events: any(e.kind is Kind.RUNG_FAILED for e in events)],
    "fan-out-half-done": [_ended("fan", 2)],
    "at-a-person": [_opened("task")],
    "finished": [],
}
"""When the power goes, once for each engine; a run without any goes to its end."""


class Kept(MadeUpWorld):
    """The made-up world on an SQLite journal at ``path``; its run is there already, or created."""

    def __init__(self, path: Path) -> None:
        outside = Outside()
        refusals = [RefusedError("no", facts={"before": True})] * 50
        super().__init__(
            SOURCE,
            Do(outside, "do.look", attaches=False, probes=False),
            Do(outside, "do.blind", attaches=False, probes=False),
            Do(outside, "do.bad", raises=refusals),
            Do(outside, "do.it"),
        )
        self.outside = outside
        self.path = path
        self.kept = self._open()
        if not self.kept.runs():
            draft = Draft(Kind.RUN_CREATED, data={"runbook": self.record.runbook})
            self.kept.create(self.record, [draft])
        self.record = self.kept.run("last")
        self.runbook = load(self.record.source, actions=self.actions, file=self.record.file)

    def _open(self) -> SqlJournal:
        self.kept = SqlJournal(f"sqlite:///{self.path}", clock=self.clock).open()
        self.journal = self.kept  # type: ignore[assignment]
        return self.kept

    def reopen(self) -> None:
        """The process is gone, and a new one opens the journal."""
        self.kept.close()
        self._open()

    def person(self, question: Question) -> Answer | None:
        """Answer as people who look: approve, and say of a doubt what is true outside."""
        if question.kind == "doubt":
            key = f"{self.record.id}/{question.step}/{question.host or 'engine'}"
            done = key in self.outside.present
            return self.says("ana", "done" if done else "not-done", reason="I looked")
        if question.kind == "gate":
            able = next(o.name for o in question.options if o.available)
            asked = self.view().questions[question.id]
            by = "bo" if any(a.by == "ana" for a in asked.answers) else "ana"
            return self.says(by, "approve", reason="yes", choice=able)
        verdict = {"task": "done", "failure": "retry", "fallback": "go-on"}[question.kind]
        return self.says("bo", verdict, reason="yes")

    def finish(self) -> RunState:
        """Carry the run to its end."""
        return self.run_answering(self.person)


def play(world: Kept, cuts: Sequence[When]) -> None:
    """Carry the run out until the last of ``cuts``, or to its end when there is none."""
    for when in cuts:

        def cut(point: str, when: When = when) -> None:
            if when(point, world.kept.events(world.record.id)):
                raise PowerCut(point)

        with armed(cut), suppress(PowerCut):
            world.finish()
        world.reopen()
    if not cuts:
        world.finish()


def dump(world: Kept, scene: str, folder: Path) -> None:
    """Write the journal as SQL, and what is true outside, as the two files of ``scene``."""
    told = {
        "events": len(world.kept.events(world.record.id)),
        "head": world.kept.events(world.record.id)[-1].hash,
        "state": str(world.view().state),
        "effects": dict(world.outside.effects),
        "present": sorted(world.outside.present),
        "ended": dict(world.outside.ended),
    }
    world.kept.close()
    with closing(sqlite3.connect(world.path)) as wire:
        lines = list(wire.iterdump())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{scene}.sql").write_text("\n".join(lines) + "\n", encoding="utf-8")
    text = json.dumps(told, indent=2, sort_keys=True)
    (folder / f"{scene}.json").write_text(text + "\n", encoding="utf-8")


def restored(sql: Path, told: Mapping[str, Any], path: Path) -> Kept:
    """Return the world of a kept scene, on a copy of its journal at ``path``."""
    with closing(sqlite3.connect(path)) as wire:
        wire.execute("PRAGMA journal_mode=WAL")
        wire.executescript(sql.read_text(encoding="utf-8"))
    world = Kept(path)
    world.outside.effects.update(told["effects"])
    world.outside.present |= set(told["present"])
    world.outside.ended.update(told["ended"])
    return world
