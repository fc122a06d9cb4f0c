"""One event, one sentence: what plain lines and the log of a run are made of.

The journal holds codes and values; the words are chosen here, in the language in use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dr.cli.jobs import job_words
from dr.cli.outline import Outline
from dr.cli.reasons import say_reason
from dr.cli.sayings import say_error
from dr.cli.text import N_, _, ngettext
from dr.cli.width import printable
from dr.cli.words import (
    OUTCOME_WORDS,
    VERDICT_WORDS,
    WAIT_WORDS,
    amount,
    clock,
    environment_word,
    known,
    mode_word,
    run_word,
    say,
    seconds,
    stamp,
    state_word,
)
from dr.engine.core.amendment import in_brief
from dr.engine.core.behind import in_words
from dr.engine.core.events import Event, Kind
from dr.engine.core.states import RunState, StepState
from dr.engine.core.view import RunView


def plain_line(event: Event, view: RunView, outline: Outline) -> str | None:
    """Return the line for one event, local time first; None for what only machines care about.

    ``view`` is the run with the event already folded in.
    """
    make = _SENTENCES.get(event.kind)
    sentence = make(event, view, outline) if make else None
    if not sentence:
        return None
    return f"{stamp(event.at)}  {' '.join(printable(sentence).splitlines())}"


def heartbeat(view: RunView, moment: str) -> str:
    """Return the line that says that nothing happened, and what is waited for."""
    word, _style = run_word(view.state)
    busy = [s.id for s in view.steps.values() if s.state is StepState.RUNNING]
    busy += [f"{q.question.step} (@)" for q in view.open_questions()]
    return f"{moment}  " + _("still {state}: {steps}").format(
        state=word, steps=", ".join(busy) or "-"
    )


def _subject(event: Event) -> str:
    place = f" @ {event.host}" if event.host else ""
    attempt = f" #{event.attempt}" if event.attempt and event.attempt > 1 else ""
    return f"{event.step}{place}{attempt}"


def _tail(because: Any) -> str:
    """Return a reason of the engine as the end of a sentence."""
    return _said(say_reason(because))


def _said(text: Any) -> str:
    """Return what people wrote, as it is, as the end of a sentence."""
    return f": {text}" if text else ""


def _error(data: Mapping[str, Any]) -> str:
    error = data.get("error")
    if isinstance(error, Mapping):
        error = error.get("message")
    return _tail(say_error(str(error or data.get("message") or "")))


def _run_created(event: Event, _view: RunView, outline: Outline) -> str:
    word, _style = environment_word(outline.kind, outline.environment)
    labels = " ".join(part for part in (word, mode_word(outline.mode)) if part)
    return _("run {run} of {runbook} begins [{labels}], asked for by {who}").format(
        run=event.run, runbook=outline.runbook, labels=labels, who=outline.requester or "?"
    )


def _run_lease(event: Event, _view: RunView, _outline: Outline) -> str:
    return _("engine {holder} has the run, epoch {epoch}").format(
        holder=event.data.get("holder", "?"), epoch=event.data.get("epoch", "?")
    )


def _run_behind(event: Event, _view: RunView, _outline: Outline) -> str:
    return _(
        "the run is in doubt as a whole: the journal lacks what these hosts know: {seen}"
    ).format(seen=in_words(event.data["seen"]))


def _takeover(event: Event, _view: RunView, _outline: Outline) -> str:
    words = _("{by} takes the run over on {machine} from {holder}").format(
        by=event.data.get("by", "?"),
        machine=event.data.get("machine", "?"),
        holder=event.data.get("holder") or "?",
    )
    return words + _said(event.data.get("because"))


def _run_state(event: Event, _view: RunView, _outline: Outline) -> str:
    word, _style = run_word(RunState(event.data["state"]))
    return _("run: {state}").format(state=word) + _tail(event.data.get("because"))


def _run_recovered(event: Event, _view: RunView, _outline: Outline) -> str:
    return _("the service is recovered; it was down for {length}").format(
        length=seconds(event.data.get("down_s"))
    )


def _step_planned(event: Event, _view: RunView, _outline: Outline) -> str:
    hosts, batches = len(event.data["hosts"]), len(event.data["batches"])
    return (
        f"{event.step}: "
        + ngettext("{n} host", "{n} hosts", hosts).format(n=hosts)
        + ", "
        + ngettext("{n} batch", "{n} batches", batches).format(n=batches)
    )


def _step_waiting(event: Event, _view: RunView, _outline: Outline) -> str:
    what = known(WAIT_WORDS, str(event.data.get("for", "")))
    until = event.data.get("until")
    tail = " " + _("until {time}").format(time=clock(until)) if until else ""
    return _("{step} waits for {what}").format(step=event.step, what=what) + tail


def _moved(state: StepState) -> Callable[[Event, RunView, Outline], str]:
    def sentence(event: Event, _view: RunView, _outline: Outline) -> str:
        by = f" ({event.data['by']})" if event.data.get("by") else ""
        return f"{event.step} {state_word(state)}{by}" + _tail(event.data.get("because"))

    return sentence


def _step_finished(event: Event, _view: RunView, _outline: Outline) -> str:
    state = state_word(StepState(event.data["state"]))
    return f"{event.step} {state}" + _tail(event.data.get("because"))


def _step_reopened(event: Event, _view: RunView, _outline: Outline) -> str:
    return _("{step} is looked at again").format(step=event.step) + _tail(event.data.get("because"))


def _rung_started(event: Event, _view: RunView, _outline: Outline) -> str:
    return _("{step}: rung {rung} begins").format(step=event.step, rung=event.data["rung"])


def _rung_failed(event: Event, _view: RunView, _outline: Outline) -> str:
    return _("{step}: rung {rung} FAILED").format(step=event.step, rung=event.data["rung"]) + _tail(
        event.data.get("because")
    )


_CLOSED_HOW = {
    "undone": N_("its effects are undone"),
    "fenced": N_("its effects are fenced"),
    "no_effect": N_("it had no effect"),
    "person": N_("a person says so"),
}


def _rung_closed(event: Event, _view: RunView, _outline: Outline) -> str:
    return _("{step}: rung {rung} is closed").format(
        step=event.step, rung=event.data["rung"]
    ) + _tail(known(_CLOSED_HOW, str(event.data.get("how", ""))))


def _intent(event: Event, _view: RunView, outline: Outline) -> str:
    title = outline.title(event.step or "")
    named = f" ({title})" if title != event.step else ""
    return f"{_subject(event)} {state_word(StepState.RUNNING)}{named}"


_FINISHED = {
    "succeeded": StepState.SUCCEEDED,
    "already_done": StepState.ALREADY_DONE,
    "failed": StepState.FAILED,
    "retry": StepState.WAITING,
}


def _finished(event: Event, _view: RunView, _outline: Outline) -> str:
    state = str(event.data["state"])
    if state == "retry":
        words = _("will be tried again at {time}").format(time=clock(event.data.get("retry_at")))
        return f"{_subject(event)} {words}" + _error(event.data)
    return f"{_subject(event)} {state_word(_FINISHED[state])}" + _error(event.data)


def _lost(event: Event, _view: RunView, _outline: Outline) -> str:
    return f"{_subject(event)} {state_word(StepState.IN_DOUBT)}" + _error(event.data)


_PRESENCE = {
    "done": N_("it is done"),
    "absent": N_("it is not done"),
    "partial": N_("it is done in part"),
    "unknown": N_("nobody knows"),
}


def _probed(event: Event, _view: RunView, _outline: Outline) -> str:
    words = known(_PRESENCE, str(event.data.get("presence", "")))
    return _("{step}: the probe says {what}").format(step=_subject(event), what=words) + _tail(
        event.data.get("detail")
    )


def _stopping(event: Event, _view: RunView, _outline: Outline) -> str:
    return _("{step}: its command is told to end").format(step=_subject(event))


def _stopped(event: Event, _view: RunView, _outline: Outline) -> str:
    return f"{_subject(event)}: {job_words(event.data)}"


def _undo_intent(event: Event, _view: RunView, _outline: Outline) -> str:
    return f"{_subject(event)} {state_word(StepState.UNDOING)}"


def _undo_finished(event: Event, _view: RunView, _outline: Outline) -> str:
    state = StepState.UNDONE if event.data["state"] == "undone" else StepState.UNDO_FAILED
    return f"{_subject(event)} {state_word(state)}" + _error(event.data)


def _run_undone(event: Event, _view: RunView, _outline: Outline) -> str:
    if event.data.get("stopped"):
        return _("taking back was stopped")
    left = event.data.get("left") or ()
    if not left:
        return _("everything that was to be taken back is taken back")
    names = ", ".join(dict.fromkeys(str(item.get("step")) for item in left))
    return _("taken back, except for what is left: {steps}").format(steps=names)


def _question_opened(event: Event, view: RunView, _outline: Outline) -> str:
    asked = view.questions[str(event.data["question"]["id"])].question
    who = asked.approvers or _("anyone")
    return _("{question} asks {who}: {asks}").format(
        question=asked.id, who=who, asks=say(asked.asks)
    )


def _question_answered(event: Event, _view: RunView, _outline: Outline) -> str:
    answer = event.data["answer"]
    words = known(VERDICT_WORDS, str(answer.get("verdict", "")))
    choice = f" [{answer['choice']}]" if answer.get("choice") else ""
    return f"{event.data['question']}: {answer.get('by', '?')} {words}{choice}" + _said(
        answer.get("reason")
    )


def _question_escalated(event: Event, _view: RunView, _outline: Outline) -> str:
    return _("{question} is also put to {to}").format(
        question=event.data["question"], to=event.data["to"]
    )


def _question_closed(event: Event, _view: RunView, _outline: Outline) -> str:
    outcome = known(OUTCOME_WORDS, str(event.data["outcome"]))
    return f"{event.data['question']} {outcome}" + _tail(event.data.get("because"))


def _facts(event: Event, _view: RunView, _outline: Outline) -> str | None:
    values = event.data.get("facts")
    if not isinstance(values, Mapping):
        return None
    shown = ", ".join(
        f"{name}={amount(value)}"
        for name, value in values.items()
        if isinstance(value, str | int | float | bool)
    )
    return _("seen {name}").format(name=event.data.get("name", "")) + _tail(shown)


def _wish(text: str) -> Callable[[Event, RunView, Outline], str]:
    def sentence(event: Event, _view: RunView, _outline: Outline) -> str:
        words = _(text).format(step=event.step or "", by=event.data.get("by", "?"))
        return words + _said(event.data.get("because") or event.data.get("text"))

    return sentence


def _changes(event: Event) -> str:
    return f" [{in_brief(event.data['diff'])}]"


def _amend(event: Event, _view: RunView, _outline: Outline) -> str:
    words = _("{by} wants the run amended").format(by=event.data.get("by", "?"))
    return words + _changes(event) + _said(event.data.get("because"))


def _amended(event: Event, _view: RunView, _outline: Outline) -> str:
    words = _("the run is amended, approved by {who}").format(
        who=", ".join(event.data["approved_by"])
    )
    again = event.data["asked_again"]
    tail = "; " + _("asked again: {gates}").format(gates=", ".join(again)) if again else ""
    return words + _changes(event) + tail


def _reconcile_opened(event: Event, _view: RunView, _outline: Outline) -> str:
    count = len(event.data["branches"])
    return ngettext(
        "reconciliation opened with {n} branch", "reconciliation opened with {n} branches", count
    ).format(n=count)


def _reconcile_received(event: Event, _view: RunView, _outline: Outline) -> str:
    data = event.data
    words = _("{branch} handed in {name}").format(branch=data["branch"], name=data.get("name", ""))
    return words + _tail(data.get("problem"))


def _reconcile_compared(event: Event, _view: RunView, _outline: Outline) -> str:
    data = event.data
    if data.get("problem"):
        words = _("{branch} could not be compared").format(branch=data["branch"])
        return words + _tail(data["problem"])
    count = len(data["cases"])
    return ngettext(
        "{branch} compared: {n} difference", "{branch} compared: {n} differences", count
    ).format(branch=data["branch"], n=count)


def _reconcile_decided(event: Event, _view: RunView, _outline: Outline) -> str:
    data = event.data
    said = {
        "propose": _("{by} proposes for {case}: {what}"),
        "approve": _("{by} approves {case}"),
        "dispute": _("{by} sends {case} back"),
        "assign": _("{by} gives {case} to {what}"),
    }[str(data["verb"])]
    what = data.get("resolution") or data.get("owner") or ""
    return said.format(by=data["by"], case=data["case"], what=what) + _said(data.get("reason"))


def _reconcile_signed(event: Event, _view: RunView, _outline: Outline) -> str:
    return _("{by} signs for {branch}").format(by=event.data["by"], branch=event.data["branch"])


def _reconcile_waived(event: Event, _view: RunView, _outline: Outline) -> str:
    words = _("{by} waives {branches}").format(
        by=event.data["by"], branches=", ".join(map(str, event.data["branches"]))
    )
    return words + _said(event.data.get("reason"))


def _reconcile_reminded(event: Event, _view: RunView, _outline: Outline) -> str:
    data = event.data
    if data.get("letters"):
        return "; ".join(_letters(each) for each in data["letters"])
    words = _("overdue: {branches}").format(branches=", ".join(map(str, data["branches"])))
    count, nobodys = len(data.get("people") or ()), data.get("nobodys")
    if count:
        told = ngettext("mail goes to {n} person", "mail goes to {n} people", count)
        words += "; " + told.format(n=count)
    if nobodys:
        words += "; " + _("nobody answers for {branches}").format(branches=_first(nobodys))
    return words


_LETTERS = {
    "accepted": N_("reminded by mail: {people}"),
    "refused": N_("mail to {people} was refused"),
    "later": N_("mail to {people} was not sent"),
    "unknown": N_("nobody knows whether the mail to {people} arrived"),
}


def _letters(each: Mapping[str, Any]) -> str:
    """Return what became of the letters that had one fate, for one reason."""
    words = _(_LETTERS[str(each["fate"])]).format(people=_first(each["people"]))
    return words + _tail(each.get("because"))


def _first(names: Sequence[Any], most: int = 5) -> str:
    """Return the first names, and how many there are besides."""
    shown, more = ", ".join(map(str, names[:most])), len(names) - most
    return _("{names} and {n} more").format(names=shown, n=more) if more > 0 else shown


def _reconcile_closed(_event: Event, _view: RunView, _outline: Outline) -> str:
    return _("reconciliation closed")


_SENTENCES: Mapping[Kind, Callable[[Event, RunView, Outline], str | None]] = {
    Kind.RUN_CREATED: _run_created,
    Kind.RUN_LEASE: _run_lease,
    Kind.RUN_BEHIND: _run_behind,
    Kind.RUN_FACTS: _facts,
    Kind.RUN_STATE: _run_state,
    Kind.RUN_RECOVERED: _run_recovered,
    Kind.RUN_CLOSED: lambda _e, _v, _o: _("closed: the business of the branches is settled"),
    Kind.RUN_ENDED: _run_state,
    Kind.STEP_PLANNED: _step_planned,
    Kind.STEP_WAITING: _step_waiting,
    Kind.STEP_SKIPPED: _moved(StepState.SKIPPED),
    Kind.STEP_CANCELLED: _moved(StepState.CANCELLED),
    Kind.STEP_FINISHED: _step_finished,
    Kind.STEP_REOPENED: _step_reopened,
    Kind.RUNG_STARTED: _rung_started,
    Kind.RUNG_FAILED: _rung_failed,
    Kind.RUNG_CLOSED: _rung_closed,
    Kind.INTENT: _intent,
    Kind.FINISHED: _finished,
    Kind.LOST: _lost,
    Kind.PROBED: _probed,
    Kind.STOPPING: _stopping,
    Kind.STOPPED: _stopped,
    Kind.UNDO_INTENT: _undo_intent,
    Kind.UNDO_FINISHED: _undo_finished,
    Kind.QUESTION_OPENED: _question_opened,
    Kind.QUESTION_ANSWERED: _question_answered,
    Kind.QUESTION_ESCALATED: _question_escalated,
    Kind.QUESTION_CLOSED: _question_closed,
    Kind.RECONCILE_OPENED: _reconcile_opened,
    Kind.RECONCILE_RECEIVED: _reconcile_received,
    Kind.RECONCILE_COMPARED: _reconcile_compared,
    Kind.RECONCILE_DECIDED: _reconcile_decided,
    Kind.RECONCILE_SIGNED: _reconcile_signed,
    Kind.RECONCILE_WAIVED: _reconcile_waived,
    Kind.RECONCILE_REMINDED: _reconcile_reminded,
    Kind.RECONCILE_CLOSED: _reconcile_closed,
    Kind.RECONCILE_REOPENED: _wish(N_("{by} opens the reconciliation again")),
    Kind.OP_PAUSE: _wish(N_("{by} pauses the run")),
    Kind.OP_CONTINUE: _wish(N_("{by} lets the run continue")),
    Kind.OP_ABORT: _wish(N_("{by} aborts the run")),
    Kind.OP_RETRY: _wish(N_("{by} wants {step} tried again")),
    Kind.OP_SKIP: _wish(N_("{by} wants {step} skipped")),
    Kind.OP_TAKEOVER: _takeover,
    Kind.OP_ACCEPT: _wish(N_("{by} lets the run go on although the journal has lost events")),
    Kind.OP_UNDO: _wish(N_("{by} wants steps taken back")),
    Kind.RUN_UNDONE: _run_undone,
    Kind.OP_NOTE: _wish(N_("{by} notes")),
    Kind.OP_AMEND: _amend,
    Kind.RUN_AMENDED: _amended,
}
"""HANDLE, RESULT and UNDO_HANDLE are for machines and have no sentence."""
