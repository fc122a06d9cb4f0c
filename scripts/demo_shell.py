"""How the demo speaks and types: two languages, headings, and ``dr`` as a newcomer calls it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DR = ROOT / ".venv/bin/dr"
DEFAULT_LAB = Path(f"/var/tmp/dr-lab-{os.getuid()}")  # noqa: S108 (the lab checks its owner)
LAB = Path(os.environ.get("DR_LAB") or DEFAULT_LAB).absolute()
WORKSPACE = LAB / "workspace"
HOUR_S, MINUTE_S = 3600, 60
FIRST_WIDE = "\u2e80"
"""From here on letters take two cells of a terminal."""
INTERRUPTED_S = 10.0
"""How long a command may take to end after Ctrl-C."""

ON_TERMINAL = sys.stdin.isatty() and sys.stdout.isatty()
_COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


class DemoError(Exception):
    """The demo can not go on; says why, and what to type."""


def wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a text; a path stays in one piece, to be copied."""
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)


def _chinese() -> bool:
    for name in ("DR_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return os.environ[name].lower().startswith("zh")
    return False


CHINESE = _chinese()


def both(en: str, zh: str) -> str:
    """Return the text in the language of the person."""
    return zh if CHINESE else en


def _styled(text: str, codes: str) -> str:
    return f"\x1b[{codes}m{text}\x1b[0m" if _COLOUR else text


def heading(text: str) -> None:
    """Begin a part of the demo."""
    print("\n" + _styled(f"== {text}", "1;36"), flush=True)


def say(text: str) -> None:
    """Print a sentence, wrapped; a Chinese one as it is."""
    print(text if CHINESE else "\n".join(wrapped(text, 88)), flush=True)


def command_line(*words: str) -> str:
    """Return what the person would type for ``dr WORDS`` in any other terminal."""
    prefix = "sudo " if os.environ.get("SUDO_USER") else ""
    if LAB != DEFAULT_LAB:
        prefix += f"DR_LAB={shlex.quote(str(LAB))} "
    return prefix + shlex.join([str(DR), *words])


def offer(*rows: tuple[tuple[str, ...], str]) -> None:
    """Print commands to type, each with what it does."""
    for words, does in rows:
        print(f"  {_styled(command_line(*words), '1')}\n      {does}", flush=True)


def _environment() -> dict[str, str]:
    # the demo's workspace is its lab's, whatever the person works with otherwise
    return {**os.environ, "DR_LAB": str(LAB), "DR_WORKSPACE": str(WORKSPACE)}


def type_dr(*words: str, quiet: bool = False, well: tuple[int, ...] = (0,)) -> int:
    """Show ``dr WORDS`` being typed, run it on this terminal, and return its exit code.

    Args:
        quiet: show what it says beside its result only when it fails.
        well: the exit codes that are no failure.

    Raises:
        KeyboardInterrupt: Ctrl-C, after the command ended.
    """
    print(_styled(f"$ dr {shlex.join(words)}", "1"), flush=True)
    kept = subprocess.PIPE if quiet else None
    with subprocess.Popen([DR, *words], env=_environment(), stderr=kept, text=True) as process:
        try:
            _out, said = process.communicate()
        except KeyboardInterrupt:
            _let_end(process)
            raise
    if quiet and process.returncode not in well:
        sys.stderr.write(said)
    return process.returncode


def _let_end(process: subprocess.Popen[str]) -> None:
    """Let a command that got the same Ctrl-C put the terminal in order."""
    try:
        process.wait(INTERRUPTED_S)
    except subprocess.TimeoutExpired:
        process.terminate()


def ask_dr(*words: str) -> Any:
    """Return the JSON that ``dr WORDS`` prints.

    Raises:
        DemoError: it failed; with what it said.
    """
    done = subprocess.run(
        [DR, "--json", *words], env=_environment(), capture_output=True, text=True, check=False
    )
    try:
        data = json.loads(done.stdout)
    except ValueError:
        data = {"error": done.stderr}
    if "error" in data:
        raise DemoError(f"dr {shlex.join(words)}: {done.stderr or done.stdout}")
    return data


def need(code: int, *words: str) -> None:
    """Refuse to go on after a command that failed.

    Raises:
        DemoError: ``code`` is not 0.
    """
    if code:
        text = both("'{}' failed with exit {}", "“{}”失败，退出码 {}")
        raise DemoError(text.format("dr " + shlex.join(words), code))


def known(value: object) -> float | None:
    """Return a number of a report; None when the report says that it is unknown."""
    return float(value) if isinstance(value, int | float) else None


def duration(value: object) -> str:
    """Return seconds in words; what is not known stays unknown."""
    number = known(value)
    if number is None:
        return both("unknown", "未知")
    if number >= HOUR_S and number % HOUR_S == 0:
        return f"{number / HOUR_S:.0f} h"
    if number >= MINUTE_S:
        return f"{int(number // MINUTE_S)} min {number % MINUTE_S:.0f} s"
    return f"{number:.1f} s" if number else "0 s"


def time_of_day(moment: str | datetime | None) -> str:
    """Return the local time of day of a UTC moment."""
    if moment is None:
        return both("unknown", "未知")
    when = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return when.astimezone().strftime("%H:%M:%S")


def text_of(value: Mapping[str, str] | str) -> str:
    """Return a text of a report in the language of the person."""
    if isinstance(value, str):
        return value
    return value.get("zh" if CHINESE else "en") or value.get("en") or ""


def fact(name: str, text: str) -> None:
    """Print one line of what happened, wrapped under its name."""
    cells = sum(2 if letter >= FIRST_WIDE else 1 for letter in name)
    label = _styled(name, "1") + " " * max(1, 14 - cells)
    first, *rest = wrapped(text, 74) if not CHINESE else [text]
    print("  " + label + first)
    for line in rest:
        print(" " * 16 + line)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def stop_as_on_ctrl_c() -> None:
    """Take SIGTERM and a closed terminal like Ctrl-C."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)
