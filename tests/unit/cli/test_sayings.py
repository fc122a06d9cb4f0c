"""Errors of every floor in Chinese: text found again, values kept, no site forgotten."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dr.cli.sayings import Saying, say_error, sayings
from dr.cli.text import CHINESE, ENGLISH, use
from dr.engine.core.errors import DrError

ROOT = Path(__file__).resolve().parents[3]
FLOORS = ("engine", "inventory", "backups", "reconcile", "incidents", "lab")
MARKS = "①②③④⑤⑥⑦⑧⑨"
ODD = st.text("ab {}%'\"`“”：\n\t\\$\u200b中文😀-:/()", max_size=12)


@pytest.fixture(autouse=True)
def _chinese() -> Iterator[None]:
    use(CHINESE)
    yield
    use(ENGLISH)


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("no run is called 'R-1'", "没有名为“R-1”的运行"),
        ("no run has been started yet", "尚未开始过任何运行"),
        ("Write ${{ name }}.", "请写 ${{ name }}。"),
        ("Type 'dr attach R-1' to follow it.", "请输入“dr attach R-1”跟踪它。"),
        (
            "attempt 2 of step 'restore' on db-a in run R-1 is already claimed",
            "运行 R-1 中步骤“restore”在 db-a 上的第 2 次尝试已被占用",
        ),
        ("step 'a' has no title", "步骤“a”没有标题"),
        ("db-a: no run is under way", "db-a：没有正在进行的运行"),
        (
            "the inputs of 'x' are wrong: no service is called 'y'; known: z",
            "“x”的输入有误：没有名为“y”的 service；已知：z",
        ),
    ],
)
def test_a_sentence_of_another_floor_is_said_in_chinese(english: str, chinese: str) -> None:
    assert say_error(english) == chinese


def test_a_name_in_quotes_is_never_translated_even_when_it_reads_like_a_text() -> None:
    assert say_error("no run is called 'no run has been started yet'") == (
        "没有名为“no run has been started yet”的运行"
    )


def test_a_sentence_that_nobody_wrote_stays_as_it_is() -> None:
    assert say_error("xyzzy") == "xyzzy"


def test_in_english_nothing_is_looked_up() -> None:
    use(ENGLISH)
    sayings.cache_clear()
    assert say_error("no run is called 'R-1'") == "no run is called 'R-1'"
    assert sayings.cache_info().currsize == 0


@given(values=st.lists(ODD, min_size=9, max_size=9), data=st.data())
def test_what_was_put_into_a_text_is_found_in_it_again(
    values: list[str], data: st.DataObject
) -> None:
    saying: Saying = data.draw(st.sampled_from(sayings(CHINESE)))
    sentence = _put(saying, values)
    found = saying.values(sentence)
    assert found is not None
    assert _put(saying, list(found.values())) == sentence


@given(data=st.data())
def test_values_that_hold_none_of_a_texts_words_come_out_as_they_went_in(
    data: st.DataObject,
) -> None:
    saying: Saying = data.draw(st.sampled_from(sayings(CHINESE)))
    odd = st.text("{}%\\$\u200b中😀", min_size=1, max_size=8).filter(
        lambda text: not any(words in text for words in saying.around if words)
    )
    values = [data.draw(odd) for _ in saying.names]
    if "" in saying.around[1:-1]:
        return  # two places side by side have no border
    found = saying.values(_put(saying, values))
    assert found is not None
    assert list(found.values()) == values
    assert all(value in saying.say(found) for value in values)


def _put(saying: Saying, values: list[str]) -> str:
    return saying.around[0] + "".join(
        value + words for value, words in zip(values, saying.around[1:], strict=False)
    )


def _error_classes() -> set[str]:
    """Return the names of all error classes, asked of the classes themselves."""
    found, new = {"Problem"}, [DrError]
    while new:
        one = new.pop()
        found.add(one.__name__)
        new += one.__subclasses__()
    return found


def _sites() -> Iterator[tuple[str, str]]:
    """Yield where an error is made, and its sentence with marks in place of values."""
    import dr.backups.pgbackrest
    import dr.engine.service.desk
    import dr.lab.errors  # noqa: F401 (all to know their error classes)

    classes = _error_classes()
    for floor in FLOORS:
        for path in sorted((ROOT / floor / "dr").rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and _name(node.func) in classes:
                    spoken = [*node.args[:1]]
                    spoken += [k.value for k in node.keywords if k.arg in ("message", "hint")]
                    for part in spoken:
                        for sentence in _sentences(part):
                            yield f"{path.relative_to(ROOT)}:{node.lineno}", sentence


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _sentences(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from _sentences(node.body)
        yield from _sentences(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        marks = iter(MARKS)
        parts = [
            str(part.value) if isinstance(part, ast.Constant) else next(marks)
            for part in node.values
        ]
        if any(" " in part for part in parts):
            yield "".join(parts)


def _written_out(english: str, texts: set[str]) -> bool:
    """Tell whether the marks stand for words, and the sentence is there with those words."""
    words = re.split(f"[{MARKS}]", english)
    pattern = re.compile(".*".join(map(re.escape, words)), re.DOTALL)
    return any(pattern.fullmatch(text) for text in texts)


def test_every_error_in_the_source_is_said_in_chinese_with_its_values() -> None:
    # when this fails: .venv/bin/python scripts/catalogue.py, then translate what is new
    sites = [(place, said) for place, said in _sites() if re.search("[A-Za-z]{2}", said)]
    assert len(sites) > 300
    texts = {"…".join(saying.around) for saying in sayings(CHINESE)}
    silent = []
    for place, english in sites:
        said = say_error(english)
        has_chinese = any("\u4e00" <= char <= "\u9fff" for char in said.replace(english, ""))
        kept = all(said.count(mark) >= english.count(mark) for mark in MARKS)
        if not (has_chinese and kept) and not _written_out(english, texts):
            silent.append((place, english))
    assert silent == []


def test_an_error_in_chinese_leaves_the_program_with_message_and_hint(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dr.cli", "--lang", "zh", "lint", str(tmp_path / "none.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines() == [
        f"错误：没有文件 {tmp_path}/none.yaml",
        "提示：请用此命令查看名称：dr show runbooks",
    ]
