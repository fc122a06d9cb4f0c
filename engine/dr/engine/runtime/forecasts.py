"""Forecast the rungs of a ladder before people decide.  Reads only; unknown stays unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from dr.engine.core.errors import DrError
from dr.engine.core.model import Effect, Rung, Step
from dr.engine.core.ports import ActionKind, Forecast
from dr.engine.core.questions import Option
from dr.engine.core.values import Text, Unknown
from dr.engine.runtime.conditions import why_not
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.world import AttemptWorld


@dataclass(frozen=True)
class Forecaster:
    """Says what each rung would take and lose, now."""

    context: RunContext

    def options(self, ladder: Step) -> tuple[Option, ...]:
        """Return every rung in page order, one of them proposed where any is available."""
        seen = self.context.view.steps.get(ladder.id)
        tried = seen.rung_notes if seen else {}
        options = [
            _tried(rung, tried[rung.name]) if rung.name in tried else self._option(rung)
            for rung in ladder.rungs
        ]
        return propose(options, self.context.rto_left())

    def _option(self, rung: Rung) -> Option:
        if rung.unavailable is not None:
            return Option(rung.name, rung.title, available=False, because=rung.unavailable)
        refusal = self._condition(rung)
        if refusal is not None:
            return Option(rung.name, rung.title, available=False, because=refusal)
        forecasts = [self.step(step) for step in rung.steps]
        blocked = next((f for f in forecasts if f.available.holds is False), None)
        lost, known = total_loss(forecasts)
        return Option(
            rung.name,
            rung.title,
            available=blocked is None,
            because=Text(en=blocked.available.because) if blocked else Text(),
            p50_s=_total([f.p50 for f in forecasts]),
            p90_s=_total([f.p90 for f in forecasts]),
            loss_s=lost,
            loss_known=known,
            basis=_basis(forecasts),
            irreversible=tuple(s.id for s in rung.steps if s.effect is Effect.IRREVERSIBLE),
        )

    def _condition(self, rung: Rung) -> Text | None:
        if rung.condition is None:
            return None
        try:
            if self.context.holds(rung.condition):
                return None
        except DrError as error:
            return Text(
                en=f"not known whether it may be tried: {error.message}",
                zh=f"无法判断是否可用：{error.message}",
            )
        return why_not(self.context, rung.condition)

    def step(self, step: Step) -> Forecast:
        """Return what one step would take: measured, else the action's word, else ``expect``."""
        measured = self.context.ports.estimates.duration(self.context.record.runbook, step.id)
        said = self._said(step)
        if measured is not None:
            basis = Text(en="measured in earlier runs", zh="以往运行实测")
            said = replace(said, p50=measured[0], p90=measured[1], basis=said.basis or basis)
        elif said.p50 is None and step.expect is not None:
            basis = Text(en="expected by the runbook's author", zh="预案编写者估计")
            said = replace(said, p50=step.expect, p90=said.p90, basis=said.basis or basis)
        return said

    def _said(self, step: Step) -> Forecast:
        action = self.context.ports.actions.get(step.uses)
        if action.spec.kind is not ActionKind.ACTION:
            return Forecast()
        try:
            host = self.context.targets(step.hosts)[0]
            attempt = self.context.attempt(replace(step, requires={}), host, 1)
            return action.forecast(attempt, AttemptWorld(self.context, attempt, None))
        except DrError:
            # what it needs is bound by an earlier step of the same rung: not known before
            return Forecast(loss=None)


def _tried(rung: Rung, note: str) -> Option:
    because = Text(en=f"it was tried and failed: {note}", zh=f"已尝试并失败：{note}")
    return Option(rung.name, rung.title, available=False, because=because)


def total_loss(forecasts: Sequence[Forecast]) -> tuple[float | None, bool]:
    """Return the greatest loss in seconds and whether it is known.

    Nobody having a say is unknown, not zero; one unknown makes the whole unknown.
    """
    said = [f.loss for f in forecasts if f.loss is not None]
    known = [loss for loss in said if not isinstance(loss, Unknown)]
    if not said or len(known) < len(said):
        return None, False
    return max(known).total_seconds(), True


def propose(options: Sequence[Option], left: timedelta | None) -> tuple[Option, ...]:
    """Mark the available option with the least loss that fits what is left of the RTO.

    A known loss goes before an unknown one; where nothing fits, the least loss of all; page
    order breaks ties.
    """
    able = [option for option in options if option.available]
    if not able:
        return tuple(options)
    fitting = [o for o in able if _fits(o, left)] or able
    best = min(fitting, key=lambda o: (not o.loss_known, o.loss_s or 0.0))
    return tuple(replace(o, proposed=o.name == best.name) for o in options)


def _fits(option: Option, left: timedelta | None) -> bool:
    longest = option.p90_s if option.p90_s is not None else option.p50_s
    return left is None or longest is None or longest <= left.total_seconds()


def _total(parts: Sequence[timedelta | None]) -> float | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or not parts:
        return None
    return sum(part.total_seconds() for part in known)


def _basis(forecasts: Sequence[Forecast]) -> Text:
    said = [f.basis for f in forecasts if f.basis]
    return Text(
        en="; ".join(dict.fromkeys(t.say("en") for t in said)),
        zh="；".join(dict.fromkeys(t.say("zh") for t in said)),
    )
