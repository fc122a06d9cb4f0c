"""Secrets of one process: resolved at the moment of use, masked in everything written."""

from __future__ import annotations

import threading
from pathlib import Path

from dr.engine.core.values import Secret
from dr.inventory.redaction import Redactor
from dr.inventory.secrets import resolve


class Vault:
    """The :class:`~dr.engine.core.ports.Secrets` of an engine."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._redactor = Redactor()
        self._lock = threading.Lock()

    def resolve(self, reference: str) -> Secret:
        """Return the secret behind ``reference`` and mask it from now on."""
        secret = resolve(reference, self._directory)
        with self._lock:
            self._redactor.add(secret.reveal())
        return secret

    def redact(self, text: str) -> str:
        """Return ``text`` with every secret resolved so far masked."""
        with self._lock:
            return self._redactor.redact(text)
