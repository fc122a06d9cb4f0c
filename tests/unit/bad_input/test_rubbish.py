"""Whatever stands in a file, ``dr lint`` says what is wrong with it and never breaks down."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dr.engine.core.errors import DrError
from dr.engine.service.offline import lint_files

WORDS = st.sampled_from(
    ["format", "name", "title", "steps", "id", "uses", "with", "hosts", "needs", "if", "try", "a",
     "tcp.check", "gate.approve", "human.task", "backup.restore", "${{ steps.a.outputs.x }}",
     "${{", "}}", "${{ inputs['x'] }}", "en", "zh", "finally", "inputs", "locks", "once", "1m",
     "approvers", "group", "undo", "verify", "probe", "retry", "strategy", "batches", "outputs"]
)  # fmt: skip
SCALARS = st.one_of(
    WORDS, st.text(max_size=8), st.integers(), st.booleans(), st.none(), st.floats()
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(WORDS, SCALARS), inner, max_size=5)
    ),
    max_leaves=25,
)
STEP = st.fixed_dictionaries(
    {"id": st.one_of(st.sampled_from(["a", "b"]), VALUES)},
    optional={
        name: VALUES
        for name in ("uses", "with", "hosts", "needs", "if", "try", "undo", "verify", "retry",
                     "strategy", "outputs", "timeout", "effect", "requires", "title", "in_doubt")
    } | {"uses": st.one_of(WORDS, VALUES)},
)  # fmt: skip
RUNBOOKS = st.fixed_dictionaries(
    {"format": st.one_of(st.just(1), VALUES), "name": st.one_of(st.just("x"), VALUES),
     "steps": st.one_of(st.lists(STEP, max_size=4), VALUES)},
    optional={name: VALUES for name in ("title", "inputs", "locks", "finally", "objectives")},
)  # fmt: skip

QUICK = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rubbish") / "rubbish.yaml"


def _lint(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with contextlib.suppress(DrError):
        problems = lint_files([path], release=True)
        assert all(problem.message for problem in problems)


@QUICK
@given(RUNBOOKS)
def test_nearly_a_runbook_is_linted(path: Path, data: Any) -> None:
    _lint(
        path, yaml.safe_dump(data, allow_unicode=True, sort_keys=False).encode("utf-8", "replace")
    )


@QUICK
@given(st.binary(max_size=400))
def test_bytes_are_linted(path: Path, content: bytes) -> None:
    _lint(path, content)


@QUICK
@given(st.text(alphabet="[]{}:,-&*!|>'\"#%@` \n\tab0${}?", max_size=120))
def test_the_signs_of_yaml_in_any_order_are_linted(path: Path, text: str) -> None:
    _lint(path, text.encode())
