"""Amend runs of the made-up world: the proposal as the service makes it, answers, other engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dr.engine.core.amendment import as_amended, open_amendment
from dr.engine.core.events import Event, Kind
from dr.engine.core.questions import Answer, Question, QuestionKind
from dr.engine.loader.loading import load
from dr.engine.service.amending import Amendment, Plans, proposed
from tests.made_up_world import MadeUpWorld


def plans_of(
    world: MadeUpWorld,
    source: str,
    *,
    inputs: Mapping[str, Any] | None = None,
    inventory: Mapping[str, Any] | None = None,
) -> Plans:
    """Return the run's plan beside another one; what is not given stays."""
    view = world.view()
    before = as_amended(world.record, view)
    old = load(before.source, actions=world.actions, file="made-up.yaml")
    new = load(source, actions=world.actions, file="made-up.yaml")
    after = replace(
        before,
        source=source,
        runbook_sha256=new.sha256,
        inputs=dict(before.inputs if inputs is None else inputs),
        inventory=dict(before.inventory if inventory is None else inventory),
    )
    return Plans(view, before, old, after, new)


def propose(
    world: MadeUpWorld, source: str, *, by: str = "dan", **more: Mapping[str, Any]
) -> Amendment:
    """Put another plan to those who guard the run."""
    found, drafts = proposed(plans_of(world, source, **more), by=by, because="it was wrong")
    world.journal.append(world.record.id, drafts)
    return found


def amended(world: MadeUpWorld) -> list[Event]:
    """Return the amendments that were carried out."""
    events = world.journal.events(world.record.id)
    return [event for event in events if event.kind is Kind.RUN_AMENDED]


def approving(world: MadeUpWorld) -> Callable[[Question], Answer | None]:
    """Answer as somebody who approves every amendment, and gates once none is being decided."""

    def answer(question: Question) -> Answer | None:
        if question.kind is QuestionKind.GATE and open_amendment(world.view()):
            return None
        return world.says("ana", "approve", reason="yes")

    return answer
