"""``dr undo`` with the real command, real hosts and kill -9."""

from __future__ import annotations

import json

import pytest

from dr.engine.core.events import Kind
from tests.deadline import wait_for
from tests.integration.trouble.place import Place

pytestmark = pytest.mark.slow

STEP = """\
  - id: {id}
    uses: ssh.run
    hosts: a
    with: {{ argv: [touch, {mark}] }}
    probe: {{ uses: path.check, hosts: a, with: {{ path: {mark} }},
      when: "${{{{ result.state == 'present' }}}}" }}
    undo: {{ uses: ssh.run, hosts: a, effect: idempotent, with: {{ shell: "{undo}" }} }}
"""
_ASK = "{ group: support, instructions: { en: x, zh: x } }"
TASK = f"  - {{ id: person, uses: human.task, with: {_ASK} }}\n"
WHY = ("--because", "the wrong service")


def waiting(place: Place, *words: str, undo: str = "rm {mark}; echo {id} >> {order}") -> str:
    """Start a run of three steps, the first of which somebody had done; it waits for a person."""
    place.mark("there").touch()
    steps = ""
    for id in ("there", "one", "two"):
        names = {"id": id, "mark": place.mark(id), "order": place.mark("order")}
        steps += STEP.format(id=id, mark=place.mark(id), undo=undo.format(**names))
    place.book("undoable", steps + TASK)
    run = place.start("undoable", *words)
    place.until(lambda view: "person#1" in view.questions, "the task")
    return run


def test_what_the_run_did_is_taken_back_in_reverse_and_nothing_else(place: Place) -> None:
    waiting(place)
    said = place.dr("undo", *WHY)
    assert "1. two @ a: is taken back (ssh.run)" in said.err
    assert "person: was done by a person" not in said.err
    place.wait_end("aborted")
    assert place.read("order") == ["two", "one"]
    assert place.mark("there").exists()
    assert place.states()["there"] == "already_done"
    report = (place.folder / ".dr/reports" / place.run / "report.en.md").read_text("utf-8")
    assert "the wrong service" in report


def test_an_undo_goes_on_after_kill_9_and_also_begins_without_an_engine(place: Place) -> None:
    slow = "while [ ! -e {mark}.go ]; do sleep 0.1; done; rm {mark}; echo {id} >> {order}"
    waiting(place, undo=slow)
    place.kill_engine()
    place.dr("undo", "--no-wait", *WHY)
    place.until(lambda view: place.events(Kind.UNDO_HANDLE, "two"), "the first undo")
    place.kill_engine()
    for name in ("two", "one"):
        place.mark(f"{name}.go").touch()
    place.dr("resume", place.run, "--detach")
    place.wait_end("aborted")
    assert place.read("order") == ["two", "one"], "each once"


def test_an_undo_that_fails_asks_with_exit_3_and_goes_on_when_it_was_answered(place: Place) -> None:
    waiting(place, undo="[ -e {order}.ok ] && rm {mark} && echo {id} >> {order}")
    said = place.dr("undo", *WHY, code=3)
    assert "could not be taken back" in said.out
    assert place.mark("two").exists()
    place.mark("order.ok").touch()
    place.dr("answer", place.run, "two", "retry", "--because", "there is room now")
    place.wait_end("aborted")
    assert place.read("order") == ["two", "one"]


def test_after_going_back_to_a_step_it_can_be_done_again(place: Place) -> None:
    waiting(place)
    said = place.dr("undo", "--from", "two", *WHY)
    assert "everything that was to be taken back is taken back" in said.out
    assert (place.mark("one").exists(), place.mark("two").exists()) == (True, False)
    place.kill_engine()
    place.dr("resume", place.run, "--detach")
    place.dr("retry", place.run, "two", "--because", "now with the right host")
    place.dr("continue", place.run)
    wait_for(place.mark("two").exists, 30, "the step done again")
    place.dr("answer", place.run, "person", "done")
    place.wait_end("succeeded")


def test_production_wants_the_id_of_the_run_and_refusals_say_what_to_type(place: Place) -> None:
    waiting(place, "--env", "prod", "--confirm", "undoable")
    refused = place.dr("undo", *WHY, code=2)
    assert f"Add --confirm {place.run}." in refused.err
    assert "no step 'nine'" in place.dr("undo", "--from", "nine", *WHY, code=2).err
    lines = place.dr("undo", "--confirm", place.run, *WHY, "--json").out.splitlines()
    assert json.loads(lines[-1])["run"] == place.run
    place.wait_end("aborted")
    assert "is over" in place.dr("undo", place.run, *WHY, code=2).err
