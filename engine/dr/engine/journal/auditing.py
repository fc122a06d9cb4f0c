"""Check a run on disk: the chain, the run's own row, and the index tables against the events."""

from __future__ import annotations

from dr.engine.core.errors import JournalBusyError, JournalError
from dr.engine.journal import refusals
from dr.engine.journal.database import Audit, first
from dr.engine.journal.records import fingerprint
from dr.engine.journal.rows import record_of
from dr.engine.journal.statements import Statements
from dr.engine.journal.verdict import Verdict, Walk


def audited(audit: Audit, sql: Statements, run: str) -> Verdict:
    """Return the verdict on ``run``.

    Raises:
        UserError: there is no such run.
        JournalBusyError: it cannot be read for the moment.
    """
    walk = Walk(run)
    damage = audit.damage()
    try:
        found = _verdict(audit, sql, walk)
    except JournalBusyError:
        raise
    except JournalError as error:
        damage = damage or error.message
        found = None
    if damage and (found is None or found.ok):
        return walk.bad(f"the database is damaged: {damage}")
    return found or walk.bad("the database is damaged")


def _verdict(audit: Audit, sql: Statements, walk: Walk) -> Verdict:
    here = {"run": walk.run}
    head = first(audit.rows(sql.head, here))
    if head is None and first(audit.rows(sql.all_events, here)) is None:
        raise refusals.no_run(walk.run)
    bad = walk.along(audit.rows(sql.all_events, here))
    if bad is not None:
        return bad
    if head is None:
        return walk.bad("the run's own row is missing")
    return _tail(walk, head[2], head[3]) or _record(audit, sql, walk) or _index(audit, sql, walk)


def _tail(walk: Walk, seq: object, row_hash: object) -> Verdict | None:
    if seq == walk.rows and row_hash == walk.head:
        return None
    if isinstance(seq, int) and seq > walk.rows:
        missing = walk.rows + 1
        return walk.bad(f"event {missing} is missing: the run's row counts {seq}", missing)
    return walk.bad(f"the run's row says that its last event is number {seq}", walk.rows or None)


def _record(audit: Audit, sql: Statements, walk: Walk) -> Verdict | None:
    row = first(audit.rows(sql.record, {"run": walk.run}))
    if row is None:
        return walk.bad("the run's snapshot of runbook and inventory is missing")
    record = record_of(row)
    wanted = walk.first.data.get("record_sha256") if walk.first is not None else None
    if wanted is not None and fingerprint(record) != wanted:
        return walk.bad("the run's row or snapshot is not as it was written (event 1 has its hash)")
    stored = {str(r[0]) for r in audit.rows(sql.locks, {"run": walk.run})}
    told = set(record.locks) if walk.index.locked else set()
    if stored != told:
        return walk.bad(f"table run_lock does not say what the events say: {_odd(stored, told)}")
    return None


def _index(audit: Audit, sql: Statements, walk: Walk) -> Verdict:
    index, here = walk.index, {"run": walk.run}
    head = first(audit.rows(sql.head, here)) or (None, None)
    pairs = {
        "run.epoch": (head[0], index.epoch),
        "run.state": (head[1], index.state),
        "attempt": (
            {(r[0], r[1], r[2]): (r[3], r[4]) for r in audit.rows(sql.attempts, here)},
            {unit: (str(state), epoch) for unit, (state, epoch) in index.attempts.items()},
        ),
        "question": (
            {r[0]: r[1] for r in audit.rows(sql.questions, here)},
            {name: str(state) for name, state in index.questions.items()},
        ),
        "answer": ({(r[0], r[1]) for r in audit.rows(sql.answers, here)}, index.answers),
    }
    for name, (stored, told) in pairs.items():
        if stored != told:
            return walk.bad(f"table {name} does not say what the events say: {_odd(stored, told)}")
    return walk.good()


def _odd(stored: object, told: object) -> str:
    """Return one difference in words; what was edited may be of any type, and have no order."""
    if isinstance(stored, dict) and isinstance(told, dict):
        odd = (k for k in {*stored, *told} if stored.get(k) != told.get(k))
        name = min(odd, key=repr)
        return f"{name} is {stored.get(name)}, should be {told.get(name)}"
    if isinstance(stored, set) and isinstance(told, set):
        return f"{min(stored ^ told, key=repr)}"
    return f"{stored}, should be {told}"
