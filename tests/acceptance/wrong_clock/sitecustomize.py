"""A machine whose wall clock is wrong by $DR_TEST_CLOCK_S seconds, for one process of Python.

Python loads this by itself where this folder is on PYTHONPATH.  Clocks that only measure are left
alone, as they are on such a machine.
"""

from __future__ import annotations

import datetime
import os
import time
from typing import Any

_WRONG_S = float(os.environ["DR_TEST_CLOCK_S"])
_Right = datetime.datetime
_time, _time_ns = time.time, time.time_ns


class _Named(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, _Right)


class _Wrong(_Right, metaclass=_Named):
    """Every moment is an ordinary one; only what is now is wrong."""

    __slots__ = ()

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _Right.now(tz) + datetime.timedelta(seconds=_WRONG_S)


datetime.datetime = _Wrong  # type: ignore[misc]
time.time = lambda: _time() + _WRONG_S
time.time_ns = lambda: _time_ns() + int(_WRONG_S * 1e9)
