"""The text of a standing authorisation: what leadership signs beforehand, and its bounds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from dr.engine.core.approval import ALGORITHM, VERSION
from dr.engine.core.canonical import canonical_bytes
from dr.engine.core.values import parse_utc

PURPOSE = "dr-standing"


@dataclass(frozen=True, slots=True)
class StandingText:
    """Bounds within which a gate may be answered.  Losses are seconds, moments UTC.

    ``gates`` empty means every gate of the runbook that allows standing authorisations;
    ``rungs`` are the only ones that it may choose; ``runbook_sha256`` "" means any version.
    """

    id: str
    runbook: str
    environment: str
    rungs: tuple[str, ...]
    max_loss_s: float
    reason: str
    issued: str
    expires: str
    gates: tuple[str, ...] = ()
    runbook_sha256: str = ""
    alg: str = ALGORITHM
    purpose: str = PURPOSE
    v: int = VERSION

    def text(self) -> str:
        """Return the canonical text: exactly these bytes, in UTF-8, are signed."""
        return canonical_bytes(asdict(self)).decode()

    @classmethod
    def read(cls, text: str) -> Self:
        """Read the canonical text.

        Raises:
            ValueError: it is not one, or of another version.
        """
        found = cls.of(json.loads(text))
        if found.text() != text:
            raise ValueError("it is not in its canonical form")
        return found

    @classmethod
    def of(cls, data: Any) -> Self:
        """Read the ``statement`` of a file.

        Raises:
            ValueError: fields are missing, unknown or not of their type.
        """
        known = {f.name for f in fields(cls)}
        if not isinstance(data, dict) or set(data) != known:
            raise ValueError("it does not have the fields of a standing authorisation")
        lists = {
            k: tuple(v) for k, v in data.items() if isinstance(v, list) and k in {"rungs", "gates"}
        }
        loss = data["max_loss_s"]
        if isinstance(loss, bool) or not isinstance(loss, int | float) or len(lists) != 2:  # noqa: PLR2004
            raise ValueError("a bound is not of its type")
        found = replace(cls(**{**data, **lists}))
        if (found.v, found.purpose, found.alg) != (VERSION, PURPOSE, ALGORITHM):
            raise ValueError(f"this dr reads version {VERSION} signed by {ALGORITHM}")
        parse_utc(found.issued)
        parse_utc(found.expires)
        return found
