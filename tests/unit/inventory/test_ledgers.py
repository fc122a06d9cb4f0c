"""ledgers.yaml: what it says reaches the comparison, and mistakes are told at their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from dr.inventory.ledgers import LedgersFile
from dr.inventory.scaffold import init_workspace
from dr.inventory.snapshot import snapshot
from dr.inventory.strictyaml.reading import read_yaml
from dr.inventory.strictyaml.validation import validate
from dr.inventory.workspace import read_workspace
from dr.reconcile.branch_type import BranchType, Source
from dr.reconcile.shape import Kind, RecordShape, Severity

TEXT = """\
format: 1
records:
  registration:
    query: SELECT * FROM registration
    columns:
      slip: { kind: code, length: 12 }
      amount: { kind: number, empty: ["", "未定"] }
      at: { kind: moment }
    key: slip
    moment: at
    agree: [amount]
    fuzzy: [{ weights: { amount: 1.5 } }]
types:
  office:
    title: { en: Office, zh: 网点 }
    record: registration
    source: xlsx
    zone: "+08:00"
    columns: { slip: 业务编号, amount: 金额 }
    ten_thousands: [amount]
"""


def problems(text: str) -> list[str]:
    _, found = validate(LedgersFile, read_yaml(text, "ledgers.yaml"))
    return [f"{p.message} | {p.hint}" for p in found]


def test_what_init_writes_reaches_the_comparison(tmp_path: Path) -> None:
    init_workspace(tmp_path)
    kept = snapshot(read_workspace(tmp_path))
    shape = RecordShape.of(kept["records"]["registration"])
    assert shape.key == "receipt"
    assert shape.columns[2].kind is Kind.OWNERS
    assert shape.columns[1].severity is Severity.CRITICAL
    kind = BranchType.of("office", kept["branch_types"]["office"])
    assert kind.columns["receipt"] == "受理号"


def test_every_key_is_read_as_it_is_written() -> None:
    file, found = validate(LedgersFile, read_yaml(TEXT, "ledgers.yaml"))
    assert found == []
    assert file is not None
    data = file.model_dump(mode="json", exclude_none=True)
    shape = RecordShape.of(data["records"]["registration"])
    assert shape.columns[0].length == 12
    assert shape.columns[1].empty == ("", "未定")
    assert (shape.fuzzy[0].weights, shape.fuzzy[0].least) == ({"amount": 1.5}, 80.0)
    assert shape.zone.utcoffset(None).total_seconds() == 8 * 3600
    kind = BranchType.of("office", data["types"]["office"])
    assert kind.source is Source.XLSX
    assert kind.ten_thousands == {"amount"}
    assert "已确认" in kind.acknowledged


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("key: slip", "key: slop", "no column is called 'slop' | Did you mean 'slip'?"),
        ("agree: [amount]", "agree: [amont]", "Did you mean 'amount'?"),
        ("record: reg", "record: rag", "which is not declared | Did you mean"),
        ('zone: "+08:00"', "zone: Beijing", "'Beijing' is no offset from UTC"),
        ("source: xlsx", "source: sqlite", "a sqlite needs a query"),
        ("{ slip: 业务编号, amount", "{ amount", "where its key 'slip' is"),
        ("kind: code,", "kind: cod,", "'cod' is not one of"),
        ("moment: at\n", "moment: at\n    colour: red\n", "unknown key 'colour'"),
        ("slip: { kind: code, length: 12 }", '"sl\\"ip": { kind: code }', "pattern"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_what_to_write(right: str, wrong: str, told: str) -> None:
    assert right in TEXT
    assert any(told in problem for problem in problems(TEXT.replace(right, wrong)))
