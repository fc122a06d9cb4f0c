"""Carry out one attempt: look, write down, act, prove, write down."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import tenacity

from dr.engine.core.canonical import texts
from dr.engine.core.errors import (
    ActionError,
    DrError,
    FailedError,
    FencedError,
    HeldError,
    LapsedError,
    LostContactError,
    RetryableError,
)
from dr.engine.core.events import Draft, Kind
from dr.engine.core.faults import passage
from dr.engine.core.model import Call, Drill, Effect, Step
from dr.engine.core.ports import Action, Attempt, Check, Outcome, Presence, Probe
from dr.engine.core.states import IllegalTransitionError, StepState
from dr.engine.core.values import UNKNOWN, utc_text
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.proofs import require_proofs
from dr.engine.runtime.recorder import HeldBackError, StoppedError
from dr.engine.runtime.validity import approved_until, ask_anew
from dr.engine.runtime.world import AttemptWorld

log = logging.getLogger("dr.runtime")

MASK = "***"
CAREFUL = frozenset({Effect.ONCE, Effect.IRREVERSIBLE})
"""Effects that are never repeated on a guess."""


@dataclass(frozen=True)
class Conductor:
    """Carries out attempts of a run; its methods run in worker threads."""

    context: RunContext
    stops: Callable[[Step], bool] = lambda _step: False
    """Whether a step may not begin now: people paused or aborted, or the run is failing."""
    end_reading: Callable[[Step, Attempt], None] = lambda _step, _attempt: None
    """End the command of a ``read`` step that an abort leaves, found by the attempt's handle."""

    def conduct(self, step: Step, host: str | None, number: int) -> None:
        """Carry out attempt ``number`` of ``step`` on ``host`` to a written end."""
        self._guarded(step, host, number, lambda: self._conduct(step, host, number))

    def _guarded(self, step: Step, host: str | None, number: int, work: Callable[[], None]) -> None:
        try:
            work()
        except StoppedError:
            return
        except IllegalTransitionError:
            log.exception("step %s on %s had ended otherwise meanwhile", step.id, host)
        except FencedError as error:
            log.warning("step %s on %s was refused: %s", step.id, host, error)
            self.context.recorder.stop(HeldError(error.message, hint=error.hint))
        except DrError as error:
            if self._is_running(step, host):
                self._lost(step, host, number, error)
            else:
                self._end(step, host, number, "failed", error=error)
        except Exception as error:
            log.exception("step %s on %s broke down", step.id, host)
            wrapped = LostContactError(
                f"step '{step.id}' broke down: {type(error).__name__}: {error}",
                hint="The log file of the engine has the details.",
            )
            if self._is_running(step, host) and step.effect is not Effect.READ:
                self._lost(step, host, number, wrapped)
            else:
                self._end(step, host, number, "failed", error=wrapped)

    def _is_running(self, step: Step, host: str | None) -> bool:
        seen = self.context.view.steps.get(step.id)
        unit = seen.units.get(host) if seen else None
        return unit is not None and unit.state in {StepState.RUNNING, StepState.IN_DOUBT}

    def _conduct(self, step: Step, host: str | None, number: int) -> None:
        require_proofs(self.context, step)
        attempt = self.context.attempt(step, host, number)
        action = self.context.ports.actions.get(step.uses)
        if self.context.drill and step.drill is Drill.SIMULATE:
            self._simulate(step, attempt, action)
            return
        if step.effect is not Effect.READ and not self._may_act(step, attempt, action):
            return
        if not self._intend(step, attempt, action):
            return
        try:
            passage("before-perform")
            self.context.recorder.require_lease()
            outcome = action.perform(attempt, AttemptWorld(self.context, attempt))
            passage("after-perform")
        except ActionError as error:
            self.ended_badly(step, attempt, action, error)
            return
        self.prove(step, attempt, action, outcome)

    def _intend(self, step: Step, attempt: Attempt, action: Action) -> bool:
        """Write the intent; False when it may not act any more, or not now.

        While the step was looked at its approval may have lapsed, its rung have been left, people
        have paused or aborted.
        """
        data: dict[str, Any] = {"effect": step.effect, "input": attempt.input}
        if step.effect is not Effect.READ:
            data["describes"] = list(action.describe(attempt))
            data["key"] = attempt.key
            if step.undo is not None:
                data["undo"] = {"uses": step.undo.uses, "with": dict(step.undo.with_)}
        draft = Draft(Kind.INTENT, step.id, attempt.host, attempt.number, data)
        try:
            if step.effect is Effect.READ or approved_until(self.context, step) is None:
                self.context.recorder.write(draft, unless=lambda: self._is_held_back(step))
            else:
                self._intend_in_time(step, draft)
        except (HeldBackError, LapsedError):
            return False
        return True

    def _intend_in_time(self, step: Step, draft: Draft) -> None:
        """Write the intent before its approval lapses; nobody else acts between look and word."""
        with self.context.recorder.lock:
            gate, until = approved_until(self.context, step) or (None, None)
            try:
                self.context.recorder.write(
                    replace(draft, until=until), unless=lambda: self._is_held_back(step)
                )
            except LapsedError:
                assert gate is not None  # noqa: S101 - only what has an end lapses
                ask_anew(self.context, gate, step)
                raise

    def _is_held_back(self, step: Step) -> bool:
        return self.stops(step) or not self.context.stands(step)

    def _simulate(self, step: Step, attempt: Attempt, action: Action) -> None:
        self.context.recorder.write(
            Draft(
                Kind.FINISHED,
                step.id,
                attempt.host,
                attempt.number,
                {
                    "state": "succeeded",
                    "via": "simulated",
                    "outputs": dict.fromkeys(action.spec.outputs, UNKNOWN),
                    "facts": {"would": list(action.describe(attempt))},
                },
            )
        )

    # -- before acting

    def _may_act(self, step: Step, attempt: Attempt, action: Action) -> bool:
        """Probe and precheck; write the end and return False when it must not act."""
        seen = self.look(step, attempt, action)
        if seen.presence is Presence.DONE:
            self.finish(step, attempt, "already_done", Outcome(seen.outputs), via="probe")
            return False
        if seen.presence is Presence.PARTIAL and step.effect in CAREFUL:
            raise ActionError(
                f"step '{step.id}' is partly done already: {seen.detail}",
                hint=f"Finish or take back by hand what is there, then: dr retry "
                f"{attempt.run} {step.id} --because '...'",
            )
        if seen.presence is Presence.UNKNOWN and step.effect in CAREFUL and self.probes(step):
            self._refuse(step, attempt, _unseen(step, seen.detail))
            return False
        passage("before-precheck")
        check = self._precheck(step, attempt, action)
        passage("after-precheck")
        if check.holds is True:
            return True
        error: ActionError
        if check.holds is UNKNOWN:
            error = _unseen(step, check.because)
        else:
            error = ActionError(check.because or "the precheck does not hold", hint=check.hint)
        self._refuse(step, attempt, error)
        return False

    def probes(self, step: Step) -> bool:
        """Whether anything can look for the effect of ``step``."""
        return step.probe is not None or self.context.ports.actions.get(step.uses).spec.probes

    def _precheck(self, step: Step, attempt: Attempt, action: Action) -> Check:
        own = action.precheck(attempt, AttemptWorld(self.context, attempt, None))
        if own.holds is not True or step.precheck is None:
            return own
        return self._call_check(step, step.precheck, attempt, "precheck")

    def look(self, step: Step, attempt: Attempt, action: Action) -> Probe:
        """Return whether the effect is present, by the step's probe or else the action's own."""
        passage("before-probe")
        seen = self._looked(step, attempt, action)
        passage("after-probe")
        return seen

    def _looked(self, step: Step, attempt: Attempt, action: Action) -> Probe:
        if step.probe is None:
            return action.probe(attempt, AttemptWorld(self.context, attempt, None))
        try:
            outcome = self._call(step, step.probe, attempt, "probe")
            result = outcome.outputs
            done = self.context.holds(step.probe.when or "${{ true }}", result=result)
        except ActionError as error:
            return Probe(Presence.UNKNOWN, error.message)
        if outcome.unseen and not done:
            return Probe(Presence.UNKNOWN, outcome.unseen)
        return Probe(Presence.DONE if done else Presence.ABSENT, f"probe said {result}", result)

    def _call(self, step: Step, call: Call, attempt: Attempt, suffix: str) -> Outcome:
        """Carry out a read-only call."""
        inner = self.context.call_attempt(step, call, attempt, suffix)
        action = self.context.ports.actions.get(call.uses)
        return action.perform(inner, AttemptWorld(self.context, inner))

    def _call_check(self, step: Step, call: Call, attempt: Attempt, suffix: str) -> Check:
        try:
            result = self._call(step, call, attempt, suffix).outputs
        except (RetryableError, LostContactError) as error:
            return Check(UNKNOWN, error.message, error.hint)
        except ActionError as error:
            return Check(holds=False, because=error.message, hint=error.hint)
        if call.when is None:
            return Check(holds=True, facts=result)
        holds = self.context.holds(call.when, result=result)
        because = "" if holds else f"{suffix} of step '{step.id}' saw {dict(result)}"
        return Check(holds=holds, because=because, facts=result)

    # -- after acting

    def prove(self, step: Step, attempt: Attempt, action: Action, outcome: Outcome) -> None:
        """Write the result down, verify it, and write the end."""
        if step.effect is Effect.READ and step.verify is None:
            self.finish(step, attempt, "succeeded", outcome)
            return
        outputs, facts = self.public(step, outcome), outcome.facts
        self._write(Kind.RESULT, attempt, {"outputs": outputs, "facts": facts})
        passage("before-verify")
        check = self.verified(step, attempt, action, outcome)
        passage("after-verify")
        if check.holds is True:
            self.finish(step, attempt, "succeeded", outcome)
            return
        doubt = check.holds is UNKNOWN or step.effect in CAREFUL
        said = check.because or "nothing"
        message = f"step '{step.id}' is not proven: {said}"
        if doubt and step.effect is not Effect.READ:
            self._lost(step, attempt.host, attempt.number, LostContactError(message))
        else:
            self._refuse(step, attempt, FailedError(message, hint=check.hint))

    def verified(self, step: Step, attempt: Attempt, action: Action, outcome: Outcome) -> Check:
        """Return whether the effect is proven, by the action's own check and the step's."""
        own = action.verify(attempt, AttemptWorld(self.context, attempt, None), outcome)
        if own.holds is not True or step.verify is None:
            return own
        return self._call_check(step, step.verify, attempt, "verify")

    def ended_badly(self, step: Step, attempt: Attempt, action: Action, error: ActionError) -> None:
        """Write the end of an attempt that raised, by what is known of its effect."""
        if isinstance(error, FencedError):
            raise error
        left = self._left_reading(step, attempt, error)
        if left is not None:
            self.end_reading(step, replace(attempt, handle=left))
            self._end(step, attempt.host, attempt.number, "failed", error=error, via="stopped")
            return
        if isinstance(error, LostContactError):
            if step.effect is Effect.READ:
                again = RetryableError(error.message, reason="timeout", hint=error.hint)
                self._refuse(step, attempt, again)
            else:
                self._lost(step, attempt.host, attempt.number, error)
            return
        if isinstance(error, FailedError) and step.effect in CAREFUL:
            seen = self.look(step, attempt, action)
            if seen.presence is not Presence.ABSENT:
                self._lost(step, attempt.host, attempt.number, error)
                return
            error = ActionError(f"{error.message}; a probe found no effect", hint=error.hint)
        self._refuse(step, attempt, error)

    def _left_reading(
        self, step: Step, attempt: Attempt, error: ActionError
    ) -> Mapping[str, Any] | None:
        """Return what finds a reading command that may go on although its run was aborted."""
        nobody_saw_its_end = isinstance(error, LostContactError | RetryableError)
        if step.effect is not Effect.READ or self.context.view.abort is None:
            return None
        unit = self.context.view.steps[step.id].units[attempt.host]
        return (error.facts.get("handle") or unit.handle) if nobody_saw_its_end else None

    def _refuse(self, step: Step, attempt: Attempt, error: ActionError) -> None:
        """Write a failure, or a retry where the step's policy allows one."""
        if self._may_retry(step, attempt, error):
            due = self.context.now() + retry_delay(step, attempt.number)
            self._end(step, attempt.host, attempt.number, "retry", error=error, retry_at=due)
        else:
            self._end(step, attempt.host, attempt.number, "failed", error=error)

    def _may_retry(self, step: Step, attempt: Attempt, error: ActionError) -> bool:
        if attempt.number >= step.retry.attempts or self.context.stopping.is_set():
            return False
        seen = self.context.view.steps.get(step.id)
        started = seen.started if seen else None
        if step.deadline and started and self.context.now() - started >= step.deadline:
            return False
        match error:
            case RetryableError():
                return error.reason in step.retry.when
            case FailedError():
                return "failed" in step.retry.when and step.effect not in CAREFUL
            case _:
                return False

    # -- writing

    def finish(
        self, step: Step, attempt: Attempt, state: str, outcome: Outcome, *, via: str = ""
    ) -> None:
        """Write a good end."""
        data = {"state": state, "outputs": self.public(step, outcome), "facts": outcome.facts}
        if via:
            data["via"] = via
        self._write(Kind.FINISHED, attempt, data)

    def public(self, step: Step, outcome: Outcome) -> dict[str, Any]:
        """Return the outputs for the journal; secret ones stay in this process."""
        outputs = dict(outcome.outputs)
        for name, declared in step.outputs.items():
            outputs[name] = outcome.outputs.get(declared.source)
            if declared.secret:
                self.context.recorder.hide(outputs[name])
                self.context.hidden.setdefault(step.id, {})[name] = outputs[name]
                outputs[name] = {"secret": f"output:{step.id}.{name}"}
                if declared.source != name:
                    outputs.pop(declared.source, None)
        return outputs

    def _end(self, step: Step, host: str | None, number: int, state: str, **more: Any) -> None:
        data: dict[str, Any] = {"state": state}
        error: DrError | None = more.get("error")
        if error is not None:
            data["error"] = error_data(discreet(step, error))
        if more.get("retry_at") is not None:
            data["retry_at"] = utc_text(more["retry_at"])
        for name in ("via", "effect"):
            if more.get(name):
                data[name] = more[name]
        self.context.recorder.write(Draft(Kind.FINISHED, step.id, host, number, data))

    def end(self, step: Step, host: str | None, number: int, state: str, **more: Any) -> None:
        """Write the end of an attempt that settled otherwise: ``failed`` or ``retry``."""
        self._end(step, host, number, state, **more)

    def _lost(self, step: Step, host: str | None, number: int, error: DrError) -> None:
        error = discreet(step, error)
        data = {"message": error.message, "error": error_data(error)}
        self.context.recorder.write(Draft(Kind.LOST, step.id, host, number, data))

    def _write(self, kind: Kind, attempt: Attempt, data: Mapping[str, Any]) -> None:
        step = attempt.step
        self.context.recorder.write(Draft(kind, step, attempt.host, attempt.number, data))


