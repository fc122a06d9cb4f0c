"""A file that is no file of corrections is refused before any lab is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dr.lab.correcting import correct
from dr.lab.errors import LabUsageError

CASE = {"case": "c", "do": "void", "what": "w", "branch": "b", "fields": [], "ledger": {}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        '{"kind": "dr.runbook", "cases": []}',
        '{"kind": "dr.corrections"}',
        '{"kind": "dr.corrections", "cases": null}',
        '{"kind": "dr.corrections", "cases": [1]}',
        json.dumps({"kind": "dr.corrections", "cases": [CASE]}),  # without the central record
        "\x00\xff",
    ],
)
def test_what_is_no_file_of_corrections_is_told_with_how_to_write_one(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "corrections.json"
    path.write_text(text, "utf-8")
    with pytest.raises(LabUsageError, match="is no file of corrections") as caught:
        correct(tmp_path / "lab", path)
    assert "dr reconcile corrections" in caught.value.hint


@pytest.mark.parametrize("name", ["none.json", "."])
def test_a_file_that_can_not_be_read_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(LabUsageError, match="cannot be read"):
        correct(tmp_path / "lab", tmp_path / name)
