"""Makes the frozen runbook of :mod:`dr.engine.core.model` from a checked file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from dr.engine.core.model import (
    Call,
    Drill,
    Effect,
    InDoubt,
    Input,
    OnFailure,
    Output,
    Retry,
    Runbook,
    Rung,
    Step,
    Strategy,
)
from dr.engine.core.ports import ActionKind
from dr.engine.core.values import Text
from dr.engine.loader.actionspecs import Specs, fit
from dr.engine.loader.fileformat import (
    CallFile,
    InputFile,
    OutputFile,
    RetryFile,
    RungFile,
    StepFile,
    StrategyFile,
    UndoFile,
)
from dr.engine.loader.grammar import has_expression
from dr.engine.loader.layout import Layout, Placed
from dr.inventory.strictyaml.document import Document


def compile_runbook(layout: Layout, document: Document, specs: Specs) -> Runbook:
    """Return the runbook; the file has passed the checks."""
    return _Compiler(layout, document, specs).runbook()


def effect_of(step: StepFile, specs: Specs) -> Effect:
    """Return the effect: as declared, else the only one its action has, else ``once``."""
    if step.effect is not None:
        return step.effect
    spec = specs.find(step.uses)
    if spec is None:
        return Effect.ONCE
    if len(spec.effects) == 1 or (spec.kind is not ActionKind.ACTION and spec.effects):
        return spec.effects[0]
    return Effect.ONCE


class _Compiler:
    def __init__(self, layout: Layout, document: Document, specs: Specs) -> None:
        self.layout = layout
        self.document = document
        self.specs = specs
        self.placed = {id(placed.step): placed for placed in layout.steps}

    def runbook(self) -> Runbook:
        file = self.layout.file
        objectives = file.objectives
        return Runbook(
            name=file.name,
            title=file.title or Text(),
            plan=file.plan,
            owner=file.owner,
            rto=objectives.rto if objectives else None,
            rpo=objectives.rpo if objectives else None,
            inputs=tuple(_input(item) for item in file.inputs),
            locks=tuple(file.locks),
            on_failure=file.on_failure,
            steps=tuple(self._step(step) for step in file.steps),
            finally_=tuple(self._step(step) for step in file.finally_),
            file=self.document.name,
            source=self.document.text,
            sha256=hashlib.sha256(self.document.text.encode()).hexdigest(),
        )

    def _step(self, step: StepFile) -> Step:
        placed = self.placed[id(step)]
        defaults = _DEFAULTS
        return Step(
            id=step.id,
            title=step.title or Text(),
            phase=step.phase or self._ladder_phase(placed),
            needs=placed.needs,
            condition=_condition(step.if_),
            uses=step.uses or "",
            with_=self._with(step.uses, step.with_),
            hosts=step.hosts,
            strategy=_strategy(step.strategy),
            effect=effect_of(step, self.specs),
            precheck=self._call(step.precheck),
            probe=self._call(step.probe),
            verify=self._call(step.verify),
            undo=self._call(step.undo),
            requires=dict(step.requires),
            retry=_retry(step.retry),
            timeout=step.timeout or defaults.timeout,
            deadline=step.deadline,
            in_doubt=InDoubt(step.in_doubt),
            on_failure=self._failing(step),
            rungs=tuple(self._rung(rung) for rung in step.try_ or ()),
            on_exhausted=self._on_failure(step.on_exhausted),
            outputs=self._outputs(step),
            drill=self._drill(step, placed),
            expect=step.expect,
            fresh=defaults.fresh if step.fresh is None else step.fresh,
            ladder=placed.ladder,
            rung=placed.rung.name if placed.rung else None,
            in_finally=placed.in_finally,
            where=self.document.where(placed.path),
        )

    def _outputs(self, step: StepFile) -> dict[str, Output]:
        known = self.specs.outputs(step) if step.outputs else {}
        return {name: _output(name, output, known) for name, output in step.outputs.items()}

    def _ladder_phase(self, placed: Placed) -> Any:
        return self.layout.by_id[placed.ladder].step.phase if placed.ladder else None

    def _drill(self, step: StepFile, placed: Placed) -> Drill:
        """A ladder that drills leave alone covers the steps of its rungs."""
        if step.drill is not Drill.RUN or not placed.ladder:
            return step.drill
        return self.layout.by_id[placed.ladder].step.drill

    def _failing(self, step: StepFile) -> OnFailure:
        """A gate that was not approved never lets the run go on."""
        own = self._on_failure(step.on_exhausted or step.on_failure)
        gate = step.uses == "gate.approve"
        return OnFailure.ASK if gate and own is OnFailure.CONTINUE else own

    def _on_failure(self, own: OnFailure | None) -> OnFailure:
        return own or self.layout.file.on_failure

    def _rung(self, rung: RungFile) -> Rung:
        return Rung(
            name=rung.name,
            title=rung.title or Text(),
            steps=tuple(self._step(step) for step in rung.steps),
            condition=_condition(rung.if_),
            unavailable=rung.unavailable,
            outputs=rung.outputs or self._last_outputs(rung),
        )

    def _last_outputs(self, rung: RungFile) -> dict[str, Any]:
        """Bind what the last step gives out: the outputs it declares, else its action's."""
        if not rung.steps:
            return {}
        last = rung.steps[-1]
        names = list(last.outputs) or list(self.specs.outputs(last))
        return {name: f"${{{{ steps.{last.id}.outputs.{name} }}}}" for name in names}

    def _with(self, uses: str | None, values: Mapping[str, Any]) -> dict[str, Any]:
        spec = self.specs.find(uses)
        fitted: dict[str, Any] = fit(values, spec.input_schema) if spec else dict(values)
        return fitted

    def _call(self, call: CallFile | None) -> Call | None:
        if call is None:
            return None
        return Call(
            uses=call.uses,
            with_=self._with(call.uses, call.with_),
            hosts=call.hosts,
            effect=call_effect(call, self.specs),
            timeout=call.timeout,
            when=_condition(call.when),
            gate=call.gate if isinstance(call, UndoFile) else None,
        )


