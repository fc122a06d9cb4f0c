"""Reports of journals that the real engine wrote, so that both speak of the same events."""

from __future__ import annotations

from dr.engine.core.errors import LostContactError, RefusedError
from dr.engine.core.states import RunState
from dr.incidents.report.data import ReportData
from dr.incidents.report.reading import report_data
from dr.incidents.report.rendering import Format, render
from dr.incidents.report.voice import Voice
from tests.made_up_world import Do, MadeUpWorld, Outside

HEAD = "format: 1\nname: made-up\n"


def _world(source: str, *actions: Do) -> MadeUpWorld:
    world = MadeUpWorld(HEAD + source, *actions)
    for action in actions:
        world.outside = action._outside
    return world


def _report(world: MadeUpWorld) -> ReportData:
    events = world.journal.events(world.record.id)
    for count in range(1, len(events) + 1):
        data = report_data(world.record, events[:count])
        for form in Format:
            assert render(data, form, Voice("zh"))
    return data


def test_a_run_that_went_well_is_reported_as_the_engine_ended_it() -> None:
    world = _world("steps:\n  - {id: a, uses: do.it}\n  - {id: b, uses: do.it}\n")
    assert world.run() is RunState.SUCCEEDED
    data = _report(world)
    assert (data.run.state, data.run.provisional) == ("succeeded", False)
    assert [(step.id, step.state) for step in data.steps] == [
        ("a", "succeeded"),
        ("b", "succeeded"),
    ]


def test_a_lost_answer_is_reported_as_a_doubt_that_a_probe_settled() -> None:
    action = Do(Outside(), attaches=False, raises=[LostContactError("connection lost")])
    world = _world("steps:\n  - {id: a, uses: do.it, effect: once}\n", action)
    world.run()
    (doubt,) = _report(world).doubts
    assert (doubt.step, doubt.settled) == ("a", "probe")


def test_a_failure_that_a_person_skipped_names_the_person() -> None:
    action = Do(Outside(), "do.break", raises=[RefusedError("no", facts={"before": True})])
    world = _world("steps:\n  - {id: a, uses: do.break}\n  - {id: b, uses: do.it}\n", action)
    world.run_answering(lambda _q: world.says("cai", "skip"))
    data = _report(world)
    (step,) = [step for step in data.steps if step.id == "a"]
    assert step.by is not None
    assert (step.passed, step.by.id) == ("skipped", "cai")
    assert [failure.then for failure in data.failures] == ["passed"]
    assert [answer.verdict for question in data.questions for answer in question.answers] == [
        "skip"
    ]


def test_a_failure_that_the_runbook_allows_is_shown_as_such() -> None:
    action = Do(Outside(), "do.break", raises=[RefusedError("no", facts={"before": True})])
    source = "steps:\n  - {id: a, uses: do.break, on_failure: continue}\n  - {id: b, uses: do.it}\n"
    world = _world(source, action)
    assert world.run() is RunState.SUCCEEDED
    data = _report(world)
    assert [step.passed for step in data.steps] == ["continued", ""]
    assert [failure.then for failure in data.failures] == ["passed"]
