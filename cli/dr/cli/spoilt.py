"""What ``dr lab spoil`` and ``dr lab truth`` say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dr.cli.lines import Line, line
from dr.cli.text import N_, _, language, ngettext
from dr.cli.width import cells, pad

_LEFT = {
    "unknown": N_("what is to be done is nothing that this application can do"),
    "no-number": N_("the branch gives no number"),
    "there": N_("it is in the register already"),
    "form-used": N_("its form carries another record"),
    "nothing": N_("nothing of it can be adjusted here"),
    "gone": N_("the register has no such record"),
}


def kind_plain(kind: Any) -> dict[str, Any]:
    """Return a kind of spoiling as JSON has it."""
    return {"name": kind.name, "title": kind.title.plain(), "count": kind.count}


def kind_lines(kinds: Sequence[Any]) -> list[Line]:
    """List the kinds with how many they spoil when nobody says."""
    width = max(cells(kind.name) for kind in kinds)
    return [
        line(pad(kind.name, width), f"  {kind.count:>4}  ", kind.title.say(language()))
        for kind in kinds
    ]


def spoilt_lines(spoilt: Any) -> list[Line]:
    """Say that something was spoilt, and not what."""
    said = ngettext(
        "spoilt: {what}, batch {batch}, seed {seed}; {count} truth is kept aside",
        "spoilt: {what}, batch {batch}, seed {seed}; {count} truths are kept aside",
        spoilt.truths,
    )
    values = {"what": spoilt.what, "batch": spoilt.batch, "seed": spoilt.seed}
    return [line(said.format(count=spoilt.truths, **values))]


def corrected_lines(done: Any) -> list[Line]:
    """Say what was entered, and what was not and why."""
    count = len(done.entered)
    said = ngettext(
        "{n} correction entered on {host}", "{n} corrections entered on {host}", count
    ).format(n=count, host=done.host)
    left = [
        line(("  " + case, "strong"), "  ", (_(_LEFT[because]), "bad"))
        for case, because in done.left.items()
    ]
    return [line(said), *left]


def truth_lines(truths: Sequence[Any], doubts: Sequence[int]) -> list[Line]:
    """List what must be found, a truth a paragraph: class, branch, key; then the fields."""
    if not truths and not doubts:
        return [line(_("nothing was spoilt"))]
    lines: list[Line] = []
    for truth in truths:
        name = truth.break_class + (f"/{truth.subclass}" if truth.subclass else "")
        key = truth.key or truth.file
        lines.append(line(f"{truth.batch:>3}  ", (name, "strong"), f"  {truth.branch}  {key}"))
        lines += [_field(word, *values) for word, values in truth.fields.items()]
        lines += [line(f"       {word}: {value}") for word, value in truth.detail.items()]
    if doubts:
        numbers = ", ".join(map(str, doubts))
        said = _(
            "batch {numbers} was under way when its process ended: it may have happened or not"
        )
        lines.append(line((said.format(numbers=numbers), "warn")))
    return lines


def _field(word: str, central: str | None, ledger: str | None) -> Line:
    nothing = _("no record")
    values = [nothing if value is None else f"'{value}'" for value in (central, ledger)]
    said = _("{word}: centre {central}, branch {ledger}")
    return line("       ", said.format(word=word, central=values[0], ledger=values[1]))
