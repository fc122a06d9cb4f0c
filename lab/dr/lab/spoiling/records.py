"""Spoiling the register: whole records lost, doubled, left half done, or not anybody's."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from dr.engine.core.values import Text
from dr.lab import names
from dr.lab.business import COLUMN
from dr.lab.register import Change, quoted
from dr.lab.spoiling.plans import (
    Case,
    Kind,
    Plan,
    Stand,
    Wish,
    differing,
    interior,
    made_up_slip,
    one_sided,
    pick,
    too_few,
)
from dr.lab.spoiling.statements import delete, this, without_rules
from dr.lab.spoiling.truths import Truth, Value

_AGAIN = timedelta(seconds=1)


def lost_tail(stand: Stand, wish: Wish) -> Plan:
    """Lose the newest cases, as a recovery point does; those without an answer go with them."""
    mine = [case for case in stand.cases if wish.branch in {"", case.branch}]
    if len(mine) < wish.count:
        raise too_few(len(mine), wish.count)
    return _lost(mine[-wish.count :], wish, "rpo_tail")


def lost_holes(stand: Stand, wish: Wish) -> Plan:
    """Lose cases here and there, none of them among the newest."""
    return _lost(pick(interior(stand.cases), wish), wish, "hole")


def _lost(cases: list[Case], wish: Wish, subclass: str) -> Plan:
    truths = tuple(
        Truth(
            wish.what,
            "missing_central",
            case.branch,
            subclass,
            case.key,
            one_sided(case.ledger, central=False),
        )
        for case in cases
    )
    return Plan(truths, tuple(change for case in cases for change in delete(case)))


def double_key(stand: Stand, wish: Wish) -> Plan:
    """Have cases twice under the same slip, all fields alike but the receipt."""
    truths, changes = [], [*without_rules()]
    for case, receipt in zip(pick(stand.cases, wish), stand.receipts, strict=False):
        columns = ", ".join(COLUMN.values())
        changes.append(
            Change(
                f"WITH again AS (INSERT INTO registration (receipt_no, {columns}) "  # noqa: S608
                f"SELECT {receipt}, {columns} FROM registration WHERE {this(case)} "
                "RETURNING receipt_no) "
                "INSERT INTO certificate (serial, receipt_no, parcel_no, issued_at) "
                "SELECT serial, again.receipt_no, parcel_no, issued_at "
                f"FROM certificate AS c, again WHERE c.receipt_no = {case.receipt}"
            )
        )
        fields = differing(case, receipt=str(receipt))
        truths.append(Truth(wish.what, "dup_key_central", case.branch, "", case.key, fields))
    return Plan(tuple(truths), tuple(changes))


def double_business(stand: Stand, wish: Wish) -> Plan:
    """Have cases entered again by hand: new slip, receipt and form, the rest alike."""
    truths, changes = [], []
    for number, (case, receipt) in enumerate(
        zip(pick(stand.cases, wish), stand.receipts, strict=False)
    ):
        at = datetime.fromisoformat(case.central["at"]) + _AGAIN
        record: dict[str, Value] = {
            **case.central,
            "amount": case.central["amount"] or None,
            "key": made_up_slip(case.branch, at, wish, number, 9),
            "at": at.isoformat(timespec="milliseconds"),
            "receipt": str(receipt),
            "certificate": str(stand.blank(case.branch, number + 1)[-1]),
        }
        changes.append(insert(record))
        words = ("key", "receipt", "certificate", "at")
        truths.append(
            Truth(
                wish.what,
                "dup_business",
                case.branch,
                "",
                str(record["key"]),
                differing(case, **{word: record[word] for word in words}),
                detail={"of": case.key, "touched": [case.key]},
            )
        )
    return Plan(tuple(truths), tuple(changes))


def insert(record: Mapping[str, Value]) -> Change:
    """Add a record; with a certificate it is entered and printed, else it stays accepted."""
    words = ("receipt", *COLUMN)
    columns = ", ".join(COLUMN.get(word, "receipt_no") for word in words)
    values = ", ".join(quoted(record[word]) for word in words)
    accepted = f"INSERT INTO registration ({columns}) VALUES ({values})"  # noqa: S608
    if not record["certificate"]:
        return Change(accepted)
    right = (
        "mortgage (parcel_no, receipt_no, creditor, amount)"
        if record["kind"] == "mortgage"
        else "property_right (parcel_no, receipt_no, holder)"
    )
    taken = "holder, amount" if record["kind"] == "mortgage" else "holder"
    return Change(
        f"WITH accepted AS ({accepted} RETURNING receipt_no, parcel_no, holder, amount), "  # noqa: S608
        f"entered AS (INSERT INTO {right} SELECT parcel_no, receipt_no, {taken} FROM accepted) "
        "INSERT INTO certificate (serial, receipt_no, parcel_no) "
        f"SELECT {record['certificate']}, receipt_no, parcel_no FROM accepted"
    )


def extra(stand: Stand, wish: Wish, *, in_flight: bool = False) -> Plan:
    """Have cases at the centre that no branch knows: whole, or accepted and no further."""
    truths, changes = [], []
    for number, (case, receipt) in enumerate(
        zip(pick(stand.cases, wish), stand.receipts, strict=False)
    ):
        chance = random.Random(f"{wish.seed}/{case.key}")  # noqa: S311  no secret
        at = datetime.fromisoformat(case.central["at"]) + _AGAIN
        record: dict[str, Value] = {
            **case.central,
            "key": made_up_slip(case.branch, at, wish, number, 9),
            "at": at.isoformat(timespec="milliseconds"),
            "receipt": str(receipt),
            "holder": names.holder(case.central["kind"], chance),
            "amount": names.amount(case.central["kind"], chance) or None,
            "status": "accepted" if in_flight else "issued",
            "certificate": None if in_flight else str(stand.blank(case.branch, number + 1)[-1]),
        }
        changes.append(insert(record))
        truths.append(
            Truth(
                wish.what,
                "extra_central",
                case.branch,
                "in_flight" if in_flight else "unknown",
                str(record["key"]),
                one_sided(record, central=True),
            )
        )
    return Plan(tuple(truths), tuple(changes))


KINDS = (
    Kind("lost-tail", Text("the newest records are lost", "丢失最新的记录"), lost_tail),
    Kind(
        "lost-holes",
        Text("older records are lost here and there", "零散丢失较早的记录"),
        lost_holes,
    ),
    Kind(
        "double-key",
        Text("records are there twice under one slip", "同一流水号的记录重复"),
        double_key,
        receipts=True,
    ),
    Kind(
        "double-business",
        Text(
            "business is entered again under a new receipt and form",
            "同一业务以新受理号、新证号重复录入",
        ),
        double_business,
        receipts=True,
    ),
    Kind(
        "in-flight",
        Text(
            "records are accepted and no further; no branch knows them",
            "记录停在受理状态，网点无此业务",
        ),
        partial(extra, in_flight=True),
        count=2,
        receipts=True,
    ),
    Kind(
        "extra",
        Text("whole records are there that no branch knows", "中心有网点没有的完整记录"),
        extra,
        count=2,
        receipts=True,
    ),
)
