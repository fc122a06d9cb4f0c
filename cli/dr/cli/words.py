"""Words and marks for states, moments and amounts.  A mark never stands without its word."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from dr.cli.text import N_, _, language
from dr.engine.core.states import RunState, StepState
from dr.engine.core.values import Text, format_duration, parse_utc

_S = StepState

STATE_WORDS: Mapping[StepState, str] = {
    _S.PENDING: N_("pending"),
    _S.READY: N_("ready"),
    _S.WAITING: N_("WAITS"),
    _S.RUNNING: N_("running"),
    _S.SUCCEEDED: N_("done"),
    _S.ALREADY_DONE: N_("already done"),
    _S.FAILED: N_("FAILED"),
    _S.SKIPPED: N_("skipped"),
    _S.CANCELLED: N_("cancelled"),
    _S.IN_DOUBT: N_("IN DOUBT"),
    _S.UNDOING: N_("undoing"),
    _S.UNDONE: N_("undone"),
    _S.UNDO_FAILED: N_("UNDO FAILED"),
}

_MARKS: Mapping[StepState, tuple[str, str]] = {
    _S.PENDING: ("·", "."),
    _S.READY: ("·", "."),
    _S.WAITING: ("@", "@"),
    _S.RUNNING: ("▸", ">"),
    _S.SUCCEEDED: ("✓", "+"),
    _S.ALREADY_DONE: ("=", "="),
    _S.FAILED: ("✗", "x"),
    _S.SKIPPED: ("-", "-"),
    _S.CANCELLED: ("-", "-"),
    _S.IN_DOUBT: ("?", "?"),
    _S.UNDOING: ("◂", "<"),
    _S.UNDONE: ("◂", "<"),
    _S.UNDO_FAILED: ("✗", "x"),
}

STYLES: Mapping[StepState, str] = {
    _S.PENDING: "dim",
    _S.READY: "dim",
    _S.WAITING: "warn",
    _S.RUNNING: "busy",
    _S.SUCCEEDED: "good",
    _S.ALREADY_DONE: "good",
    _S.FAILED: "bad",
    _S.SKIPPED: "dim",
    _S.CANCELLED: "dim",
    _S.IN_DOUBT: "alarm",
    _S.UNDOING: "warn",
    _S.UNDONE: "warn",
    _S.UNDO_FAILED: "bad",
}

RUN_WORDS: Mapping[RunState, tuple[str, str]] = {
    RunState.RUNNING: (N_("RUNNING"), "busy"),
    RunState.WAITING: (N_("WAITS FOR PEOPLE"), "warn"),
    RunState.IN_DOUBT: (N_("IN DOUBT"), "alarm"),
    RunState.PAUSED: (N_("PAUSED"), "warn"),
    RunState.SUCCEEDED: (N_("SUCCEEDED"), "good"),
    RunState.FAILED: (N_("FAILED"), "bad"),
    RunState.ABORTED: (N_("ABORTED"), "bad"),
}

PHASE_WORDS: Mapping[str, str] = {
    "assess": N_("assess"),
    "decide": N_("decide"),
    "isolate": N_("isolate"),
    "recover": N_("recover"),
    "prove": N_("prove"),
    "return": N_("return"),
    "": N_("other"),
}

_KIND_WORDS: Mapping[str, tuple[str, str]] = {
    "production": (N_("PRODUCTION"), "alarm"),
    "staging": (N_("STAGING"), "warn"),
    "lab": (N_("LAB"), "good"),
}

WAIT_WORDS: Mapping[str, str] = {
    "gate": N_("an approval"),
    "person": N_("a person"),
    "task": N_("a person"),
    "reconciliation": N_("the branches"),
    "lock": N_("a lock"),
    "batch": N_("the batch before"),
    "retry": N_("its next attempt"),
}

VERDICT_WORDS: Mapping[str, str] = {
    "approve": N_("approves"),
    "reject": N_("rejects"),
    "done": N_("says it is done"),
    "not-done": N_("says it is not done"),
    "failed": N_("says it failed"),
    "retry": N_("wants it tried again"),
    "skip": N_("wants it skipped"),
    "fail": N_("wants the run to fail"),
    "go-on": N_("wants the run to go on"),
}

OUTCOME_WORDS: Mapping[str, str] = {
    "approved": N_("approved"),
    "rejected": N_("rejected"),
    "timeout": N_("timed out: not approved"),
    "timed_out": N_("timed out: not approved"),
    "expired": N_("lapsed"),
    "void": N_("void: the plan changed"),
    "withdrawn": N_("taken back"),
    **VERDICT_WORDS,
}


UNDO_WORDS: Mapping[str, str] = {
    "undo": N_("is taken back"),
    "wait": N_("under way: comes to its end first, then taken back"),
    "look": N_("in doubt: looked at first, then taken back"),
    "none": N_("has no undo and is left as it is"),
    "hand": N_("was done by a person: take it back by hand"),
}
"""What an undo does to a step."""


RUNG_WORDS: Mapping[str, str] = {
    "started": N_("tried now"),
    "failed": N_("failed"),
    "closed": N_("failed and closed"),
    "succeeded": N_("done"),
}
"""What became of a rung."""


def known(words: Mapping[str, str], code: str) -> str:
    """Return the word for a code of the journal; the code itself when there is none."""
    return _(words[code]) if code in words else code


def mark(state: StepState, *, plain: bool) -> str:
    """Return the one-cell mark of a state."""
    return _MARKS[state][1 if plain else 0]


def state_word(state: StepState) -> str:
    """Return the word of a step's state."""
    return _(STATE_WORDS[state])


