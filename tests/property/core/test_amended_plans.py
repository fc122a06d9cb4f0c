"""An amended plan never changes what has begun, whatever people make of the runbook."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dr.engine.core.canonical import plain
from dr.engine.core.errors import NotAllowedError, RunbookError, UserError
from dr.engine.core.events import Draft, Event, Kind
from dr.engine.core.faults import PowerCut, armed
from dr.engine.core.states import RunState
from dr.engine.journal.memory import MemoryJournal
from dr.engine.loader.loading import load
from tests.amendments import amended, approving, propose
from tests.faults.test_power_cuts import Cut
from tests.made_up_world import Do, MadeUpWorld, Outside
from tests.property.budget import examples


@dataclass(frozen=True)
class Line:
    """A step of a made-up runbook."""

    id: str
    x: int
    host: str = ""
    needs: str | None = None

    def text(self) -> str:
        hosts = f", hosts: {self.host}" if self.host else ""
        needs = "" if self.needs is None else f", needs: [{self.needs}]"
        return f"  - {{id: {self.id}, uses: do.it{hosts}{needs}, with: {{x: {self.x}}}}}\n"


GATE = (
    "  - {id: gate, uses: gate.approve, with: {ask: {en: Go?, zh: 执行吗}, "
    "approvers: {group: leadership}}}\n"
)
NAMES = "abcdef"
HOSTS = ("", "db-a", "db-b", "web")

lines = st.builds(Line, st.sampled_from(NAMES), st.integers(0, 3), st.sampled_from(HOSTS))


def source(before: list[Line], after: list[Line]) -> str:
    steps = [line.text() for line in before]
    body = "".join([*steps, GATE, *(line.text() for line in after)])
    return f"format: 1\nname: made-up\nowner: leadership\nsteps:\n{body}"


plans = st.tuples(
    st.lists(lines, max_size=3, unique_by=lambda line: line.id),
    st.lists(lines, max_size=4, unique_by=lambda line: line.id),
).filter(lambda two: not {a.id for a in two[0]} & {b.id for b in two[1]})

edits = st.lists(
    st.tuples(
        st.sampled_from(["drop", "change", "add", "move"]),
        st.integers(0, 7),
        lines,
        st.sampled_from([None, "", "gate", "a", "b"]),
    ),
    min_size=1,
    max_size=3,
)


def edited(old: list[Line], edit: tuple[str, int, Line, str | None]) -> list[Line]:
    what, place, line, needs = edit
    found = list(old)
    at = place % (len(found) + 1)
    match what:
        case "add":
            found.insert(at, replace(line, needs=needs))
        case _ if at >= len(found):
            return found
        case "drop":
            del found[at]
        case "change":
            found[at] = replace(line, id=found[at].id, needs=needs)
        case "move":
            found.append(found.pop(at))
    return found


def defined(world: MadeUpWorld, text: str) -> dict[str, object]:
    """Return every step of a runbook as it is defined, wherever it stands."""
    runbook = load(text, actions=world.actions, file="made-up.yaml")
    return {step.id: plain(replace(step, where="")) for step in runbook.walk()}


def intents(events: list[Event]) -> list[tuple[str | None, str | None]]:
    return [(e.step, e.host) for e in events if e.kind is Kind.INTENT]


@given(plan=plans, before_gate=edits, after_gate=edits, both=st.booleans())
@examples(60)
def test_an_amended_plan_never_changes_a_step_that_has_begun(
    plan: tuple[list[Line], list[Line]],
    before_gate: list[tuple[str, int, Line, str | None]],
    after_gate: list[tuple[str, int, Line, str | None]],
    both: bool,
) -> None:
    before, after = plan
    old = source(before, after)
    outside = Outside()
    world = MadeUpWorld(old, Do(outside))
    world.outside = outside
    run_to_the_gate(world)
    begun = {name for name, seen in world.view().steps.items() if seen.state != "pending"}
    done = intents(world.journal.events(world.record.id))
    for edit in after_gate:
        after = edited(after, edit)
    for edit in before_gate if both else ():
        before = edited(before, edit)
    new = source(before, after)
    try:
        propose(world, new)
    except (UserError, NotAllowedError, RunbookError, ValueError):
        was_refused = True
    else:
        was_refused = False
        is_now, was = defined(world, new), defined(world, old)
        assert {name: is_now.get(name) for name in begun} == {name: was[name] for name in begun}
    assert world.run_answering(approving(world)) is RunState.SUCCEEDED
    assert bool(amended(world)) is not was_refused
    begun_again = intents(world.journal.events(world.record.id))
    assert begun_again[: len(done)] == done
    assert len(begun_again) == len(set(begun_again))
    wanted = set(defined(world, old if was_refused else new))
    assert {step for step, _ in begun_again} | {"gate"} == wanted


def run_to_the_gate(world: MadeUpWorld) -> None:
    with armed(Cut("after-question", 1)):
        try:
            world.run()
        except PowerCut:
            world.die()
            world.journal = MemoryJournal(world.clock, world.journal.disk)


def test_a_step_that_people_skipped_counts_as_begun() -> None:
    world = MadeUpWorld(source([], [Line("a", 1), Line("b", 2)]), Do(Outside()))
    run_to_the_gate(world)
    skipped = Draft(Kind.STEP_SKIPPED, "a", data={"because": "no need", "by": "cai"})
    world.journal.append(world.record.id, [skipped])
    with pytest.raises(UserError, match=r"step 'a' of run .* has begun"):
        propose(world, source([], [Line("b", 2)]))
