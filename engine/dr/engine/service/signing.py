"""Signatures of people by their own SSH keys: ``ssh-keygen -Y``, nothing else to install.

Signing costs about 5 ms and checking about 6 ms.  Nothing here needs a network.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from dr.engine.core.errors import NotAllowedError, UserError
from dr.engine.core.ports import Check
from dr.inventory.directory import Directory, KeyOf
from dr.inventory.keys import parse_public_key

_SIGN_LIMIT_S = 120  # a person types a pass phrase or touches a token
_CHECK_LIMIT_S = 20
_PRINCIPAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
LAB_KEYS = Path("keys") / "people"
"""Where a lab keeps the private keys of its pretended people, in the workspace."""


def sign(text: str, namespace: str, key: Path) -> str:
    """Return the armoured signature of ``text``.

    Args:
        key: a private key file, or a ``.pub`` file whose private half the agent has.

    Raises:
        UserError: the key can not sign; the message is what ssh-keygen said.
    """
    if not key.is_file():
        raise UserError(
            f"there is no key file {key}",
            hint="Name a private key with --key FILE; 'ls ~/.ssh' shows the usual ones.",
        )
    done = _keygen(["-Y", "sign", "-n", namespace, "-f", str(key)], text, _SIGN_LIMIT_S)
    if done.returncode != 0:
        raise UserError(
            f"{key} did not sign: {_said(done)}",
            hint="Check that it is your private key with mode 0600, or load it: ssh-add FILE.",
        )
    return done.stdout.decode()


def find_key(person: str, directory: Directory, workspace: Path | None) -> Path | str:
    """Return what ``person`` can sign with: a key file of the lab, or a public key in the agent.

    Raises:
        NotAllowedError: there is neither.
    """
    if workspace is not None:
        kept = workspace / LAB_KEYS / person
        if kept.is_file():
            return kept
    own = {known.key.line for known in directory.keys(person)}
    for line in _agent_keys():
        if line in own:
            return line
    raise NotAllowedError(
        f"no key of '{person}' is at hand",
        hint="Add --key FILE with your private key, or load it into the agent with ssh-add.",
    )


def sign_as(
    person: str, text: str, namespace: str, *, key: Path | None, directory: Directory,
    workspace: Path | None,
) -> str:  # fmt: skip
    """Return ``person``'s signature, by ``key`` or by what :func:`find_key` finds."""
    found = key if key is not None else find_key(person, directory, workspace)
    if isinstance(found, Path):
        return sign(text, namespace, found)
    with tempfile.TemporaryDirectory(prefix="dr-sign-") as folder:
        public = Path(folder) / "key.pub"
        public.write_text(found + "\n", encoding="utf-8")
        return sign(text, namespace, public)


def public_line(key: Path) -> str:
    """Return type and blob of the public half of a key file.

    Raises:
        UserError: it is no key.
    """
    beside = key if key.suffix == ".pub" else key.with_name(key.name + ".pub")
    if beside.is_file():
        text = beside.read_text(encoding="utf-8")
    else:
        text = _keygen(["-y", "-f", str(key)], "", _SIGN_LIMIT_S).stdout.decode()
    try:
        return parse_public_key(text.strip()).line
    except ValueError as error:
        raise UserError(
            f"{key} is no key: {error}", hint="Name a private key that ssh-keygen made."
        ) from None


def allowed_signers(keys: Sequence[KeyOf], namespace: str) -> str:
    """Return the allowed_signers file of these keys: only for ``namespace``, days in UTC."""
    lines = []
    for known in keys:
        if not _PRINCIPAL.fullmatch(known.person):
            continue  # a name with a wildcard or a comma would let other people in
        options = [f'namespaces="{namespace}"']
        if known.valid_after:
            options.append(f'valid-after="{_day(known.valid_after)}"')
        if known.valid_before:
            options.append(f'valid-before="{_day(known.valid_before)}"')
        lines.append(f"{known.person} {','.join(options)} {known.key.line}")
    return "".join(f"{line}\n" for line in lines)


