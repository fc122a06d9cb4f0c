"""``dr lab``: the miniature data centre."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from dr.cli.command import DrCommand, group, option
from dr.cli.lines import Line, line, painted
from dr.cli.session import current
from dr.cli.spoilt import corrected_lines, kind_lines, kind_plain, spoilt_lines, truth_lines
from dr.cli.text import N_, _, language
from dr.cli.width import cells, pad
from dr.cli.words import seconds
from dr.engine.core.errors import ExitCode

lab = group("lab", N_("A miniature data centre to break and recover."))

_directory = option(
    "-C",
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    help=N_("Where the lab lives; else $DR_LAB, else one per user."),
)


def _place(directory: Path | None) -> Path:
    from dr.lab.api import default_directory

    return (directory or default_directory()).expanduser().absolute()


def _faults(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from dr.lab.faults import FAULTS

    return [
        CompletionItem(name, help=fault.title)
        for name, fault in FAULTS.items()
        if name.startswith(incomplete)
    ]


@lab.command(
    "up",
    cls=DrCommand,
    help=N_(
        "Bring the lab up: hosts, databases, backups, branch offices at work.\n\n"
        "Nothing outside of its directory is changed; 'dr lab down' removes all of it."
    ),
)
@_directory
@option(
    "--branches",
    type=click.IntRange(0, 50),
    default=3,
    show_default=True,
    help=N_("How many branch offices."),
)
@option(
    "--wan-ms",
    type=click.FloatRange(0),
    default=5.0,
    show_default=True,
    help=N_("Delay to the DR centre, one way, in milliseconds."),
)
@option("--extra", type=click.IntRange(0, 150), default=0, help=N_("Further hosts with SSH only."))
@option("--no-staging", is_flag=True, help=N_("Leave the staging environment out."))
def up(directory: Path | None, branches: int, wan_ms: float, extra: int, no_staging: bool) -> None:
    """Bring the lab up."""
    from dr.lab import api

    session = current()
    options = api.LabOptions(
        directory=_place(directory),
        branches=branches,
        wan_ms=wan_ms,
        extra=extra,
        staging=not no_staging,
    )
    status = api.up(options)
    if session.json:
        session.result({"v": 1, **asdict(status)})
        return
    click.echo(
        _("the lab is up in {directory} after {time}").format(
            directory=status.directory, time=seconds(max(status.timings.values(), default=None))
        )
    )
    click.echo(_("its workspace is {workspace}").format(workspace=status.workspace))
    session.say(_("next: ") + "dr lab break storage-killed; dr run storage-failure")


@lab.command(
    "status",
    cls=DrCommand,
    help=N_("Show the lab's hosts, sites and branch offices.\n\nExit 1 when it is down."),
)
@_directory
def show(directory: Path | None) -> int:
    """Show the lab."""
    from dr.lab import api

    session = current()
    status = api.status(_place(directory))
    if session.json:
        session.result({"v": 1, **asdict(status)})
    elif not status.up:
        click.echo(_("no lab is up in {directory}").format(directory=status.directory))
    else:
        click.echo(painted(_lines(status), colour=session.colour))
    return 0 if status.up else 1


def _lines(status: Any) -> list[Line]:
    lines = [line(_("the lab is up in {directory}").format(directory=status.directory)), ()]
    names = max((cells(h["name"]) for h in status.hosts), default=0)
    for host in status.hosts:
        power = str(host.get("power"))
        style = "good" if power == "on" and host.get("plugged", True) else "bad"
        cable = "" if host.get("plugged", True) else "  " + _("unplugged")
        words = {"on": _("on"), "off": _("OFF"), "frozen": _("FROZEN")}.get(power, power)
        lines.append(
            line(
                "  ",
                pad(host["name"], names),
                "  ",
                pad(str(host["address"]), 15),
                pad(str(host["role"]), 9),
                pad(str(host["site"]), 8),
                (words + cable, style),
            )
        )
    lines.append(())
    for branch in status.branches:
        failing = branch.get("failing_since")
        state = (
            (_("can not register since {time}").format(time=_moment(failing)), "bad")
            if failing
            else (_("registers"), "good")
        )
        counted = _("{acknowledged} acknowledged, {unknown} unknown, {failed} failed").format(
            acknowledged=branch.get("acknowledged", "?"),
            unknown=branch.get("unknown", "?"),
            failed=branch.get("failed", "?"),
        )
        lines.append(line("  ", pad(str(branch["branch"]), names), "  ", state, f"  {counted}"))
    return lines


def _moment(value: object) -> str:
    """Return a time of day; the lab may say it as seconds since 1970 or as text."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).astimezone().strftime("%H:%M:%S")
    return str(value)


