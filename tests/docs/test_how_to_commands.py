"""What the how-tos tell people to type: each command and option is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dr.cli.app import root_command

HOW_TOS = sorted((Path(__file__).resolve().parents[2] / "docs/how-to").glob("*.md"))
TYPED = re.compile(r"^ *(dr [^\n]+)$", re.MULTILINE)
FENCE = re.compile(r"^ *```\w*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
IN_LINE = re.compile(r"`(dr [a-z][^`\n]+)`")


def typed(page: Path) -> Iterator[list[str]]:
    """Yield the words of each ``dr`` command of a page."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for block in FENCE.findall(text):
        yield from (shlex.split(line, comments=True) for line in TYPED.findall(block))
    for line in IN_LINE.findall(FENCE.sub("", text)):
        yield shlex.split(line.replace("'", '"'))


def refusal(words: list[str]) -> str:
    """Return what is wrong with a command; empty when it and its options are there."""
    command: click.Command = root_command()
    ctx = command.make_context("dr", [], resilient_parsing=True)
    known: set[str] = set()
    if "dr" in words[1:]:  # a command that is carried out on another host
        return refusal(words[words.index("dr", 1) :])
    for word in words[1:]:
        known |= {name for param in command.params for name in param.opts}
        if word.startswith("--") and word.partition("=")[0] not in known:
            return f"{command.name} has no {word}"
        if isinstance(command, click.Group) and not word.startswith("-"):
            found = command.get_command(ctx, word)
            if found is None:
                return f"there is no '{word}'"
            command = found
    return ""


@pytest.mark.parametrize("page", HOW_TOS, ids=lambda page: str(page.stem))
def test_what_people_are_told_to_type_is_there(page: Path) -> None:
    wrong = {" ".join(words): refusal(words) for words in typed(page)}
    assert {line: why for line, why in wrong.items() if why} == {}


def test_a_command_or_option_that_is_not_there_is_noticed() -> None:
    assert refusal(["dr", "frobnicate"]) == "there is no 'frobnicate'"
    assert refusal(["dr", "undo", "RUN", "--force"]) == "undo has no --force"
    assert refusal(["dr", "undo", "RUN", "--from", "STEP"]) == ""
