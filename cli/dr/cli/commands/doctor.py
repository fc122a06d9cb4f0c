"""``dr doctor``."""

from __future__ import annotations

from typing import Any

import click

from dr.cli.command import command
from dr.cli.lines import Line, line, painted
from dr.cli.network import enter_lab
from dr.cli.session import current, marks_ascii
from dr.cli.terminal import width
from dr.cli.text import N_, _
from dr.cli.width import cells, pad, wrap
from dr.engine.core.errors import ExitCode


@command(
    "doctor",
    N_(
        "Check that everything dr needs is there and works.\n\n"
        "Programs, keys, hosts, clocks, disk, the journal, backups. What can not be told is shown "
        "as unknown. Exit 1 when something is wrong."
    ),
)
def doctor() -> int:
    """Check the surroundings."""
    session = current()
    enter_lab(session)
    from dr.engine.service.checkup import examine

    findings = examine(session.desk)
    if session.json:
        session.result({"v": 1, "findings": [_data(finding) for finding in findings]})
    else:
        click.echo(painted(_lines(findings), colour=session.colour))
    return ExitCode.FAILED if any(f.ok is False for f in findings) else ExitCode.DONE


def _data(finding: Any) -> dict[str, Any]:
    ok = finding.ok if isinstance(finding.ok, bool) else None
    return {"name": finding.name, "ok": ok, "detail": finding.detail, "hint": finding.hint}


def _lines(findings: list[Any]) -> list[Line]:
    looks = {
        True: ("+" if marks_ascii() else "✓", _("ok"), "good"),
        False: ("x" if marks_ascii() else "✗", _("WRONG"), "bad"),
        None: ("?", _("unknown"), "warn"),
    }
    words = max(cells(word) for _mark, word, _style in looks.values())
    names = max((cells(finding.name) for finding in findings), default=0)
    lines: list[Line] = []
    for finding in findings:
        sign, word, style = looks[finding.ok if isinstance(finding.ok, bool) else None]
        lines.append(
            line(
                (f"{sign} {pad(word, words)}", style),
                f"  {pad(finding.name, names)}  {finding.detail}",
            )
        )
        if finding.hint and finding.ok is not True:
            hint = _("hint: {hint}").format(hint=_(finding.hint))
            lines += [line(part) for part in wrap(hint, width(), first="    ", rest="    ")]
    return lines
