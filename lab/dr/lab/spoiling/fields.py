"""Spoiling records of the register: fields changed, moments swapped, the wrong branch."""

from __future__ import annotations

import random
from decimal import Decimal
from functools import partial

from dr.engine.core.values import Text
from dr.lab import names
from dr.lab.spoiling.plans import (
    Case,
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
from dr.lab.spoiling.statements import set_fields, set_serial
from dr.lab.spoiling.truths import Truth

_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def _changed(stand: Stand, wish: Wish, word: str) -> Plan:
    """Change one field of each case that has it."""
    cases = pick([case for case in stand.cases if case.central[word]], wish)
    truths, changes = [], []
    for number, case in enumerate(cases):
        value = _other_value(stand, wish, case, word, number)
        if word == "certificate":
            changes.append(set_serial(case, int(value)))
        else:
            changes.append(set_fields(case, {word: value}))
        fields = differing(case, **{word: value})
        truths.append(Truth(wish.what, "field_diff", case.branch, "", case.key, fields))
    return Plan(tuple(truths), tuple(changes))


def _other_value(stand: Stand, wish: Wish, case: Case, word: str, number: int) -> str:
    old = case.central[word]
    chance = random.Random(f"{wish.seed}/{case.key}")  # noqa: S311  no secret
    match word:
        case "parcel":
            return order({one.central["parcel"] for one in stand.cases} - {old}, wish)[number]
        case "amount":
            # a slipped decimal point, or a cent
            return str(Decimal(old) * 10 if number % 2 == 0 else Decimal(old) + Decimal("0.01"))
        case "certificate":
            return str(stand.blank(case.branch, number + 1)[-1])
        case "status":
            return "registered"
        case _:
            return next(name for name in iter(partial(names.person, chance), "") if name not in old)


def field_of(word: str) -> Planner:
    """Return the planner that changes ``word``."""
    return partial(_changed, word=word)


def field_format(stand: Stand, wish: Wish) -> Plan:
    """Write the same in another way: full-width digits, wide spaces, full-width letters."""
    truths, changes = [], []
    for number, case in enumerate(pick(stand.cases, wish)):
        word = ("key", "holder", "clerk")[number % 3]
        old = case.central[word]
        new = f"{old[:1]}\u3000{old[1:]} " if word == "holder" else old.translate(_FULL_WIDTH)
        changes.append(set_fields(case, {word: new}))
        fields = differing(case, **{word: new})
        truths.append(Truth(wish.what, "format_only", case.branch, "", case.key, fields))
    return Plan(tuple(truths), tuple(changes))


def other_branch(stand: Stand, wish: Wish) -> Plan:
    """File cases under another branch."""
    truths, changes = [], []
    for case in pick(stand.cases, wish):
        values = {"branch": stand.other(case.branch)}
        changes.append(set_fields(case, values))
        fields = differing(case, **values)
        truths.append(Truth(wish.what, "cross_branch", case.branch, "", case.key, fields))
    return Plan(tuple(truths), tuple(changes))


def neighbours(stand: Stand, wish: Wish) -> list[tuple[Case, Case]]:
    """Return pairs of cases that a branch accepted one after the other; no case is in two."""
    after: dict[str, tuple[Case, Case]] = {}
    last: dict[str, Case] = {}
    for case in stand.cases:
        if case.branch in last:
            before = last[case.branch]
            after[before.key] = (before, case)
        last[case.branch] = case
    pairs: list[tuple[Case, Case]] = []
    used: set[str] = set()
    for key in order((k for k, (a, _) in after.items() if wish.branch in {"", a.branch}), wish):
        first, second = after[key]
        if not used & {first.key, second.key}:
            pairs.append((first, second))
            used |= {first.key, second.key}
    if len(pairs) < wish.count:
        raise too_few(len(pairs), wish.count)
    return pairs[: wish.count]


def moments_swapped(stand: Stand, wish: Wish) -> Plan:
    """Let pairs of neighbours have each other's moment of acceptance: the order is wrong."""
    truths, changes = [], []
    for first, second in neighbours(stand, wish):
        for case, other in ((first, second), (second, first)):
            values = {"at": other.central["at"]}
            changes.append(set_fields(case, values))
            truths.append(
                Truth(
                    wish.what,
                    "field_diff",
                    case.branch,
                    "order",
                    case.key,
                    differing(case, **values),
                    detail={"with": other.key},
                )
            )
    return Plan(tuple(truths), tuple(changes))


KINDS = (
    Kind(
        "field-parcel",
        Text("records name another parcel", "宗地号被改"),
        field_of("parcel"),
    ),
    Kind(
        "field-holder",
        Text("records name another holder", "权利人被改"),
        field_of("holder"),
    ),
    Kind(
        "field-amount",
        Text("records have another amount", "金额被改"),
        field_of("amount"),
    ),
    Kind(
        "field-status",
        Text("records have another status", "状态被改"),
        field_of("status"),
    ),
    Kind(
        "field-serial",
        Text("records have another certificate number", "证号被改"),
        field_of("certificate"),
    ),
    Kind(
        "field-format",
        Text(
            "fields are written otherwise and mean the same: full-width digits, spaces",
            "内容相同、写法不同（全角数字、空格）",
        ),
        field_format,
    ),
    Kind(
        "moments-swapped",
        Text("pairs of records have each other's moment of acceptance", "相邻记录的受理时间互换"),
        moments_swapped,
        count=2,
    ),
    Kind(
        "other-branch",
        Text("records are filed under another branch", "记录登记在别的网点名下"),
        other_branch,
    ),
)
