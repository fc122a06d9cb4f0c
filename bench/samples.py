"""Measure things in turns, so that a machine that is slow for a moment is slow for all of them."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
SCRATCH = ROOT / "build/bench"
"""On the disk of the checkout: a journal in memory would measure nothing."""


class SkippedError(Exception):
    """This cannot be measured here; the text says why."""


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        measure: what is measured, the heading that it stands under.
        subject: who is measured.
        value: the median over the rounds; None when it could not be measured.
        unit: of ``value``.
        ratio: of ``value`` to ``against``, the median of the rounds' own ratios.
        against: what it is compared to.
        aim: the largest ratio or value that was promised, None where nothing was.
        note: what a reader must know to read the number rightly.
        samples: every round's value.
    """

    measure: str
    subject: str
    value: float | None
    unit: str = "ms"
    ratio: float | None = None
    against: str = ""
    aim: float | None = None
    note: str = ""
    samples: Sequence[float] = field(default=(), repr=False)

    @property
    def holds(self) -> bool | None:
        """Whether the aim is met; None where there is none or nothing was measured."""
        measured = self.value if self.ratio is None else self.ratio
        if self.aim is None or measured is None:
            return None
        return measured <= self.aim


class Worker:
    """A child process that measures itself: a JSON request a line in, a JSON answer a line out.

    It stays alive from round to round, so that start-up and imports are in no sample.
    """

    def __init__(
        self, words: Sequence[str | Path], *, env: Mapping[str, str] | None = None
    ) -> None:
        self._words = [str(word) for word in words]
        self._process = subprocess.Popen(
            self._words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=env,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and return the answer.

        Raises:
            SkippedError: the worker said that it can not, or died.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise SkippedError(f"{Path(self._words[1]).name} died: exit {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "skipped" in answer:
            raise SkippedError(answer["skipped"])
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def serve(answer: Callable[..., dict[str, Any]]) -> None:
    """Be the other end of a Worker: answer requests until standard input ends."""
    import sys

    for line in sys.stdin:
        try:
            said = answer(**json.loads(line))
        except SkippedError as error:
            said = {"skipped": str(error)}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


@dataclass
class Measured:
    """What the rounds gave, by subject; a subject that failed once is left out with the reason."""

    samples: dict[str, list[float]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def median(self, subject: str) -> float | None:
        """Return the median of a subject's rounds."""
        taken = self.samples.get(subject)
        return statistics.median(taken) if taken and subject not in self.skipped else None

    def ratio(self, subject: str, against: str) -> float | None:
        """Return the median of the rounds' own ratios."""
        if {subject, against} & set(self.skipped):
            return None
        pairs = zip(self.samples.get(subject, ()), self.samples.get(against, ()), strict=False)
        ratios = [one / other for one, other in pairs if other]
        return statistics.median(ratios) if ratios else None


def in_turns(rounds: int, subjects: Mapping[str, Callable[[], float]]) -> Measured:
    """Take one sample of every subject a round, each round beginning with another one."""
    measured = Measured({name: [] for name in subjects})
    names = list(subjects)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            if name in measured.skipped:
                continue
            try:
                measured.samples[name].append(subjects[name]())
            except SkippedError as error:
                measured.skipped[name] = str(error)
    return measured
