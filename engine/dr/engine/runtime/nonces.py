"""Random words that are consumed once."""

from __future__ import annotations

import secrets


def nonce() -> str:
    """Return 128 random bits in hex."""
    return secrets.token_hex(16)
