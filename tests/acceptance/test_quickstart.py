"""The quickstart's commands, executed as a newcomer would: in order, in a real lab."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/quickstart.md"
BLOCK = re.compile(r"^```console test=lab\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT_S = 120


@dataclass(frozen=True)
class Command:
    """A command of the page, and what it must print, in this order."""

    line: int
    text: str
    prints: tuple[str, ...]


def commands(page: str) -> list[Command]:
    """Return the commands of every block that is marked, in the order of the page."""
    found: list[Command] = []
    for block in BLOCK.finditer(page):
        first = page.count("\n", 0, block.start(1)) + 1
        for number, line in enumerate(block.group(1).splitlines(), first):
            if line.startswith("$ "):
                found.append(Command(number, line[2:], ()))
            elif line.strip() and line.strip() != "…":
                last = found.pop()
                found.append(Command(last.line, last.text, (*last.prints, line.strip())))
    return found


def missing(output: str, wanted: tuple[str, ...]) -> str | None:
    """Return the first text of ``wanted`` that ``output`` lacks after the ones before it."""
    place = 0
    for text in wanted:
        place = output.find(text, place)
        if place < 0:
            return text
        place += len(text)
    return None


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of the newcomer's shell, with a lab of the test's own."""
    lab = tmp_path / "lab"
    kept = ("HOME", "LANG", "TMPDIR", "USER", "DR_LAB_CACHE")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {
        "PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}",
        "DR_LAB": str(lab),
        "DR_WORKSPACE": str(lab / "workspace"),
        "DR_LANG": "en",
    }
    yield environment
    subprocess.run(["dr", "lab", "down"], env=environment, cwd=tmp_path, check=False, timeout=60)


@pytest.mark.lab
@pytest.mark.slow
def test_every_command_of_the_quickstart_works(shell: dict[str, str], tmp_path: Path) -> None:
    if shutil.which("ip") is None:
        pytest.skip("the lab needs iproute2")
    for command in commands(PAGE.read_text(encoding="utf-8")):
        ended = subprocess.run(
            ["bash", "-c", command.text],
            env=shell,
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        output = ended.stdout + ended.stderr
        where = f"quickstart.md:{command.line}: $ {command.text}\n{output}"
        assert ended.returncode == 0, where
        assert missing(output, command.prints) is None, where


def test_the_page_has_commands_from_the_lab_s_beginning_to_its_end() -> None:
    told = [command.text for command in commands(PAGE.read_text(encoding="utf-8"))]
    assert told[0] == "dr lab up"
    assert told[-1] == "dr lab down"
    assert any(text.startswith("dr approve ") for text in told)


def test_what_a_command_prints_belongs_to_the_command_above_it() -> None:
    page = "x\n```console test=lab\n$ one\nprinted\n…\nmore\n$ two\n```\n```\n$ three\n```\n"
    assert commands(page) == [Command(3, "one", ("printed", "more")), Command(7, "two", ())]


def test_a_text_that_is_not_printed_is_named() -> None:
    assert missing("a b c", ("a", "c")) is None
    assert missing("a b c", ("c", "a")) == "a"
