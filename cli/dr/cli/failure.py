"""How an error looks when it leaves: text for people, an object for scripts, an exit code."""

from __future__ import annotations

import errno
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from dr.cli.sayings import say_error
from dr.cli.text import N_, _
from dr.cli.width import cells, json_text, printable
from dr.engine.core.errors import DrError, ExitCode, Problem, RunbookError

_RIGHTS = N_("Look at its owner and rights with 'ls -ld'.")
_SYSTEM_HINTS = {
    errno.ENOSPC: N_("Free space: 'df -h' shows how much there is."),
    errno.EDQUOT: N_("Free space: 'df -h' shows how much there is."),
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: N_("The disk is mounted read-only: 'findmnt' shows it."),
    errno.EINVAL: N_("Name an ordinary file: 'ls -l' shows what it is."),
    errno.ENOENT: N_("Name a place that is there, or can be made: 'ls -l' shows what is."),
    errno.EEXIST: N_("Name a folder: 'ls -l' shows what is there."),
    errno.ENOTDIR: N_("Name a folder: 'ls -l' shows what is there."),
}


@dataclass(frozen=True)
class Failure:
    """An error on its way out."""

    exit_code: ExitCode
    code: str
    message: str
    hint: str = ""
    problems: Sequence[Problem] = ()

    def to_text(self) -> str:
        """Return the lines for people."""
        lines = [block for problem in self.problems for block in problem_lines(problem)]
        lines.append(_("error: {message}").format(message=_hung(self.message)))
        if self.hint:
            lines.append(_("hint: {hint}").format(hint=_hung(self.hint)))
        return printable("\n".join(lines))

    def to_json(self) -> str:
        """Return the object for scripts."""
        error = {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "problems": [problem_data(problem) for problem in self.problems],
        }
        return json_text({"v": 1, "error": error}, indent=2)


def _hung(text: str) -> str:
    """Indent further lines: a name with a line break in it can not write a hint of its own."""
    return text.replace("\n", "\n    ")


def problem_data(problem: Problem) -> dict[str, Any]:
    """Return a problem as JSON data."""
    return {
        "message": say_error(problem.message),
        "path": list(problem.path),
        "where": problem.where,
        "hint": say_error(problem.hint),
        "rule": problem.rule,
        "severity": problem.severity,
    }


def problem_lines(problem: Problem) -> list[str]:
    """Return a problem as lines: where and what, the excerpt, what to write instead."""
    place = problem.where or ".".join(str(key) for key in problem.path)
    kind = _("warning") if problem.severity == "warning" else ""
    rule = f" [{problem.rule}]" if problem.rule else ""
    head = ": ".join(part for part in (place, kind, say_error(problem.message)) if part)
    lines = [_hung(head) + rule]
    lines += [f"  {line}" for line in problem.excerpt.split("\n") if line]
    if problem.hint:
        lines.append("  " + _("hint: {hint}").format(hint=_hung(say_error(problem.hint))))
    return [printable(line) for line in lines]


def from_dr(error: DrError) -> Failure:
    """Return what a service refused."""
    problems = error.problems if isinstance(error, RunbookError) else ()
    message, hint = say_error(error.message), say_error(error.hint)
    return Failure(error.exit_code, error.code, message, hint, problems)


def from_click(error: click.ClickException) -> Failure:
    """Return what was wrong with the command line."""
    hint = ""
    ctx = getattr(error, "ctx", None)
    if ctx is not None:
        hint = _("Type '{command} --help'.").format(command=ctx.command_path)
    message = error.format_message().strip()
    if cells(message) and message[0].isascii() and message[0].isupper():
        message = message[0].lower() + message[1:]
    return Failure(ExitCode.USAGE, "usage", message.removesuffix("."), hint)


def from_system(error: OSError) -> Failure:
    """Return what the operating system refused, with the file it was about."""
    place = f"{error.filename}: " if error.filename else ""
    said = str(error.strerror or error)
    message = place + said[:1].lower() + said[1:]
    return Failure(ExitCode.FAILED, "system", message, _(_SYSTEM_HINTS.get(error.errno or 0, "")))


def from_unexpected(error: Exception) -> Failure:
    """Return one line about an error that nobody foresaw; the traceback goes to a file."""
    text = "".join(traceback.format_exception(error))
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    path = Path(tempfile.gettempdir()) / f"dr-error-{stamp}-{id(error):x}.log"
    try:
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        hint = _("The details are in {path}; please report them.").format(path=path)
    except OSError:
        hint = _("The details could not be written to {path}.").format(path=path)
    summary = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    message = _("unexpected error: {summary}").format(summary=summary.rstrip(": "))
    return Failure(ExitCode.FAILED, "unexpected", message, hint)
