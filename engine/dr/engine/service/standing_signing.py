"""Signing a standing authorisation beforehand, alone or one after the other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from dr.engine.core.approval import standing_namespace
from dr.engine.core.errors import NotAllowedError, UserError
from dr.engine.core.values import utc_text
from dr.engine.service.authority import known_person
from dr.engine.service.signing import check_signature, sign_as
from dr.engine.service.standing import read_standing, write_standing
from dr.engine.service.standing_text import StandingText
from dr.engine.service.verification import bureau_of
from dr.inventory.directory import Directory


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is authorised.  ``rungs`` empty is for gates without a choice; losses are seconds."""

    runbook: str
    rungs: tuple[str, ...]
    max_loss_s: float
    expires: datetime
    reason: str = ""
    gates: tuple[str, ...] = ()
    runbook_sha256: str = ""
    name: str = ""


def sign_standing(
    folder: Path,
    bounds: Bounds,
    inventory: Mapping[str, Any],
    *,
    by: str,
    now: datetime,
    key: Path | None = None,
    workspace: Path | None = None,
) -> Path:
    """Sign the bounds for the inventory's environment; return the file.

    A file of the same name and the same bounds gets one more signature; its own issue counts.

    Raises:
        UserError: a bound makes no sense, or a file of that name has other bounds.
        NotAllowedError: ``by`` is unknown, has signed already, or the key is somebody else's.
    """
    directory = Directory(inventory)
    who = known_person(directory, by)
    _sensible(bounds, now)
    environment = str(inventory["environment"]["name"])
    name = bounds.name or _name_of(bounds, environment)
    text = StandingText(
        id=name,
        runbook=bounds.runbook,
        environment=environment,
        rungs=bounds.rungs,
        max_loss_s=bounds.max_loss_s,
        reason=bounds.reason,
        issued=utc_text(now),
        expires=utc_text(bounds.expires),
        gates=bounds.gates,
        runbook_sha256=bounds.runbook_sha256,
    )
    signatures: list[dict[str, str]] = []
    path = folder / f"{name}.json"
    if path.exists():
        kept, signatures = read_standing(path)
        if replace(kept, issued=text.issued) != text:
            raise UserError(
                f"{path} has other bounds",
                hint="Give this one another --name, or delete that file to revoke it.",
            )
        text = kept
    if any(entry.get("by") == who for entry in signatures):
        raise NotAllowedError(f"'{who}' has already signed '{name}'", hint="Ask somebody else.")
    namespace = standing_namespace(bureau_of(inventory))
    signature = sign_as(
        who, text.text(), namespace, key=key, directory=directory, workspace=workspace
    )
    check = check_signature(
        text.text(), signature, who=who, people=inventory, namespace=namespace, at=now
    )
    if check.holds is not True:
        raise NotAllowedError(f"it does not count: {check.because}", hint=check.hint)
    return write_standing(folder, text, [*signatures, {"by": who, "signature": signature}])


def _sensible(bounds: Bounds, now: datetime) -> None:
    if bounds.max_loss_s < 0:
        raise UserError("the greatest loss is negative", hint="Write --max-loss 0s or more.")
    if bounds.expires <= now:
        raise UserError("it would have expired already", hint="Name a later --expires.")


def _name_of(bounds: Bounds, environment: str) -> str:
    words = [bounds.runbook, *bounds.rungs, environment, f"{bounds.expires:%Y%m%d}"]
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", "-".join(words))
