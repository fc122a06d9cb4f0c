"""Following a run: a live screen on a terminal, plain lines or NDJSON elsewhere.

The viewer is not the engine: leaving it changes nothing about the run.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import click

from dr.cli.outline import outline_of
from dr.cli.screen import Frame, draw, next_command
from dr.cli.sentences import heartbeat, plain_line
from dr.cli.session import Session, marks_ascii
from dr.cli.text import _
from dr.cli.words import run_word, stamp
from dr.engine.core.canonical import plain
from dr.engine.core.errors import DrError, ExitCode
from dr.engine.core.events import Event, Kind
from dr.engine.core.questions import QuestionKind
from dr.engine.core.states import RunState, StepState
from dr.engine.core.view import RunView

if TYPE_CHECKING:
    from dr.cli.live import LiveScreen

HEARTBEAT_S = 60.0
REPAINT_S = 0.5
PROGRESS_S = 2.0
STARTUP_S = 20.0
"""How long a new engine may take until it has the run."""

_HELD_BY_PEOPLE = frozenset({RunState.WAITING, RunState.IN_DOUBT, RunState.PAUSED})


def standing(view: RunView) -> ExitCode:
    """Return the exit code for how a run stands."""
    if view.state is RunState.SUCCEEDED:
        return ExitCode.DONE
    if view.state.ended:
        rejected = any(
            q.outcome == "rejected" and q.question.kind is QuestionKind.GATE
            for q in view.questions.values()
        )
        return ExitCode.REJECTED if rejected else ExitCode.FAILED
    waits = view.state in _HELD_BY_PEOPLE or bool(view.open_questions()) or bool(view.in_doubt())
    return ExitCode.WAITING if waits else ExitCode.DONE


class Viewer(Protocol):
    """Shows a run while it goes on."""

    def show(self, view: RunView, news: Sequence[Event], *, last: bool) -> None:
        """Show what ``news``, already folded into ``view``, changed."""


class PlainViewer:
    """One line per event, local time first, and a line each minute when nothing happens."""

    def __init__(self) -> None:
        self._quiet_since = time.monotonic()

    def show(self, view: RunView, news: Sequence[Event], *, last: bool) -> None:
        """Print the lines."""
        outline = outline_of(view)
        for event in news:
            text = plain_line(event, view, outline)
            if text:
                click.echo(text)
                self._quiet_since = time.monotonic()
        if not last and time.monotonic() - self._quiet_since >= HEARTBEAT_S:
            click.echo(heartbeat(view, stamp(datetime.now(UTC))))
            self._quiet_since = time.monotonic()


class JsonViewer:
    """One JSON object per event and line."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def show(self, view: RunView, news: Sequence[Event], *, last: bool) -> None:
        """Print the objects; the last one says how the run stands."""
        for event in news:
            self._session.row({"v": 1, "event": plain(event)})
        if last:
            self._session.row({"v": 1, "run": view.id, "state": str(view.state)})


class ScreenViewer:
    """The live screen."""

    def __init__(self, session: Session, screen: LiveScreen) -> None:
        self._desk = session.desk
        self._screen = screen
        self._progress: Any = None
        self._painted = self._asked = float("-inf")

    def show(self, view: RunView, news: Sequence[Event], *, last: bool) -> None:  # noqa: ARG002
        """Paint, at most twice a second; the last picture always."""
        now = time.monotonic()
        if not last and now - self._painted < REPAINT_S:
            return
        if now - self._asked >= PROGRESS_S or last:
            self._progress, self._asked = self._desk.progress(view.id), now
        self._painted = now
        frame = Frame(
            view=view,
            outline=outline_of(view),
            now=datetime.now(UTC),
            progress=self._progress,
            output=() if last else self._output(view),
            width=self._screen.width,
            height=self._screen.height,
            ascii_marks=marks_ascii(),
        )
        if last:  # the screen stays in the scroll-back: show all of it
            frame = replace(frame, height=None)
        self._screen.paint(draw(frame))

    def _output(self, view: RunView) -> list[str]:
        running = [s for s in view.steps.values() if s.state is StepState.RUNNING and s.units]
        if not running:
            return []
        step = max(running, key=lambda s: s.started or datetime.min.replace(tzinfo=UTC))
        unit = step.latest
        try:
            text = self._desk.output(view.id, step.id, host=unit.host if unit else None, tail=5)
        except DrError:
            return []
        return text.splitlines()


