"""Lint rules about what people read, what is never reached, and what is left unsaid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dr.engine.core.errors import Problem
from dr.engine.core.values import Text, format_duration
from dr.engine.loader.expressions import Grammar, names_in
from dr.engine.loader.grammar import ExpressionError
from dr.engine.loader.references import sites
from dr.engine.loader.subject import Subject
from dr.inventory.strictyaml.document import Path

_SPOKEN = ("ask", "instructions", "title", "text", "subject", "checklist")
_REPORT = "report.write"


def one_language(subject: Subject) -> Iterator[Problem]:
    """DR103: words that people decide on, in one language only."""
    file = subject.layout.file
    yield from _words(file.title, ("title",), "the runbook", subject)
    for placed in subject.layout.steps:
        step, path = placed.step, placed.path
        yield from _words(step.title, (*path, "title"), f"step '{step.id}'", subject)
        for index, rung in enumerate(step.try_ or ()):
            here: Path = (*path, "try", index)
            yield from _words(rung.title, (*here, "title"), f"the rung '{rung.name}'", subject)
            if rung.unavailable is not None:
                yield from _words(rung.unavailable, (*here, "unavailable"), "the reason", subject)
        if subject.asks_people(placed):
            yield from _spoken(step.with_, (*path, "with"), subject)


def _words(text: Text | None, path: Path, whose: str, subject: Subject) -> Iterator[Problem]:
    missing = [name for name, words in (text or Text()).plain().items() if not words.strip()]
    if missing:
        what = "has no title" if text is None else f"has no words in {' and '.join(missing)}"
        yield subject.document.problem(
            f"{whose} {what}",
            path if text is not None else path[:-1],
            hint=f"Write {path[-1]}: {{ en: ..., zh: ... }}.",
        )


def _spoken(value: Any, path: Path, subject: Subject) -> Iterator[Problem]:
    """Look for words to people in the inputs of a gate or task."""
    for key, inner in value.items() if isinstance(value, Mapping) else ():
        if key not in _SPOKEN:
            continue
        items = inner if isinstance(inner, list) else [inner]
        for index, item in enumerate(items):
            here: Path = (*path, key, index) if isinstance(inner, list) else (*path, key)
            text = Text.of(item)
            if not (text.en.strip() and text.zh.strip()):
                yield subject.document.problem(
                    f"'{key}' does not speak both languages",
                    here,
                    hint=f"Write {key}: {{ en: ..., zh: ... }}.",
                )


def unreachable(subject: Subject) -> Iterator[Problem]:
    """DR104: what can never run, whatever happens."""
    for placed in subject.layout.by_id.values():
        step, path = placed.step, placed.path
        if _never(step.if_):
            yield subject.document.problem(
                f"step '{step.id}' can never run: its condition is always false",
                (*path, "if"),
                hint="Correct the condition, or take the step out.",
            )
        rungs = step.try_ or []
        if rungs and all(rung.unavailable is not None or _never(rung.if_) for rung in rungs):
            yield subject.document.problem(
                f"the ladder '{step.id}' has no rung that could be tried",
                (*path, "try"),
                hint="At least one rung needs steps and no 'unavailable'.",
            )
        for index, rung in enumerate(rungs):
            here: Path = (*path, "try", index)
            if rung.unavailable is not None and rung.steps:
                yield subject.document.problem(
                    f"the steps of the rung '{rung.name}' can never run: it is unavailable",
                    (*here, "unavailable"),
                    hint="Take 'unavailable' or the steps out.",
                )
            if _never(rung.if_):
                yield subject.document.problem(
                    f"the rung '{rung.name}' can never be tried: its condition is always false",
                    (*here, "if"),
                    hint="Write 'unavailable:' with the reason instead.",
                )


def _never(condition: str | None) -> bool:
    """Tell whether a condition is false without looking anything up."""
    if condition is None:
        return False
    try:
        return Grammar().holds(condition, {}) is False and not list(names_in(condition))
    except ExpressionError:
        return False


def no_report(subject: Subject) -> Iterator[Problem]:
    """DR107: a run that leaves no report."""
    if all(step.uses != _REPORT for step in subject.layout.file.finally_):
        yield subject.document.problem(
            "no report is written at the end",
            ("finally",),
            hint="Add 'finally: [{ id: report, uses: report.write }]'.",
        )


def beyond_rto(subject: Subject) -> Iterator[Problem]:
    """DR111: one attempt may take longer than the whole recovery should."""
    objectives = subject.layout.file.objectives
    rto = objectives.rto if objectives else None
    for placed in subject.layout.by_id.values():
        timeout = placed.step.timeout
        if rto is not None and timeout is not None and timeout > rto:
            yield subject.document.problem(
                f"the timeout is longer than the RTO of {format_duration(rto)}",
                (*placed.path, "timeout"),
                hint="Shorten it, or say honestly that the objective is longer.",
            )


def unused_input(subject: Subject) -> Iterator[Problem]:
    """DR112: a value asked for that nothing uses."""
    used: set[str] = set()
    for site in sites(subject.layout, subject.specs):
        text = f"${{{{ {site.value} }}}}" if _is_bare(site.value, site.is_condition) else site.value
        for name in names_in(text):
            if name[0] == "inputs":
                used.add(str(name[1]) if len(name) > 1 else "*")
            elif name[0] == "service":
                used |= {i.id for i in subject.layout.file.inputs if i.type == "service"}
    for index, item in enumerate(subject.layout.file.inputs):
        if item.id not in used and "*" not in used:
            yield subject.document.problem(
                f"nothing uses the input '{item.id}'",
                ("inputs", index, "id"),
                hint=f"Use ${{{{ inputs.{item.id} }}}}, or take it out.",
            )


def _is_bare(value: Any, is_condition: bool) -> bool:
    return is_condition and isinstance(value, str) and "${{" not in value


def no_objectives(subject: Subject) -> Iterator[Problem]:
    """DR114: nobody can say whether the recovery was fast enough."""
    objectives = subject.layout.file.objectives
    missing = [k for k in ("rto", "rpo") if objectives is None or getattr(objectives, k) is None]
    if missing:
        yield subject.document.problem(
            f"the runbook has no {' and no '.join(missing)}",
            ("objectives",) if objectives else (),
            hint="Add 'objectives: { rto: 4h, rpo: 15m }'.",
        )
