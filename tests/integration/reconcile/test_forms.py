"""The register of forms against a real database, with numbers as they are printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from dr.engine.actions.branch_comparison import Bureau
from dr.engine.actions.postgres.service import Database, Service
from dr.engine.core.values import Secret
from dr.engine.service.forms import forms_of, range_of
from dr.inventory.serial_blocks import read_serial_blocks
from dr.reconcile.relation import Relation
from dr.reconcile.serials import FormState, SerialFindings, SerialRegister, audit
from dr.reconcile.session import Session
from dr.reconcile.shape import RecordShape
from tests.reconcile_corpus import WINDOW

pytestmark = pytest.mark.postgres

QUERY = "SELECT branch, key, serial, at FROM used"
RECORD: dict[str, Any] = {
    "columns": {"key": {"kind": "code"}, "serial": {"kind": "code"}, "at": {"kind": "moment"}},
    "key": "key",
    "moment": "at",
    "serial": "serial",
    "query": QUERY,
}
LETTERS = """branch,first,last,kind,on,note
a,赣0000101,赣0000200,issued,,
a,赣0000105,赣0000106,void,,
a,赣0000191,赣0000200,stolen,,
b,粤0000101,粤0000200,issued,,
"""


def blocks_in(folder: Path, text: str) -> list[dict[str, Any]]:
    path = folder / "serial-blocks.csv"
    path.write_text(text, "utf-8")
    blocks, problems = read_serial_blocks(path, path.name)
    assert problems == []
    return blocks


class Central:
    """A database whose records are a branch and a form, and the bureau that compares with it."""

    def __init__(self, wire: psycopg.Connection[Any], kind: str, blocks: list[Any]) -> None:
        self.wire, self.blocks = wire, blocks
        wire.execute(
            f"CREATE TABLE used (branch text, key text, serial {kind}, at timestamptz)".encode()
        )
        service = Service("registry", (), Database(wire.info.dbname))
        reader = {"database": {"reader": {"user": wire.info.user}}}
        inventory = {
            "serial_blocks": blocks,
            "records": {"work": RECORD},
            "services": {"registry": reader},
            "hosts": {"db": {"address": wire.info.host}},
        }
        self.bureau = Bureau(inventory, service, lambda _: Secret("", ""))

    def use(self, branch: str, *serials: str) -> None:
        for number, serial in enumerate(serials):
            self.wire.execute(
                "INSERT INTO used VALUES (%s, %s, %s, %s)",
                (branch, f"{branch}-{number}", serial, WINDOW.since),
            )

    def counted(self) -> dict[str, tuple[int | None, int | None]]:
        """Return of every branch how many forms were used, and how many stolen ones."""
        used = self.bureau.used_forms("db", [range_of(block) for block in self.blocks])
        return {f.branch: (f.used, f.stolen_used) for f in forms_of(self.blocks, None, used)}

    def audited(self) -> SerialFindings:
        relation = Relation.open(self.wire, QUERY, RecordShape.of(RECORD))
        register = self.bureau.register() or SerialRegister()
        return audit(relation, Session("s1", WINDOW), register, windowed=False)


def test_forms_with_letters_and_leading_zeros_are_counted(
    wire: psycopg.Connection[Any], tmp_path: Path
) -> None:
    central = Central(wire, "text", blocks_in(tmp_path, LETTERS))
    central.use("a", "赣0000101", "赣0000102", "赣0000195", "without a number")
    central.use("b", "粤0000101")
    assert central.counted() == {"a": (3, 1), "b": (1, 0)}


def test_a_void_or_stolen_form_with_letters_is_found_where_it_was_used(
    wire: psycopg.Connection[Any], tmp_path: Path
) -> None:
    central = Central(wire, "text", blocks_in(tmp_path, LETTERS))
    central.use("a", "赣0000104", "赣0000105", "赣0000195")
    central.use("b", "粤0000101", "赣0000150")
    found = central.audited()
    assert {(s, state) for _, _, s, state in found.not_usable} == {
        ("赣0000105", FormState.VOID), ("赣0000195", FormState.STOLEN),
    }  # fmt: skip
    assert [(branch, serial) for branch, _, serial in found.out_of_block] == [("b", "赣0000150")]


def test_a_database_of_bare_numbers_is_compared_by_number(
    wire: psycopg.Connection[Any], tmp_path: Path
) -> None:
    central = Central(wire, "bigint", blocks_in(tmp_path, LETTERS))
    central.use("a", "104", "105", "195")
    found = central.audited()
    assert {(s, state) for _, _, s, state in found.not_usable} == {
        ("105", FormState.VOID), ("195", FormState.STOLEN),
    }  # fmt: skip
    assert found.out_of_block == ()
    assert central.counted()["a"] == (3, 1)


def test_a_form_of_another_branch_opens_no_gap_over_the_stock_that_is_left(
    wire: psycopg.Connection[Any], tmp_path: Path
) -> None:
    text = "branch,first,last,kind\na,1,50000,issued\nb,60001,70000,issued\n"
    central = Central(wire, "bigint", blocks_in(tmp_path, text))
    central.use("a", "1", "2", "4", "60002")
    central.use("b", "60001")
    found = central.audited()
    assert [(branch, serial) for branch, _, serial in found.out_of_block] == [("a", "60002")]
    assert [(branch, str(gap)) for branch, gap in found.gaps] == [("a", "3")]


@pytest.mark.parametrize("kind", ["text", "bigint"])
@pytest.mark.parametrize(
    "missing",
    [(999,), (1000,), (998, 999), (999, 1000), (1999, 2000), (1500,), (2, 999, 1000, 2999)],
)
def test_a_gap_at_the_edge_of_what_is_proven_together_is_found(
    wire: psycopg.Connection[Any], kind: str, missing: tuple[int, ...]
) -> None:
    central = Central(wire, kind, [])
    printed = "i" if kind == "bigint" else "'X' || lpad(i::text, 6, '0')"
    numbers_used = f"""INSERT INTO used SELECT 'a', 'a-' || i, {printed}, %s
        FROM generate_series(1, 3500) AS i WHERE i <> ALL (%s)"""  # noqa: S608 - our own words
    wire.execute(numbers_used.encode(), (WINDOW.since, list(missing)))
    numbers = {gap.first + n for _, gap in central.audited().gaps for n in range(gap.count)}
    assert numbers == set(missing)


def test_a_number_too_long_for_the_centre_does_not_stop_the_audit(
    wire: psycopg.Connection[Any],
) -> None:
    central = Central(wire, "bigint", [])
    central.use("a", "1", "2", "4")
    relation = Relation.open(wire, QUERY, RecordShape.of(RECORD))
    explained = [("a", "12345678901234567890"), ("a", "３")]  # noqa: RUF001
    found = audit(relation, Session("s1", WINDOW), SerialRegister(), explained, windowed=False)
    assert [(branch, str(gap)) for branch, gap in found.gaps] == [("a", "3")]


def test_a_double_of_a_number_without_leading_zeros_is_found_at_another_branch(
    wire: psycopg.Connection[Any],
) -> None:
    central = Central(wire, "text", [])
    central.use("a", *(f"A{n}" for n in range(998, 1002)))
    central.use("b", "A999")
    assert [each.serial for each in central.audited().doubled] == ["A999"]
