"""A reconciliation as lines for people and as JSON data.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dr.cli.lines import Line, line
from dr.cli.text import N_, _, ngettext
from dr.cli.width import cells, pad
from dr.cli.words import say, stamp
from dr.engine.core.case_words import BRANCH_STATES, CASE_STATES, what_of
from dr.engine.core.reconciled import Totals, amount, may_close, totals, totals_data
from dr.engine.core.reconciliation import Branch, BranchState, Case, Session
from dr.engine.core.values import utc_text
from dr.engine.service.forms import BranchForms, count

if TYPE_CHECKING:  # calamine and psycopg are heavy, and most commands read no ledger
    from dr.engine.actions.branch_copies import CopyFindings
    from dr.reconcile.intake import Preview

_STYLES = {
    BranchState.WAITING: "warn",
    BranchState.REFUSED: "bad",
    BranchState.WORKING: "busy",
    BranchState.CLEAN: "busy",
    BranchState.SIGNED: "good",
    BranchState.WAIVED: "warn",
}


def session_lines(
    run: str, session: Session, now: datetime, *, everything: bool = False
) -> list[Line]:
    """Return a session on one screen: the sums, then the branches that are awaited."""
    stand = totals(session, now)
    how, _because = may_close(session, now)
    start, end = session.window
    since = stamp(start) if start else _("the beginning")
    head = _("Reconciliation of run {run}").format(run=run)
    lines = [
        line((head, "strong"), "  ", *_closed(session, how)),
        line(_("compared: from {start} to {end}").format(start=since, end=stamp(end))),
        line(_sums(stand)),
        line(_value(stand)),
        (),
    ]
    shown = [
        branch
        for branch in session.branches.values()
        if everything or session.state_of(branch, now) is not BranchState.SIGNED
    ]
    return [*lines, *branch_lines(session, shown, now)]


def sum_lines(session: Session, now: datetime) -> list[Line]:
    """Return how a session stands, in few lines, for the screen of its run."""
    stand = totals(session, now)
    due = [_("due by {moment}").format(moment=stamp(session.due))] if session.due else []
    return [line("  ", text) for text in (_sums(stand), _value(stand), *due)]


def _closed(session: Session, how: str) -> list[tuple[str, str]]:
    if session.closed is not None:
        word = _("closed, leadership waived the rest") if session.how == "waived" else _("closed")
        return [(f"{word} {stamp(session.closed)}", "good")]
    return [(_("may be closed"), "good")] if how else [(_("open"), "busy")]


def _sums(stand: Totals) -> str:
    signed = stand.states.get(BranchState.SIGNED, 0)
    waiting = stand.states.get(BranchState.WAITING, 0) + stand.states.get(BranchState.REFUSED, 0)
    answered = stand.branches - waiting
    return _("branches: {n}, answered {answered}, signed {signed}").format(
        n=stand.branches, answered=answered, signed=signed
    )


def _value(stand: Totals) -> str:
    words = [
        ngettext("{n} case open", "{n} cases open", stand.open_cases).format(n=stand.open_cases),
        _("value at risk {amount}").format(amount=f"{stand.at_risk:,}"),
    ]
    if stand.unpriced:
        words.append(
            ngettext(
                "{n} case of unknown value", "{n} cases of unknown value", stand.unpriced
            ).format(n=stand.unpriced)
        )
    if stand.critical:
        words.append(
            ngettext("{n} critical case", "{n} critical cases", stand.critical).format(
                n=stand.critical
            )
        )
    if stand.oldest:
        words.append(_("oldest {moment}").format(moment=stamp(stand.oldest)))
    return ", ".join(words)


def branch_lines(session: Session, branches: Sequence[Branch], now: datetime) -> list[Line]:
    """Return a line for each branch."""
    width = max((cells(branch.name) for branch in branches), default=0)
    lines: list[Line] = []
    for branch in branches:
        state = session.state_of(branch, now)
        word, style = say(BRANCH_STATES[state]), _STYLES[state]
        about = branch.problem or _about(branch)
        lines.append(line("  ", pad(branch.name, width), "  ", (word, style), "  ", about))
    return lines


def _about(branch: Branch) -> str:
    if branch.compared is None:
        return ""
    still = len(branch.open_cases)
    return _("{entries} entries, {cases} cases, {still} open").format(
        entries=branch.entries, cases=len(branch.cases), still=still
    )


def case_lines(cases: Sequence[Case], theirs: str = "") -> list[Line]:
    """Return each case with both versions side by side; ``theirs`` is what is not the database."""
    lines: list[Line] = []
    for case in cases:
        found = case.found
        what, state = say(what_of(found.what)), say(CASE_STATES[case.state])
        style = "good" if not case.is_open else "bad" if found.critical else "busy"
        said = f" {case.resolution} ({case.maker})" if case.resolution else ""
        lines.append(
            line(
                (found.id, "strong"), "  ", found.branch, "  ", found.key, "  ", (what, style),
                f"  {found.parcel}  {found.amount}  ", state, said,
            )
        )  # fmt: skip
        for word, side in ((theirs or _("branch"), found.ledger), (_("database"), found.central)):
            if side:
                lines.append(line("    ", (word, "dim"), "  ", _record(side, found.fields)))
    return lines


def copy_lines(host: str, found: CopyFindings, now: datetime) -> list[Line]:
    """Return how a copy differs from the recovered database."""
    told = _("{host} has {there} records, the recovered database {here}")
    lines = [line((told.format(host=host, there=found.there, here=found.here), "dim"))]
    return lines + case_lines([Case(each, since=now) for each in found.found], _("copy"))


def copy_data(host: str, found: CopyFindings, handed_in: Sequence[str] | None) -> dict[str, Any]:
    """Return the same as JSON data; ``handed_in`` is None when nothing was to be."""
    told = {} if handed_in is None else {"handed_in": list(handed_in)}
    return {
        "copy": host,
        "records": {"copy": found.there, "database": found.here},
        "found": [each.to_data() for each in found.found],
        **told,
    }


def _record(side: Mapping[str, str], fields: Sequence[str]) -> str:
    marked = {name: f"*{value}*" if name in fields else value for name, value in side.items()}
    return "  ".join(f"{name}={value}" for name, value in marked.items() if value)


def preview_lines(seen: Preview) -> list[Line]:
    """Return the first rows as they were written and as they are compared."""
    reading = seen.reading
    lines: list[Line] = [
        line(
            _("{rows} rows, {refused} refused, {unread} not understood").format(
                rows=len(reading.rows), refused=len(reading.refused), unread=len(reading.problems)
            )
        )
    ]
    for row in seen.rows:
        lines.append(line((str(row.line), "strong")))
        for column, raw, canonical in zip(seen.columns, row.raw, row.canonical, strict=True):
            same = raw == canonical
            shown = str(raw or "") if same else f"{raw or ''} -> {canonical or ''}"
            lines.append(line("  ", (f"{column}  ", "dim"), shown))
    lines += [line((problem, "bad")) for problem in reading.problems]
    for word, places in reading.undeclared.items():
        told = _("lines {lines}: '{word}' is no declared outcome; they count as unanswered")
        where = ", ".join(map(str, places))
        lines.append(line((told.format(lines=where, word=word), "bad")))
    return lines


def preview_data(seen: Preview) -> dict[str, Any]:
    """Return a preview as JSON data."""
    return {
        "columns": list(seen.columns),
        "rows": [
            {"line": row.line, "raw": list(row.raw), "canonical": list(row.canonical)}
            for row in seen.rows
        ],
        "count": len(seen.reading.rows),
        "refused": [{"line": r.line, "column": r.column} for r in seen.reading.refused],
        "problems": list(seen.reading.problems),
        "undeclared": {word: list(at) for word, at in seen.reading.undeclared.items()},
        "unread": dict(seen.unread),
    }


def form_lines(forms: Sequence[BranchForms]) -> list[Line]:
    """Return the forms of each branch, and the sums of all."""
    lines: list[Line] = []
    for each in forms:
        lines.append(line((each.branch, "strong")))
        for word, ranges, style in (
            (N_("issued"), each.issued, ""),
            (N_("void"), each.void, "warn"),
            (N_("stolen"), each.stolen, "bad"),
        ):
            if ranges:
                shown = ", ".join(map(str, ranges))
                lines.append(line("  ", (_(word), style), f" {count(ranges)}: {shown}"))
        if each.used is not None:
            lines.append(line("  ", _("used {n}").format(n=each.used)))
        if each.stolen_used:
            words = _("{n} stolen forms were used").format(n=each.stolen_used)
            lines.append(line("  ", (words, "alarm")))
        for what, numbers in (each.found or {}).items():
            lines.append(line("  ", (say(what_of(what)), "bad"), f": {', '.join(numbers)}"))
    stolen = [r for each in forms for r in each.stolen]
    total = _("stolen in all {n}: {ranges}").format(
        n=count(stolen), ranges=", ".join(map(str, stolen)) or "-"
    )
    return [*lines, line((total, "strong"))]


def session_data(
    run: str, session: Session, now: datetime, branches: Iterable[Branch]
) -> dict[str, Any]:
    """Return a session as JSON data."""
    how, because = may_close(session, now)
    start, end = session.window
    return {
        "run": run,
        "session": session.id,
        "window": [utc_text(start) if start else None, utc_text(end)],
        "closed": utc_text(session.closed) if session.closed else None,
        "how": session.how,
        "may_close": bool(how),
        "because": because,
        "totals": totals_data(totals(session, now)),
        "branches": [branch_data(session, branch, now) for branch in branches],
    }


def branch_data(session: Session, branch: Branch, now: datetime) -> dict[str, Any]:
    """Return a branch as JSON data."""
    signed = branch.signature
    return {
        "branch": branch.name,
        "state": str(session.state_of(branch, now)),
        "entries": branch.entries,
        "cases": len(branch.cases),
        "open": len(branch.open_cases),
        "problem": branch.problem,
        "evidence": [e.sha256 for e in branch.evidence],
        "signed_by": signed.by if signed else None,
        "digest": session.digest_of(branch),
    }


def case_data(case: Case) -> dict[str, Any]:
    """Return a case as JSON data."""
    worth = amount(case)
    return {
        **case.found.to_data(),
        "state": str(case.state),
        "since": utc_text(case.since),
        "owner": case.owner,
        "resolution": str(case.resolution) if case.resolution else None,
        "reason": case.reason,
        "reference": case.reference,
        "maker": case.maker,
        "checker": case.checker,
        "how": case.how,
        "amount": str(worth) if worth is not None else None,
    }
