"""Commands that reach hosts enter a lab's network first: else they would send outside of it."""

from __future__ import annotations

import ast
from pathlib import Path

COMMANDS = Path(__file__).resolve().parents[3] / "cli/dr/cli/commands"
REACHING = {"comparing", "run_engine"}
"""What of the desk asks hosts in this process; others start an engine, which enters by itself."""


def _calls(function: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            called = node.func
            names.add(
                called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            )
    return names


def test_a_command_that_asks_hosts_itself_enters_the_network_of_the_lab() -> None:
    seen = set()
    for path in COMMANDS.glob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef) and (reached := _calls(function) & REACHING):
                seen |= reached
                where = f"{path.name}: {function.name}"
                assert "enter_lab" in _calls(function), f"{where} asks hosts from outside"
    assert seen == REACHING
