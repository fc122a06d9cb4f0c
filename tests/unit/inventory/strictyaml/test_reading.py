"""Strict YAML: what means what, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from dr.engine.core.errors import RunbookError
from dr.inventory.strictyaml.document import excerpt, format_problem
from dr.inventory.strictyaml.reading import read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("22:30", "22:30"),
        ("3:15", "3:15"),
        ("0644", "0644"),
        ("0x1F", "0x1F"),
        ("1.10", "1.10"),
        ("1e3", "1e3"),
        ("+5", "+5"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("2026-11-01", "2026-11-01"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("5", 5),
        ("-3", -3),
        ("0", 0),
        ("0.5", 0.5),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ('"true"', "true"),
        ("'5'", "5"),
        ("", None),
    ],
)
def test_a_scalar_means_what_is_written(text: str, value: object) -> None:
    found = read_yaml(f"key: {text}\n").data["key"]

    assert found == value
    assert type(found) is type(value)


def test_keys_are_always_text() -> None:
    assert read_yaml("on: 1\n8080: 2\ntrue: 3\n").data == {"on": 1, "8080": 2, "true": 3}


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("a: 1\nb: 2\na: 3\n", "the key 'a' is written twice", "3:1"),
        ("a: !!python/object:os.system x\n", "the tag 'tag:yaml.org,2002:python/object", "1:4"),
        ("a: !vault x\n", "the tag '!vault' is not allowed", "1:4"),
        ("a: &x {b: 1}\nc: {<<: *x}\n", "merge keys are not allowed", "2:5"),
        ("a: &x [*x]\n", "the alias '*x' stands inside its own anchor", "1:8"),
        ("a: *x\n", "the alias '*x' has no anchor before it", "1:4"),
        ("? [a]\n: b\n", "a key must be plain text", "1:3"),
        ("a: 1\n---\nb: 2\n", "a second document begins here", "3:1"),
        ("a: [1\nb: 2\n", "not YAML", "2:2"),
        ("\ta: 1\n", "not YAML", "1:1"),
        ("[" * 200_000, "nested more than 32 deep", "1:34"),
    ],
)
def test_what_two_readers_could_understand_differently_is_refused(
    text: str, message: str, place: str
) -> None:
    with pytest.raises(RunbookError) as caught:
        read_yaml(text, "x.yaml")

    problem = caught.value.problems[0]
    assert message in problem.message
    assert problem.where == f"x.yaml:{place}"


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    with pytest.raises(RunbookError) as caught:
        read_yaml("a: 1\na: 2\nb: !x 1\nb: 3\n")

    assert len(caught.value.problems) == 3


def test_an_alias_bomb_is_refused_before_it_goes_off() -> None:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 12):
        inner = ", ".join([f"*l{level - 1}"] * 10)
        lines.append(f"l{level}: &l{level} [{inner}]")

    with pytest.raises(RunbookError) as caught:
        read_yaml("\n".join(lines))

    assert "aliases expand to more than" in caught.value.problems[0].message


def test_aliases_can_not_nest_deeper_than_plain_values() -> None:
    lines = ["a0: &a0 [[[[[[[[[[x]]]]]]]]]]"]
    lines += [f"a{n}: &a{n} [[[[[[[[[[*a{n - 1}]]]]]]]]]]" for n in range(1, 10)]

    with pytest.raises(RunbookError) as caught:
        read_yaml("\n".join(lines))

    assert "deep" in caught.value.problems[0].message


def test_a_plain_alias_is_expanded() -> None:
    assert read_yaml("a: &x [1, 2]\nb: *x\n").data["b"] == [1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: " + b"x" * 1_000_001, "larger than 1 MB"),
        (b"\x7fELF\0\0\0", "binary file"),
        (b"a: caf\xe9\n", "not UTF-8 text: byte 0xe9 at byte 7"),
        ("a: 1".encode("utf-16"), "binary file"),
        (b"a: \x07\n", "not YAML"),
    ],
)
def test_a_file_that_is_no_small_text_is_refused_clearly(
    tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(content)

    with pytest.raises(RunbookError) as caught:
        read_yaml(file, "bad.yaml")

    assert message in caught.value.problems[0].message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunbookError, match=r"gone\.yaml: there is no such file"):
        read_yaml(tmp_path / "gone.yaml")


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    file = tmp_path / "bom.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")

    assert read_yaml(file).data == {"a": 1}


def test_the_caret_stands_under_the_value_after_wide_characters() -> None:
    shown = excerpt("标题: { hots: 5 }", 1, 7)

    source, caret = shown.split("\n")
    # each of the two characters is two columns wide on a terminal
    assert caret.index("^") == source.index("hots") + 2


def test_a_position_leads_into_the_text_of_a_quoted_value() -> None:
    document = read_yaml('a:\n  - "xy ${{ z }}"\n', "f.yaml")

    assert document.where(("a", 0)) == "f.yaml:2:5"
    assert document.where(("a", 0), offset=3) == "f.yaml:2:9"
    assert document.where(("a",), key=True) == "f.yaml:1:1"
    assert document.where(("a", 7, "b")) == "f.yaml:2:3"


def test_a_problem_reads_as_place_message_source_caret_and_hint() -> None:
    document = read_yaml("steps:\n  - needs: [fenc]\n", "rb.yaml")
    problem = document.problem(
        "no step 'fenc'", ("steps", 0, "needs", 0), hint="Did you mean 'fence'?"
    )

    assert format_problem(problem) == (
        "rb.yaml:2:13: no step 'fenc'\n"
        "    2 |   - needs: [fenc]\n"
        "      |             ^\n"
        "      hint: Did you mean 'fence'?"
    )
