"""Spoiling certificate numbers.  In most of these both sides agree, so that no comparison of one
with the other can see it: only the register of numbered forms can."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from dr.engine.core.values import Text
from dr.lab.blocks import BlockKind, blocks_of
from dr.lab.errors import LabUsageError
from dr.lab.register import Change
from dr.lab.spoiling.fields import neighbours
from dr.lab.spoiling.plans import (
    Case,
    Edit,
    Kind,
    Plan,
    Planner,
    Stand,
    Wish,
    differing,
    order,
    pick,
    too_few,
)
from dr.lab.spoiling.statements import delete, set_serial, without_rules
from dr.lab.spoiling.truths import Truth


def _edits(pairs: Iterable[tuple[Case, Edit]]) -> dict[str, tuple[Edit, ...]]:
    edits: dict[str, tuple[Edit, ...]] = {}
    for case, edit in pairs:
        edits[case.branch] = (*edits.get(case.branch, ()), edit)
    return edits


def _serial(
    wish: Wish, break_class: str, case: Case, serial: int, subclass: str = "", *others: Case
) -> Truth:
    touched = [case.key, *(other.key for other in others)]
    detail = {"touched": touched, "branches": [c.branch for c in (case, *others)]}
    return Truth(
        wish.what,
        break_class,
        case.branch,
        subclass,
        str(serial),
        {"certificate": (str(serial), str(serial))} if break_class != "serial_gap" else {},
        where="both",
        detail=detail,
    )


def gap(stand: Stand, wish: Wish) -> Plan:
    """Remove cases on both sides: all that is left of them is a number that nobody used."""
    cases: list[Case] = []
    for case in _ranked(_inner(stand), wish):
        if all(abs(case.serial - other.serial) > 1 for other in cases):
            cases.append(case)
    if len(cases) < wish.count:
        raise too_few(len(cases), wish.count)
    cases = cases[: wish.count]
    return Plan(
        tuple(_serial(wish, "serial_gap", case, case.serial) for case in cases),
        tuple(change for case in cases for change in delete(case)),
        _edits((case, Edit(case.key, remove=True)) for case in cases),
    )


def _ranked(cases: Sequence[Case], wish: Wish) -> list[Case]:
    by_key = {case.key: case for case in cases if wish.branch in {"", case.branch}}
    return [by_key[key] for key in order(by_key, wish)]


def _inner(stand: Stand) -> list[Case]:
    """Return the cases whose form lies between two used ones: a missing one is a gap."""
    return [
        case
        for case in stand.cases
        if {case.serial - 1, case.serial + 1} <= stand.used and _own(case, case.serial)
    ]


def _own(case: Case, serial: int) -> bool:
    return any(serial in block for block in blocks_of(case.branch))


def twice(stand: Stand, wish: Wish) -> Plan:
    """Let a case of one branch have the number of another branch's, on both sides."""
    takers = pick(_inner(stand), wish)
    givers = [case for case in stand.cases if case not in takers]
    truths: list[Truth] = []
    changes = [*without_rules()]
    edits: list[tuple[Case, Edit]] = []
    for taker in takers:
        giver = next(
            (c for c in _ranked(givers, _anywhere(wish)) if c.branch != taker.branch), None
        )
        if giver is None:
            raise LabUsageError(
                "a number is used at two branches only when there are two",
                hint="Bring a lab up with --branches 2 or more.",
            )
        givers.remove(giver)
        truths.append(_serial(wish, "serial_dup", taker, giver.serial, "", giver))
        truths.append(_serial(wish, "serial_out_of_block", taker, giver.serial))
        truths.append(_serial(wish, "serial_gap", taker, taker.serial))
        changes.append(set_serial(taker, giver.serial))
        edits.append((taker, _renumbered(taker, giver.serial)))
    return Plan(tuple(truths), tuple(changes), _edits(edits))


def _anywhere(wish: Wish) -> Wish:
    return Wish(wish.what, wish.count, wish.seed, wish.batch)


def _renumbered(case: Case, serial: int) -> Edit:
    return Edit(case.key, {"certificate_serial": str(serial)})


def _moved(stand: Stand, wish: Wish, break_class: str, kind: BlockKind | None) -> Plan:
    """Give cases numbers that their branch may not use, on both sides."""
    truths: list[Truth] = []
    changes: list[Change] = []
    edits: list[tuple[Case, Edit]] = []
    taken: set[int] = set()
    for case in pick(_inner(stand), wish):
        serial = next((s for s in _forbidden(stand, case, kind) if s not in taken), None)
        if serial is None:
            raise too_few(len(edits), wish.count)
        taken.add(serial)
        truths.append(_serial(wish, break_class, case, serial, str(kind or "")))
        truths.append(_serial(wish, "serial_gap", case, case.serial))
        changes.append(set_serial(case, serial))
        edits.append((case, _renumbered(case, serial)))
    return Plan(tuple(truths), tuple(changes), _edits(edits))


def _forbidden(stand: Stand, case: Case, kind: BlockKind | None) -> list[int]:
    if kind is None:
        return stand.blank(stand.other(case.branch), 1000)
    [block] = [block for block in blocks_of(case.branch) if block.kind is kind]
    return [s for s in range(block.first, block.last + 1) if s not in stand.serials]


def moved(break_class: str, kind: BlockKind | None = None) -> Planner:
    """Return the planner that uses forms of another branch, or void or stolen ones."""
    return partial(_moved, break_class=break_class, kind=kind)


def swapped(stand: Stand, wish: Wish) -> Plan:
    """Let pairs of neighbours have each other's certificate at the centre."""
    truths: list[Truth] = []
    changes: list[Change] = []
    for first, second in neighbours(stand, wish):
        aside = Change(
            f"UPDATE certificate SET serial = -{first.serial} "  # noqa: S608
            f"WHERE serial = {first.serial} AND receipt_no = {first.receipt}"
        )
        back = Change(
            f"UPDATE certificate SET serial = {second.serial} "  # noqa: S608
            f"WHERE serial = -{first.serial}"
        )
        changes += [aside, set_serial(second, first.serial), back]
        for case, other in ((first, second), (second, first)):
            fields = differing(case, certificate=str(other.serial))
            truths.append(
                Truth(
                    wish.what,
                    "serial_swap",
                    case.branch,
                    "",
                    case.key,
                    fields,
                    detail={"with": other.key},
                )
            )
    return Plan(tuple(truths), tuple(changes))


KINDS = (
    Kind(
        "serial-gap",
        Text(
            "records vanish on both sides; only the forms' numbers are missing",
            "两侧记录都消失，只剩证号缺号",
        ),
        gap,
    ),
    Kind(
        "serial-twice",
        Text("numbers of forms are used at two branches", "同一证号在两个网点使用"),
        twice,
        count=2,
    ),
    Kind(
        "serial-outside",
        Text("forms of another branch's block are used", "使用了别的网点的证书号段"),
        moved("serial_out_of_block"),
        count=2,
    ),
    Kind(
        "serial-stolen",
        Text("forms that were reported stolen are used", "使用了已报失窃的证书"),
        moved("serial_void", BlockKind.STOLEN),
        count=2,
    ),
    Kind(
        "serial-void",
        Text("forms that were void are used", "使用了已作废的证书"),
        moved("serial_void", BlockKind.VOID),
        count=1,
    ),
    Kind(
        "serials-swapped",
        Text("pairs of records have each other's certificate number", "相邻记录的证号互换"),
        swapped,
        count=2,
    ),
)
