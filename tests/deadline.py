"""Waiting in tests: for a condition and never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

import pytest

T = TypeVar("T")

_PAUSE_S = 0.01


class WaitFor(Protocol):
    """Wait until ``condition()`` is true and return what it returned."""

    def __call__(self, condition: Callable[[], T], deadline_s: float = 10.0, what: str = "") -> T:
        """Fail the test, naming ``what``, when ``deadline_s`` seconds pass first."""
        ...


def wait_for(condition: Callable[[], T], deadline_s: float = 10.0, what: str = "") -> T:
    """Return the first true answer of ``condition``; fail the test after ``deadline_s`` seconds.

    An exception of ``condition`` ends the wait at once: a wait that swallows errors
    turns every mistake into a time-out.
    """
    end = time.monotonic() + deadline_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= end:
            name = what or getattr(condition, "__name__", "the condition")
            pytest.fail(f"{name} did not come true within {deadline_s:g} s", pytrace=True)
        time.sleep(_PAUSE_S)
