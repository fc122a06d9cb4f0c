"""A document against a model: every mistake, at its place, with what to write."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum

import pytest
from pydantic import Field

from dr.engine.core.values import Text
from dr.inventory.strictyaml.fields import Day, Duration, Number, StrictModel, Words
from dr.inventory.strictyaml.reading import read_yaml
from dr.inventory.strictyaml.validation import did_you_mean, validate


class Kind(StrEnum):
    READ = "read"
    ONCE = "once"


class Item(StrictModel):
    id: str
    kind: Kind = Field(Kind.ONCE, strict=False)
    needs: list[str] = Field(default_factory=list)
    wait: Duration | None = None
    title: Words | None = None
    factor: Number = 1.0
    day: Day | None = None
    ready: bool = False
    count: int = 0
    with_: dict[str, int] = Field(default_factory=dict, alias="with")


class File(StrictModel):
    name: str
    items: list[Item] = Field(default_factory=list)
    by_name: dict[str, Item] = Field(default_factory=dict)


def test_a_right_document_becomes_the_model() -> None:
    text = (
        "name: x\nitems:\n  - { id: a, kind: read, wait: 1h30m, title: { en: A, zh: 甲 }, "
        "factor: 1.10, day: 2026-11-01, ready: true, with: { n: 1 } }\n"
    )

    file, problems = validate(File, read_yaml(text))

    assert problems == []
    assert file is not None
    item = file.items[0]
    assert item.kind is Kind.READ
    assert item.wait == timedelta(minutes=90)
    assert item.title == Text("A", "甲")
    assert item.factor == 1.1
    assert item.day == date(2026, 11, 1)


@pytest.mark.parametrize(
    ("item", "message", "column", "hint"),
    [
        ("{ id: a, kidn: read }", "unknown key 'kidn'", 14, "Did you mean 'kind'?"),
        ("{ id: a, zzzz: 1 }", "unknown key 'zzzz'", 14, "Known keys: count, day,"),
        ("{ id: a, With: {} }", "unknown key 'With'", 14, "Did you mean 'with'?"),
        ("{ kind: read }", "the key 'id' is missing", 5, "Add 'id:"),
        ("{ id: 5 }", "this should be text, not 5", 11, 'Write "5" in quotes.'),
        ("{ id: true }", "this should be text, not true", 11, 'Write "true" in quotes.'),
        ("{ id: a, kind: rea }", "'rea' is not one of read, once", 20, "Did you mean 'read'?"),
        ("{ id: a, needs: b }", "this should be a list, not 'b'", 21, "Write [b]."),
        ("{ id: a, wait: 5 }", "5 has no unit", 20, "Write '5s', '5m' or '5h'."),
        ("{ id: a, wait: soon }", "'soon' is not a duration", 20, "Write a number and a unit"),
        ("{ id: a, ready: yes }", "this should be true or false, not 'yes'", 21, "Write true."),
        ("{ id: a, count: '5' }", "this should be a whole number", 21, "without quotes"),
        ("{ id: a, title: { fr: x } }", "'fr' is not a language", 21, "en, zh"),
        ("{ id: a, title: [x] }", "this is not text", 21, "{ en: ..., zh: ... }"),
        ("{ id: a, day: soon }", "a day such as 2026-11-01", 19, ""),
        ("{ id: a, with: { n: x } }", "a whole number, not 'x'", 25, "in digits"),
    ],
)
def test_a_mistake_is_shown_at_its_place_with_what_to_write(
    item: str, message: str, column: int, hint: str
) -> None:
    file, problems = validate(File, read_yaml(f"name: x\nitems:\n  - {item}\n", "f.yaml"))

    assert file is None
    assert len(problems) == 1
    assert message in problems[0].message
    assert problems[0].where == f"f.yaml:3:{column}"
    assert hint in problems[0].hint


def test_unknown_keys_in_a_mapping_of_models_get_the_nearest_key_too() -> None:
    _, problems = validate(File, read_yaml("name: x\nby_name: { a: { id: a, cuont: 1 } }\n"))

    assert problems[0].hint == "Did you mean 'count'?"


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
    text = "items:\n  - { id: 1, nees: [] }\n  - { kind: x }\nnam: x\n"

    _, problems = validate(File, read_yaml(text, "f"))

    places = [tuple(map(int, p.where.split(":")[1:])) for p in problems]
    assert len(problems) == 6
    assert places == sorted(places)


def test_an_empty_file_is_told_what_it_needs() -> None:
    _, problems = validate(File, read_yaml("# nothing\n"))

    assert problems[0].message == "the file is empty"
    assert "name" in problems[0].hint


def test_without_a_near_word_all_are_listed() -> None:
    assert did_you_mean("fenc", ["fence", "promote"]) == "Did you mean 'fence'?"
    assert did_you_mean("zz", ["fence", "promote"]) == "Known are: fence, promote."
    assert did_you_mean("zz", []) == ""
