"""What the engine costs a step, against the floor and against peers; and how that grows."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import peers
from peer_programs import ansible_playbook, doit
from samples import SCRATCH, Measured, Row, SkippedError, Worker, in_turns

HERE = Path(__file__).resolve().parent
AIM_FLOOR = 1.5
AIM_GROWTH = 1.2

SHAPES = ((200, "chain"), (2000, "chain"), (500, "parallel"))
_ANSIBLE_STEPS = 200


def overhead(python: str, rounds: int) -> list[Row]:
    """Return the rows of 200 and 2,000 steps in sequence and 500 at once."""
    rows: list[Row] = []
    with ExitStack() as stack:
        engine = stack.enter_context(Worker([python, HERE / "noop_engine.py"]))
        floor = stack.enter_context(Worker([python, HERE / "bare_commits.py"]))
        dbos = _dbos(stack)
        for steps, shape in SHAPES:
            rows += _rows(steps, shape, _in_turns(engine, floor, dbos, steps, shape, rounds))
    return rows


def _dbos(stack: ExitStack) -> Callable[..., float]:
    started: list[Worker] = []

    def seconds(steps: int, shape: str) -> float:
        if not started:
            words = [peers.python(), HERE / "peer_dbos.py"]
            started.append(stack.enter_context(Worker(words)))
        return float(started[0].ask(steps=steps, shape=shape)["seconds"])

    return seconds


def _in_turns(
    engine: Worker,
    floor: Worker,
    dbos: Callable[..., float],
    steps: int,
    shape: str,
    rounds: int,
) -> Measured:
    journals: dict[str, str] = {}

    def acting() -> float:
        answer = engine.ask(steps=steps, effect="once", shape=shape, name="once")
        journals["once"] = answer["journal"]
        return _ms(answer["seconds"], steps)

    def looking() -> float:
        answer = engine.ask(steps=steps, effect="read", shape=shape, name="read")
        journals["read"] = answer["journal"]
        return _ms(answer["seconds"], steps)

    def bare(effect: str, *, index: bool) -> Callable[[], float]:
        if effect not in journals:
            (acting if effect == "once" else looking)()
        return lambda: _ms(floor.ask(journal=journals[effect], index=index)["seconds"], steps)

    subjects: dict[str, Callable[[], float]] = {
        "floor": bare("once", index=True),
        "dr": acting,
        "floor, looking": bare("read", index=True),
        "dr, looking": looking,
        "floor, event rows only": bare("once", index=False),
        "DBOS": lambda: _ms(dbos(steps, shape), steps),
    }
    if steps == _ANSIBLE_STEPS:
        playbook, chain = ansible_playbook(steps), doit(steps, peers.python)
        subjects["ansible-playbook"] = lambda: _ms(playbook(), steps)
        subjects["doit"] = lambda: _ms(chain(), steps)
    return in_turns(rounds, subjects)


def _ms(seconds: float, steps: int) -> float:
    return 1e3 * seconds / steps


_NOTES = {
    "floor": "the same rows, a fsynced commit for every demanded write, and nothing else",
    "dr": "a step that acts: intent, result and end are three commits",
    "floor, looking": "the same for steps that only look",
    "dr, looking": "a step that only looks: intent and end are two commits",
    "floor, event rows only": "without the end of the chain and the claim of the attempt",
    "DBOS": "one commit a step, after it; survives kill -9",
    "ansible-playbook": "debug tasks, start-up taken off; remembers nothing",
    "doit": "start-up taken off; remembers at the end only",
}
_AGAINST = {"dr": "floor", "dr, looking": "floor, looking"}


def _rows(steps: int, shape: str, measured: Measured) -> list[Row]:
    order = "in sequence" if shape == "chain" else "at once"
    heading = f"a step of {steps:,} {order}"
    rows = []
    for subject in measured.samples:
        against = _AGAINST.get(subject, "dr")
        is_floor = subject.startswith("floor")
        rows.append(
            Row(
                heading,
                subject,
                measured.median(subject),
                ratio=None if is_floor else measured.ratio(subject, against),
                against="" if is_floor else against,
                aim=AIM_FLOOR if subject in _AGAINST else None,
                note=_skipped(measured, subject) or _NOTES[subject],
                samples=measured.samples[subject],
            )
        )
    return rows


def _skipped(measured: Measured, subject: str) -> str:
    reason = measured.skipped.get(subject)
    return f"skipped: {reason}" if reason else ""


def growth(python: str, rounds: int) -> list[Row]:
    """Return the rows of the cost of a step and of memory, at 100 and at 5,000 steps."""
    memory: dict[int, list[float]] = {100: [], 5000: []}
    with Worker([python, HERE / "noop_engine.py"]) as engine:
        engine.ask(steps=100, effect="once", shape="chain")

        def many(steps: int, times: int) -> Callable[[], float]:
            def cost() -> float:
                asked = [
                    engine.ask(steps=steps, effect="once", shape="chain") for _ in range(times)
                ]
                return statistics.median(_ms(a["seconds"], steps) for a in asked)

            return cost

        # the floor of both moves with the disk: the ratio is that of neighbours in time
        measured = in_turns(rounds, {"100 steps": many(100, 10), "5,000 steps": many(5000, 1)})
    for steps, grown in memory.items():
        for _ in range(rounds):
            # a new process each time: Python gives little memory back
            with Worker([python, HERE / "noop_engine.py"]) as engine:
                engine.ask(steps=20, effect="once", shape="chain")
                before = engine.ask(steps=20, effect="once", shape="chain")["peak_kb"]
                after = engine.ask(steps=steps, effect="once", shape="chain")["peak_kb"]
                grown.append(after - before)
    few, lot = (statistics.median(memory[n]) for n in (100, 5000))
    heading = "growth with the length of a run"
    return [
        Row(
            heading,
            "a step of 100",
            measured.median("100 steps"),
            samples=measured.samples["100 steps"],
        ),
        Row(
            heading,
            "a step of 5,000",
            measured.median("5,000 steps"),
            ratio=measured.ratio("5,000 steps", "100 steps"),
            against="a step of 100",
            aim=AIM_GROWTH,
            samples=measured.samples["5,000 steps"],
        ),
        Row(
            heading, "memory a step", (lot - few) / 4900, "KiB", note="at the peak, by 4,900 steps"
        ),
    ]


def clean_up() -> None:
    """Remove the files of the measured runs."""
    import shutil

    shutil.rmtree(SCRATCH, ignore_errors=True)


__all__ = ["SkippedError", "clean_up", "growth", "overhead"]
