"""``dr run``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dr.cli.command import command, option, pairs
from dr.cli.completing import people, runbooks
from dr.cli.finding import person
from dr.cli.follow import follow
from dr.cli.lines import painted
from dr.cli.network import enter_lab
from dr.cli.plan_screen import draw_plan
from dr.cli.plan_summary import draw_summary
from dr.cli.session import Session, current
from dr.cli.terminal import width
from dr.cli.text import N_, _
from dr.cli.words import environment_word
from dr.engine.core.errors import ExitCode, HeldError, UserError
from dr.inventory.ordinary import LARGEST_PLAN_BYTES, read_ordinary

if TYPE_CHECKING:
    from dr.engine.core.ports import RunRecord


@command(
    "run",
    N_(
        "Carry out a runbook and follow it.\n\n"
        "The engine is a process of its own: Ctrl-C leaves the view, the run goes on. Outside of "
        "a lab the name of the runbook is asked for; a script gives it with --confirm. "
        "When the same runbook is under way for the same service and its engine died, that run "
        "is resumed and no second one begins.\n\n"
        "\b\n"
        "Exit 0 done and verified, 1 failed, 3 waits for people (--no-wait),\n"
        "5 rejected, 6 the plan changed, 7 another engine has it, 130 view left."
    ),
)
@click.argument("runbook", required=False, shell_complete=runbooks)
@option("-i", "--input", "inputs", multiple=True, metavar="KEY=VALUE", help=N_("An input."))
@option("--drill", is_flag=True, help=N_("A drill: steps do what they declare for drills."))
@option("--dry-run", is_flag=True, help=N_("Only look: the same as 'dr plan --probe'."))
@option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=N_("Carry out exactly this plan, or refuse (exit 6)."),
)
@option("--confirm", metavar="NAME", help=N_("The name of the runbook, in place of typing it."))
@option("--yes", is_flag=True, help=N_("Do not ask whether to resume an unfinished run."))
@option("--no-wait", is_flag=True, help=N_("Leave with exit 3 when the run waits for people."))
@option(
    "--requester",
    metavar="PERSON",
    shell_complete=people,
    help=N_("Who asks for the run; else $DR_PERSON, else you."),
)
def run(  # noqa: PLR0913, PLR0917 (one for each option)
    runbook: str | None,
    inputs: tuple[str, ...],
    drill: bool,
    dry_run: bool,
    plan_file: Path | None,
    confirm: str | None,
    yes: bool,
    no_wait: bool,
    requester: str | None,
) -> int:
    """Carry out a runbook."""
    session = current()
    name, given, mode = _what(runbook, pairs(inputs, "--input"), plan_file, drill=drill)
    enter_lab(session)
    if dry_run:
        return _dry_run(session, name, given, mode)
    record = _unfinished(session, name, given)
    if record is not None:
        _same_mode(record, mode)
        _resume(session, record, plan_file, ask=not yes)
    else:
        must_ask = _must_ask(session, name, confirm)
        _announce(session, name, given, mode)
        if must_ask:
            _ask(session, name)
        record = session.desk.start(
            name,
            given,
            requester=person(requester),
            mode=mode,
            plan_file=plan_file,
        )
        session.say(_("run {run} has begun").format(run=record.id))
    return follow(session, record.id, wait=not no_wait, starting=True)


def _what(
    runbook: str | None, inputs: dict[str, str], plan_file: Path | None, *, drill: bool
) -> tuple[str, dict[str, str], str]:
    """Return runbook, inputs and mode; a plan file carries all three.

    What the command line says otherwise goes before the file, and then is no more the plan.
    """
    if plan_file is None:
        if runbook is None:
            raise click.UsageError(_("Name the runbook, or a plan with --plan."))
        return runbook, inputs, "drill" if drill else "real"
    try:
        data = json.loads(read_ordinary(plan_file, LARGEST_PLAN_BYTES))
        name, planned = str(data["runbook"]), {k: str(v) for k, v in data["inputs"].items()}
        mode = "drill" if drill else str(data.get("mode", "real"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(
            _("{path} is not a plan").format(path=plan_file),
            hint=_("Write one with 'dr plan RUNBOOK -o FILE'."),
        ) from None
    if runbook not in (None, name):
        raise UserError(
            _("{path} is a plan of '{planned}', not of '{name}'").format(
                path=plan_file, planned=name, name=runbook
            ),
            hint=_("Leave the name out, or write a new plan."),
        )
    return name, {**planned, **inputs}, mode


def _dry_run(session: Session, name: str, inputs: Mapping[str, str], mode: str) -> int:
    data = session.desk.plan(name, inputs, probe=True, mode=mode).to_data()
    if session.json:
        session.result(data)
    else:
        kind = str(session.desk.environment.kind)
        lines = draw_plan(data, kind=kind, width=width(), details=True)
        click.echo(painted(lines, colour=session.colour))
    return ExitCode.FAILED if data.get("ready") is False else ExitCode.DONE


def _unfinished(session: Session, name: str, inputs: Mapping[str, str]) -> RunRecord | None:
    """Return the run of the same runbook and service that is not over."""
    desk = session.desk
    wanted = desk.load(name).name
    for record in desk.unfinished():
        same_service = inputs.get("service") in (None, record.inputs.get("service"))
        here = record.environment == desk.environment.name
        if record.runbook == wanted and here and same_service:
            return record
    return None


def _same_mode(record: RunRecord, mode: str) -> None:
    """Refuse to go on with a real run where a drill was asked for, and the other way round."""
    if record.mode == mode:
        return
    texts = {
        "drill": _("run {run} of '{runbook}' is not over, and it is a drill"),
        "real": _("run {run} of '{runbook}' is not over, and it is no drill"),
    }
    raise HeldError(
        texts[record.mode].format(run=record.id, runbook=record.runbook),
        hint=_("Go on with it: 'dr resume {run}'; or end it: 'dr abort {run}'.").format(
            run=record.id
        ),
    )


def _resume(session: Session, record: RunRecord, plan_file: Path | None, *, ask: bool) -> None:
    text = _("run {run} of '{runbook}' is not over").format(run=record.id, runbook=record.runbook)
    if session.desk.engine_alive(record.id):
        raise HeldError(text, hint=_("Type 'dr attach {run}' to follow it.").format(run=record.id))
    session.say(text)
    if ask and session.asks:
        click.confirm(_("Resume it?"), default=True, abort=True, err=True)
    session.desk.resume(record.id, plan_file)
    session.say(_("run {run} is resumed").format(run=record.id))


def _announce(session: Session, name: str, inputs: Mapping[str, str], mode: str) -> None:
    """Show what is about to happen, on standard error: the result is the run itself."""
    data = session.desk.plan(name, inputs, probe=False, mode=mode).to_data()
    if not session.json:
        lines = draw_summary(data, kind=str(session.desk.environment.kind), width=width())
        click.echo(painted(lines, colour=session.colour), err=True)
        if mode == "drill":
            session.say(_("This is a DRILL."))


def _must_ask(session: Session, name: str, confirm: str | None) -> bool:
    """Return whether the name must still be typed.

    Raises:
        UserError: another name was given, or none and there is nobody to ask.
    """
    environment = session.desk.environment
    wanted = session.desk.load(name).name
    if confirm is not None:
        _same_name(wanted, confirm)
        return False
    if str(environment.kind) == "lab":
        return False
    if not session.asks:
        word, _style = environment_word(str(environment.kind), environment.name)
        raise UserError(
            _("running '{name}' in {environment} must be confirmed").format(
                name=wanted, environment=word
            ),
            hint=_("Add --confirm {name}.").format(name=wanted),
            code="confirm",
        )
    return True


def _ask(session: Session, name: str) -> None:
    """Let the person type the runbook's name."""
    environment = session.desk.environment
    word, _style = environment_word(str(environment.kind), environment.name)
    typed = click.prompt(
        _("{environment}: type the name of the runbook to carry it out").format(environment=word),
        err=True,
        default="",
        show_default=False,
    )
    _same_name(session.desk.load(name).name, typed)


def _same_name(wanted: str, given: str) -> None:
    if given != wanted:
        raise UserError(
            _("'{given}' is not the name of the runbook; nothing was started").format(given=given),
            hint=_("The name is '{name}'.").format(name=wanted),
            code="confirm",
        )
