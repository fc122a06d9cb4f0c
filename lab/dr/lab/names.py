"""The people who come to the counters of the lab's branches; none of them lives anywhere."""

from __future__ import annotations

import random

_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华建国文玉梅兰"
_BANKS = ("实验市商业银行", "江河农村信用社", "长城储蓄银行")
RARE = ("䶮", "㐱", "𠅤")
"""Characters of real names that GBK lacks: of Extension A twice, and of Extension B."""
_RARE_SHARE, _SHARED = 0.04, 0.2


def person(chance: random.Random) -> str:
    """Return a name; one in twenty-five has a rare character."""
    given = chance.choice(_GIVEN) + (chance.choice(_GIVEN) if chance.random() < 0.5 else "")  # noqa: PLR2004
    if chance.random() < _RARE_SHARE:
        given = chance.choice(RARE)
    return chance.choice(_SURNAMES) + given


def holder(kind: str, chance: random.Random) -> str:
    """Return who gets the right: a bank for a mortgage, else one owner or two."""
    if kind == "mortgage":
        return chance.choice(_BANKS)
    owners = [person(chance)]
    if chance.random() < _SHARED:
        owners.append(person(chance))
    return "、".join(owners)


def amount(kind: str, chance: random.Random) -> str:
    """Return the price or the sum that is secured, in yuan; a first registration has none."""
    if kind == "first":
        return ""
    return f"{chance.randint(8_000_000, 900_000_000) / 100:.2f}"
