"""Checks that need no action: ids, ``needs``, cycles, inputs, times, strategies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from dr.engine.core.errors import Problem
from dr.engine.core.model import Effect, InDoubt
from dr.engine.core.values import parse_duration
from dr.engine.loader.fileformat import InputFile
from dr.engine.loader.grammar import has_expression
from dr.engine.loader.layout import Layout, Placed
from dr.inventory.strictyaml.document import Document
from dr.inventory.strictyaml.validation import did_you_mean

_LONGEST_RING: Final = 30


def structure_problems(layout: Layout, document: Document) -> Iterator[Problem]:
    """Yield what is wrong with the file by itself."""
    yield from _duplicate_ids(layout, document)
    for placed in layout.steps:
        yield from _needs(placed, layout, document)
        yield from _times(placed, document)
        yield from _strategy(placed, document)
        yield from _rungs(placed, document)
    yield from _cycles(layout, document)
    yield from _inputs(layout, document)


def _duplicate_ids(layout: Layout, document: Document) -> Iterator[Problem]:
    for placed in layout.steps:
        first = layout.by_id[placed.id]
        if first is not placed:
            line, _ = document.position((*first.path, "id"))
            yield document.problem(
                f"two steps have the id '{placed.id}'",
                (*placed.path, "id"),
                hint=f"The other is on line {line}; ids are unique in the whole file.",
            )


def _needs(placed: Placed, layout: Layout, document: Document) -> Iterator[Problem]:
    for index, need in enumerate(placed.step.needs or ()):
        path = (*placed.path, "needs", index)
        if need == placed.id:
            yield document.problem(f"step '{need}' needs itself", path, hint="Leave it out.")
        elif need not in layout.by_id:
            hint = did_you_mean(need, placed.siblings, otherwise="Steps of this list")
            yield document.problem(f"no step '{need}'", path, hint=hint)
        elif need not in placed.siblings:
            yield document.problem(
                f"'{need}' can not be needed here: it stands in another list",
                path,
                hint=_other_list(placed, layout.by_id[need]),
            )


def _other_list(placed: Placed, needed: Placed) -> str:
    if needed.ladder and needed.ladder != placed.ladder:
        return f"Need the ladder '{needed.ladder}' that it belongs to."
    if placed.ladder:
        return f"Add it to the needs of the ladder '{placed.ladder}'."
    return "A step needs steps of its own list: steps, a rung, or finally."


def _cycles(layout: Layout, document: Document) -> Iterator[Problem]:
    """Yield each cycle once, named in full, at its first step on the page."""
    needs: Mapping[str, list[str]] = {
        id_: [n for n in p.needs if n in p.siblings and n in layout.by_id and n != id_]
        for id_, p in layout.by_id.items()
    }
    settled: set[str] = set()
    for start in needs:
        for ring in _rings_from(start, needs, settled):
            yield _cycle(ring, layout, document)


def _rings_from(
    start: str, needs: Mapping[str, list[str]], settled: set[str]
) -> Iterator[list[str]]:
    """Yield each ring that is reached from ``start``: its first step stands at its end again."""
    trail: dict[str, Iterator[str]] = {start: iter(needs[start])} if start not in settled else {}
    while trail:
        current = next(reversed(trail))
        following = next((n for n in trail[current] if n not in settled), None)
        if following is None:
            del trail[current]
            settled.add(current)
        elif following in trail:
            names = list(trail)
            ring = [*names[names.index(following) :], following]
            yield ring
            settled.update(ring)
        else:
            trail[following] = iter(needs[following])


def _cycle(ring: Sequence[str], layout: Layout, document: Document) -> Problem:
    said = [f"{a} needs {b}" for a, b in pairwise(ring)]
    if len(said) > _LONGEST_RING:
        said = [*said[: _LONGEST_RING - 1], "…", said[-1]]
    first = layout.first_of(ring)
    where = (*first.path, "needs") if first.step.needs else (*first.path, "id")
    return document.problem(
        f"these steps wait for one another: {', '.join(said)}",
        where,
        hint="Take one of these needs out.",
    )


def _times(placed: Placed, document: Document) -> Iterator[Problem]:
    step = placed.step
    for key in ("timeout", "deadline"):
        length = getattr(step, key)
        if length is not None and not length:
            yield document.problem(
                f"a {key} of nothing leaves no time to act", (*placed.path, key), hint="Write 30s."
            )
    if step.timeout and step.deadline and step.deadline < step.timeout:
        yield document.problem(
            "the deadline of the whole step is shorter than the timeout of one attempt",
            (*placed.path, "deadline"),
            hint="Make the deadline at least as long as the timeout.",
        )
    retry = step.retry
    if retry and retry.delay and retry.max_delay and retry.max_delay < retry.delay:
        yield document.problem(
            "max_delay is shorter than delay",
            (*placed.path, "retry", "max_delay"),
            hint="The delay grows from 'delay' up to 'max_delay'.",
        )
    careful = step.effect in (None, Effect.ONCE, Effect.IRREVERSIBLE)
    if step.in_doubt is InDoubt.RERUN and careful and step.uses:
        effect = step.effect or Effect.ONCE
        yield document.problem(
            f"a step whose effect is '{effect}' can not be run again in doubt",
            (*placed.path, "in_doubt"),
            hint="Write 'in_doubt: auto', or 'effect: idempotent' if twice is as good as once.",
        )


def _strategy(placed: Placed, document: Document) -> Iterator[Problem]:
    step = placed.step
    if step.strategy is not None and step.hosts is None:
        yield document.problem(
            "'strategy' is for steps with 'hosts'",
            (*placed.path, "strategy"),
            key=True,
            hint="Add 'hosts:', or leave the strategy out.",
        )
    if step.try_ is not None:
        for key in ("hosts", "effect", "probe", "verify", "undo", "retry", "outputs"):
            if key in step.model_fields_set:
                yield document.problem(
                    f"a ladder has no '{key}' of its own",
                    (*placed.path, key),
                    key=True,
                    hint="Write it at a step of a rung.",
                )
        if step.with_:
            yield document.problem(
                "a ladder has no 'with' of its own",
                (*placed.path, "with"),
                key=True,
                hint="Write it at a step of a rung.",
            )


def _rungs(placed: Placed, document: Document) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, rung in enumerate(placed.step.try_ or ()):
        path = (*placed.path, "try", index)
        if placed.ladder:
            yield document.problem(
                "a ladder can not stand inside a rung",
                (*placed.path, "try"),
                key=True,
                hint="Write its rungs as rungs of the outer ladder.",
            )
            return
        if rung.name in seen:
            yield document.problem(
                f"two rungs are called '{rung.name}'",
                (*path, "name"),
                hint="People choose a rung by its name; give each its own.",
            )
        seen.add(rung.name)


def _inputs(layout: Layout, document: Document) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, item in enumerate(layout.file.inputs):
        path = ("inputs", index)
        if item.id in seen:
            yield document.problem(
                f"two inputs have the id '{item.id}'", (*path, "id"), hint="Rename one."
            )
        seen.add(item.id)
        if item.default is not None:
            yield from _value_problems(item, item.default, (*path, "default"), document)
            if item.choices and item.default not in item.choices:
                yield document.problem(
                    f"the default {item.default!r} is not among the choices",
                    (*path, "default"),
                    hint=f"Choices are: {', '.join(map(str, item.choices))}.",
                )
        for number, choice in enumerate(item.choices):
            yield from _value_problems(item, choice, (*path, "choices", number), document)


def _is_duration(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(parse_duration(value) or True)
    except (ValueError, OverflowError):
        return False


_RIGHT: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "integer": (lambda v: isinstance(v, int) and not isinstance(v, bool), "a whole number"),
    "boolean": (lambda v: isinstance(v, bool), "true or false"),
    "duration": (_is_duration, "a duration such as 90s or 1h30m"),
}


def _value_problems(
    item: InputFile, value: Any, path: tuple[str | int, ...], document: Document
) -> Iterator[Problem]:
    right, words = _RIGHT.get(item.type, (lambda v: isinstance(v, str), "text"))
    if isinstance(value, str) and has_expression(value):
        yield document.problem(
            "an input can not hold an expression", path, hint="Write the value itself."
        )
    elif not right(value):
        hint = f'Write "{value}" in quotes.' if words == "text" else ""
        yield document.problem(
            f"the input '{item.id}' is of type {item.type}, so this should be {words}",
            path,
            hint=hint,
        )
