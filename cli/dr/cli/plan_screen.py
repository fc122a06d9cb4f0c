"""A plan as lines: what would happen, in which order, how long it takes and what is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dr.cli.lines import Line, Span, line
from dr.cli.reasons import say_reason
from dr.cli.text import _
from dr.cli.width import cells, column, pad, wrap
from dr.cli.words import PHASE_WORDS, amount, environment_word, known, loss, mode_word, say, seconds

_MARKS: Mapping[str, str] = {
    "+": "busy",
    "=": "good",
    "?": "warn",
    "!": "bad",
    "@": "warn",
    "-": "dim",
}

Data = Mapping[str, Any]


def draw_plan(plan: Data, *, kind: str, width: int = 80, details: bool = False) -> list[Line]:
    """Return the lines of a plan.

    Args:
        plan: what ``Plan.to_data`` of the service returns.
        kind: lab, staging or production.
        details: also what each step would do, command by command.
    """
    lines = [*head(plan, kind), ()]
    wave, phase = None, None
    name_cells = max((cells(str(s["id"])) for s in plan["steps"]), default=0)
    for step in plan["steps"]:
        if step.get("phase") and step["phase"] != phase:
            phase = step["phase"]
            lines.append(line((known(PHASE_WORDS, str(phase)), "strong")))
        new_wave = step.get("wave") != wave
        wave = step.get("wave")
        lines += _step(step, name_cells, width, new_wave=new_wave, details=details)
    return [*lines, (), *_legend(width), *_foot(plan, width)]


def head(plan: Data, kind: str) -> list[Line]:
    """Return where the plan is for, its inputs, objectives and hash."""
    word, style = environment_word(kind, str(plan.get("environment", "")))
    inputs = "  ".join(f"{k}={amount(v)}" for k, v in (plan.get("inputs") or {}).items())
    drill = mode_word(str(plan.get("mode", "")))
    first = [Span(f" {word} ", style)]
    if drill:
        first += [Span(" "), Span(f" {drill} ", "warn")]
    lines = [line(*first, (f" {plan['runbook']}", "strong"), f"  {inputs}")]
    objectives = plan.get("objectives") or {}
    words = _("objectives: RTO {rto}, RPO {rpo}").format(
        rto=seconds(objectives.get("rto_s")), rpo=seconds(objectives.get("rpo_s"))
    )
    return [*lines, line(words, ("  " + _("plan {hash}").format(hash=_short(plan)), "dim"))]


def _short(plan: Data) -> str:
    return str(plan.get("hash", ""))[:12] or _("unknown")


def _step(step: Data, name_cells: int, width: int, *, new_wave: bool, details: bool) -> list[Line]:
    sign = str(step["mark"])
    number = str(step["wave"]) if new_wave and step.get("wave") is not None else ""
    times = _times(step)
    hosts = _hosts(step)
    fixed = 3 + 1 + 2 + name_cells + 2
    room = max(12, width - fixed - cells(times) - 1)
    title = " ".join(part for part in (say(step.get("title")), hosts) if part)
    lines = [
        line(
            column(number, 3),
            " ",
            (sign, _MARKS.get(sign, "")),
            " ",
            (pad(str(step["id"]), name_cells), "strong"),
            "  ",
            column(title, room),
            " ",
            (times, "dim"),
        )
    ]
    indent = " " * 8
    # of a ladder that can run it only says which rung is proposed, as its rungs do below
    if step.get("because") and not (step.get("rungs") and sign == "+"):
        lines += _note(_reason(step["because"]), width, indent, _MARKS.get(sign, ""))
    if step.get("gate"):
        lines += _gate(step["gate"], width, indent)
    for rung in step.get("rungs") or ():
        lines += _rung(rung, width)
    if details:
        for words in step.get("describes") or ():
            lines += _note(f"$ {words}", width, indent, "dim")
        for number_of, batch in enumerate(step.get("batches") or (), start=1):
            text = _("batch {n}: {hosts}").format(n=number_of, hosts=", ".join(batch))
            lines += _note(text, width, indent, "dim")
    return lines


def _reason(because: object) -> str:
    return say_reason(because)


def _note(text: str, width: int, indent: str, style: str = "") -> list[Line]:
    return [line((part, style)) for part in wrap(text, width, first=indent, rest=indent + "  ")]


def _times(step: Data) -> str:
    if step.get("mark") == "-":
        return ""
    p50, p90 = step.get("p50_s"), step.get("p90_s")
    if p50 is None and p90 is None:
        return _("unknown")
    return f"{seconds(p50)}/{seconds(p90)}"


def _hosts(step: Data) -> str:
    hosts: Sequence[str] = step.get("hosts") or ()
    most = 2
    if not hosts:
        return ""
    if len(hosts) > most:
        return "@ " + _("{n} hosts").format(n=len(hosts))
    return "@ " + ", ".join(hosts)


def gate_words(gate: Data) -> str:
    """Return whom a gate asks, how many are needed, and who that is today."""
    today = gate.get("who_today")
    who = ", ".join(map(str, today)) if today else _("nobody")
    return _("asks {group}, {quorum} needed; today: {who}").format(
        group=gate.get("approvers") or "?", quorum=gate.get("quorum", 1), who=who
    )


def _gate(gate: Data, width: int, indent: str) -> list[Line]:
    return _note(gate_words(gate), width, indent, "" if gate.get("who_today") else "bad")


def _rung(rung: Data, width: int) -> list[Line]:
    sign = "*" if rung.get("proposed") else "-"
    available = rung.get("available")
    if available is False:
        sign = "!"
    head: list[Span] = [
        Span("      "),
        Span(f"{sign} {rung['name']}", "strong" if rung.get("proposed") else ""),
    ]
    if say(rung.get("title")):
        head.append(Span(f"  {say(rung.get('title'))}"))
    if rung.get("proposed"):
        head.append(Span("  " + _("(proposed)"), "good"))
    lines: list[Line] = [tuple(head)]
    indent = " " * 10
    if available is False:
        because = _reason(rung.get("because") or "") or _("unknown")
        return lines + _note(
            _("not available: {because}").format(because=because), width, indent, "dim"
        )
    text = _("data loss {loss}, time {p50} (P50) / {p90} (P90)").format(
        loss=loss(rung.get("loss_s"), is_known=bool(rung.get("loss_known"))),
        p50=seconds(rung.get("p50_s")),
        p90=seconds(rung.get("p90_s")),
    )
    lines += _note(text, width, indent)
    if available is not True:
        # only a plan that asked no host leaves this open
        text = _("availability unknown until the hosts are asked")
        lines += _note(text, width, indent, "warn")
    if say(rung.get("basis")):
        text = _("basis: {basis}").format(basis=say(rung.get("basis")))
        lines += _note(text, width, indent, "dim")
    return lines


def _legend(width: int) -> list[Line]:
    text = _(
        "+ would run  = already done  ? unknown until then  ! can not  @ waits for people  "
        "- skipped"
    )
    rows: list[str] = []
    for part in text.split("  "):  # a mark stays on the line of its word
        if rows and cells(rows[-1]) + 2 + cells(part) <= width:
            rows[-1] += f"  {part}"
        else:
            rows.append(part)
    return [line((row, "dim")) for row in rows]


def _foot(plan: Data, width: int) -> list[Line]:
    path = ", ".join(map(str, plan.get("critical_path") or ())) or "-"
    lines = [
        line(part)
        for part in wrap(_("critical path: {steps}").format(steps=path), width, rest="  ")
    ]
    rto = (plan.get("objectives") or {}).get("rto_s")
    total = _("whole run: {p50} (P50), {p90} (P90), approvals excluded").format(
        p50=seconds(plan.get("p50_s")), p90=seconds(plan.get("p90_s"))
    )
    lines.append(line(total))
    unmeasured = ", ".join(map(str, plan.get("unmeasured") or ()))
    if unmeasured:
        text = _("nobody knows how long these take: {steps}").format(steps=unmeasured)
        lines += [line((part, "dim")) for part in wrap(text, width, rest="  ")]
    match plan.get("fits_rto"):
        case True:
            words, style = _("fits the RTO of {rto}"), "good"
        case False:
            words, style = _("does NOT fit the RTO of {rto}"), "bad"
        case _ if rto is None:
            words, style = _("the runbook declares no RTO"), "dim"
        case _:
            words, style = _("whether it fits the RTO of {rto} is unknown"), "warn"
    lines.append(line((words.format(rto=seconds(rto)), style)))
    if plan.get("probed") is False:
        text = _("no host was asked; --probe looks, without touching anything")
        lines.append(line((text, "dim")))
    if plan.get("ready") is False:
        lines.append(line((_("NOT READY: see the steps marked !"), "bad")))
    return lines