def discreet(step: Step, error: DrError) -> DrError:
    """Return the error without what the command said, when an output of the step is secret.

    A command that fails has no outputs that could be masked by their value.
    """
    facts = getattr(error, "facts", None) or {}
    if not step.has_secret_outputs or not facts:
        return error
    said = {line.strip() for text in texts(facts) for line in (text, *text.splitlines())} - {""}
    quiet = copy(error)
    for line in sorted(said, key=len, reverse=True):
        quiet.message = quiet.message.replace(line, MASK)
        quiet.hint = quiet.hint.replace(line, MASK)
    known = {name: value for name, value in facts.items() if not list(texts(value))}
    setattr(quiet, "facts", {**known, "withheld": True})  # noqa: B010 - only actions' errors have it
    return quiet


def error_data(error: DrError) -> dict[str, Any]:
    """Return an error as the journal stores it."""
    data: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
    data["effect"] = "possible" if isinstance(error, FailedError | LostContactError) else "none"
    if isinstance(error, RetryableError):
        data["reason"] = error.reason
    if isinstance(error, ActionError) and error.facts:
        data["facts"] = dict(error.facts)
    return data


def retry_delay(step: Step, number: int) -> timedelta:
    """Return how long to wait after attempt ``number`` (from 1), by tenacity's exponential rule."""
    policy = tenacity.wait_exponential(
        multiplier=step.retry.delay.total_seconds(),
        exp_base=step.retry.backoff,
        max=step.retry.max_delay.total_seconds(),
    )
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = number
    return timedelta(seconds=policy(state))


def _unseen(step: Step, detail: str) -> RetryableError:
    return RetryableError(
        f"step '{step.id}' can not see whether it may act: {detail or 'no answer'}",
        reason="unreachable",
        hint="Nothing was changed; look at the host, then retry the step.",
    )
