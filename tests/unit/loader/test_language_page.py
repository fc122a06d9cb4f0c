"""The language page: its example loads, and it names every key and word of the models."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from dr.engine.core.model import Drill, Effect, InDoubt, OnFailure, Phase
from dr.engine.loader import fileformat
from dr.engine.loader.fileformat import INPUT_TYPES, OUTPUT_TYPES, RETRY_REASONS
from dr.engine.loader.linting import lint
from dr.engine.loader.loading import load
from tests.unit.loader.registry import PROMISES

PAGE = (Path(__file__).parents[3] / "docs/reference/runbook-language.md").read_text("utf-8")
MODELS = [
    model
    for model in vars(fileformat).values()
    if isinstance(model, type)
    and issubclass(model, BaseModel)
    and model.__module__ == fileformat.__name__
]
KEYS = sorted({f.alias or name for m in MODELS for name, f in m.model_fields.items()})
WORDS = sorted(
    {*INPUT_TYPES, *OUTPUT_TYPES, *RETRY_REASONS}
    | {str(word) for kind in (Drill, Effect, InDoubt, OnFailure, Phase) for word in kind}
)


def test_the_example_of_the_page_loads_and_keeps_the_rules() -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

    assert examples
    for example in examples:
        runbook = load(example, actions=PROMISES)
        assert lint(runbook, PROMISES, release=True) == []


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_on_the_page(key: str) -> None:
    assert re.search(rf"`{key}`|`{{ .*\b{key}:", PAGE)


@pytest.mark.parametrize("word", WORDS)
def test_every_word_that_a_key_may_have_is_on_the_page(word: str) -> None:
    assert f"`{word}`" in PAGE
