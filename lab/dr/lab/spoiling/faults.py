"""Writing down what faults did by themselves: nothing is spoilt, both sides are looked at.

After a fault and a recovery the branches' books and the register differ already.  Whoever spoils
more, or compares, wants to know of both: these truths stand beside the others.
"""

from __future__ import annotations

import unicodedata

from dr.engine.core.values import Text
from dr.lab.spoiling.plans import Kind, Plan, Row, Stand, Wish, one_sided
from dr.lab.spoiling.truths import Truth

_FAULT = "fault"


def as_found(stand: Stand, wish: Wish) -> Plan:
    """Return the differences that are there, but for what was spoilt on purpose."""
    lines = {line["key"]: line for book in stand.books.values() for line in book.words()}
    truths = [
        truth
        for key, line in lines.items()
        if key not in stand.touched and wish.branch in {"", line["branch"]}
        for truth in _of_line(wish, line, stand.central.get(key))
    ]
    for key, row in stand.central.items():
        means = unicodedata.normalize("NFKC", key)
        if {key, means} & (lines.keys() | stand.touched) or row["branch"] not in stand.books:
            continue
        if wish.branch in {"", row["branch"]}:
            fields = one_sided({**row, "amount": row["amount"] or None}, central=True)
            truths.append(
                Truth(wish.what, "extra_central", row["branch"], "unknown", key, fields, detail={})
            )
    return Plan(tuple(truths))


def _of_line(wish: Wish, line: Row, row: Row | None) -> list[Truth]:
    """Return what is wrong with a line: nothing, unless its end is not what the office thinks."""
    found = {
        ("acknowledged", False): ("missing_central", _FAULT),
        ("unknown", False): ("in_flight", "not_arrived"),
        ("unknown", True): ("in_flight", "arrived"),
        ("failed", True): ("extra_central", "refused"),
    }.get((line["outcome"], row is not None))
    if found is None:
        return []
    fields = one_sided(line, central=False) if row is None else {}
    return [Truth(wish.what, found[0], line["branch"], found[1], line["key"], fields)]


KINDS = (
    Kind(
        "faults",
        Text("nothing; what faults did is written down", "不破坏任何内容；记下故障造成的差异"),
        as_found,
        count=1,
    ),
)
