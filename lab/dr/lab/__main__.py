"""``python -m dr.lab``: the lab without the rest of dr."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from dr.engine.core.errors import DrError
from dr.lab import api, spoiling
from dr.lab.plan import LabOptions


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dr.lab", description=__doc__)
    parser.add_argument("--dir", type=Path, default=api.default_directory())
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up")
    up.add_argument("--branches", type=int, default=3)
    up.add_argument("--wan-ms", type=float, default=5.0)
    up.add_argument("--extra", type=int, default=0)
    up.add_argument("--no-staging", action="store_true")
    up.add_argument("--only-ssh", action="store_true")
    up.add_argument("--volume", choices=["auto", "loop", "dir"], default="auto")
    up.add_argument("--rows", type=int, default=100_000)
    up.add_argument("--rate", type=float, default=2.0)
    up.add_argument("--tie-pid", type=int)
    commands.add_parser("down")
    commands.add_parser("status")
    for name in ("break", "heal"):
        command = commands.add_parser(name)
        command.add_argument("fault")
        command.add_argument("targets", nargs="*")
    spoil = commands.add_parser("spoil")
    spoil.add_argument("what")
    spoil.add_argument("--branch", default="")
    spoil.add_argument("--count", type=int)
    spoil.add_argument("--seed", type=int, default=1)
    commands.add_parser("truth")
    for name in ("shell", "exec"):
        command = commands.add_parser(name)
        command.add_argument("host")
        command.add_argument("argv", nargs=argparse.REMAINDER)
    run = commands.add_parser("run", help="a command of this machine in the control host's network")
    run.add_argument("argv", nargs=argparse.REMAINDER)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Carry out one command; return its exit code."""
    arguments = _parser().parse_args(argv)
    try:
        return _carry_out(arguments)
    except DrError as error:
        sys.stderr.write(f"error: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"hint: {error.hint}\n")
        return int(error.exit_code)


def _carry_out(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "up":
            options = LabOptions(
                directory=arguments.dir,
                branches=arguments.branches,
                wan_ms=arguments.wan_ms,
                extra=arguments.extra,
                staging=not arguments.no_staging,
                only_ssh=arguments.only_ssh,
                volume=arguments.volume,
                rows=arguments.rows,
                rate=arguments.rate,
                tie_pid=arguments.tie_pid,
            )
            _print(asdict(api.up(options))["timings"])
        case "down":
            api.down(arguments.dir)
        case "status":
            _print(asdict(api.status(arguments.dir)))
        case "break":
            _print(api.break_(arguments.dir, arguments.fault, *arguments.targets))
        case "heal":
            _print(api.heal(arguments.dir, arguments.fault, *arguments.targets))
        case "spoil":
            wish = {name: getattr(arguments, name) for name in ("branch", "count", "seed")}
            _print(asdict(spoiling.spoil(arguments.dir, arguments.what, **wish)))
        case "truth":
            _print([one.plain() for one in spoiling.truth_of(arguments.dir)])
        case "run":
            words = _words(arguments.argv)
            api.enter(arguments.dir)
            os.execvp(words[0], words)  # noqa: S606  the command is the user's own
        case _:
            return api.shell(arguments.dir, arguments.host, _words(arguments.argv))
    return 0


def _words(argv: list[str]) -> list[str]:
    return argv[1:] if argv[:1] == ["--"] else argv


def _print(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=1, default=str) + "\n")


if __name__ == "__main__":
    sys.exit(main())