@lab.command(
    "break",
    cls=DrCommand,
    help=N_(
        "Break something.\n\n"
        "FAULT is one of those that 'dr lab faults' lists; TARGET a host, or a site for a fault "
        "of a site."
    ),
)
@click.argument("fault", shell_complete=_faults)
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@_directory
def break_(fault: str, targets: tuple[str, ...], directory: Path | None) -> None:
    """Break something."""
    from dr.lab import api

    hit = api.break_(_place(directory), fault, *targets)
    _say(fault, hit, _("broken: {fault} on {targets}"))


@lab.command("heal", cls=DrCommand, help=N_("Take a fault back."))
@click.argument("fault", shell_complete=_faults)
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@_directory
def heal(fault: str, targets: tuple[str, ...], directory: Path | None) -> None:
    """Take a fault back."""
    from dr.lab import api

    healed = api.heal(_place(directory), fault, *targets)
    _say(fault, healed, _("healed: {fault} on {targets}"))


def _say(fault: str, targets: Sequence[str], words: str) -> None:
    session = current()
    if session.json:
        session.result({"v": 1, "fault": fault, "targets": list(targets)})
        return
    click.echo(words.format(fault=fault, targets=", ".join(targets)))


@lab.command("faults", cls=DrCommand, help=N_("List the faults that can be injected."))
def faults() -> None:
    """List the faults."""
    from dr.lab.faults import FAULTS

    session = current()
    if session.json:
        rows = [
            {"name": f.name, "title": f.title, "target": str(f.target), "default": f.default}
            for f in FAULTS.values()
        ]
        session.result({"v": 1, "faults": rows})
        return
    width = max(map(len, FAULTS))
    for fault in FAULTS.values():
        click.echo(f"{pad(fault.name, width)}  {_(fault.title)}")


def _kinds(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from dr.lab.spoiling import KINDS

    return [
        CompletionItem(name, help=kind.title.say(language()))
        for name, kind in KINDS.items()
        if name.startswith(incomplete)
    ]


@lab.command(
    "spoil",
    cls=DrCommand,
    help=N_(
        "Spoil records of the register, or what a branch hands in.\n\n"
        "Without WHAT all kinds are listed. What exactly was spoilt is kept aside: only "
        "'dr lab truth' tells it."
    ),
)
@click.argument("what", required=False, shell_complete=_kinds)
@option("--branch", default="", metavar="BRANCH", help=N_("Whose; else the seed chooses."))
@option("--count", type=click.IntRange(1), help=N_("How many; else as many as the kind says."))
@option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    help=N_("The same seed spoils the same in the same lab."),
)
@option(
    "--after",
    "after_s",
    type=click.FloatRange(0, min_open=True),
    default=20.0,
    show_default=True,
    help=N_("Seconds until what comes later comes."),
)
@option(
    "--host",
    default="",
    metavar="HOST",
    help=N_("Whose database; else the one with the service address."),
)
@_directory
def spoil(what: str | None, directory: Path | None, **wish: Any) -> None:
    """Spoil something."""
    from dr.lab import spoiling

    if what is None:
        kinds = list(spoiling.KINDS.values())
        _show({"kinds": [kind_plain(kind) for kind in kinds]}, kind_lines(kinds))
        return
    spoilt = spoiling.spoil(_place(directory), what, **wish)
    _show(asdict(spoilt), spoilt_lines(spoilt))


