"""The statements that change the register, each sure of the very row that it means."""

from __future__ import annotations

from collections.abc import Mapping

from dr.lab.business import COLUMN
from dr.lab.register import Change, quoted
from dr.lab.spoiling.plans import Case
from dr.lab.spoiling.truths import Value

_WITHOUT_RULES = (
    "ALTER TABLE registration DROP CONSTRAINT IF EXISTS registration_slip_once",
    "CREATE INDEX IF NOT EXISTS registration_slip ON registration (branch, slip)",
    "ALTER TABLE certificate DROP CONSTRAINT IF EXISTS certificate_pkey",
    "CREATE INDEX IF NOT EXISTS certificate_serial ON certificate (serial)",
)


def without_rules() -> tuple[Change, ...]:
    """Drop what keeps a register free of doubles, as a merge by hand or a torn index does."""
    return tuple(Change(sql, None) for sql in _WITHOUT_RULES)


def set_fields(case: Case, values: Mapping[str, Value]) -> Change:
    """Change columns of a registration, found by its receipt and its slip."""
    assigned = ", ".join(f"{COLUMN[word]} = {quoted(value)}" for word, value in values.items())
    return Change(f"UPDATE registration SET {assigned} WHERE {this(case)}")  # noqa: S608


def set_serial(case: Case, serial: int) -> Change:
    """Give the certificate of a case another number."""
    where = f"serial = {case.serial} AND receipt_no = {case.receipt}"
    return Change(f"UPDATE certificate SET serial = {serial} WHERE {where}")  # noqa: S608


def delete(case: Case) -> tuple[Change, ...]:
    """Remove a case with everything that hangs on it."""
    hanging = ("certificate", "property_right", "mortgage")
    return (
        *(
            Change(f"DELETE FROM {table} WHERE receipt_no = {case.receipt}", None)  # noqa: S608
            for table in hanging
        ),
        Change(f"DELETE FROM registration WHERE {this(case)}"),  # noqa: S608
    )


def this(case: Case) -> str:
    return f"receipt_no = {case.receipt} AND slip = {quoted(case.central['key'])}"
