"""What the wrapper's short answers mean, as errors with a hint."""

from __future__ import annotations

from collections.abc import Sequence

from dr.engine.actions.transport.settings import HostSettings
from dr.engine.core.errors import ActionError, FencedError, RefusedError, RetryableError

_REFUSALS = {
    "missing": (
        "{host} has no directory {root}, where jobs are kept",
        "Create it once, on storage that survives a restart: `install -d -m 700 {root}`.",
    ),
    "volatile": (
        "{root} on {host} is in memory and would not survive a restart",
        "Put {root} on a disk, or set the host variable dr_state_dir to a directory that is.",
    ),
    "not-writable": (
        "{user} can not write {root} on {host}",
        "Make {user} its owner, log in as root, or set ansible_become; check for a full disk.",
    ),
    "not-durable": (
        "{root} on {host} can not be written to disk, so nothing was started",
        "Look for a full disk or input/output errors: `df {root}`, `dmesg`.",
    ),
    "guard-damaged": (
        "the guard in {root}/guard on {host} can not be read",
        "Find out who wrote it; then remove the run's file there and go on.",
    ),
    "tool": (
        "{host} lacks the program {rest}",
        "Install the package util-linux on {host}.",
    ),
    "user": (
        "{user} on {host} can not become {rest}",
        "Log in as root, or set ansible_become for the host.",
    ),
    "no-user": ("{host} has no user {rest}", "Check the name of the user in the runbook."),
}


def refusal(host: HostSettings, words: Sequence[str]) -> ActionError | None:
    """Return the error behind an answer that says nothing was started; None for other answers."""
    kind, *rest = words
    if kind == "busy":
        return RetryableError(f"another command holds the guard of {host.name}", reason="busy")
    if kind == "fenced":
        return FencedError(
            f"{host.name} has obeyed an engine with epoch {rest[0]}, which is higher than ours",
            hint="Another engine took this run over; follow it with `dr attach RUN`.",
        )
    if kind != "refused":
        return None
    if rest[:1] == ["cut-short"]:
        return RetryableError(
            f"the connection to {host.name} ended before the command had arrived",
            reason="unreachable",
        )
    message, hint = _REFUSALS.get(rest[0], (f"{{host}} refused: {' '.join(rest)}", ""))
    facts = {
        "host": host.name,
        "root": host.state_root,
        "user": host.user,
        "rest": " ".join(rest[1:]),
    }
    return RefusedError(message.format(**facts), hint=hint.format(**facts))


def silence(host: HostSettings, exit_status: int, complaint: str) -> RefusedError:
    """Return the error for a shell that ended before the wrapper said a word."""
    if "sudo" in complaint:
        return RefusedError(
            f"sudo on {host.name} does not let {host.user} act without a password",
            hint=f"Add a NOPASSWD rule for {host.user}, or log in as root.",
            facts={"stderr": complaint},
        )
    last = complaint.splitlines()[-1] if complaint else f"exit status {exit_status}"
    return RefusedError(
        f"{host.name} can not run commands for {host.user}: {last}",
        hint=f"Try it by hand: `ssh {host.user}@{host.address} true`.",
        facts={"stderr": complaint},
    )
