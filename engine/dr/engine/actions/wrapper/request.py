"""What is sent to a host: the wrapper's text with its variables, and the command as payload."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from dr.engine.core.errors import RefusedError
from dr.engine.core.ports import Attempt

MAX_PAYLOAD_BYTES = 100_000
"""Linux takes 128 KiB in one environment variable."""

_MAX_NAME = 200  # a file name takes 255 bytes
_SAFE = re.compile(r"[A-Za-z0-9._-]")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}\$?")
_END = "\n# end of payload"

# setpriv takes 2 ms where su takes 7, and starts no session; HOME and the like are set by hand
# because --reset-env would drop the DR_ variables too.
_BECOME = """if [ "$(id -un)" != {user} ]; then
  HOME=~{user} USER={user} LOGNAME={user}
  export HOME USER LOGNAME
  if command -v setpriv >/dev/null; then
    set -- setpriv --reuid={user} --regid="$(id -g {user})" --init-groups -- "$@"
  else
    set -- runuser -u {user} -- "$@"
  fi
fi"""


@dataclass(frozen=True)
class JobName:
    """Where a job lives below the state root: ``jobs/KEY/NUMBER``."""

    run: str
    key: str
    number: int

    @property
    def path(self) -> str:
        """The path below the state root."""
        return f"jobs/{self.key}/{self.number}"


def job_name(attempt: Attempt, name: str = "") -> JobName:
    """Return the name of an attempt's job; ``name`` tells the jobs of one attempt apart."""
    parts = [*attempt.key.split("/"), *([name] if name else [])]
    key = "+".join(file_name(part) for part in parts)
    if len(key) > _MAX_NAME:
        key = key[:150] + "+" + hashlib.sha256(key.encode()).hexdigest()[:32]
    return JobName(file_name(attempt.run), key, attempt.number)


def file_name(part: str) -> str:
    """Return ``part`` as a name in the wrapper's directory."""
    encoded = "".join(c if _SAFE.match(c) else f"%{ord(c):02x}" for c in part)
    return "%2e" + encoded[1:] if encoded.startswith(".") else encoded


def command_text(
    argv: Sequence[str] | None,
    script: str | None,
    *,
    env: Mapping[str, str],
    user: str | None,
    cwd: str | None,
) -> str:
    """Return POSIX shell text that becomes the command.

    Raises:
        RefusedError: a value can not be passed to a command at all.
    """
    if (argv is None) == (script is None) or argv == []:
        raise RefusedError("a command is either an argv list or a script")
    words = list(argv) if argv is not None else ["/bin/sh", "-c", script or "", "dr"]
    lines = [_export(name, value) for name, value in env.items()]
    # as the login user, who may enter what the other one may not; the place stays
    lines.append(f"cd -- {_quote(cwd or '/')} || exit 126")
    lines.append("set -- " + " ".join(_quote(word) for word in words))
    if user is not None:
        lines.append(_BECOME.format(user=checked_user(user)))
    lines.append('exec "$@"')
    return "\n".join(lines)


def payload(text: str) -> bytes:
    """Return ``text`` with the mark by which the wrapper knows that all of it arrived.

    Raises:
        RefusedError: it is too long.
    """
    whole = (text + _END).encode()
    if len(whole) > MAX_PAYLOAD_BYTES:
        raise RefusedError(
            f"the command is {len(whole)} bytes long, more than {MAX_PAYLOAD_BYTES}",
            hint="Pass data on stdin, or put the script on the host as a file.",
        )
    return whole


def wrapper_text(  # noqa: PLR0913 - the wrapper's variables
    verb: str,
    root: str,
    job: JobName,
    *,
    epoch: int,
    digest: str = "",
    payload_bytes: int = 0,
    stdin_bytes: int = 0,
    out_from: int = 0,
    err_from: int = 0,
    user: str = "",
    become: bool = False,
) -> str:
    """Return the command line that a host is asked to execute."""
    variables: dict[str, str | int] = {
        "verb": verb,
        "root": root,
        "run": job.run,
        "key": job.key,
        "number": job.number,
        "epoch": epoch,
        "digest": digest,
        "payload_bytes": payload_bytes,
        "stdin_bytes": stdin_bytes,
        "out_from": out_from,
        "err_from": err_from,
        "user": user,
    }
    if verb == "start":
        variables["supervisor"] = script("supervise.sh")
    given = "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in variables.items())
    sudo = "sudo -n " if become else ""
    return f"exec {sudo}/bin/sh -c {shlex.quote(given + script('job.sh'))}"


@cache
def script(name: str) -> str:
    """Return the text of a script of this package, without its comments."""
    text = files("dr.engine.actions.wrapper").joinpath(name).read_text(encoding="utf-8")
    # comments explain it to readers here; they need not cross the network with every command
    return "".join(
        line + "\n" for line in text.splitlines() if line and not line.lstrip().startswith("# ")
    )


def _quote(word: str) -> str:
    if "\x00" in word:
        raise RefusedError("a command can not hold a NUL character")
    return shlex.quote(word)


def _export(name: str, value: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise RefusedError(f"'{name}' is no name for an environment variable")
    return f"export {name}={_quote(value)}"


def checked_user(user: str) -> str:
    """Return ``user``.

    Raises:
        RefusedError: it is no name for a user.
    """
    if not _USER.fullmatch(user):
        raise RefusedError(f"'{user}' is no name for a user")
    return user
