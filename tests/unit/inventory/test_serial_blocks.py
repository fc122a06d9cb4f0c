"""The register of numbered forms: what is no range of numbers as they are printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from dr.inventory.serial_blocks import read_serial_blocks


def lines(folder: Path, *lines: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Return first and last of what was read, and what was said."""
    path = folder / "serial-blocks.csv"
    path.write_text("\n".join(["branch,first,last,kind,on,note", *lines]), "utf-8")
    blocks, problems = read_serial_blocks(path, "serial-blocks.csv")
    return [(block["first"], block["last"]) for block in blocks], [p.message for p in problems]


def test_numbers_are_kept_as_they_are_printed(tmp_path: Path) -> None:
    read, said = lines(tmp_path, "a,赣0000101,赣0000200,issued,,", "b,999,1000,issued,,")
    assert (read, said) == ([("赣0000101", "赣0000200"), ("999", "1000")], [])


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("赣1", "粤2", "different letters"),
        ("099", "1000", "not of one length"),
        ("0200", "0101", "before it begins"),
        ("A-", "A-", "no numbers of forms"),
        (" 12", "13", "no numbers of forms"),
        ("\uff11\uff12", "\uff11\uff13", "no numbers of forms"),
        ("", "13", "no numbers of forms"),
        ("1", "1" * 19, "no numbers of forms"),
    ],
)
def test_a_range_that_can_not_be_printed_is_refused(
    tmp_path: Path, first: str, last: str, said: str
) -> None:
    read, problems = lines(tmp_path, f"a,{first},{last},issued,,")
    assert read == []
    assert len(problems) == 1
    assert said in problems[0]


def test_forms_that_are_looked_for_one_by_one_are_not_without_end(tmp_path: Path) -> None:
    read, problems = lines(tmp_path, "a,1,2000000,issued,,", "a,1,1000001,void,,")
    assert read == [("1", "2000000")]
    assert "more than 1000000 forms" in problems[0]