def check_signature(
    text: str, signature: str, *, who: str, people: Mapping[str, Any], namespace: str, at: datetime
) -> Check:
    """Say whether ``who`` signed ``text`` for ``namespace`` with a key that counted at ``at``.

    Args:
        people: the inventory snapshot of the run; today's file has no say.
    """
    keys = list(Directory(people).keys(who))
    if not keys:
        return Check(holds=False, because=f"'{who}' has no key in the inventory of the run")
    with tempfile.TemporaryDirectory(prefix="dr-verify-") as folder:
        signers, armoured = Path(folder) / "allowed_signers", Path(folder) / "signature"
        signers.write_text(allowed_signers(keys, namespace), encoding="utf-8")
        armoured.write_text(signature, encoding="utf-8")
        moment = at.astimezone(UTC).strftime("%Y%m%d%H%M%S")
        done = _keygen(
            ["-Y", "verify", "-f", str(signers), "-I", who, "-n", namespace, "-s", str(armoured),
             "-O", f"verify-time={moment}"], text, _CHECK_LIMIT_S,
        )  # fmt: skip
        if done.returncode == 0:
            key = done.stdout.decode().rpartition(" ")[2].strip()
            return Check(holds=True, because=f"signed by '{who}'", facts={"key": key})
        fits = _keygen(
            ["-Y", "check-novalidate", "-n", namespace, "-s", str(armoured)], text, _CHECK_LIMIT_S
        )
    if fits.returncode != 0:
        return Check(
            holds=False,
            because="the signature does not fit the statement",
            hint="The text was changed after signing, or was signed for another purpose.",
            facts={"ssh_keygen": _said(done)},
        )
    expired = b"expired" in done.stderr or b"not yet valid" in done.stderr
    because = (
        f"the key of '{who}' did not count at that moment"
        if expired
        else f"it was signed by a key that is not one of '{who}'"
    )
    return Check(
        holds=False,
        because=because,
        hint="Sign with a key that people.yaml had for you when the run started.",
        facts={"ssh_keygen": _said(done)},
    )


def check_any(text: str, signature: str, *, signers: str, namespace: str, at: datetime) -> Check:
    """Say whether one of ``signers`` signed ``text`` for ``namespace``, and which.

    Args:
        signers: the text of an OpenSSH allowed_signers file.
        at: when the key had to count.

    Returns:
        True with ``by`` and ``key`` in its facts, or False with what is wrong.
    """
    with tempfile.TemporaryDirectory(prefix="dr-verify-") as folder:
        allowed, armoured = Path(folder) / "allowed_signers", Path(folder) / "signature"
        allowed.write_text(signers, encoding="utf-8")
        armoured.write_text(signature, encoding="utf-8")
        files = ["-f", str(allowed), "-s", str(armoured)]
        moment = ["-O", f"verify-time={at.astimezone(UTC):%Y%m%d%H%M%S}"]
        fits = _keygen(
            ["-Y", "check-novalidate", "-n", namespace, "-s", str(armoured)], text, _CHECK_LIMIT_S
        )
        if fits.returncode != 0:
            because = "the signature does not fit what it signs"
            return Check(holds=False, because=because, facts={"ssh_keygen": _said(fits)})
        found = _keygen(["-Y", "find-principals", *files, *moment], "", _CHECK_LIMIT_S)
        for who in found.stdout.decode(errors="replace").split("\n"):
            words = ["-Y", "verify", *files, "-I", who, "-n", namespace, *moment]
            if who and _keygen(words, text, _CHECK_LIMIT_S).returncode == 0:
                key = fits.stdout.decode().rpartition(" ")[2].strip()
                return Check(
                    holds=True, because=f"signed by '{who}'", facts={"by": who, "key": key}
                )
    return Check(
        holds=False,
        because="it was signed by a key that is nobody's, or did not count at that moment",
        facts={"ssh_keygen": _said(found)},
    )


def _keygen(arguments: list[str], text: str, limit_s: int) -> subprocess.CompletedProcess[bytes]:
    # days in allowed_signers and verify-time are read in the local zone: make that UTC
    environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
    try:
        return subprocess.run(
            ["ssh-keygen", *arguments], input=text.encode(), capture_output=True, check=False,
            timeout=limit_s, env=environment,
        )  # fmt: skip
    except FileNotFoundError:
        raise UserError(
            "ssh-keygen is not installed", hint="Type 'apt-get install openssh-client'."
        ) from None
    except subprocess.TimeoutExpired:
        raise UserError(
            f"ssh-keygen did not end within {limit_s}s",
            hint="Try again; it may have waited for a pass phrase or for a touch of the token.",
        ) from None


def _agent_keys() -> list[str]:
    """Return type and blob of the keys that the agent has; [] without an agent."""
    if not os.environ.get("SSH_AUTH_SOCK"):
        return []
    try:
        done = subprocess.run(
            ["ssh-add", "-L"], capture_output=True, check=False, timeout=_CHECK_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = [line.split() for line in done.stdout.decode(errors="replace").splitlines()]
    return [" ".join(parts[:2]) for parts in lines if len(parts) >= 2]  # noqa: PLR2004


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else f"it ended with {done.returncode}"


def _day(day: date) -> str:
    return day.strftime("%Y%m%d")
