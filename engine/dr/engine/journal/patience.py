"""Ask again when a database was busy; only for reads, which change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from dr.engine.core.errors import JournalBusyError

T = TypeVar("T")

PATIENCE_S = 10.0


def patiently(read: Callable[[], T]) -> T:
    """Return what ``read`` returns, asking again for up to ten seconds while it is busy.

    Raises:
        JournalBusyError: it was busy all the time.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(JournalBusyError),
        wait=wait_random_exponential(multiplier=0.02, max=1.0),
        stop=stop_after_delay(PATIENCE_S),
        reraise=True,
    )
    return retrying(read)
