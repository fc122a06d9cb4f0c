"""The help of every command, in both languages."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from dr.cli.app import VERBS, root_command
from dr.cli.width import cells
from tests.unit.cli.conftest import Dr


def _all_commands() -> Iterator[tuple[str, ...]]:
    root = root_command()
    ctx = root.make_context("dr", [], resilient_parsing=True)
    for name in VERBS:
        yield (name,)
        command = root.get_command(ctx, name)
        if isinstance(command, click.Group):
            yield from ((name, sub) for sub in command.list_commands(ctx))


COMMANDS = list(_all_commands())


def test_every_verb_of_the_design_is_there() -> None:
    wanted = [
        "init",
        "lint",
        "plan",
        "run",
        "attach",
        "status",
        "show",
        "log",
        "approve",
        "reject",
        "answer",
        "resolve",
        "resume",
        "takeover",
        "retry",
        "skip",
        "pause",
        "continue",
        "amend",
        "abort",
        "undo",
        "journal",
        "reconcile",
        "inventory",
        "lab",
        "schema",
        "completion",
        "doctor",
        "standing",
        "engine",
    ]
    assert sorted(VERBS) == sorted(wanted)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_help_fits_eighty_cells_and_is_whole(dr: Dr, words: tuple[str, ...], lang: str) -> None:
    said = dr(*words, "--lang", lang, "--help")
    assert (said.code, said.err) == (0, "")
    assert [line for line in said.out.splitlines() if cells(line) > 80] == []
    heading = {"en": "Usage:", "zh": "用法："}[lang]
    assert said.out.startswith(f"{heading} dr {' '.join(words)}")
    assert "--json" in said.out


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_english_sentence_is_left_in_the_chinese_help(dr: Dr, words: tuple[str, ...]) -> None:
    said = dr(*words, "--lang", "zh", "--help")
    for text in ("Print ", "Show ", "the locale", "Who ", "Why;"):
        assert text not in said.out
