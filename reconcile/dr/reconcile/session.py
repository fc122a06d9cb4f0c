"""What a reconciliation is about: its window, and the salt that no one could know beforehand."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field

from dr.reconcile.window import Window


@dataclass(frozen=True, slots=True)
class Session:
    """One reconciliation after one recovery.

    Attributes:
        id: names the breaks; the same session finds the same names again.
        salt: of the hashes that locate differences.  It is made when the session is opened, so
            that nobody can have prepared two records with one hash.
    """

    id: str
    window: Window
    salt: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def seed(self) -> int:
        """The salt as a number that fits the hash functions of PostgreSQL."""
        return int.from_bytes(hashlib.sha256(self.salt.encode()).digest()[:7], "big")