def step_word(state: StepState, *, not_tried: bool = False) -> str:
    """Return the word of a step; one of a rung that was never tried is not pending for ever."""
    return _("not tried") if not_tried else state_word(state)


def run_word(state: RunState) -> tuple[str, str]:
    """Return word and style of a run's state."""
    word, style = RUN_WORDS[state]
    return _(word), style


def environment_word(kind: str, name: str = "") -> tuple[str, str]:
    """Return the word that says how careful to be, with the name when it says more."""
    word, style = _KIND_WORDS.get(kind, (kind.upper(), "warn"))
    shown = _(word)
    return (shown if name in {"", kind} else f"{shown} ({name})"), style


def mode_word(mode: str) -> str:
    """Return the word for a drill; nothing for a real run."""
    return _("DRILL") if mode == "drill" else ""


def say(value: object) -> str:
    """Return a text that carries its languages in the one in use."""
    return Text.of(value).say(language())


def seconds(value: float | None) -> str:
    """Return a length in seconds for people; None is ``unknown``, never 0."""
    return _("unknown") if value is None else format_duration(timedelta(seconds=value))


def loss(loss_s: float | None, *, is_known: bool) -> str:
    """Return a data loss for people; one that nobody knows is ``unknown``, never 0."""
    if not is_known or loss_s is None:
        return _("unknown")
    return _("none") if loss_s == 0 else seconds(loss_s)


def span(start: datetime | None, end: datetime | None) -> str:
    """Return how long something took; nothing when it has not started."""
    return "" if start is None or end is None else seconds((end - start).total_seconds())


def stamp(moment: datetime) -> str:
    """Return a moment as RFC 3339 in local time, to the second."""
    return moment.astimezone().isoformat(timespec="seconds")


def clock(moment: datetime | str | None) -> str:
    """Return the local time of day to the minute."""
    if moment is None:
        return _("unknown")
    when = parse_utc(moment) if isinstance(moment, str) else moment
    return when.astimezone().strftime("%H:%M")


def amount(value: Any) -> str:
    """Return an output or a fact for people."""
    if isinstance(value, Mapping) and value.get("unknown"):
        return _("unknown")
    return _("unknown") if value is None else str(value)
