"""Checks every ``${{ }}``: its grammar, and that what it names is there before it is used."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dr.engine.core.errors import Problem
from dr.engine.loader.actionspecs import Specs
from dr.engine.loader.fileformat import CallFile, StepFile
from dr.engine.loader.grammar import (
    Expression,
    ExpressionError,
    Reference,
    has_expression,
    parse,
    pieces,
    spell,
)
from dr.engine.loader.layout import Layout, Placed
from dr.inventory.strictyaml.document import Document, Path
from dr.inventory.strictyaml.validation import did_you_mean

ROOTS: Final = frozenset({"inputs", "steps", "service", "run"})
"""Names that every expression may begin with.

``when`` also has ``result``; what is rendered for each host (``with``, ``requires``) ``host``.
"""

OF_A_STEP: Final = frozenset({"outputs", "state"})
OF_THE_RUN: Final = frozenset({"id", "environment", "requester", "drill", "provisional"})


@dataclass(frozen=True)
class Site:
    """One text in the file that may hold expressions."""

    value: Any
    path: Path
    placed: Placed | None = None
    is_condition: bool = False
    result: Mapping[str, str] | None = None
    within_rung: bool = False
    after_step: bool = False

    def more_roots(self) -> Iterator[str]:
        """Yield the names that are known here beside those known everywhere."""
        if self.result is not None:
            yield "result"
        if "with" in self.path or "requires" in self.path:
            yield "host"


def reference_problems(layout: Layout, document: Document, specs: Specs) -> Iterator[Problem]:
    """Yield what is wrong with the expressions of the file."""
    checker = _Checker(layout, document, specs)
    for site in sites(layout, specs):
        yield from checker.value(site.value, site.path, site)


def sites(layout: Layout, specs: Specs) -> Iterator[Site]:
    """Yield every place where an expression may stand."""
    for index, lock in enumerate(layout.file.locks):
        yield Site(lock, ("locks", index))
    for placed in layout.steps:
        yield from _step_sites(placed, specs)


def _step_sites(placed: Placed, specs: Specs) -> Iterator[Site]:
    step, path = placed.step, placed.path
    if step.if_ is not None:
        yield Site(step.if_, (*path, "if"), placed, is_condition=True)
    yield Site(step.hosts, (*path, "hosts"), placed)
    yield Site(step.with_, (*path, "with"), placed)
    yield Site(step.requires, (*path, "requires"), placed)
    for key in ("precheck", "probe", "verify", "undo"):
        call: CallFile | None = getattr(step, key)
        if call is not None:
            yield from _call_sites(call, (*path, key), placed, specs)
    for index, rung in enumerate(step.try_ or ()):
        here: Path = (*path, "try", index)
        if rung.if_ is not None:
            yield Site(rung.if_, (*here, "if"), placed, is_condition=True)
        if rung.steps:
            yield Site(rung.outputs, (*here, "outputs"), placed, within_rung=True)


def _call_sites(call: CallFile, path: Path, placed: Placed, specs: Specs) -> Iterator[Site]:
    # an undo comes after its step, so the step's own outputs are there
    undoes = path[-1] == "undo"
    yield Site(call.with_, (*path, "with"), placed, after_step=undoes)
    yield Site(call.hosts, (*path, "hosts"), placed)
    if call.when is not None:
        spec = specs.find(call.uses)
        result = spec.outputs if spec else {}
        yield Site(call.when, (*path, "when"), placed, is_condition=True, result=result)
    gate = getattr(call, "gate", None)
    if gate:
        yield Site(gate, (*path, "gate"), placed, after_step=True)


class _Checker:
    def __init__(self, layout: Layout, document: Document, specs: Specs) -> None:
        self.layout = layout
        self.document = document
        self.specs = specs
        self.inputs = {item.id: item for item in layout.file.inputs}

    def value(self, value: Any, path: Path, site: Site) -> Iterator[Problem]:
        if isinstance(value, str):
            yield from self._text(value, path, site)
        elif isinstance(value, Mapping):
            for key, inner in value.items():
                yield from self._key(key, inner, path)
                yield from self.value(inner, (*path, key), site)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                yield from self.value(inner, (*path, index), site)

    def _key(self, key: str, value: Any, path: Path) -> Iterator[Problem]:
        if has_expression(key):
            yield self.document.problem(
                "a key can not hold an expression",
                (*path, key),
                key=True,
                hint="Only values are rendered.",
            )
        in_with = key == "shell" and path[-1] == "with"
        if in_with and isinstance(value, str) and has_expression(value):
            yield self.document.problem(
                "'shell' text is never templated",
                (*path, key),
                hint="Put the value in 'env:' and write \"$DR_NAME\", or use argv: [...].",
            )

    def _text(self, text: str, path: Path, site: Site) -> Iterator[Problem]:
        if not site.is_condition and not has_expression(text):
            return
        try:
            parts = pieces(text) if has_expression(text) else []
            if site.is_condition and parts:
                _only_one(parts)
        except ExpressionError as error:
            yield self._refused(error, path, 0)
            return
        inside = [p for p in parts if p.is_expression]
        for offset, source in [(p.offset, p.text) for p in inside] or [(0, text)]:
            try:
                expression = parse(source)
            except ExpressionError as error:
                yield self._refused(error, path, offset)
                continue
            for reference in expression.references:
                yield from self._reference(reference, path, offset, site)
            if site.is_condition:
                yield from self._condition(expression, path, offset)

    def _refused(self, error: ExpressionError, path: Path, offset: int) -> Problem:
        return self.document.problem(
            error.message, path, hint=error.hint, offset=offset + error.offset
        )

    def _condition(self, expression: Expression, path: Path, offset: int) -> Iterator[Problem]:
        """Refuse a condition that could only ever be a text, a number or a list."""
        tree = expression.tree
        called = (
            tree.func.id if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) else ""
        )
        number = isinstance(tree, ast.BinOp) or (
            isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub)
        )
        if isinstance(tree, ast.Constant | ast.List) or number or called == "len":
            yield self.document.problem(
                "this condition is neither true nor false",
                path,
                offset=offset,
                hint="Compare it with something: == != < <= > >= in.",
            )

    def _reference(
        self, reference: Reference, path: Path, offset: int, site: Site
    ) -> Iterator[Problem]:
        name, at = reference.name, offset + reference.offset
        root = str(name[0])
        roots = {*ROOTS, *site.more_roots()}
        found: tuple[str, str] | None = None
        if root not in roots:
            found = f"there is no '{root}'", did_you_mean(root, roots, otherwise="Names begin with")
        elif root == "inputs":
            found = self._input(name)
        elif root == "service":
            found = self._service()
        elif root == "run" and len(name) > 1 and name[1] not in OF_THE_RUN:
            found = f"a run has no '{name[1]}'", did_you_mean(str(name[1]), OF_THE_RUN)
        elif root == "result" and site.result:
            found = _result(name, site.result)
        elif root == "steps":
            found = self._step(reference, site)
        if found:
            yield self.document.problem(found[0], path, hint=found[1], offset=at)

    def _input(self, name: tuple[str | int, ...]) -> tuple[str, str] | None:
        if len(name) == 1 or name[1] in self.inputs:
            return None
        hint = did_you_mean(str(name[1]), self.inputs, otherwise="Inputs are")
        return f"no input '{name[1]}'", hint or "Declare it in 'inputs:'."

    def _service(self) -> tuple[str, str] | None:
        if any(item.type == "service" for item in self.inputs.values()):
            return None
        return (
            "'service' means nothing here: no input is of type service",
            "Add '- { id: service, type: service }' to 'inputs:'.",
        )

    def _step(self, reference: Reference, site: Site) -> tuple[str, str] | None:
        name = reference.name
        if len(name) == 1:
            return "'steps' needs the id of a step", "Write steps.ID.outputs.NAME."
        target = self.layout.by_id.get(str(name[1]))
        if target is None:
            hint = did_you_mean(str(name[1]), self.layout.by_id, otherwise="Steps are")
            return f"no step '{name[1]}'", hint
        return self._timing(target, site) or self._member(reference, target)

    def _timing(self, target: Placed, site: Site) -> tuple[str, str] | None:
        """Say why ``target`` has not ended when the expression is evaluated."""
        if site.placed is None:
            return "no step has run when the locks are taken", "Use inputs only."
        user = site.placed
        if target.id == user.id:
            if site.after_step:
                return None
            return f"step '{user.id}' refers to itself", "Its outputs exist after it has run."
        if user.in_finally and not target.in_finally:
            return None
        if site.within_rung and target.ladder == user.id:
            return None
        if self._ended(target, user):
            return None
        return (
            f"step '{target.id}' may not have ended when '{user.id}' starts",
            f"Add '{target.ladder or target.id}' to the needs of '{user.ladder or user.id}'."
            if target.ladder != user.ladder or not user.ladder
            else f"Add '{target.id}' to the needs of '{user.id}'.",
        )

    def _ended(self, target: Placed, user: Placed) -> bool:
        if self.layout.is_before(target.id, user.id):
            return True
        # the ladder has ended, but this rung may never have run: a rule of lint, DR110
        outside = target.ladder is not None and target.ladder != user.ladder
        return outside and self.layout.is_before(str(target.ladder), user.id)

    def _member(self, reference: Reference, target: Placed) -> tuple[str, str] | None:
        name, step = reference.name, target.step
        if len(name) == 2:  # noqa: PLR2004 - steps.ID
            if reference.asked:
                return None
            return f"'{spell(name)}' is no value", f"Write {spell(name)}.outputs.NAME."
        if name[2] not in OF_A_STEP:
            hint = f"Write {spell(name[:2])}.outputs.{name[2]}."
            return f"a step has no '{name[2]}'", hint
        if name[2] != "outputs" or len(name) == 3:  # noqa: PLR2004 - steps.ID.outputs
            return None
        known = outputs_of(step, self.specs)
        if known is None or name[3] in known:
            return None
        hint = did_you_mean(str(name[3]), known, otherwise="Its outputs are")
        return f"step '{step.id}' has no output '{name[3]}'", hint or "Declare it in 'outputs:'."


def outputs_of(step: StepFile, specs: Specs) -> set[str] | None:
    """Return the names of a step's outputs; None when its action is not known."""
    if step.try_ is None:
        if specs.find(step.uses) is None:
            return None
        return {*step.outputs, *specs.outputs(step)}
    names: set[str] = set()
    for rung in step.try_:
        if rung.outputs:
            names |= set(rung.outputs)
        elif rung.steps:
            last = outputs_of(rung.steps[-1], specs)
            if last is None:
                return None
            names |= set(rung.steps[-1].outputs) or last
    return names


def _result(name: tuple[str | int, ...], outputs: Mapping[str, str]) -> tuple[str, str] | None:
    if len(name) == 1 or name[1] in outputs:
        return None
    hint = did_you_mean(str(name[1]), outputs, otherwise="It gives")
    return f"the result has no '{name[1]}'", hint


def _only_one(parts: list[Any]) -> None:
    """Refuse a condition with words around its expression: it would be a text."""
    spoken = [part for part in parts if not part.is_expression and part.text.strip()]
    if spoken or sum(part.is_expression for part in parts) != 1:
        raise ExpressionError(
            "a condition is one expression and nothing else",
            hint="Write the whole condition inside one ${{ }}.",
            offset=spoken[0].offset if spoken else 0,
        )
