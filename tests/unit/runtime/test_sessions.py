"""A step that waits for the branches: its clock, its rule, and what it holds meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dr.engine.core.errors import (
    LockHeldError,
    LostContactError,
    RefusedError,
    RetryableError,
)
from dr.engine.core.events import Draft, Kind
from dr.engine.core.ports import Action, Attempt, Outcome, World
from dr.engine.core.reconciliation import Found
from dr.engine.core.states import RunState, StepState
from dr.engine.core.view import RunView
from dr.engine.journal.projection import ReleaseLocks, changes
from tests.deadline import wait_for
from tests.made_up_world import START, Do, MadeUpWorld, Outside

STEPS = """\
format: 1
name: made-up
steps:
  - {id: mend, uses: do.it, phase: recover}
  - id: sign
    uses: reconcile.close
    phase: return
    effect: idempotent
    with:
      service: registry
      compared: {a: {result: {evidence: aa, entries: 3, cases: []}}, b: {}}
      close_when: {signed_off: 100%, waivable: 50%}
      waiver: {group: leadership}
      due: 2h
      remind: 1h
      escalate: [{group: leadership, after: 5h}]
"""


class Letters(Do):
    """``notify.send`` that keeps what it was given; ``answers`` are raised one after the other."""

    def __init__(self, *answers: Exception, before: Callable[[], object] = int) -> None:
        super().__init__(Outside(), "notify.send")
        self._answers, self._first = list(answers), before
        self.sent: list[Mapping[str, Any]] = []
        self.steps: list[str] = []

    @property
    def people(self) -> list[str]:
        return [person for each in self.sent for person in each["to"]]

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        self._first()
        self.sent.append(attempt.input)
        self.steps.append(attempt.step)
        if self._answers:
            raise self._answers.pop(0)
        return Outcome()


class SlowServer:
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.asked, self.answers = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.asked.set()
        assert self.answers.wait(10)


class Scene:
    """An engine at work beside the test."""

    def __init__(
        self,
        source: str = STEPS,
        locks: tuple[str, ...] = (),
        letters: Action | None = None,
        **inventory: Any,
    ) -> None:
        self.world = MadeUpWorld(source, *([letters] if letters else []), locks=locks)
        inventory = {**self.world.record.inventory, **inventory}
        self.world.record = replace(self.world.record, inventory=inventory)
        self.ended: list[RunState] = []

    def told(self) -> list[dict[str, Any]]:
        """Return what became of the letters, reminder by reminder."""
        events = self.world.journal.events(self.world.record.id)
        reminded = [e.data for e in events if e.kind is Kind.RECONCILE_REMINDED]
        return [fate for data in reminded for fate in data.get("letters", ())]

    @property
    def view(self) -> RunView:
        return self.world.view()

    def kinds(self) -> list[Kind]:
        return [event.kind for event in self.world.journal.events(self.world.record.id)]

    def say(self, kind: Kind, **data: Any) -> None:
        self.world.journal.append(self.world.record.id, [Draft(kind, "sign", data=data)])

    def sign(self, branch: str) -> None:
        session = self.view.session
        assert session is not None
        digest = session.digest_of(session.branches[branch])
        self.say(Kind.RECONCILE_SIGNED, branch=branch, digest=digest, by="ana", means="signature")

    def compare(self, branch: str, *found: Found) -> None:
        cases = [each.to_data() for each in found]
        self.say(Kind.RECONCILE_COMPARED, branch=branch, evidence="bb", entries=1, cases=cases)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        engine = self.world.engine()
        thread = threading.Thread(target=lambda: self.ended.append(engine.run()))
        thread.start()
        try:
            wait_for(lambda: self.view.session is not None, what="the session is open")
            yield
        finally:
            if not self.ended:
                self.say(Kind.OP_ABORT, by="test", because="the test is over")
            thread.join(10)

    def all_hand_in(self, *names: str) -> None:
        """Let branches hand in what fits, and then everybody sign."""
        for name in names:
            self.compare(name)
        for name in ("a", *names):
            self.sign(name)

    def wait(self, kind: Kind, times: int = 1) -> None:
        wait_for(lambda: self.kinds().count(kind) >= times, what=f"{kind} {times} times")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_run_is_recovered_long_before_it_is_closed(scene: Scene) -> None:
    with scene.at_work():
        scene.wait(Kind.RUN_RECOVERED)
        scene.world.clock.forward(timedelta(hours=1))
        scene.compare("b")
        scene.sign("a")
        scene.sign("b")
        wait_for(lambda: bool(scene.ended), what="the run has ended")
    moments = scene.view.moments
    assert scene.ended == [RunState.SUCCEEDED]
    assert moments.recovered is not None
    assert moments.closed is not None
    assert moments.closed - moments.recovered > timedelta(minutes=59)
    assert scene.view.steps["sign"].outputs["how"] == "signed_off"


def test_what_was_compared_before_the_session_is_in_it_from_its_first_moment(scene: Scene) -> None:
    with scene.at_work():
        session = scene.view.session
        assert session is not None
        assert session.branches["a"].entries == 3
        assert session.branches["b"].compared is None


def test_branches_that_are_late_are_named_again_and_again(scene: Scene) -> None:
    with scene.at_work():
        scene.world.clock.forward(timedelta(hours=2, minutes=1))
        scene.wait(Kind.RECONCILE_REMINDED)
        scene.world.clock.forward(timedelta(hours=1, minutes=1))
        scene.wait(Kind.RECONCILE_REMINDED, 2)
        session = scene.view.session
        assert session is not None
        assert session.branches["b"].reminded == 2
        assert session.branches["a"].reminded == 0, "it has handed in"


LATE = {"b": {"title": {"en": "South", "zh": "城南"}, "responsible": "cai"}}
OVERDUE = timedelta(hours=2, minutes=1)


def test_whoever_answers_for_a_late_branch_is_told_what_is_awaited_and_what_to_type() -> None:
    letters = Letters()
    scene = Scene(letters=letters, branches={**LATE, "a": {"responsible": "bo"}})
    with scene.at_work():
        scene.world.clock.forward(OVERDUE)
        scene.wait(Kind.RECONCILE_REMINDED, 2)
    (letter,) = letters.sent
    assert letter["to"] == ["cai"], "a has handed in, and leadership is not asked yet"
    assert letter["subject"] == {
        "en": "Overdue: the ledger of b",
        "zh": "催办：b 业务台账逾期未交",
    }
    due = (START + timedelta(hours=2)).astimezone().isoformat(sep=" ", timespec="minutes")
    for language, title in (("en", "  - b South\n"), ("zh", "  - b 城南\n")):
        text = letter["text"][language]
        assert title in text
        assert due in text
        assert "  dr reconcile load R-20261101-abcde b FILE --by cai" in text
    assert scene.told() == [{"fate": "accepted", "because": "", "people": ["cai"]}]


def test_a_branch_with_only_a_group_is_the_groups_and_nobody_gets_two_letters() -> None:
    letters = Letters()
    branches = {"b": {"group": "leadership"}, "c": {"responsible": "bo"}, "d": {}}
    three = STEPS.replace("b: {}", "b: {}, c: {}, d: {}")
    scene = Scene(three, letters=letters, branches=branches)
    with scene.at_work():
        scene.world.clock.forward(OVERDUE)
        scene.wait(Kind.RECONCILE_REMINDED, 2)
        events = scene.world.journal.events(scene.world.record.id)
    assert letters.people == ["ana", "bo"]
    assert "  - b\n  - c\nIt was due" in letters.sent[1]["text"]["en"]
    before = next(e.data for e in events if e.kind is Kind.RECONCILE_REMINDED)
    assert before == {"branches": ["b", "c", "d"], "people": ["ana", "bo"], "nobodys": ["d"]}


def test_leadership_is_told_of_all_late_branches_from_the_second_reminder_on() -> None:
    letters = Letters()
    scene = Scene(letters=letters, branches=LATE)
    with scene.at_work():
        scene.world.clock.forward(OVERDUE)
        scene.wait(Kind.RECONCILE_REMINDED, 2)
        scene.world.clock.forward(timedelta(hours=1, minutes=1))
        scene.wait(Kind.RECONCILE_REMINDED, 4)
    assert letters.people == ["cai", "cai", "ana", "bo"]
    assert letters.steps == ["sign.remind-1", *["sign.remind-2"] * 3]
    assert "dr reconcile waive R-20261101-abcde b " in letters.sent[2]["text"]["en"]
    assert "waive" not in letters.sent[1]["text"]["en"]


def test_leadership_is_told_at_once_when_the_question_was_escalated() -> None:
    letters = Letters()
    scene = Scene(letters=letters, branches=LATE)
    with scene.at_work():
        scene.world.clock.forward(timedelta(hours=5, minutes=1))
        scene.wait(Kind.RECONCILE_REMINDED, 2)
    assert letters.people == ["cai", "ana", "bo"]


def test_an_engine_that_was_away_for_days_reminds_once_and_not_once_for_each_pause() -> None:
    letters = Letters()
    scene = Scene(letters=letters, branches=LATE)
    with scene.at_work():
        scene.world.clock.forward(timedelta(days=3))
        scene.wait(Kind.RECONCILE_REMINDED, 2)
        scene.world.clock.forward(timedelta(minutes=30))
        scene.say(Kind.RECONCILE_COMPARED, branch="a", evidence="bb", entries=1, cases=[])
        scene.world.clock.forward(timedelta(minutes=29))
    assert letters.people.count("cai") == 1


def test_a_failure_of_mail_is_written_once_with_its_reason_and_fails_nothing() -> None:
    answers = [
        RefusedError("nobody", facts={"letters": {"ana": {"answer": "550 no such user"}}}),
        LostContactError("no answer came"),
        RuntimeError("a mistake"),
    ]
    letters = Letters(*answers)
    branches = {"b": {"group": "leadership"}, "c": {"responsible": "cai"}}
    scene = Scene(STEPS.replace("b: {}", "b: {}, c: {}"), letters=letters, branches=branches)
    with scene.at_work():
        scene.world.clock.forward(OVERDUE)
        scene.wait(Kind.RECONCILE_REMINDED, 2)
        scene.all_hand_in("b", "c")
        wait_for(lambda: bool(scene.ended), what="the run has ended")
    assert scene.told() == [
        {"fate": "refused", "because": "550 no such user", "people": ["ana"]},
        {"fate": "unknown", "because": "RuntimeError: a mistake", "people": ["cai"]},
        {"fate": "unknown", "because": "no answer came", "people": ["bo"]},
    ]
    assert scene.ended == [RunState.SUCCEEDED]


def test_a_thousand_people_without_a_mail_server_are_one_line_of_the_journal() -> None:
    no_server = RefusedError("no mail server is declared")
    names = [f"b-{number}" for number in range(1000)]
    source = STEPS.replace("b: {}", ", ".join(f"{name}: {{}}" for name in names))
    branches = {name: {"responsible": f"head-{name}"} for name in names}
    scene = Scene(source, letters=Letters(*[no_server] * 1000), branches=branches)
    with scene.at_work():
        scene.world.clock.forward(OVERDUE)
        scene.wait(Kind.RECONCILE_REMINDED, 2)
    (told,) = scene.told()
    assert (told["fate"], told["because"]) == ("refused", "no mail server is declared")
    assert len(told["people"]) == 1000


def test_a_server_that_answers_nobody_is_asked_three_times_and_not_for_every_letter() -> None:
    silent = RetryableError("not sent", reason="timeout")
    letters = Letters(*[silent] * 9)
    names = "cdefghi"
    source = STEPS.replace("b: {}", ", ".join(f"{name}: {{}}" for name in names))
    branches = {name: {"responsible": f"head-{name}"} for name in names}
    scene = Scene(source, letters=letters, branches=branches)
    with scene.at_work():
        scene.world.clock.forward(OVERDUE)
        scene.wait(Kind.RECONCILE_REMINDED, 2)
    assert len(letters.sent) == 3
    assert [(each["fate"], len(each["people"])) for each in scene.told()] == [
        ("later", 3),
        ("later", 4),
    ]


def test_the_session_closes_and_the_run_ends_while_a_letter_is_being_sent() -> None:
    server = SlowServer()
    letters = Letters(before=server)
    scene = Scene(letters=letters, branches={"b": {"group": "leadership"}})
    with scene.at_work():
        scene.world.clock.forward(OVERDUE)
        assert server.asked.wait(10)
        scene.all_hand_in("b")
        wait_for(lambda: scene.view.state.ended, what="the run has ended")
        server.answers.set()
        wait_for(lambda: bool(scene.ended), what="the engine has ended")
    assert scene.ended == [RunState.SUCCEEDED]
    assert letters.people == ["ana"], "nobody is awaited any more"
    assert [(each["fate"], each["people"]) for each in scene.told()] == [
        ("accepted", ["ana"]),
        ("later", ["bo"]),
    ]


def test_an_abort_stops_the_letters() -> None:
    server = SlowServer()
    letters = Letters(before=server)
    scene = Scene(letters=letters, branches={"b": {"group": "leadership"}})
    with scene.at_work():
        scene.world.clock.forward(OVERDUE)
        assert server.asked.wait(10)
        scene.say(Kind.OP_ABORT, by="test", because="enough")
        wait_for(lambda: scene.view.state.ended, what="the run has ended")
        server.answers.set()
    assert letters.people == ["ana"]


def test_the_run_waits_for_people_and_not_for_the_mail_server() -> None:
    server = SlowServer()
    scene = Scene(letters=Letters(before=server), branches=LATE)
    with scene.at_work():
        scene.wait(Kind.RUN_RECOVERED)
        wait_for(lambda: scene.view.state is RunState.WAITING, what="the run waits")
        scene.world.clock.forward(OVERDUE)
        assert server.asked.wait(10)
        scene.world.clock.forward(timedelta(hours=3))
        scene.wait(Kind.QUESTION_ESCALATED)
        wait_for(lambda: scene.view.state is RunState.WAITING, what="the run waits again")
        assert scene.kinds().count(Kind.RECONCILE_REMINDED) == 1, "one reminder at a time"
        server.answers.set()
        scene.wait(Kind.RECONCILE_REMINDED, 2)
        scene.world.clock.forward(timedelta(minutes=1))
        scene.wait(Kind.RECONCILE_REMINDED, 3)


def test_nobody_is_reminded_before_the_time_is_over(scene: Scene) -> None:
    with scene.at_work():
        scene.world.clock.forward(timedelta(hours=1))
        scene.sign("a")
        scene.say(Kind.RECONCILE_WAIVED, branches=["b"], by="ana")
        wait_for(lambda: bool(scene.ended), what="the run has ended")
    assert Kind.RECONCILE_REMINDED not in scene.kinds()


def test_leadership_is_asked_too_once_its_time_has_come(scene: Scene) -> None:
    with scene.at_work():
        scene.world.clock.forward(timedelta(hours=5, minutes=1))
        scene.wait(Kind.QUESTION_ESCALATED)


def test_a_waiver_closes_it_and_the_step_says_so(scene: Scene) -> None:
    with scene.at_work():
        scene.sign("a")
        scene.say(Kind.RECONCILE_WAIVED, branches=["b"], by="ana", reason="no office any more")
        wait_for(lambda: bool(scene.ended), what="the run has ended")
    assert scene.view.steps["sign"].outputs["how"] == "waived"


def test_a_session_that_a_person_closed_ends_the_step_once(scene: Scene) -> None:
    with scene.at_work():
        scene.say(Kind.RECONCILE_CLOSED, how="waived", by="ana")
        wait_for(lambda: bool(scene.ended), what="the run has ended")
    assert scene.kinds().count(Kind.RECONCILE_CLOSED) == 1
    assert scene.view.steps["sign"].state is StepState.SUCCEEDED


def test_an_engine_that_comes_later_goes_on_with_the_session_it_finds(scene: Scene) -> None:
    with scene.at_work():
        scene.wait(Kind.RECONCILE_OPENED)
        scene.compare("b")
    assert scene.view.state is RunState.ABORTED
    assert scene.view.session is not None
    assert scene.view.session.branches["b"].compared is not None
    assert scene.kinds().count(Kind.RECONCILE_OPENED) == 1


def test_the_locks_are_free_while_only_branches_are_awaited(scene: Scene) -> None:
    with scene.at_work():
        events = scene.world.journal.events(scene.world.record.id)
    (opened,) = [event for event in events if event.kind is Kind.RECONCILE_OPENED]
    assert ReleaseLocks() in changes(opened, "running")


def test_the_locks_stay_while_another_step_may_still_act() -> None:
    beside = "  - {id: later, uses: human.task, with: {group: leadership}, needs: []}\n"
    scene = Scene(
        STEPS.replace("    phase: return\n", "    phase: return\n    needs: [mend]\n") + beside
    )
    with scene.at_work():
        events = scene.world.journal.events(scene.world.record.id)
    (opened,) = [event for event in events if event.kind is Kind.RECONCILE_OPENED]
    assert changes(opened, "running") == ()


def test_another_run_may_come_while_branches_are_awaited_and_the_first_lets_it_end() -> None:
    behind = "  - {id: release, uses: do.it, needs: [sign]}\n"
    scene = Scene(STEPS + behind, locks=("registry",))
    other = replace(scene.world.record, id="R-20261101-other")
    with scene.at_work():
        scene.world.journal.create(other, [Draft(Kind.RUN_CREATED)])
        scene.compare("b")
        scene.sign("a")
        scene.sign("b")
        scene.world.clock.forward(timedelta(minutes=1))
        with pytest.raises(LockHeldError):
            scene.world.journal.create(replace(other, id="R-3"), [Draft(Kind.RUN_CREATED)])
        assert Kind.RECONCILE_CLOSED not in scene.kinds(), (
            "it acts on the service with its lock only"
        )
        scene.world.journal.append(other.id, [Draft(Kind.RUN_ENDED, data={"state": "succeeded"})])
        scene.world.clock.forward(timedelta(minutes=1))
        wait_for(lambda: bool(scene.ended), what="the run has ended")
    assert scene.ended == [RunState.SUCCEEDED]
    assert scene.world.outside.order == ["mend", "release"]
