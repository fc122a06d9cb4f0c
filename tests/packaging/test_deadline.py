"""The wait that every other test leans on."""

from __future__ import annotations

import pytest

from tests.deadline import WaitFor


def test_a_wait_returns_the_first_true_answer(wait_for: WaitFor) -> None:
    answers = iter([0, "", 7, 8])
    assert wait_for(lambda: next(answers), 5) == 7


def test_a_wait_past_its_deadline_fails_and_names_what_was_awaited(wait_for: WaitFor) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"the lease did not come true within 0\.02 s"):
        wait_for(lambda: False, 0.02, "the lease")


def test_a_wait_does_not_swallow_errors(wait_for: WaitFor) -> None:
    with pytest.raises(ZeroDivisionError):
        wait_for(lambda: 1 / 0, 5)
