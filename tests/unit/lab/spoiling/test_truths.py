"""The truth is kept whole, apart, and says what it does not know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dr.lab.spoiling import Batch, Truth, batches, in_force, path_of
from dr.lab.spoiling.truths import opened

ROOT = Path(__file__).resolve().parents[4]
TRUTH = Truth(
    "field-amount",
    "field_diff",
    "branch-01",
    "",
    "32",
    {"amount": ("1.00", "2.00"), "holder": (None, "王𠅤")},
    detail={"touched": ["33"]},
)


def _batch(number: int, *truths: Truth, replaces: str = "") -> Batch:
    return Batch(number, "field-amount", 7, "2026-03-02T00:00:00.000+00:00", truths, replaces)


def _done(directory: Path, batch: Batch) -> None:
    with opened(directory) as file:
        file.announce(batch)
        file.close(batch.number)


def test_what_is_written_down_is_what_is_read(tmp_path: Path) -> None:
    _done(tmp_path, _batch(1, TRUTH))
    [batch] = batches(tmp_path)
    [truth] = batch.truths
    assert batch.done
    assert (truth.batch, truth.fields, truth.detail) == (1, TRUTH.fields, TRUTH.detail)
    assert batch.keys == {"32", "33"}


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    _done(tmp_path, _batch(1, TRUTH))
    assert path_of(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_batch_whose_process_ended_half_way_is_in_doubt(tmp_path: Path) -> None:
    with opened(tmp_path) as file:
        file.announce(_batch(1, TRUTH))
    [batch] = batches(tmp_path)
    assert not batch.done
    with opened(tmp_path) as file:
        assert file.next_number == 2


def test_a_batch_that_was_withdrawn_never_was(tmp_path: Path) -> None:
    with opened(tmp_path) as file:
        file.announce(_batch(1, TRUTH))
        file.withdraw(1)
    assert batches(tmp_path) == []


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    _done(tmp_path, _batch(1, TRUTH))
    path = path_of(tmp_path)
    path.write_bytes(path.read_bytes() + b'{"v": 1, "batch": 2, "beg')
    assert [batch.number for batch in batches(tmp_path)] == [1]


def test_a_file_that_was_replaced_need_not_be_found_any_more(tmp_path: Path) -> None:
    file = Truth("file-bom", "format_only", "branch-01", where="file")
    _done(tmp_path, _batch(1, TRUTH))
    _done(tmp_path, _batch(2, file, replaces="branch-01"))
    _done(tmp_path, _batch(3, file, replaces="branch-02"))
    _done(tmp_path, _batch(4, replaces="branch-01"))
    assert [truth.batch for truth in in_force(batches(tmp_path))] == [1, 3]


def test_only_the_truth_itself_and_its_command_know_of_the_truth() -> None:
    """Whoever compares ledgers must find what was spoilt without looking it up."""
    code = [
        path
        for floor in ("engine", "inventory", "backups", "reconcile", "incidents", "cli", "lab")
        for path in (ROOT / floor).rglob("*.py")
    ]
    naming = [path for path in code if "truth.jsonl" in path.read_text("utf-8")]
    assert [path.relative_to(ROOT) for path in naming] == [Path("lab/dr/lab/spoiling/truths.py")]
    using = {
        str(path.relative_to(ROOT))
        for path in code
        if re.search(r"dr\.lab\.spoiling|from dr\.lab import .*spoiling", path.read_text("utf-8"))
        and "lab/dr/lab/spoiling" not in str(path)
    }
    assert using == {"cli/dr/cli/commands/lab.py", "lab/dr/lab/__main__.py", "lab/dr/lab/office.py"}


@pytest.mark.parametrize("folder", ["engine", "reconcile", "inventory", "incidents", "backups"])
def test_no_floor_below_the_lab_has_a_word_for_the_truth(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        assert "spoiling" not in path.read_text("utf-8"), path
