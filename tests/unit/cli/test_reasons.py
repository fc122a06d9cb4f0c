"""The engine's reasons in the language in use; what people wrote stays as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dr.cli.reasons import TEMPLATES, say_reason
from dr.cli.text import use

ENGINE = Path(__file__).parents[3] / "engine/dr/engine"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("gate 'choose' waits for people", "审批“choose”等待人员处理"),
        ("its condition does not hold: look.ok = false", "条件不成立：look.ok = false"),
        (
            "step 'a' failed: its condition does not hold: b = 1",
            "步骤“a”失败：条件不成立：b = 1",
        ),
        ("rejected by ana: look again", "ana 驳回：look again"),
        ("1 of 3 hosts failed: branch-02", "3 台主机中有 1 台失败：branch-02"),
        ("what only a person would write", "what only a person would write"),
    ],
)
def test_a_reason_of_the_engine_is_said_in_chinese_with_its_values(reason: str, said: str) -> None:
    use("zh_Hans")
    assert say_reason(reason) == said
    use("en")
    assert say_reason(reason) == reason


def test_a_reason_with_its_languages_is_said_in_the_one_in_use() -> None:
    use("zh_Hans")
    assert say_reason({"en": "not built yet", "zh": "尚未实现"}) == "尚未实现"


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_engine_still_writes_every_reason_that_is_translated(template: str) -> None:
    words = [part for part in re.split(r"\{\w+\}", template) if re.search("[a-z]{3}", part)]
    sources = [
        path.read_text(encoding="utf-8")
        for folder in ("runtime", "service", "actions", "core")
        for path in (ENGINE / folder).rglob("*.*")
        if path.suffix in {".py", ".sh"}
    ]
    assert any(all(part.strip() in text for part in words) for text in sources)
