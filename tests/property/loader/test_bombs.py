"""Files made to hurt: each ends soon, with few problems, and what grows grows like the file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dr.engine.core.errors import RunbookError
from dr.engine.loader.linting import lint
from dr.engine.loader.loading import load
from dr.inventory.strictyaml.document import MAX_PROBLEMS, problem_at
from dr.inventory.strictyaml.reading import read_yaml
from tests.property.budget import SOAK, calls_of
from tests.unit.loader.registry import PROMISES

HEAD = "format: 1\nname: x\nsteps:\n"

_LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{'abcdefghijklmnopqrstu'[n]}: &{'abcdefghijklmnopqrstu'[n]} "
    f"[{', '.join(['*' + 'abcdefghijklmnopqrstu'[n - 1]] * 9)}]\n"
    for n in range(1, 21)
)

BOMBS = {
    "square brackets": "[" * 10_000,
    "curly brackets": "{" * 10_000,
    "mappings in a line": "{a: " * 10_000,
    "question marks": "? " * 10_000,
    "dashes": "- " * 10_000,
    "indents": "".join(" " * depth + "a:\n" for depth in range(1_300)),
    "laughs": _LAUGHS,
    "the same key": "a: 1\n" * 200_000,
    "tags": "- !x a\n" * 140_000,
    "lost aliases": "- *a\n" * 190_000,
    "one long key": "a" * 900_000 + ": 1",
    "two megabytes": "a: " + "b" * 2_000_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_with_few_problems_and_its_place(bomb: str) -> None:
    with pytest.raises(RunbookError) as caught:
        read_yaml(BOMBS[bomb], "bomb.yaml")
    assert 1 <= len(caught.value.problems) <= MAX_PROBLEMS
    assert all(p.where.startswith("bomb.yaml") for p in caught.value.problems)


def _steps(count: int, more: Callable[[int], str] = lambda _n: "") -> str:
    body = (
        f"  - {{ id: s{n}, {'' if 'uses:' in more(n) else 'uses: sql.check'}{more(n)} }}\n"
        for n in range(count)
    )
    return HEAD + "".join(body)


WRONG = {
    "unknown keys": lambda n: f", use{n}: 1",
    "lost needs": lambda n: f", needs: [t{n}]",
    "lost references": lambda n: f', if: "${{{{ steps.t{n}.state }}}}"',
    "lost outputs": lambda n: f", outputs: {{ x: nothing{n} }}",
    "not a number": lambda n: f", retry: {{ attempts: x{n} }}",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_ten_thousand_mistakes_are_told_as_two_hundred_and_more(wrong: str) -> None:
    with pytest.raises(RunbookError, match="200 problems or more") as caught:
        load(_steps(10_000, WRONG[wrong]), actions=PROMISES, file="x.yaml")
    said = "".join(p.message + p.hint + p.excerpt for p in caught.value.problems)
    assert len(caught.value.problems) == MAX_PROBLEMS
    assert len(said) < MAX_PROBLEMS * 1_000, "a hint that names ten thousand steps helps nobody"


def test_a_ring_of_ten_thousand_steps_is_told_in_a_line_that_can_be_read() -> None:
    ring = _steps(10_000, lambda n: f", needs: [s{(n + 1) % 10_000}]")
    with pytest.raises(RunbookError) as caught:
        load(ring, actions=PROMISES)
    (problem,) = caught.value.problems
    assert problem.message.startswith("these steps wait for one another: s0 needs s1, ")
    assert problem.message.endswith(", …, s9999 needs s0")


SHAPES: dict[str, Callable[[int], str]] = {
    "a chain": lambda _n: "",
    "conditions": lambda n: f", if: \"${{{{ steps.s{n - 1}.state == 'x' }}}}\"" if n else "",
    "all at once": lambda _n: ", needs: []",
    "no guard": lambda _n: "uses: postgres.promote, hosts: db-a, effect: irreversible",
    "backwards": lambda n: f", needs: [s{n + 1}]" if (n + 1) % 100 else ", needs: []",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_ten_times_the_steps_cost_ten_times_the_calls_to_load_and_lint(shape: str) -> None:
    def work(count: int) -> int:
        text = _steps(count, SHAPES[shape])

        def read() -> Any:
            return lint(load(text, actions=PROMISES), PROMISES)

        return calls_of(read)

    count = 1_000 if SOAK else 300
    few, many = work(count) / count, work(10 * count) / (10 * count)
    assert many <= few * 1.1, f"{few:.0f} calls a step of {count}, {many:.0f} of {10 * count}"


class _Watched(str):
    """A text that counts how often it is cut."""

    cuts = 0

    def split(self, *args: Any, **named: Any) -> list[str]:
        type(self).cuts += 1
        return super().split(*args, **named)


def test_a_file_is_cut_into_lines_once_however_many_problems_it_has() -> None:
    text = _Watched("a: 1\n" * 1_000)
    for line in range(1, 900):
        assert problem_at("x.yaml", text, line, 1, "wrong").excerpt
    assert _Watched.cuts == 1
