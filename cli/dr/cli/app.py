"""The ``dr`` command: the table of verbs, and the one door by which errors leave.

Only this module knows exit codes; they are those of ``core.errors.ExitCode``.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from dr.cli.command import DrOption, common_options
from dr.cli.failure import Failure, from_click, from_dr, from_system, from_unexpected
from dr.cli.lazy import Lazy, LazyGroup
from dr.cli.session import Session
from dr.cli.text import N_, _, language_for, use
from dr.engine.core.errors import DrError, ExitCode, UserError

VERSION = "0.1.0"
"""A literal: asking the package's metadata costs more than all the rest of ``--help``."""


def _at(module: str, help: str, *, hidden: bool = False) -> Lazy:
    return Lazy(f"dr.cli.commands.{module}:{module}", help, hidden)


VERBS: dict[str, Lazy] = {
    "init": _at("init", N_("Make a new workspace.")),
    "lint": _at("lint", N_("Check runbooks without touching anything.")),
    "plan": _at("plan", N_("Show what a runbook would do, and whether it fits the RTO.")),
    "run": _at("run", N_("Carry out a runbook and follow it.")),
    "attach": _at("attach", N_("Follow a run that is under way.")),
    "status": _at("status", N_("Show how runs stand.")),
    "show": _at("show", N_("Show everything known of a run, or of one of its steps.")),
    "log": _at("log", N_("Print what happened in a run, or what a step wrote.")),
    "approve": _at("approve", N_("Approve a gate with your own key.")),
    "reject": _at("reject", N_("Reject a gate.")),
    "answer": _at("answer", N_("Answer a task or a question of a run.")),
    "resolve": _at("resolve", N_("Say whether a step in doubt took effect.")),
    "resume": _at("resume", N_("Go on with a run whose engine died.")),
    "takeover": _at(
        "takeover", N_("Take a run over whose engine on another machine is dead or frozen.")
    ),
    "retry": _at("retry", N_("Let a failed step try again.")),
    "skip": _at("skip", N_("Let the run go on without a step.")),
    "undo": _at("undo", N_("Take finished steps of a run back, the last one first.")),
    "pause": _at("pause", N_("Start nothing new in a run.")),
    "continue": _at("continue_", N_("Take the pause of a run back.")),
    "amend": _at("amend", N_("Change what has not begun of a run, with an approval.")),
    "abort": _at("abort", N_("Give a run up; its closing steps still run.")),
    "reconcile": _at("reconcile", N_("Have the branches compare, correct and sign off.")),
    "journal": _at("journal", N_("Check the journal of a run, or write it as evidence.")),
    "inventory": _at("inventory", N_("Show or check hosts, services and people.")),
    "standing": _at("standing", N_("Sign an authorisation beforehand, within bounds.")),
    "lab": _at("lab", N_("A miniature data centre to break and recover.")),
    "schema": _at("schema", N_("Print the JSON Schema of a file format.")),
    "doctor": _at("doctor", N_("Check that everything dr needs is there and works.")),
    "completion": _at("completion", N_("Print the completion script of a shell.")),
    "engine": _at("engine", N_("The engine process of a run."), hidden=True),
}


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"dr {VERSION}")
        ctx.exit()


def root_command() -> LazyGroup:
    """Return ``dr`` itself."""
    version = DrOption(
        ["--version"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_version,
        help=N_("Print the version."),
    )
    return LazyGroup(
        name="dr",
        help=N_("Disaster-recovery runbooks that run: plan, approve, recover, verify, report."),
        params=[*common_options(), version],
        commands_at=VERBS,
        no_args_is_help=True,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command line and return the exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    _open_closed_streams()
    use(language_for(args, os.environ))
    _soften_streams()
    as_json = "--json" in args
    session = Session()
    try:
        _only_text(args, os.environ)
        return _carry_out(args, session)
    except BrokenPipeError:
        _close_quietly()
        return ExitCode.DONE
    except (KeyboardInterrupt, click.Abort):
        click.echo(_("interrupted"), err=True)
        return ExitCode.VIEW_LEFT
    except click.ClickException as error:
        failure = from_click(error)
    except DrError as error:
        failure = from_dr(error)
    except OSError as error:
        failure = from_system(error)
    except Exception as error:  # noqa: BLE001 (the last door: no traceback reaches a person)
        failure = _explained(error, session)
    return _leave(failure, as_json=as_json)


def _only_text(args: Sequence[str], environ: Mapping[str, str]) -> None:
    """Refuse bytes that are no text: they could be neither written down nor shown.

    Raises:
        UserError: an argument, or a variable of dr's own, holds some.
    """
    ours = [value for name, value in environ.items() if name.startswith("DR_")]
    for word in (*args, *ours):
        if any("\ud800" <= character <= "\udfff" for character in word):
            raise UserError(
                _("this is not text in the encoding of the terminal: {word}").format(
                    word=word.encode("utf-8", "backslashreplace").decode()
                ),
                hint=_("Type it as UTF-8; a file with such a name must be renamed first."),
            )


def _carry_out(args: list[str], session: Session) -> int:
    stdout = sys.stdout
    try:
        outcome: Any = root_command().main(
            args=args,
            prog_name="dr",
            standalone_mode=False,
            obj=session,
            windows_expand_args=False,
        )
    except SystemExit as leaving:
        # click itself leaves so when Tab was pressed, and when the reader has gone: then it has
        # put a wrapper around the stream
        if sys.stdout is not stdout:
            raise BrokenPipeError from None
        return int(leaving.code or 0)
    sys.stdout.flush()
    return int(outcome) if isinstance(outcome, int) else ExitCode.DONE


def _explained(error: Exception, session: Session) -> Failure:
    """Say that somebody changed the journal, when that is why; else that nobody foresaw it."""
    from dr.cli.damage import damage

    found = damage(session)
    return from_dr(found) if found is not None else from_unexpected(error)


def _leave(failure: Failure, *, as_json: bool) -> int:
    try:
        if as_json:
            click.echo(failure.to_json())
        else:
            click.echo(failure.to_text(), err=True)
    except BrokenPipeError:
        _close_quietly()
    except OSError:
        _close_quietly()  # the disk below standard output is full: the exit code has to say it
    return failure.exit_code


def _open_closed_streams() -> None:
    """Open what the caller closed, so that no file of ours becomes standard output by chance."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # in this order each gets the number that it always has: the lowest that is free
            with contextlib.suppress(OSError):
                setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _soften_streams() -> None:
    """Let a terminal that is not UTF-8 show a question mark instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def _close_quietly() -> None:
    """Keep the interpreter from writing to what is broken once more when it ends."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
