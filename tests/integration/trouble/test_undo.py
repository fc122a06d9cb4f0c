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
SLOW = "while [ ! -e {mark}.go ]; do sleep 0.1; done; rm {mark}; echo {id} >> {order}"
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
    waiting(place, undo=SLOW)
    place.kill_engine()
    place.dr("undo", "--no-wait", *WHY)
    place.until(lambda view: place.events(Kind.UNDO_HANDLE, "two"), "the first undo")
    place.kill_engine()
    for name in ("two", "one"):
        place.mark(f"{name}.go").touch()
    place.dr("resume", place.run, "--detach")
    place.wait_end("aborted")
    assert place.read("order") == ["two", "one"], "each once"


def test_a_killed_undo_goes_on_a_second_one_is_refused_and_nothing_is_taken_back_twice(
    place: Place,
) -> None:
    waiting(place, undo=SLOW)
    view = place.beside("undo", *WHY)
    place.until(lambda view: place.events(Kind.UNDO_HANDLE, "two"), "the first undo")
    view.kill()
    view.communicate()
    refused = place.dr("undo", "--json", *WHY, code=7)
    assert refused.data["error"]["message"] == f"an undo of run {place.run} is under way already"
    place.kill_engine()
    assert place.dr("undo", *WHY, code=7).err.startswith("error: an undo of run")
    place.dr("resume", place.run, "--detach")
    for name in ("two", "one"):
        place.mark(f"{name}.go").touch()
    place.wait_end("aborted")
    assert place.read("order") == ["two", "one"]


def test_of_two_at_once_one_is_refused(place: Place) -> None:
    waiting(place, undo=SLOW)
    both = [place.beside("undo", *WHY) for _ in range(2)]
    wait_for(lambda: any(process.poll() == 7 for process in both), 60, "the refusal")
    for name in ("two", "one"):
        place.mark(f"{name}.go").touch()
    said = [process.communicate(timeout=60)[0] for process in both]
    assert sorted(process.returncode for process in both) == [0, 7], said
    place.wait_end("aborted")
    assert place.read("order") == ["two", "one"]


def test_a_step_in_doubt_is_found_before_it_is_taken_back(place: Place) -> None:
    go = place.mark("go")
    words = f"touch {place.mark('begun')}; while [ ! -e {go} ]; do sleep 0.1; done"
    step = STEP.format(id="work", mark=place.mark("work"), undo=f"rm {place.mark('work')}")
    argv = f"argv: [touch, {place.mark('work')}]"
    shell = f"shell: '{words}; touch {place.mark('work')}'"
    place.book("doubtful", step.replace(argv, shell))
    place.start("doubtful")
    wait_for(place.mark("begun").exists, 30, "the command to begin")
    place.kill_engine()
    said = place.dr("undo", "--no-wait", *WHY)
    assert "work @ a: under way: comes to its end first, then taken back" in said.err
    place.until(lambda view: place.states()["work"] == "in_doubt", "the doubt")
    go.touch()
    place.wait_end("aborted")
    assert place.states()["work"] == "undone"
    assert not place.mark("work").exists()


def test_a_host_that_can_not_be_seen_is_asked_about_before_anything_acts(place: Place) -> None:
    waiting(place)
    place.hosts["a"].kill_everything()
    said = place.dr("undo", *WHY, code=3)
    assert "could not be taken back: a probe said unknown" in said.out
    assert place.events(Kind.UNDO_INTENT) == []
    place.hosts["a"].start()
    place.dr("answer", place.run, "two", "retry", "--because", "it is back")
    place.wait_end("aborted")
    assert place.read("order") == ["two", "one"]


def test_an_abort_lets_the_undo_under_way_end_and_gives_up_the_rest(place: Place) -> None:
    waiting(place, undo=SLOW)
    view = place.beside("undo", *WHY)
    place.until(lambda view: place.events(Kind.UNDO_HANDLE, "two"), "the first undo")
    place.dr("abort", *WHY)
    place.mark("two.go").touch()
    out, _ = view.communicate(timeout=60)
    assert view.returncode == 1, out
    place.wait_end("aborted")
    assert place.read("order") == ["two"]
    assert place.mark("one").exists()
    (undone,) = place.dr("show", place.run, "--json").data["undone"]
    assert undone["left"] == [{"step": "one", "host": "a", "because": "the run was aborted"}]


def test_an_undo_that_fails_asks_with_exit_3_and_goes_on_when_it_was_answered(place: Place) -> None:
    waiting(place, undo="[ -e {order}.ok ] && rm {mark} && echo {id} >> {order}")
    said = place.dr("undo", *WHY, code=3)
    assert "could not be taken back" in said.out
    assert f"next: dr answer {place.run} two retry|go-on|fail" in said.err, "not the task's"
    assert place.dr("status", "--json", code=3).data["runs"]
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
    assert f"next: dr retry {place.run} two --because" in said.err
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