_DEFAULTS = Step(id="")


def call_effect(call: CallFile, specs: Specs) -> Effect:
    """Return the effect of a call: as declared, else its action's only one, else the default."""
    spec = specs.find(call.uses)
    if "effect" not in call.model_fields_set and spec and isinstance(call, UndoFile):
        return call.effect if call.effect in spec.effects else spec.effects[0]
    return call.effect


def _condition(text: str | None) -> str | None:
    """Put a condition into ``${{ }}``, so that what it refers to can be found like elsewhere."""
    if text is None or has_expression(text):
        return text.strip() if text else None
    return f"${{{{ {text.strip()} }}}}"


def _input(item: InputFile) -> Input:
    required = item.default is None if item.required is None else item.required
    return Input(
        id=item.id,
        type=item.type,
        default=item.default,
        required=required,
        choices=tuple(item.choices),
        title=item.title or Text(),
    )


def _output(name: str, output: OutputFile, known: Mapping[str, str]) -> Output:
    """Return an output; without a type of its own it has the type that the action promises."""
    source = output.from_ or name
    declared = "type" in output.model_fields_set
    kind = output.type if declared else known.get(source, output.type)
    return Output(source=source, type=kind, secret=output.secret)


def _retry(retry: RetryFile | None) -> Retry:
    standard = Retry()
    if retry is None:
        return standard
    return Retry(
        attempts=retry.attempts,
        delay=standard.delay if retry.delay is None else retry.delay,
        backoff=retry.backoff,
        max_delay=standard.max_delay if retry.max_delay is None else retry.max_delay,
        when=standard.when if retry.when is None else frozenset(retry.when),
    )


def _strategy(strategy: StrategyFile | None) -> Strategy | None:
    if strategy is None:
        return None
    standard = Strategy()
    return Strategy(
        batches=tuple(strategy.batches),
        max_failures=strategy.max_failures,
        pause_between=strategy.pause_between or standard.pause_between,
    )
