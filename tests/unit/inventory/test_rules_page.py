"""The page of rules says what the check does."""

from __future__ import annotations

from pathlib import Path

from dr.inventory.checks import _WARNINGS, RULES

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "inventory.md"


def test_every_rule_is_on_the_page_with_its_severity() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for rule in RULES:
        severity = "warning" if rule in _WARNINGS else "error"
        assert f"| {rule} | {severity} | " in text
    assert text.count("| INV") == len(RULES)
