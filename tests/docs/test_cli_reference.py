"""The reference of the commands is what the commands say of themselves."""

from __future__ import annotations

import pytest

from dr.cli.app import VERBS
from scripts.commands_page import PAGE, page


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    # writing the page chooses a language, which gettext keeps in the environment
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.setenv("DR_LAB", "/nonexistent/dr-lab")


def test_the_page_is_what_help_prints() -> None:
    # when this fails: .venv/bin/python scripts/commands_page.py
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("name", [name for name, lazy in VERBS.items() if not lazy.hidden])
def test_every_command_has_its_section(name: str) -> None:
    assert f"\n## dr {name}\n" in PAGE.read_text(encoding="utf-8")


def test_the_engine_process_is_not_offered_to_people() -> None:
    assert "## dr engine" not in PAGE.read_text(encoding="utf-8")
