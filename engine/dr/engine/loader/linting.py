"""Lint: what is allowed and will be regretted.  Each rule has an id and a page entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from dr.engine.core.errors import Problem
from dr.engine.core.model import Runbook
from dr.engine.core.ports import Actions
from dr.engine.loader import rules_safety, rules_wording
from dr.engine.loader.loading import check
from dr.engine.loader.subject import Subject
from dr.inventory.strictyaml.reading import read_yaml


@dataclass(frozen=True)
class Rule:
    """A rule: ``check`` yields problems without rule id and severity, which are added."""

    id: str
    title: str
    severity: str
    check: Callable[[Subject], Iterator[Problem]]
    only_for_release: bool = False


RULES: tuple[Rule, ...] = (
    Rule("DR101", "irreversible without a gate or proof", "error", rules_safety.unguarded),
    Rule("DR102", "once without a probe", "warning", rules_safety.unprobed),
    Rule("DR103", "missing language", "error", rules_wording.one_language, only_for_release=True),
    Rule("DR104", "never reached", "error", rules_wording.unreachable),
    Rule("DR105", "rungs with different outputs", "error", rules_safety.uneven_rungs),
    Rule("DR106", "ladder without a gate", "warning", rules_safety.ungated_ladder),
    Rule("DR107", "no report at the end", "warning", rules_wording.no_report),
    Rule("DR108", "effect that nobody verifies", "warning", rules_safety.unverified),
    Rule("DR109", "secret written into the file", "error", rules_safety.literal_secret),
    Rule("DR110", "rung's step used outside its ladder", "error", rules_safety.leaving_rung),
    Rule("DR111", "timeout longer than the RTO", "warning", rules_wording.beyond_rto),
    Rule("DR112", "input that nothing uses", "warning", rules_wording.unused_input),
    Rule("DR113", "fan-out without a strategy", "warning", rules_safety.all_at_once),
    Rule("DR114", "no objectives", "warning", rules_wording.no_objectives),
)


def lint(runbook: Runbook, actions: Actions | None, release: bool = False) -> list[Problem]:
    """List what the rules say of a loaded runbook, in file order.

    Args:
        release: also what only a released runbook must have, such as both languages.
    """
    document = read_yaml(runbook.source, runbook.file)
    layout, specs = check(document, actions)
    subject = Subject(layout, document, specs)
    found = [
        replace(problem, rule=rule.id, severity=rule.severity)
        for rule in RULES
        if release or not rule.only_for_release
        for problem in rule.check(subject)
    ]
    return sorted(found, key=_place)


def _place(problem: Problem) -> tuple[int, int, str]:
    _, line, column = problem.where.rsplit(":", 2)
    return int(line), int(column), problem.rule
