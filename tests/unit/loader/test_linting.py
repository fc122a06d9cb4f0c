"""Lint: each rule has a page entry whose bad example fails it and whose good one passes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dr.engine.core.model import Runbook
from dr.engine.loader.linting import RULES, lint
from dr.engine.loader.loading import load
from tests.unit.loader.registry import PROMISES

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/lint.md").read_text(encoding="utf-8")
HEAD = "format: 1\nname: example\n"
IDS = [rule.id for rule in RULES]


def _examples(rule: str, word: str) -> list[str]:
    """Return the runbooks under ``word`` in the page entry of a rule."""
    entry = re.search(rf"^## {rule}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert entry, f"{rule} has no entry on the page"
    found = re.findall(rf"^{word}:\n```yaml\n(.*?)^```", entry[1], re.MULTILINE | re.DOTALL)
    return [HEAD + text for text in found]


def _found(text: str) -> set[str]:
    return {problem.rule for problem in lint(_load(text), PROMISES, release=True)}


def _load(text: str) -> Runbook:
    return load(text, actions=PROMISES, file="example.yaml")


@pytest.mark.parametrize("rule", IDS)
def test_the_bad_example_of_a_rule_breaks_it(rule: str) -> None:
    examples = _examples(rule, "Bad")

    assert examples
    assert all(rule in _found(example) for example in examples)


@pytest.mark.parametrize("rule", IDS)
def test_the_good_example_of_a_rule_keeps_it(rule: str) -> None:
    examples = _examples(rule, "Good")

    assert examples
    assert all(rule not in _found(example) for example in examples)


def test_the_page_knows_no_rule_that_is_not_there() -> None:
    assert re.findall(r"^## (DR\d+)$", PAGE, re.MULTILINE) == IDS
    for rule in RULES:
        grade = f"{rule.severity}, with `--release`" if rule.only_for_release else rule.severity
        assert f"| [{rule.id}](#{rule.id.lower()}) | {grade} |" in PAGE


def test_a_good_runbook_keeps_every_rule() -> None:
    file = ROOT / "tests/data/runbooks/storage-failure.yaml"

    assert lint(load(file, actions=PROMISES), PROMISES, release=True) == []


def test_one_language_is_enough_while_drafting() -> None:
    text = _examples("DR103", "Bad")[0]

    assert "DR103" not in {p.rule for p in lint(_load(text), PROMISES)}


def test_a_finding_has_a_place_a_severity_and_a_hint() -> None:
    text = "steps:\n  - { id: promote, uses: postgres.promote, hosts: db-b }\n"

    found = [p for p in lint(_load(HEAD + text), PROMISES) if p.rule == "DR101"]

    assert len(found) == 1
    assert found[0].where == "example.yaml:4:11"
    assert found[0].severity == "error"
    assert "gate.approve" in found[0].hint


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        # what the words of gates and tasks, rungs and reasons owe to both languages
        ("DR103", "  - { id: a, uses: human.task, with: { instructions: Fetch the tapes. } }\n"),
        ("DR103", "  - { id: a, uses: human.task, with: { checklist: [{ en: x, zh: 甲 }, y] } }\n"),
        ("DR103", "  - { id: a, try: [{ name: x, unavailable: none declared }] }\n"),
        ("DR104", "  - { id: a, try: [{ name: x, unavailable: none declared }] }\n"),
        ("DR104", "  - { id: a, uses: sql.check, if: false }\n"),
        (
            "DR104",
            "  - { id: a, try: [{ name: x, unavailable: no, steps: "
            "[{ id: b, uses: sql.check }] }, { name: y, steps: [{ id: c, uses: sql.check }] }] }\n",
        ),
        (
            "DR104",
            "  - { id: a, try: [{ name: x, if: 'not true', steps: [{ id: b, uses: sql.check }] }, "
            "{ name: y, steps: [{ id: c, uses: sql.check }] }] }\n",
        ),
        ("DR109", "  - { id: a, uses: ssh.run, hosts: h, effect: read, with: { password: x } }\n"),
        (
            "DR109",
            "  - { id: a, uses: sql.check, probe: "
            "{ uses: ssh.run, hosts: h, with: { env: { API_TOKEN: x } } } }\n",
        ),
    ],
)
def test_a_rule_looks_into_every_corner(rule: str, text: str) -> None:
    assert rule in _found(f"{HEAD}steps:\n{text}")


@pytest.mark.parametrize("secret", ["{ secret: 'env:X' }", "'${{ inputs.p }}'", "''"])
def test_a_reference_to_a_secret_is_none(secret: str) -> None:
    text = (
        f"{HEAD}inputs: [{{ id: p }}]\nsteps:\n"
        f"  - {{ id: a, uses: ssh.run, hosts: h, with: {{ env: {{ token: {secret} }} }} }}\n"
    )

    assert "DR109" not in _found(text)


def test_a_gate_that_is_not_always_before_does_not_count() -> None:
    text = (
        "steps:\n"
        "  - { id: gate, uses: gate.approve, needs: [] }\n"
        "  - { id: promote, uses: postgres.promote, hosts: db-b, needs: [] }\n"
    )

    assert "DR101" in _found(HEAD + text)


def test_lint_without_actions_judges_what_it_can() -> None:
    text = "steps:\n  - { id: a, uses: who.knows, if: false }\n"

    assert "DR104" in {p.rule for p in lint(load(HEAD + text, actions=None), None)}


def test_an_irreversible_deed_of_people_needs_a_gate_too() -> None:
    text = "steps:\n  - { id: wipe, uses: human.task, effect: irreversible }\n"

    assert {"DR101", "DR102", "DR108"} & _found(HEAD + text) == {"DR101"}
