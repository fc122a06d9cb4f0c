"""Which names, addresses and log-in names of hosts may be used at all.

They reach ``ssh`` by way of Ansible, file names, and commands that people copy from a hint.  A
name that a program could take for an option, or a shell for more than a word, is refused.
"""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = re.compile(r"[^\W_][\w.:%-]{0,252}|_[\w.:%-]{1,252}")
_ADDRESS: Final = re.compile(r"[\w:][\w.:%-]{0,252}|\[[0-9A-Fa-f:.]+(%\w+)?\]")
_USER: Final = re.compile(r"[\w.][\w.@+\\-]{0,127}\$?")
_JUMP: Final = re.compile(r"(?:(?P<user>.+)@)?(?P<address>\[[^]]+\]|[^:]+)(?::[0-9]{1,5})?")


def why_not_name(name: str) -> str:
    """Return why a host can not be called so; "" when it can."""
    return _why_not(name, _NAME, "name")


def why_not_address(address: str) -> str:
    """Return why a host can not be reached at such an address; "" when it can."""
    return _why_not(address, _ADDRESS, "address")


def why_not_user(user: str) -> str:
    """Return why nobody can log in under such a name; "" when somebody can."""
    return _why_not(user, _USER, "login name")


def why_not_jump(jump: str) -> str:
    """Return why this is no jump host, ``[user@]address[:port]``; "" when it is one."""
    found = _JUMP.fullmatch(jump)
    if found is None:
        return _why_not(jump, _ADDRESS, "jump host")
    user = why_not_user(found["user"]) if found["user"] is not None else ""
    return user or why_not_address(found["address"])


def _why_not(text: str, pattern: re.Pattern[str], what: str) -> str:
    if pattern.fullmatch(text):
        return ""
    if not text:
        return f"the {what} is empty"
    if text.startswith("-"):
        return f"the {what} {text!r} begins with '-', and programs would take it for an option"
    return f"the {what} {text!r} holds characters that a {what} can not have"
