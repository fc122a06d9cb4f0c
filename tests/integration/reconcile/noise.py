"""Ways of writing that mean the same: what branches hand in, none of it a break."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime

_WIDE = {**{i: i + 0xFEE0 for i in range(0x21, 0x7F)}, 0x20: 0x3000}


def noisy(chance: random.Random, share: float = 0.5) -> Callable[[tuple[str, ...]], list[str]]:
    """Return what writes a line of a ledger untidily, in the order of the corpus's columns."""

    def write(values: tuple[str, ...]) -> list[str]:
        slip, receipt, parcel, holder, amount, status, serial, revision, at = values
        cells = [
            _code(chance, slip), _code(chance, receipt), _code(chance, parcel),
            _owners(chance, holder), _amount(chance, amount), _status(chance, status),
            _code(chance, serial), revision, _moment(chance, at),
        ]  # fmt: skip
        return [c if chance.random() < share else v for c, v in zip(cells, values, strict=True)]

    return write


def _code(chance: random.Random, text: str) -> str:
    return chance.choice(
        [
            text.translate(_WIDE),
            f" {text}\u3000",
            f"\ufeff{text}\u200b",
            text.lower(),
            text.replace("-", "—"),
            f'="{text}"',
            f"{text[:4]} {text[4:]}",
        ]
    )


def _owners(chance: random.Random, text: str) -> str:
    names = text.split("、")
    chance.shuffle(names)
    return chance.choice(["，", "；", " 、", "/", ","]).join(f" {name}" for name in names)


def _amount(chance: random.Random, text: str) -> str:
    whole = text.removesuffix(".00")
    return chance.choice([f"{float(text):,.2f}", f"￥{text}", f"{text}元", whole, f"{text}00",
                          text.translate(_WIDE), f"人民币{text}"])  # fmt: skip


def _status(chance: random.Random, text: str) -> str:
    words = {"registered": "已登簿", "accepted": "受理", "voided": "作废"}
    return chance.choice([words[text], f"{words[text]}\u3000"])


def _moment(chance: random.Random, text: str) -> str:
    at = datetime.fromisoformat(text)
    return chance.choice(
        [
            f"{at.year}/{at.month}/{at.day} {at.hour}:{at:%M:%S}",
            f"{at.year}年{at.month}月{at.day}日{at.hour}时{at:%M}分{at:%S}秒",
            f"{at:%Y%m%d%H%M%S}",
            f"{at:%Y-%m-%dT%H:%M:%S}+08:00",
            f"{at:%Y-%m-%d %H:%M:%S}.000",
        ]
    )
