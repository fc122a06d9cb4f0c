"""Why something is as it is, in the language in use: the engine's own words, said again here.

The engine writes its reasons into the journal in English.  Where the run still shows what a
reason stands on, such as an open question, the words are made from that.  A reason that is past
is found again by its form, as an error is; what people wrote themselves is never changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from dr.cli.sayings import Saying, say_error
from dr.cli.text import ENGLISH, N_, _, language
from dr.cli.words import say
from dr.engine.core.states import RunState
from dr.engine.core.view import RunView

TEMPLATES = (
    N_("{kind} '{step}' waits for people"),
    N_("step '{step}' is in doubt"),
    N_("paused by an operator"),
    N_("the journal lacks events that hosts know of: {hosts}"),
    N_("its condition does not hold: {facts}"),
    N_("drills leave this step out"),
    N_("only simulated in a drill"),
    N_("step '{step}' failed: {reason}"),
    N_("step '{step}': {reason}"),
    N_("rejected by {who}: {reason}"),
    N_("nobody decided in time; a time-out never approves"),
    N_("nobody decided while the forecast was fresh enough to be approved"),
    N_("no rung is left that could be tried"),
    N_("rung '{rung}' lies outside the approval"),
    N_("rung '{rung}' would lose more by now"),
    N_("the run was aborted"),
    N_("the run is ending"),
    N_("what was in doubt is settled"),
    N_("it was tried and failed: {reason}"),
    N_("not known whether it may be tried: {reason}"),
    N_("unknown until the hosts are asked"),
    N_("unknown until {steps}"),
    N_("{failed} of {all} hosts failed: {hosts}"),
    N_("older than {age}, needed by {step}"),
    N_("step '{step}' is taken back"),
    N_("taken back: {reason}"),
    N_("what the run did was not taken back to the end"),
    N_("this step has no undo"),
    N_("people decided against it"),
    N_("people stopped it"),
    N_("its undo failed and people went on"),
    N_("its undo failed"),
    N_("a probe said {presence}: {reason}"),
    N_("undo is in doubt: {reason}"),
    N_("its effect is {effect}"),
    N_("it did not end when told on {host}"),
    N_("it did not end when told"),
    N_("its processes were ended"),
    N_("its end was seen"),
    N_("it ended with exit code {code}"),
    N_("it was withdrawn before it began"),
    N_("the host was restarted"),
    N_("the machine was restarted"),
    N_("it was started on another machine"),
    N_("its processes are gone and left no exit code"),
    N_("the engine died while it ended the job"),
    N_("nothing here can end jobs"),
    N_("a command that only reads leaves nothing to find it by"),
    N_("the plan was amended"),
    N_("step '{step}' has begun since it was proposed"),
    N_("an approval lapsed before all had decided"),
    N_("the reconciliation or the run was over before it"),
    N_("the mail server answered nobody before"),
    N_("the server did not answer in time"),
    N_("the server is not reachable: {reason}"),
    N_("no answer after the text was sent: {reason}"),
    N_("the line was cut after the text was sent"),
)
"""The reasons that the engine writes, with places for their values."""

_QUESTION_WORDS: Mapping[str, str] = {
    "gate": N_("approval"),
    "task": N_("task"),
    "doubt": N_("doubt"),
    "failure": N_("failure"),
    "fallback": N_("next rung"),
    "amendment": N_("amendment"),
    "reconciliation": N_("reconciliation"),
    "undo": N_("undo"),
}


def run_reason(view: RunView) -> str:
    """Return why the run is in its state; nothing where a page shows that itself.

    Open questions and doubts have lines of their own, and a pause is in the state's word.
    """
    shown = {
        RunState.IN_DOUBT: bool(view.in_doubt()),
        RunState.WAITING: bool(view.open_questions()),
        RunState.PAUSED: True,
    }
    return "" if shown.get(view.state) else say_reason(view.because)


def say_reason(because: object) -> str:
    """Return a reason of the journal, a text or one with its languages, in the one in use."""
    sentence = say(because) if isinstance(because, Mapping) else str(because or "")
    if language() == ENGLISH or not sentence:
        return sentence
    for saying in _templates(language()):
        values = saying.values(sentence)
        if values is not None:
            return saying.translation.format(**{k: _value(k, v) for k, v in values.items()})
    return say_error(sentence)


def _value(name: str, value: str) -> str:
    if name in {"reason", "facts"}:
        return say_reason(value)
    return _(_QUESTION_WORDS[value]) if name == "kind" and value in _QUESTION_WORDS else value


@cache
def _templates(lang: str) -> tuple[Saying, ...]:  # noqa: ARG001 (the key of the cache)
    """Return the templates as sayings, the most telling first."""
    found = [Saying.of(text, _(text)) for text in TEMPLATES]
    return tuple(sorted(found, key=lambda one: (-one.weight, len(one.names))))
