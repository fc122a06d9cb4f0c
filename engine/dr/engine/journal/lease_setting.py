"""How long a lease lasts: the setting DR_LEASE_S."""

from __future__ import annotations

import os

from dr.engine.core.errors import UserError

VARIABLE = "DR_LEASE_S"
LEASE_S = 15.0
SHORTEST_S, LONGEST_S = 3.0, 600.0


def lease_setting(text: str | None = None) -> float:
    """Return how long a lease on a shared journal lasts without being renewed, in seconds.

    Args:
        text: the setting; None is what the environment says.

    Raises:
        UserError: it is no number from 3 to 600.
    """
    text = os.environ.get(VARIABLE, "") if text is None else text
    if not text:
        return LEASE_S
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise UserError(
            f"'{text}' in {VARIABLE} is not a number of seconds "
            f"from {SHORTEST_S:g} to {LONGEST_S:g}",
            hint=f"Type 'export {VARIABLE}={LEASE_S:g}', or leave it out.",
        )
    return seconds