def follow(session: Session, run: str, *, wait: bool, starting: bool = False) -> ExitCode:
    """Show the run until it ends and return the exit code for how it stands.

    Args:
        wait: keep following while the run waits for people; without it the view ends there.
        starting: an engine has just been started and may need a while until it has the run.

    Raises:
        DrError: the engine of the run is gone.
    """
    try:
        with _screen(session) as screen:
            viewer = _viewer(session, screen)
            watch = EngineWatch(session.desk, run, STARTUP_S if starting else 0.0)
            return _follow(session, run, viewer, watch, wait=wait)
    except KeyboardInterrupt:
        session.say("\n" + _("you left the view; the run goes on: dr attach {run}").format(run=run))
        return ExitCode.VIEW_LEFT


def _screen(session: Session) -> AbstractContextManager[LiveScreen | None]:
    if not session.live:
        return nullcontext(None)
    from dr.cli.live import LiveScreen

    return LiveScreen(colour=session.colour)


def plain_viewer(session: Session) -> Viewer:
    """Return the viewer that prints lines or JSON objects, whatever the terminal."""
    return JsonViewer(session) if session.json else PlainViewer()


def _viewer(session: Session, screen: LiveScreen | None) -> Viewer:
    if session.json:
        return JsonViewer(session)
    return PlainViewer() if screen is None else ScreenViewer(session, screen)


def _follow(
    session: Session, run: str, viewer: Viewer, watch: EngineWatch, *, wait: bool
) -> ExitCode:
    view = RunView(run)
    for batch in session.desk.follow(run):
        view.apply_all(batch)
        stops = not batch and (view.is_behind or (not wait and view.seq > 0 and _waits(view)))
        last = view.state.ended or stops
        viewer.show(view, batch, last=last)
        if last:
            break
        watch.check(batch)
    if not session.json:
        _farewell(session, view)
    return standing(view)


def _waits(view: RunView) -> bool:
    """Whether nothing but people can move the run."""
    busy = any(
        unit.state in {StepState.RUNNING, StepState.UNDOING}
        for step in view.steps.values()
        for unit in step.units.values()
    )
    # a doubt alone is no question yet: the engine first looks whether it can settle it itself
    awaited = view.state in _HELD_BY_PEOPLE or bool(view.open_questions())
    return not busy and awaited


class EngineWatch:
    """Notices that the engine of a run is gone."""

    def __init__(self, desk: Any, run: str, patience_s: float) -> None:
        self._desk, self._run, self._patience_s = desk, run, patience_s
        self._begun = self._looked = time.monotonic()
        self._since = datetime.now(UTC) - timedelta(seconds=PROGRESS_S)
        self._seen = False

    def check(self, news: Sequence[Event]) -> None:
        """Look every two seconds while the journal is silent.

        Raises:
            DrError: no engine has the run any more.
        """
        # an engine that took the run since has been there, however soon it was gone again
        self._seen |= any(e.kind is Kind.RUN_LEASE and e.at >= self._since for e in news)
        now = time.monotonic()
        if news or now - self._looked < PROGRESS_S:
            return
        self._looked = now
        if self._desk.engine_alive(self._run):
            self._seen = True
        elif self._seen or now - self._begun > self._patience_s:
            raise DrError(
                _("the engine of run {run} is gone; the run is not over").format(run=self._run),
                hint=self._go_on(),
                code="engine_gone",
            )

    def _go_on(self) -> str:
        if self._desk.lapsed_elsewhere(self._desk.view(self._run)):
            return _("Type 'dr takeover {run} --because …' to go on with it here.").format(
                run=self._run
            )
        return _("Type 'dr resume {run}' to go on with it.").format(run=self._run)


def _farewell(session: Session, view: RunView) -> None:
    word, _style = run_word(view.state)
    session.say(_("run {run}: {state}").format(run=view.id, state=word))
    command = next_command(view)
    if command:
        session.say(_("next: ") + command)
