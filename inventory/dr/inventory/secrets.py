"""Finds a secret at the moment of use, by the reference that the files carry."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from dr.engine.core.errors import RefusedError
from dr.engine.core.values import Secret
from dr.inventory.ordinary import open_ordinary
from dr.inventory.redaction import Redactor

_LARGEST_BYTES = 1_000_000
_EXEC_LIMIT_S = 10
_FORBIDDEN_MODE = 0o077


def resolve(
    reference: Mapping[str, object] | str,
    base_dir: Path,
    *,
    environ: Mapping[str, str] | None = None,
) -> Secret:
    """Return the secret that ``reference`` names.

    Args:
        reference: ``env:NAME``, ``file:PATH``, ``cred:NAME`` (a systemd credential) or
            ``exec:["program", "argument"]``; or a mapping with that as its ``secret``.
        base_dir: what a relative PATH is relative to, and where a program is started.
        environ: the environment; that of the process when not given.

    Raises:
        RefusedError: it cannot be resolved.  The message never holds any of the secret.
    """
    text = str(reference["secret"]) if isinstance(reference, Mapping) else reference
    scheme, _, rest = text.partition(":")
    environment = os.environ if environ is None else environ
    if not rest:
        raise _unreadable(text)
    match scheme:
        case "env":
            value = _from_environment(rest, environment)
        case "file":
            value = _from_file(base_dir / Path(rest).expanduser(), text)
        case "cred":
            value = _from_credential(rest, environment)
        case "exec":
            value = _from_program(rest, base_dir)
        case _:
            raise _unreadable(text)
    if not value:
        raise RefusedError(f"the secret {_shown(text)} is empty", hint="Write a value there.")
    return Secret(value, text)


def _unreadable(text: str) -> RefusedError:
    # the text is not shown: somebody may have written the secret itself there
    return RefusedError(
        f"a reference of {len(text)} characters names no secret",
        hint='Write env:NAME, file:PATH, cred:NAME or exec:["program", "argument"].',
    )


def _shown(text: str) -> str:
    return text if not text.startswith("exec:") else "exec:[…]"


def _from_environment(name: str, environment: Mapping[str, str]) -> str:
    if name not in environment:
        raise RefusedError(
            f"the variable {name} is not set",
            hint=f"Type 'export {name}=…' before dr, or name a file instead.",
        )
    return environment[name]


def _from_file(path: Path, reference: str) -> str:
    try:
        with open_ordinary(path) as stream:
            about = os.fstat(stream.fileno())
            _only_ours(about, path)
            raw = stream.read(_LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise RefusedError(
            f"{reference}: there is no file {path}",
            hint="Write the secret there with mode 0600, or correct the reference.",
        ) from None
    except OSError as error:
        why = (error.strerror or "").lower()
        raise RefusedError(
            f"{reference}: {path} cannot be read: {why}", hint=f"Type 'ls -l {path}' to see why."
        ) from None
    return _as_text(raw, str(path))


def _only_ours(about: os.stat_result, path: Path) -> None:
    if about.st_mode & _FORBIDDEN_MODE:
        raise RefusedError(
            f"{path} can be read by others (mode {stat.S_IMODE(about.st_mode):04o})",
            hint=f"Type 'chmod 600 {path}', and change the secret if others may have seen it.",
        )
    if about.st_uid not in {0, os.geteuid()}:
        raise RefusedError(
            f"{path} belongs to another user", hint=f"Type 'chown {os.geteuid()} {path}'."
        )


def _from_credential(name: str, environment: Mapping[str, str]) -> str:
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise RefusedError(
            f"cred:{name} needs systemd, which did not start this process",
            hint=f"Add 'LoadCredential={name}:PATH' to the unit, or use file:PATH.",
        )
    path = Path(folder) / name
    if "/" in name or not path.is_file():
        raise RefusedError(
            f"systemd gave no credential called '{name}'",
            hint=f"Add 'LoadCredential={name}:PATH' to the unit.",
        )
    return _as_text(path.read_bytes(), str(path))


def _from_program(text: str, base_dir: Path) -> str:
    try:
        argv = json.loads(text)
    except ValueError:
        argv = None
    if not isinstance(argv, list) or not argv or not all(isinstance(a, str) for a in argv):
        raise RefusedError(
            "exec: is not followed by a list of words",
            hint='Write exec:["program", "argument"], as JSON.',
        )
    try:
        done = subprocess.run(
            argv, cwd=base_dir, capture_output=True, timeout=_EXEC_LIMIT_S, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise RefusedError(
            f"'{argv[0]}' gave no secret within {_EXEC_LIMIT_S}s",
            hint="Run it by hand; it may be waiting for a pass phrase.",
        ) from None
    except OSError as error:
        why = (error.strerror or "").lower()
        raise RefusedError(
            f"'{argv[0]}' cannot be started: {why}", hint=f"Type 'command -v {argv[0]}'."
        ) from None
    if done.returncode != 0:
        raise RefusedError(
            f"'{argv[0]}' ended with {done.returncode} and gave no secret",
            hint="Run it by hand to see what it says.",
        )
    return _as_text(done.stdout, argv[0])


def _as_text(raw: bytes, source: str) -> str:
    if len(raw) > _LARGEST_BYTES:
        raise RefusedError(f"the secret from {source} is larger than 1 MB", hint="Name another.")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise RefusedError(
            f"the secret from {source} is not UTF-8 text", hint="Encode it as base64."
        ) from None
    return text.removesuffix("\n").removesuffix("\r")


class SecretsInUse:
    """Resolves references and hides what it resolved; safe to share between threads."""

    def __init__(self, base_dir: Path) -> None:
        self._base_dir = base_dir
        self._redactor = Redactor()
        self._lock = threading.Lock()

    def resolve(self, reference: str) -> Secret:
        """Return the secret behind ``reference``; raises RefusedError like :func:`resolve`."""
        secret = resolve(reference, self._base_dir)
        with self._lock:
            self._redactor.add(secret.reveal())
        return secret

    def hide(self, value: str) -> None:
        """Mask ``value`` from now on as if it had been resolved."""
        with self._lock:
            self._redactor.add(value)

    def redact(self, text: str) -> str:
        """Return ``text`` with every secret resolved so far, and its usual encodings, masked."""
        with self._lock:
            return self._redactor.redact(text)

    def stream(self) -> Redactor:
        """Return a redactor for a stream; it knows what was resolved until now."""
        with self._lock:
            return self._redactor.fresh()
