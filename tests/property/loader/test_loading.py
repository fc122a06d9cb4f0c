"""A damaged runbook is refused with problems; nothing else comes out of the loader."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from dr.engine.core.errors import RunbookError
from dr.engine.loader.linting import lint
from dr.engine.loader.loading import load
from tests.unit.loader.registry import PROMISES

SOURCE = (Path(__file__).parents[2] / "data/runbooks/storage-failure.yaml").read_text("utf-8")
LINES = SOURCE.splitlines()
WORDS = re.findall(r"[\w.${}']+|[^\w\s]", SOURCE)
INSERTS = st.sampled_from([*WORDS[:400], "null", "[]", "{}", "0", "&a", "*a", "!!x", "- ", "\t"])


@st.composite
def _damaged(draw: st.DrawFn) -> str:
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        number = draw(st.integers(0, len(lines) - 1))
        line = lines[number]
        match draw(st.sampled_from(["drop", "double", "cut", "insert", "swap", "value"])):
            case "drop" if len(lines) > 1:
                del lines[number]
            case "double":
                lines.insert(number, line)
            case "cut":
                lines[number] = line[: draw(st.integers(0, len(line)))]
            case "insert":
                at = draw(st.integers(0, len(line)))
                lines[number] = line[:at] + draw(INSERTS) + line[at:]
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[number], lines[other] = lines[other], lines[number]
            case "value":
                key = line.split(":")[0]
                lines[number] = f"{key}: {draw(INSERTS)}"
            case _:
                pass
    return "\n".join(lines)


@settings(max_examples=300, deadline=None)
@given(_damaged())
def test_a_damaged_runbook_loads_or_is_refused_with_problems(text: str) -> None:
    try:
        runbook = load(text, actions=PROMISES, file="x.yaml")
    except RunbookError as error:
        problems = error.problems
    else:
        problems = tuple(lint(runbook, PROMISES, release=True))
        assert runbook.steps
        assert all(step.uses or step.is_ladder for step in runbook.walk())
        return
    assert problems
    for problem in problems:
        assert problem.where.startswith("x.yaml")
        assert problem.message
        assert "unreadable_" not in problem.message + problem.hint


@settings(max_examples=100, deadline=None)
@given(st.permutations(range(6)), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_a_graph_of_needs_loads_exactly_when_it_has_no_cycle(
    order: list[int], edges: list[tuple[int, int]]
) -> None:
    needs = {n: sorted({b for a, b in edges if a == n}) for n in range(6)}
    body = "".join(
        f"  - {{ id: s{n}, uses: sql.check, needs: [{', '.join(f's{b}' for b in needs[n])}] }}\n"
        for n in order
    )
    settled: set[int] = set()
    for _ in range(6):
        settled |= {n for n in range(6) if set(needs[n]) <= settled}
    try:
        load(f"format: 1\nname: x\nsteps:\n{body}", actions=PROMISES)
        loaded = True
    except RunbookError:
        loaded = False

    assert loaded is (len(settled) == 6)