@lab.command("truth", cls=DrCommand, help=N_("Tell what was spoilt, and so what must be found."))
@_directory
def truth(directory: Path | None) -> None:
    """Tell what was spoilt."""
    from dr.lab import spoiling

    batches = spoiling.batches(_lab_that_is_up(directory))
    truths = spoiling.in_force(batches)
    doubts = [batch.number for batch in batches if not batch.done]
    plain = {"truths": [one.plain() for one in truths], "in_doubt": doubts}
    _show(plain, truth_lines(truths, doubts))


@lab.command(
    "correct",
    cls=DrCommand,
    help=N_(
        "Enter approved corrections into the lab's register, as a registration application "
        "does.\n\n"
        "FILE is the .json that 'dr reconcile corrections' writes; all of it in one transaction. "
        "Exit 1 when some could not be entered."
    ),
)
@_directory
@click.argument("file", type=click.Path(path_type=Path))
@option(
    "--host",
    default="",
    metavar="HOST",
    help=N_("Whose database; else the one with the service address."),
)
def correct(file: Path, directory: Path | None, host: str) -> int:
    """Enter corrections."""
    from dr.lab.correcting import correct

    done = correct(_place(directory), file, host)
    _show(asdict(done), corrected_lines(done))
    return ExitCode.FAILED if done.left else ExitCode.DONE


def _show(plain: dict[str, Any], lines: Sequence[Line]) -> None:
    session = current()
    if session.json:
        session.result({"v": 1, **plain})
    else:
        click.echo(painted(lines, colour=session.colour))


@lab.command(
    "shell",
    cls=DrCommand,
    help=N_("Open a shell inside a host of the lab, or run a command there."),
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@_directory
@click.argument("host")
@click.argument("argv", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND]...")
def shell(directory: Path | None, host: str, argv: tuple[str, ...]) -> int:
    """Open a shell."""
    from dr.lab import api

    return api.shell(_lab_that_is_up(directory), host, argv)


@lab.command(
    "run",
    cls=DrCommand,
    help=N_(
        "Run a command of this machine in the network of the lab's control host.\n\n"
        "With --on it runs as on another host, with that host's copy of the workspace: "
        "'dr lab run --on control-dr dr takeover RUN' is typed at the DR centre."
    ),
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@_directory
@option("--on", "host", default="control", metavar="HOST", help=N_("The host; else control."))
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
def run(directory: Path | None, host: str, argv: tuple[str, ...]) -> None:
    """Run a command in the lab's network."""
    from dr.lab import api

    place = _lab_that_is_up(directory)
    api.enter_host(place, host)
    if (there := api.workspace_folder(place, host)).is_dir() and host != "control":
        os.environ["DR_WORKSPACE"] = str(there)
    os.execvp(argv[0], list(argv))  # noqa: S606 (the command is the user's own)


def _lab_that_is_up(directory: Path | None) -> Path:
    from dr.lab import api
    from dr.lab.errors import LabDownError

    place = _place(directory)
    if not api.is_up(place):
        raise LabDownError(place)
    return place


@lab.command(
    "down",
    cls=DrCommand,
    help=N_("Take the lab down: every process, interface, mount and file of it."),
)
@_directory
def down(directory: Path | None) -> None:
    """Take the lab down."""
    from dr.lab import api

    session = current()
    place = _place(directory)
    there = api.down(place)
    if session.json:
        session.result({"v": 1, "directory": str(place), "removed": there})
    elif there:
        click.echo(_("the lab in {directory} is gone").format(directory=place))
    else:
        click.echo(_("there was no lab in {directory}").format(directory=place))
