"""``wait.until``: ask a reading action again and again until its answer is the wanted one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pydantic import Field

from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.inputs import Duration, Inputs
from dr.engine.core.errors import Problem, RefusedError, RetryableError, UserError
from dr.engine.core.model import Effect
from dr.engine.core.ports import Action, ActionKind, Actions, Attempt, Outcome, World

_NAME = "wait.until"


class Asked(Inputs):
    """The action that is asked."""

    uses: str
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")


class Wanted(Inputs):
    """Bounds of a number."""

    at_least: float | None = None
    at_most: float | None = None


class WaitUntilInputs(Inputs):
    """``with`` of wait.until."""

    check: Asked
    until: dict[str, Any] = Field(
        description="Output to wanted value, list of values, or {at_least, at_most}."
    )
    every: Duration = timedelta(seconds=2)
    within: Duration | None = Field(None, description="The step's timeout if not given.")
    steady: int = Field(1, ge=1, description="How many answers in a row must be the wanted one.")


class WaitUntil(Driver[WaitUntilInputs]):
    """Waits for an answer; an error that may pass (unreachable, timeout) is no answer."""

    inputs = WaitUntilInputs
    spec = specify(
        _NAME,
        "Wait until a check gives the wanted answer",
        "等待检查结果符合要求",
        WaitUntilInputs,
        effects=(Effect.READ,),
        outputs={"waited_s": "number", "asked": "integer", "result": "map"},
    )

    def __init__(self, actions: Actions) -> None:
        self._actions = actions

    def validate(self, inputs: Mapping[str, Any]) -> Sequence[Problem]:
        """List what is wrong, in the inputs of the inner action too."""
        found = list(super().validate(inputs))
        check = inputs.get("check")
        if found or not isinstance(check, Mapping):
            return found
        try:
            action = self._reading(str(check.get("uses")))
        except (UserError, RefusedError) as error:
            return [Problem(error.message, ("check", "uses"), hint=error.hint, rule="input")]
        inner = action.validate(check.get("with") or {})
        found += [replace(each, path=("check", "with", *each.path)) for each in inner]
        unknown = sorted(set(inputs.get("until") or {}) - set(action.spec.outputs))
        found += [
            Problem(
                f"{action.spec.name} has no output '{name}'",
                ("until", name),
                hint=f"Its outputs: {', '.join(action.spec.outputs)}.",
                rule="input",
            )
            for name in unknown
        ]
        return found

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say what is waited for and how it is asked."""
        given = self.given(attempt)
        limit = (given.within or attempt.timeout).total_seconds()
        action = self._reading(given.check.uses)
        wanted = ", ".join(f"{name} is {value}" for name, value in given.until.items())
        every = given.every.total_seconds()
        return [
            f"every {every:g} s, at most {limit:g} s, until {wanted}:",
            *action.describe(_inner(attempt, given, attempt.timeout)),
        ]

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Ask until the answer is the wanted one."""
        given = self.given(attempt)
        action = self._reading(given.check.uses)
        began = time.monotonic()
        deadline = began + min(given.within or attempt.timeout, attempt.timeout).total_seconds()
        asked, steady, last = 0, 0, "nothing was answered"
        while True:
            left_s = max(0.1, deadline - time.monotonic())
            asked += 1
            try:
                result = action.perform(
                    _inner(attempt, given, timedelta(seconds=left_s)), world
                ).outputs
                last = ", ".join(f"{name} is {result.get(name)}" for name in given.until)
                steady = steady + 1 if _holds(given.until, result) else 0
            except RetryableError as error:
                last, steady = error.message, 0
            if steady >= given.steady:
                waited_s = round(time.monotonic() - began, 3)
                return Outcome({"waited_s": waited_s, "asked": asked, "result": dict(result)})
            if time.monotonic() + given.every.total_seconds() >= deadline or world.cancelled():
                raise RetryableError(
                    f"after {time.monotonic() - began:.0f} s and {asked} looks: {last}",
                    reason="not_yet",
                )
            time.sleep(given.every.total_seconds())

    def _reading(self, name: str) -> Action:
        action = self._actions.get(name)
        spec = action.spec
        if spec.kind is not ActionKind.ACTION or Effect.READ not in spec.effects or name == _NAME:
            raise RefusedError(
                f"{name} can not be waited for: it does not only read",
                hint="Use a check such as path.check, tcp.check, http.check or sql.check.",
            )
        return action


def _inner(attempt: Attempt, given: WaitUntilInputs, timeout: timedelta) -> Attempt:
    return replace(attempt, input=given.check.with_, timeout=timeout, effect=Effect.READ)


def _holds(wanted: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
    return all(name in result and _is(result[name], value) for name, value in wanted.items())


def _is(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return value in wanted
    if isinstance(wanted, Mapping):
        bounds = Wanted.model_validate(wanted)
        if not isinstance(value, int | float):
            return False
        low = bounds.at_least is None or value >= bounds.at_least
        return low and (bounds.at_most is None or value <= bounds.at_most)
    return bool(value == wanted)
