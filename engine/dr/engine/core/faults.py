"""Named points where a test may cut the power, or freeze the process.

``passage(point)`` costs one comparison when nothing is armed.  In a real process the
environment variable ``DR_FAULT=POINT:VISIT`` makes the VISIT-th passage a ``kill -9`` of the
process itself, so that black-box tests can die at exact moments; ``POINT:VISIT:stop`` freezes it
there (SIGSTOP) until somebody sends SIGCONT.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

POINTS: tuple[str, ...] = (
    "before-append",
    "after-append",
    "before-precheck",
    "after-precheck",
    "before-perform",
    "after-perform",
    "before-send",
    "before-verify",
    "after-verify",
    "before-attach",
    "after-attach",
    "before-probe",
    "after-probe",
    "before-undo",
    "after-undo",
    "before-undo-look",
    "before-undone",
    "after-undone",
    "before-stop",
    "after-stop",
    "before-question",
    "after-question",
    "before-decision",
    "after-decision",
    "lease-taken",
    "before-renew",
    "after-renew",
    "before-migration",
    "within-migration",
    "after-migration",
    "before-report",
    "after-report",
    "before-amend",
    "after-amend",
)


class PowerCut(BaseException):
    """The power went."""


class _Switch:
    """The hook that is armed at present, if any."""

    def __init__(self) -> None:
        self.hook: Callable[[str], None] | None = _from_environment()


def _from_environment() -> Callable[[str], None] | None:
    wanted = os.environ.get("DR_FAULT")
    if not wanted:
        return None
    point, visit, how = (*wanted.split(":"), "", "")[:3]
    left, sent = int(visit or "1"), signal.SIGSTOP if how == "stop" else signal.SIGKILL

    def strike(passed: str) -> None:
        nonlocal left
        if passed == point:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), sent)

    return strike


_switch = _Switch()


def passage(point: str) -> None:
    """Say that the program passes ``point``."""
    if _switch.hook is not None:
        _switch.hook(point)


@contextmanager
def armed(hook: Callable[[str], None]) -> Iterator[None]:
    """Call ``hook`` with the point's name at every passage within the block."""
    _switch.hook = hook
    try:
        yield
    finally:
        _switch.hook = None
