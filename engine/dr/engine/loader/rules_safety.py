"""Lint rules about effects: what could be lost, repeated or left open."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dr.engine.core.errors import Problem
from dr.engine.core.model import Effect
from dr.engine.loader.expressions import names_in
from dr.engine.loader.fileformat import RungFile
from dr.engine.loader.grammar import has_expression
from dr.engine.loader.references import sites
from dr.engine.loader.subject import Subject
from dr.inventory.strictyaml.document import Path

_ACTS_ONCE = (Effect.ONCE, Effect.IRREVERSIBLE)
_SECRET_KEY = re.compile(
    r"(^|_)(password|passwd|passphrase|secret|token|api_?key|private_?key)$", re.IGNORECASE
)
_REFERENCE = re.compile(r"(vault|env|file|cred|exec|sops):")


def unguarded(subject: Subject) -> Iterator[Problem]:
    """DR101: an irreversible step before which nobody agrees and nothing is proven."""
    for placed in subject.layout.by_id.values():
        if subject.effect(placed) is not Effect.IRREVERSIBLE:
            continue
        ladder = subject.layout.by_id[placed.ladder].step if placed.ladder else None
        proven = bool(placed.step.requires or (ladder and ladder.requires))
        if not proven and not subject.gate_before(placed):
            yield subject.document.problem(
                f"step '{placed.id}' can not be undone, and no gate or proof comes before it",
                (*placed.path, "id"),
                hint="Put a gate.approve before it, or 'requires:' with a proof.",
            )


def unprobed(subject: Subject) -> Iterator[Problem]:
    """DR102: a step that happens once, and nothing can tell whether it did."""
    for placed in subject.layout.by_id.values():
        spec = subject.spec(placed)
        if spec is None or subject.asks_people(placed):
            continue  # people are asked again whether they did it
        if subject.effect(placed) is not Effect.ONCE:
            continue
        if not spec.probes and placed.step.probe is None:
            yield subject.document.problem(
                f"when step '{placed.id}' is in doubt, nothing can tell whether it was done",
                (*placed.path, "id"),
                hint="Add 'probe:', or 'effect: idempotent' if twice is as good as once.",
            )


def uneven_rungs(subject: Subject) -> Iterator[Problem]:
    """DR105: rungs that do not bind the same outputs."""
    for placed in subject.layout.ladders:
        bound = [
            (index, rung, names)
            for index, rung in enumerate(placed.step.try_ or ())
            if rung.steps and (names := _bound(rung, subject)) is not None
        ]
        if not bound:
            continue
        _, first, wanted = bound[0]
        for index, rung, names in bound[1:]:
            if names != wanted:
                yield subject.document.problem(
                    f"the rung '{rung.name}' gives {_list(names)}, "
                    f"but '{first.name}' gives {_list(wanted)}",
                    (*placed.path, "try", index, "name"),
                    hint="Bind the same 'outputs:' in every rung.",
                )


def _bound(rung: RungFile, subject: Subject) -> set[str] | None:
    if rung.outputs:
        return set(rung.outputs)
    last = rung.steps[-1]
    if last.outputs:
        return set(last.outputs)
    return set(subject.specs.outputs(last)) if subject.specs.find(last.uses) else None


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def ungated_ladder(subject: Subject) -> Iterator[Problem]:
    """DR106: a ladder that nobody has been asked about."""
    if subject.specs.actions is None:
        return
    for placed in subject.layout.ladders:
        if not subject.gate_before(placed):
            yield subject.document.problem(
                f"nobody is asked before the ladder '{placed.id}' chooses a way back",
                (*placed.path, "id"),
                hint=f"Put a gate.approve with 'chooses: {placed.id}' before it.",
            )


def unverified(subject: Subject) -> Iterator[Problem]:
    """DR108: a step that acts once, and neither it nor its action looks at the result."""
    for placed in subject.layout.by_id.values():
        spec = subject.spec(placed)
        if spec is None or spec.verifies or subject.asks_people(placed):
            continue
        if subject.effect(placed) not in _ACTS_ONCE:
            continue
        if placed.step.verify is None:
            yield subject.document.problem(
                f"nothing proves that step '{placed.id}' did what it should",
                (*placed.path, "id"),
                hint="Add 'verify: { uses: ACTION, when: ... }'.",
            )


def literal_secret(subject: Subject) -> Iterator[Problem]:
    """DR109: a password that everybody who reads the file can read."""
    for placed in subject.layout.by_id.values():
        for key in ("precheck", "probe", "verify", "undo"):
            call = getattr(placed.step, key)
            if call is not None:
                yield from _secrets(call.with_, (*placed.path, key, "with"), subject)
        yield from _secrets(placed.step.with_, (*placed.path, "with"), subject)


def _secrets(value: Any, path: Path, subject: Subject) -> Iterator[Problem]:
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _secrets(inner, (*path, index), subject)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, str) and _is_literal_secret(key, inner):
                yield subject.document.problem(
                    f"the value of '{key}' is written into the file",
                    (*path, key),
                    hint=f'Write {key}: {{ secret: "file:keys/{key}" }}, and change the old one.',
                )
            else:
                yield from _secrets(inner, (*path, key), subject)


def _is_literal_secret(key: str, value: str) -> bool:
    if not value or has_expression(value) or not _SECRET_KEY.search(key):
        return False
    return not (key == "secret" and _REFERENCE.match(value))


def leaving_rung(subject: Subject) -> Iterator[Problem]:
    """DR110: a rung's step referred to from outside its ladder: it may never have run."""
    for site in sites(subject.layout, subject.specs):
        user = site.placed
        if user is None or user.in_finally:
            continue
        for name in names_in(site.value):
            target = subject.layout.by_id.get(str(name[1])) if len(name) > 1 else None
            if name[0] != "steps" or target is None or target.ladder is None:
                continue
            inside = target.ladder in (user.ladder, user.id)
            if not inside:
                yield subject.document.problem(
                    f"step '{target.id}' runs only if its rung of '{target.ladder}' is chosen",
                    site.path,
                    hint=f"Use steps.{target.ladder}.outputs.{name[-1]}, which every rung gives.",
                )


def all_at_once(subject: Subject) -> Iterator[Problem]:
    """DR113: a change on several hosts at the same moment."""
    for placed in subject.layout.by_id.values():
        step = placed.step
        several = isinstance(step.hosts, list) and len(step.hosts) > 1
        if several and step.strategy is None and subject.effect(placed) is not Effect.READ:
            yield subject.document.problem(
                f"step '{placed.id}' changes all its hosts at once",
                (*placed.path, "hosts"),
                hint='Add strategy: { batches: [1, "100%"] }: one host first, then the others.',
            )
