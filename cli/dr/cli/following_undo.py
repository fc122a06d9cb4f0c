"""Follow what a run takes back, until it is over or people are asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dr.cli.follow import STARTUP_S, EngineWatch, plain_viewer
from dr.cli.reasons import say_reason
from dr.cli.screen import next_command
from dr.cli.session import Session
from dr.cli.text import _
from dr.cli.width import printable
from dr.cli.words import run_word
from dr.engine.core.errors import ExitCode
from dr.engine.core.questions import QuestionKind
from dr.engine.core.view import RunView


def follow_undo(session: Session, run: str, seq: int) -> ExitCode:
    """Show what is taken back after event ``seq`` wished it; return how that ended.

    Returns:
        DONE when everything was taken back, FAILED when something is left or the run was over
        before anything could be, WAITING when people are asked, VIEW_LEFT when the view was left.

    Raises:
        DrError: the engine of the run is gone.
    """
    try:
        view = _followed(session, run, seq)
    except KeyboardInterrupt:
        session.say("\n" + _("you left the view; the run goes on: dr attach {run}").format(run=run))
        return ExitCode.VIEW_LEFT
    result = _result(view, seq)
    if not session.json:
        _farewell(session, view, result)
    if result is None:
        return ExitCode.FAILED if view.state.ended else ExitCode.WAITING
    return ExitCode.FAILED if result.get("left") or result.get("stopped") else ExitCode.DONE


def _followed(session: Session, run: str, seq: int) -> RunView:
    view, viewer = RunView(run), plain_viewer(session)
    watch = EngineWatch(session.desk, run, STARTUP_S)
    for batch in session.desk.follow(run):
        view.apply_all(batch)
        is_over = _result(view, seq) is not None or view.state.ended
        last = is_over or (not batch and view.seq >= seq and _asks(view))
        viewer.show(view, [event for event in batch if event.seq > seq], last=last)
        if last:
            break
        watch.check(batch)
    return view


def _asks(view: RunView) -> bool:
    """Whether people must say something before the undo can go on."""
    asked = view.open_questions()
    return any(q.is_about_undo or q.question.kind is QuestionKind.DOUBT for q in asked)


def _result(view: RunView, seq: int) -> Mapping[str, Any] | None:
    return next((result for result in view.undone if result.get("wish") == seq), None)


def _farewell(session: Session, view: RunView, result: Mapping[str, Any] | None) -> None:
    for item in (result or {}).get("left", ()):
        place = f"{item['step']} @ {item['host']}" if item.get("host") else item["step"]
        because = say_reason(item.get("because", ""))
        words = _("left: {place}: {because}").format(place=place, because=because)
        session.say(printable(words))
    word, _style = run_word(view.state)
    session.say(_("run {run}: {state}").format(run=view.id, state=word))
    command = next_command(view)
    if command:
        session.say(_("next: ") + command)
