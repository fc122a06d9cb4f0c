"""Commands that only read: run plainly, in the session that the SSH server makes for them.

They leave nothing on the host, so a session's number, its leader's start time and the host's boot
id are all there is to end one by.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from dr.engine.actions.wrapper.request import script

_WHO = """{
read -r line </proc/$$/stat; set -- ${line##*) }; session=$4
read -r line </proc/$session/stat; set -- ${line##*) }
read -r boot </proc/sys/kernel/random/boot_id
} 2>/dev/null
printf "dr-job read %s %s %s\\n" "$session" "${20}" "$boot"; printf "dr-job\\n" >&2
set --
"""


def plain_text(text: str, payload_bytes: int, *, become: bool) -> str:
    """Return the command line for a command that only reads.

    Args:
        text: what to run; not shown to the host's list of processes when it comes as a payload.
        payload_bytes: how much of the input is the text; 0 when it stands here.
    """
    body = _WHO + text
    if payload_bytes:
        body = f'payload=$(head -c {payload_bytes})\n{_WHO}eval "$payload"'
    return f"exec {_sudo(become)}/bin/sh -c {shlex.quote(body)}"


def session_handle(host: str, words: Sequence[str] | None) -> dict[str, Any]:
    """Return what finds the session again that said ``words``; empty when it said nothing."""
    if words is None or len(words) != 4:  # noqa: PLR2004 - read, session, start, boot id
        return {}
    _, session, started, boot = words
    return {"kind": "session", "host": host, "session": session, "start": started, "boot": boot}


def ending_text(handle: Mapping[str, Any], *, become: bool) -> str:
    """Return the command line that ends the session."""
    names = {"session": "session", "start": "started", "boot": "boot"}
    given = "".join(f"{to}={shlex.quote(str(handle[name]))}\n" for name, to in names.items())
    return f"exec {_sudo(become)}/bin/sh -c {shlex.quote(given + script('session.sh'))}"


def _sudo(become: bool) -> str:
    return "sudo -n " if become else ""
