"""How long the attacks take: the same few seconds every time; ``DR_SOAK=20`` looks 20 times longer.

With ``DR_SOAK`` the examples are drawn anew each time, so that two nights find more than one.
"""

from __future__ import annotations

import cProfile
import os
from collections.abc import Callable

from hypothesis import HealthCheck, settings

SOAK = int(os.environ.get("DR_SOAK", "0"))


def examples(count: int) -> settings:
    """Return the settings for so many examples in the checks."""
    return settings(
        max_examples=count * max(1, SOAK),
        deadline=None,
        derandomize=not SOAK,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


def calls_of(work: Callable[[], object]) -> int:
    """Return how many functions ``work`` calls in this thread, those written in C too."""
    profile = cProfile.Profile()
    profile.enable()
    try:
        work()
    finally:
        profile.disable()
    return sum(int(entry.callcount) for entry in profile.getstats())
