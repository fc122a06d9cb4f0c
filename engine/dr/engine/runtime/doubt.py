"""Settle a unit in doubt: attach, probe, declared idempotency, or a person; never a guess."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from dr.engine.core.errors import DrError, FailedError, LostContactError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.faults import passage
from dr.engine.core.model import Effect, InDoubt, Step
from dr.engine.core.ports import Action, Attached, Attempt, Found, Outcome, Presence, Probe
from dr.engine.core.questions import Answer, Question, QuestionKind
from dr.engine.core.states import IllegalTransitionError, StepState
from dr.engine.core.values import Text, utc_text
from dr.engine.core.view import UnitView
from dr.engine.runtime.attempts import CAREFUL, Conductor
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.gates import authority_over
from dr.engine.runtime.nonces import nonce
from dr.engine.runtime.recorder import StoppedError
from dr.engine.runtime.stopping import Stopper
from dr.engine.runtime.world import AttemptWorld

log = logging.getLogger("dr.runtime")

_OVER = frozenset({Found.NEVER_STARTED, Found.GONE})

LOOK_AGAIN = timedelta(seconds=5)
"""How often a unit that nobody could see is looked at again while a person is asked."""


@dataclass(frozen=True)
class Settler:
    """Settles units in doubt; ``settle`` runs in a worker thread."""

    context: RunContext
    conductor: Conductor
    stopper: Stopper

    def settle(self, step: Step, host: str | None) -> None:
        """Try to settle the unit; what can not be settled is put to a person."""
        try:
            self._settle(step, host)
        except StoppedError:
            return
        except IllegalTransitionError:
            log.exception("step %s was settled otherwise meanwhile", step.id)
        except DrError as error:
            self._ask(step, host, Probe(Presence.UNKNOWN, error.message), None)
        except Exception as error:
            # a mistake in an action is no proof that its effect failed
            log.exception("step %s could not be settled", step.id)
            detail = f"{type(error).__name__}: {error}"
            self._ask(step, host, Probe(Presence.UNKNOWN, detail), None)

    def _settle(self, step: Step, host: str | None) -> None:
        unit = self.context.view.steps[step.id].units[host]
        if unit.state is not StepState.IN_DOUBT:
            return
        self.stopper.stop(step, host)
        mode = step.in_doubt
        if mode is InDoubt.FAIL:
            message = f"step '{step.id}' was interrupted and its policy is to fail"
            error = LostContactError(message)
            self.conductor.end(step, host, unit.attempt, "failed", error=error, via="policy")
            return
        if step.effect is Effect.READ:
            self._again(step, unit, "rerun")
            return
        attempt = self.context.attempt(step, host, unit.attempt, late=True)
        action = self.context.ports.actions.get(step.uses)
        attached = self._attach(attempt, action)
        if attached.found is Found.ENDED:
            self._take(step, attempt, action, attached)
            if unit.state is StepState.IN_DOUBT:
                self._ask(step, host, Probe(Presence.UNKNOWN, "its effect is not proven"), attached)
            return
        if mode is InDoubt.RERUN and (not action.spec.attaches or attached.found in _OVER):
            self._again(step, unit, "rerun")
            return
        seen = Probe(Presence.UNKNOWN, attached.detail)
        if mode in {InDoubt.AUTO, InDoubt.PROBE}:
            seen = self.conductor.look(step, attempt, action)
            self._note(step, unit, attached, seen)
        self._decide(step, unit, attempt, attached, seen)

    def _note(self, step: Step, unit: UnitView, attached: Attached, seen: Probe) -> None:
        """Write down what was seen, unless it is what was seen the last time."""
        data = {
            "presence": seen.presence,
            "detail": seen.detail,
            "outputs": self.conductor.public(step, Outcome(seen.outputs)) if seen.outputs else {},
            "attach": attached.found,
            "attach_detail": attached.detail,
        }
        before = unit.presence or {}
        if any(before.get(name) != data[name] for name in ("presence", "attach")):
            draft = Draft(Kind.PROBED, step.id, unit.host, unit.attempt, data)
            self.context.recorder.write(draft)

    def _attach(self, attempt: Attempt, action: Action) -> Attached:
        passage("before-attach")
        if not action.spec.attaches:
            return Attached(Found.UNKNOWN, "this action leaves nothing to find it again by")
        attached = action.attach(attempt, AttemptWorld(self.context, attempt, None))
        passage("after-attach")
        return attached

    def _take(self, step: Step, attempt: Attempt, action: Action, attached: Attached) -> None:
        """Take the truthful late end of an attempt that outlived the engine."""
        outcome = attached.outcome or Outcome()
        if attached.error is not None:
            # a command that an abort broke off leaves nothing to ask of a step that may be repeated
            broken_off = self.context.view.abort is not None and step.effect not in CAREFUL
            if broken_off or self.open_card(step, attempt.host) is None:
                self.conductor.ended_badly(step, attempt, action, attached.error)
        elif self.open_card(step, attempt.host) is None:
            self.conductor.prove(step, attempt, action, outcome)
        elif self.conductor.verified(step, attempt, action, outcome).holds is True:
            self.conductor.finish(step, attempt, "succeeded", outcome, via="late")

    def _decide(
        self, step: Step, unit: UnitView, attempt: Attempt, attached: Attached, seen: Probe
    ) -> None:
        if seen.presence is Presence.DONE:
            outcome = Outcome(seen.outputs)
            self.conductor.finish(step, attempt, "already_done", outcome, via="probe")
        elif self._may_go_again(step, unit, attached, seen):
            never = attached.found is Found.NEVER_STARTED or seen.presence is Presence.ABSENT
            self._again(step, unit, str(attached.found), effect="none" if never else "possible")
        else:
            self._ask(step, unit.host, seen, attached)

    def _may_go_again(self, step: Step, unit: UnitView, attached: Attached, seen: Probe) -> bool:
        if step.in_doubt is InDoubt.ASK or step.effect is Effect.IRREVERSIBLE:
            return False
        over = attached.found in _OVER
        if step.effect is Effect.IDEMPOTENT:
            attaches = self.context.ports.actions.get(step.uses).spec.attaches
            return over or not attaches
        absent = seen.presence is Presence.ABSENT or self._never_began(step, unit, attached)
        return over and absent and unit.attempt > 0

    def _never_began(self, step: Step, unit: UnitView, attached: Attached) -> bool:
        """Whether the host proves that no attempt began, where nothing can look for the effect."""
        proven = attached.found is Found.NEVER_STARTED and not unit.left
        return proven and not self.conductor.probes(step)

    def _again(self, step: Step, unit: UnitView, via: str, effect: str = "possible") -> None:
        """Let another attempt begin; contact lost again and again counts as attempts."""
        lost = (unit.error or {}).get("code") == "lost_contact"
        if lost and unit.attempt >= step.retry.attempts:
            message = str((unit.error or {}).get("message", "contact was lost"))
            error = LostContactError(message, hint="Nothing is running any more; retry the step.")
            self.conductor.end(step, unit.host, unit.attempt, "failed", error=error)
            return
        self.conductor.end(
            step,
            unit.host,
            unit.attempt,
            "retry",
            retry_at=self.context.now(),
            via=via,
            effect=effect,
        )

    # -- people

    def _ask(self, step: Step, host: str | None, seen: Probe, attached: Attached | None) -> None:
        """Open a card for this doubt unless one is open already."""
        if self.open_card(step, host) is not None:
            return
        unit = self.context.view.steps[step.id].units[host]
        passage("before-question")
        asked = Question(
            id=f"{step.id}@{host or 'engine'}#{len(self.context.view.questions) + 1}",
            kind=QuestionKind.DOUBT,
            step=step.id,
            host=host,
            asks=_sentence(step, host),
            nonce=nonce(),
            opened=utc_text(self.context.now()),
            approvers=authority_over(self.context, step),
            verdicts=("done", "not-done", "failed"),
            card=self._card(step, unit, seen, attached),
        )
        self.context.recorder.write(
            Draft(Kind.QUESTION_OPENED, step.id, host, None, {"question": asked.to_data()})
        )
        passage("after-question")

    def open_card(self, step: Step, host: str | None) -> Question | None:
        """Return the open doubt question of this unit."""
        for asked in self.context.view.open_questions():
            question = asked.question
            here = question.step == step.id and question.host == host
            if here and question.kind is QuestionKind.DOUBT:
                return question
        return None

    def _card(
        self, step: Step, unit: UnitView, seen: Probe, attached: Attached | None
    ) -> dict[str, object]:
        sent = (unit.intent or {}).get("describes", [])
        return {
            "sent": sent,
            "when": utc_text(unit.started) if unit.started else None,
            "effect": step.effect,
            "attempt": unit.attempt,
            "lost": (unit.error or {}).get("message", "the engine died before it wrote the end"),
            "probe": {"presence": seen.presence, "detail": seen.detail},
            "attach": {"found": attached.found, "detail": attached.detail} if attached else None,
            **({"job": dict(unit.stop)} if unit.stop else {}),
            "last_lines": self.context.ports.logs.tail(
                self.context.record.id, step.id, unit.host, 50
            ),
        }

    def take_verdict(self, step: Step, host: str | None, answer: Answer) -> None:
        """Write what a person's verdict makes of the unit."""
        unit = self.context.view.steps[step.id].units[host]
        if unit.state is not StepState.IN_DOUBT:
            return  # a truthful end was found before the verdict was read
        via = f"person:{answer.by}"
        if answer.verdict == "done":
            outputs = answer.evidence or (unit.presence or {}).get("outputs") or unit.outputs
            data = {"state": "already_done", "outputs": dict(outputs), "facts": {}, "via": via}
            self.context.recorder.write(Draft(Kind.FINISHED, step.id, host, unit.attempt, data))
        elif answer.verdict == "not-done":
            now = self.context.now()
            self.conductor.end(
                step, host, unit.attempt, "retry", retry_at=now, via=via, effect="none"
            )
        else:
            error = FailedError(f"{answer.by} says that it failed: {answer.reason}")
            self.conductor.end(step, host, unit.attempt, "failed", error=error, via=via)


def _sentence(step: Step, host: str | None) -> Text:
    where_en = f" on {host}" if host else ""
    where_zh = f"（{host}）" if host else ""
    return Text(
        en=f"Was step '{step.id}'{where_en} done? Nobody knows: its end was not seen.",
        zh=f"步骤“{step.id}”{where_zh}是否已完成？没有人看到它的结束。",
    )
