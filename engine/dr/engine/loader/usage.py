"""Checks each step against the action that it uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dr.engine.core.errors import Problem
from dr.engine.core.model import Effect, InDoubt
from dr.engine.core.ports import ActionKind, ActionSpec
from dr.engine.loader.actionspecs import Specs, fit
from dr.engine.loader.compiling import call_effect, effect_of
from dr.engine.loader.expressions import names_in
from dr.engine.loader.fileformat import CallFile, StepFile
from dr.engine.loader.grammar import ExpressionError, has_expression, parse, whole
from dr.engine.loader.layout import Layout, Placed
from dr.inventory.strictyaml.document import Document, Path
from dr.inventory.strictyaml.validation import did_you_mean


def usage_problems(layout: Layout, document: Document, specs: Specs) -> Iterator[Problem]:
    """Yield what is wrong with how actions are used; nothing when no actions are known."""
    if specs.actions is None:
        return
    checker = _Checker(layout, document, specs)
    for placed in layout.steps:
        yield from checker.step(placed)


class _Checker:
    def __init__(self, layout: Layout, document: Document, specs: Specs) -> None:
        self.layout = layout
        self.document = document
        self.specs = specs

    def step(self, placed: Placed) -> Iterator[Problem]:
        step, path = placed.step, placed.path
        yield from self._requires(placed)
        if step.uses:
            spec = self.specs.find(step.uses)
            if spec is None:
                yield self._unknown(step.uses, path)
            else:
                yield from self._hosts(step, spec, path)
                yield from self._effect(effect_of(step, self.specs), spec, path)
                yield from self._in_doubt(step, spec, path)
                yield from self._outputs(step, spec, path)
                yield from self._with(step.uses, step.with_, path)
                yield from self._chooses(step, spec, path)
        for key in ("precheck", "probe", "verify", "undo"):
            call: CallFile | None = getattr(step, key)
            if call is not None:
                yield from self._call(call, key, (*path, key), step)

    def _unknown(self, name: str, path: Path) -> Problem:
        hint = did_you_mean(name, self.specs.names, otherwise="Actions are")
        return self.document.problem(f"no action is called '{name}'", (*path, "uses"), hint=hint)

    def _hosts(self, step: StepFile, spec: ActionSpec, path: Path) -> Iterator[Problem]:
        if spec.kind is not ActionKind.ACTION and step.hosts is not None:
            yield self.document.problem(
                f"'{spec.name}' asks people and has no hosts",
                (*path, "hosts"),
                key=True,
                hint="Leave 'hosts' out.",
            )
        elif spec.needs_host and step.hosts is None:
            yield self.document.problem(
                f"'{spec.name}' acts on a host, and step '{step.id}' names none",
                (*path, "uses"),
                hint="Add 'hosts: NAME' or 'hosts: \"${{ ... }}\"'.",
            )

    def _effect(self, effect: Effect, spec: ActionSpec, path: Path) -> Iterator[Problem]:
        if effect in spec.effects:
            return
        allowed = ", ".join(spec.effects)
        declared = self.document.position((*path, "effect"), key=True)
        missing = declared == self.document.position(path)
        said = "no effect is declared, which means" if missing else "the effect is"
        yield self.document.problem(
            f"{said} '{effect}', but '{spec.name}' can only be: {allowed}",
            (*path, "uses") if missing else (*path, "effect"),
            hint=f"Write 'effect: {spec.effects[-1]}'." if spec.effects else "",
        )

    def _in_doubt(self, step: StepFile, spec: ActionSpec, path: Path) -> Iterator[Problem]:
        probes = spec.probes or step.probe is not None
        missing = {InDoubt.ATTACH: not spec.attaches, InDoubt.PROBE: not probes}
        if missing.get(step.in_doubt):
            yield self.document.problem(
                f"'{spec.name}' has no {step.in_doubt}",
                (*path, "in_doubt"),
                hint="Write 'in_doubt: auto', or add a 'probe:'.",
            )

    def _outputs(self, step: StepFile, spec: ActionSpec, path: Path) -> Iterator[Problem]:
        known = self.specs.outputs(step)
        for name, output in step.outputs.items():
            source = output.from_ or name
            if source not in known:
                hint = did_you_mean(source, known, otherwise="It gives")
                yield self.document.problem(
                    f"'{spec.name}' gives no output '{source}'",
                    (*path, "outputs", name),
                    hint=hint,
                )

    def _with(self, uses: str, values: Mapping[str, Any], path: Path) -> Iterator[Problem]:
        """Let the action check its inputs; what is still an expression can not be judged yet."""
        action = self.specs.action(uses)
        if action is None:
            return
        fitted = fit(values, action.spec.input_schema)
        for problem in action.validate(fitted):
            if not _still_open(values, problem.path):
                # an input that should not be there is shown by its name, any other by its value
                unknown = problem.message.startswith("unknown")
                here = (*path, "with", *problem.path)
                yield self.document.problem(problem.message, here, hint=problem.hint, key=unknown)

    def _call(self, call: CallFile, key: str, path: Path, step: StepFile) -> Iterator[Problem]:
        spec = self.specs.find(call.uses)
        if spec is None:
            yield self._unknown(call.uses, path)
            return
        if spec.kind is not ActionKind.ACTION:
            yield self.document.problem(
                f"'{spec.name}' asks people and can not be a {key}",
                (*path, "uses"),
                hint="Make it a step of its own.",
            )
            return
        effect = call_effect(call, self.specs)
        if key in ("probe", "precheck") and effect is not Effect.READ:
            yield self.document.problem(
                f"a {key} only reads, and its effect is '{effect}'",
                (*path, "effect"),
                hint="Write 'effect: read', and use an action that only reads.",
            )
        else:
            yield from self._effect(effect, spec, path)
        if spec.needs_host and call.hosts is None and step.hosts is None:
            yield self.document.problem(
                f"'{spec.name}' acts on a host, and neither this {key} nor its step names one",
                (*path, "uses"),
                hint="Add 'hosts:'.",
            )
        yield from self._with(call.uses, call.with_, path)

    def _requires(self, placed: Placed) -> Iterator[Problem]:
        for name, value in placed.step.requires.items():
            path = (*placed.path, "requires", name)
            problem = self._proof(value)
            if problem:
                yield self.document.problem(problem[0], path, hint=problem[1])

    def _proof(self, value: Any) -> tuple[str, str] | None:
        hint = 'Write "${{ steps.ID.outputs.NAME }}" of a step that proves it.'
        try:
            piece = whole(value) if isinstance(value, str) else None
            name = next(iter(names_in(value)), ()) if piece and parse(piece.text) else ()
        except ExpressionError:
            return None  # told where the expressions are checked
        if len(name) != 4 or name[0] != "steps" or name[2] != "outputs":  # noqa: PLR2004
            return "a proof is the output of an earlier step", hint
        target = self.layout.by_id.get(str(name[1]))
        spec = self.specs.find(target.step.uses) if target else None
        if target is None or spec is None:
            return None
        declared = target.step.outputs.get(str(name[3]))
        source = (declared.from_ or str(name[3])) if declared else str(name[3])
        if source in spec.proofs:
            return None
        proofs = ", ".join(sorted(spec.proofs)) or "none"
        return (
            f"the output '{name[3]}' of '{spec.name}' proves nothing",
            f"Outputs of '{spec.name}' that are proofs: {proofs}.",
        )

    def _chooses(self, step: StepFile, spec: ActionSpec, path: Path) -> Iterator[Problem]:
        chosen = step.with_.get("chooses")
        if spec.kind is not ActionKind.GATE or not isinstance(chosen, str):
            return
        ladders = [placed.id for placed in self.layout.ladders]
        if chosen not in ladders:
            hint = did_you_mean(chosen, ladders, otherwise="Ladders are")
            yield self.document.problem(
                f"'{chosen}' is no ladder to choose from",
                (*path, "with", "chooses"),
                hint=hint or "A ladder is a step with 'try:'.",
            )


def _still_open(values: Any, path: Path) -> bool:
    """Tell whether the value that a problem is about still holds an expression."""
    for part in path:
        if isinstance(values, str):
            break
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return False  # a missing key is missing, whatever the others become
    return bool(path) and _holds_expression(values)


def _holds_expression(value: Any) -> bool:
    if isinstance(value, str):
        return has_expression(value)
    if isinstance(value, Mapping):
        return any(_holds_expression(inner) for inner in value.values())
    return isinstance(value, list) and any(_holds_expression(inner) for inner in value)
