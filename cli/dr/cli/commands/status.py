"""``dr status``.  Reads the journal the quick way: it must answer when little else does."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from dr.cli.command import command, option
from dr.cli.completing import runs
from dr.cli.follow import standing
from dr.cli.lines import Line, line, painted
from dr.cli.outline import outline_of
from dr.cli.screen import Frame, draw, next_command, without_engine
from dr.cli.session import Session, current, marks_ascii
from dr.cli.terminal import width
from dr.cli.text import N_, _, ngettext
from dr.cli.width import cells, pad
from dr.cli.words import environment_word, mode_word, run_word, stamp
from dr.engine.core.canonical import plain
from dr.engine.core.errors import ExitCode, UserError
from dr.engine.core.states import RunState
from dr.engine.core.values import parse_utc
from dr.engine.core.view import RunView
from dr.engine.service import glance
from dr.engine.service.engines import holder_lives

MOST_ENDED = 10


@command(
    "status",
    N_(
        "Show how runs stand.\n\n"
        "Without RUN: those that are not over, and the last that are. With RUN: that one on one "
        "screen. Exit 0 when it goes on or ended well, 1 failed, 3 waits for people or is in "
        "doubt, 5 rejected; with --check 8 when the RTO is missed."
    ),
)
@click.argument("run", required=False, shell_complete=runs)
@option("--all", "everything", is_flag=True, help=N_("List every run, however old."))
@option("--check", is_flag=True, help=N_("Exit 8 when a run under way has missed its RTO."))
def status(run: str | None, everything: bool, check: bool) -> int:
    """Show how runs stand."""
    session = current()
    journal = _Journal.open(session)
    if run is not None:
        view = journal.view(journal.resolve(run))
        return _one(session, view, lapsed=journal.has_lapsed(view), check=check)
    lines = journal.lines()
    open_views = [journal.view(one.id) for one in lines if not _ended(one)]
    shown = [one for one in lines if not _ended(one)]
    over = [one for one in lines if _ended(one)]
    shown += over if everything else over[:MOST_ENDED]
    kinds = journal.kinds
    if session.json:
        session.result({"v": 1, "runs": [_line_data(one) for one in shown]})
    else:
        lapsed = {view.id for view in open_views if journal.has_lapsed(view)}
        click.echo(painted(_list(shown, kinds, open_views, lapsed), colour=session.colour))
        if len(over) > MOST_ENDED and not everything:
            more = len(over) - MOST_ENDED
            session.say(
                ngettext("{n} older run: --all", "{n} older runs: --all", more).format(n=more)
            )
    if check and any(_rto_missed(view) for view in open_views):
        return ExitCode.DEADLINE_MISSED
    return max((standing(view) for view in open_views), default=ExitCode.DONE)


class _Journal:
    """The runs of the workspace, the quick way when the journal is a file, else by the desk."""

    def __init__(
        self, session: Session, quick: Path | None, kinds: Mapping[str, str], *, empty: bool
    ) -> None:
        self._session, self._quick, self.kinds, self._empty = session, quick, kinds, empty

    @classmethod
    def open(cls, session: Session) -> _Journal:
        place = glance.find_workplace(session.workspace)
        if place is None:
            raise UserError(
                _("there is no workspace here"),
                hint=_("Go where dr.yaml lies, name it with --workspace, or type 'dr init DIR'."),
                code="no_workspace",
            )
        quick = glance.quick_journal(place)
        return cls(session, quick, place.environments, empty=glance.has_no_runs(place))

    def lines(self) -> list[glance.RunLine]:
        if self._quick is not None:
            return glance.runs(self._quick)
        if self._empty:
            return []
        return [
            glance.RunLine(
                r.id, r.runbook, r.environment, r.mode, r.state, r.created.isoformat(), r.requester
            )
            for r in self._session.desk.runs()
        ]

    def resolve(self, named: str) -> str:
        return glance.resolve(self.lines(), named).id

    def view(self, run: str) -> RunView:
        if self._quick is not None:
            return glance.view(self._quick, run)
        return self._session.desk.view(run)

    def has_lapsed(self, view: RunView) -> bool:
        """Tell whether an engine elsewhere had the run and has let its lease lapse."""
        return self._quick is None and self._session.desk.lapsed_elsewhere(view)


def _ended(one: glance.RunLine) -> bool:
    return RunState(one.state).ended


def _one(session: Session, view: RunView, *, lapsed: bool, check: bool) -> int:
    now = datetime.now(UTC)
    missed = _rto_missed(view)
    if session.json:
        session.result(_view_data(view, lapsed=lapsed))
    else:
        frame = Frame(
            view,
            outline_of(view),
            now,
            width=width(),
            ascii_marks=marks_ascii(),
            next_command=_next(view, lapsed=lapsed),
            engine_is_gone=_engine_is_gone(view),
            lease_has_lapsed=lapsed,
        )
        click.echo(painted(draw(frame), colour=session.colour))
    return ExitCode.DEADLINE_MISSED if check and missed else standing(view)


def _engine_is_gone(view: RunView) -> bool:
    """Tell whether nobody drives an unfinished run any more, as far as this machine can see."""
    return bool(view.holder) and not view.state.ended and holder_lives(view.holder) is False


def _next(view: RunView, *, lapsed: bool) -> str:
    """Return what to type next; a run without an engine goes nowhere before it has one."""
    if lapsed and not view.is_behind:
        return f"dr takeover {view.id} --because …"
    goes = _engine_is_gone(view) and not view.is_behind
    return f"dr resume {view.id}" if goes else next_command(view)


def _rto_missed(view: RunView) -> bool:
    rto, start = outline_of(view).rto_s, view.moments.detected
    if rto is None or start is None or view.moments.recovered or view.state.ended:
        return False
    return (datetime.now(UTC) - start).total_seconds() > rto


def _list(
    shown: Sequence[glance.RunLine],
    kinds: Mapping[str, str],
    views: Sequence[RunView],
    lapsed: Collection[str],
) -> list[Line]:
    if not shown:
        return [line(_("no run yet; try: dr plan storage-failure"))]
    rows = [_row(one, kinds) for one in shown]
    widths = [max(cells(row[i][0]) for row in rows) for i in range(5)]
    lines: list[Line] = []
    by_id = {view.id: view for view in views}
    for one, row in zip(shown, rows, strict=True):
        lines.append(
            line(
                *[
                    (pad(text, w) + "  ", style)
                    for (text, style), w in zip(row, widths, strict=True)
                ]
            )
        )
        view = by_id.get(one.id)
        if view is None:
            continue
        gone = without_engine(view, gone=_engine_is_gone(view), lapsed=view.id in lapsed)
        if gone:
            lines.append(line("  ", (gone, "bad")))
        following = _next(view, lapsed=view.id in lapsed)
        if following:
            lines.append(line("  ", (_("next: "), "strong"), following))
    return lines


def _row(one: glance.RunLine, kinds: Mapping[str, str]) -> list[tuple[str, str]]:
    word, style = environment_word(kinds.get(one.environment, ""), one.environment)
    drill = f" {mode_word('drill')}" if one.mode == "drill" else ""
    state, state_style = run_word(RunState(one.state))
    began = stamp(parse_utc(one.created)) if one.created else ""
    return [
        (one.id, "strong"),
        (state, state_style),
        (one.runbook, ""),
        (word + drill, style),
        (began, "dim"),
    ]


def _line_data(one: glance.RunLine) -> dict[str, Any]:
    return {name: getattr(one, name) for name in glance.RunLine.__slots__}


def _view_data(view: RunView, *, lapsed: bool) -> dict[str, Any]:
    """Return a run as JSON data."""
    return {
        "v": 1,
        "run": view.id,
        "state": str(view.state),
        "because": view.because,
        "runbook": outline_of(view).runbook,
        "environment": outline_of(view).environment,
        "mode": outline_of(view).mode,
        "moments": plain(view.moments),
        "steps": [
            {
                "id": step.id,
                "state": str(step.state),
                "because": step.because,
                "rung": step.rung,
                "outputs": plain(step.outputs),
                "started": plain(step.started),
                "ended": plain(step.ended),
                "hosts": {h: str(u.state) for h, u in step.units.items() if h is not None},
            }
            for step in view.steps.values()
        ],
        "questions": [
            {"opened": plain(q.opened), "outcome": q.outcome, **q.question.to_data()}
            for q in view.questions.values()
        ],
        "engine_gone": _engine_is_gone(view),
        "lease_lapsed": lapsed,
        "next": _next(view, lapsed=lapsed),
    }
