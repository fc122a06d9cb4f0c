"""What an amendment would change, as lines: for whoever proposes it and for whoever signs it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dr.cli.gate_screen import GatePage, answer_lines, code_lines, where_lines
from dr.cli.lines import Line, line
from dr.cli.text import N_, _
from dr.cli.width import wrap
from dr.cli.words import known, say

_MOST_CHARS = 300
"""How much of one value is shown; --json has all of it."""

_HEADS = (
    ("added", "+", "good", N_("steps added")),
    ("removed", "-", "bad", N_("steps removed")),
    ("changed", "~", "warn", N_("steps changed")),
)
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def draw_amendment(page: GatePage) -> list[Line]:
    """Return the page that an approver of an amendment reads."""
    question = page.asked.question
    asks = wrap(say(question.asks), page.width)
    lines = [*where_lines(page), (), *(line((part, "strong")) for part in asks), ()]
    proposal = page.view.proposal or {}
    lines += [*diff_lines(proposal.get("diff") or {}, page.width), ()]
    lines.append(line(_("What has begun stays as it began. If you reject: the plan stays.")))
    return [*lines, *answer_lines(page), *code_lines(question)]


def diff_lines(diff: Mapping[str, Any], width: int) -> list[Line]:
    """Return what differs: steps, inputs, inventory and the head of the runbook."""
    lines: list[Line] = []
    steps = diff.get("steps") or {}
    for kind, sign, style, head in _HEADS:
        if steps.get(kind):
            lines.append(line((_(head), "strong")))
        for step in steps.get(kind) or ():
            lines += _step(step, sign, style, width)
    for name, head in (("inputs", N_("inputs")), ("runbook", N_("runbook"))):
        if diff.get(name):
            lines.append(line((_(head), "strong")))
            lines += _pairs(diff[name], width, "  ~ ")
    if diff.get("inventory"):
        lines.append(line((_("inventory"), "strong")))
    for entry in diff.get("inventory") or ():
        lines += _entry(entry, width)
    return lines


def _step(step: Mapping[str, Any], sign: str, style: str, width: int) -> Iterator[Line]:
    hosts = f" @ {_value(step['hosts'])}" if step.get("hosts") is not None else ""
    words = f"{step['id']}  {say(step.get('title'))}  [{step.get('uses') or 'try'}{hosts}]"
    for part in wrap(words, width, first=f"  {sign} ", rest="      "):
        yield line((part, style))
    yield from _pairs(step.get("keys") or {}, width, "      ")


def _entry(entry: Mapping[str, Any], width: int) -> Iterator[Line]:
    sign, how = _SIGNS.get(str(entry["how"]), "~"), known(_HOW, str(entry["how"]))
    yield from _wrapped(f"{entry['section']}: {entry['name']} ({how})", width, f"  {sign} ")
    yield from _pairs(entry.get("keys") or {}, width, "      ")


_HOW = {"added": N_("added"), "removed": N_("removed"), "changed": N_("changed")}


def _pairs(pairs: Mapping[str, Any], width: int, first: str) -> Iterator[Line]:
    for name, pair in pairs.items():
        named = f"{name}: " if name else ""
        yield from _wrapped(f"{named}{_value(pair['old'])} → {_value(pair['new'])}", width, first)


def _wrapped(text: str, width: int, first: str) -> Iterator[Line]:
    for part in wrap(text, width, first=first, rest="        "):
        yield line(part)


def _value(value: Any) -> str:
    if value is None:
        return _("nothing")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST_CHARS else text[:_MOST_CHARS] + "…"
