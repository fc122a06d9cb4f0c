"""Every statement of the journal, written with SQLAlchemy Core and compiled once a process.

Building and compiling a statement for each append would cost more than the append.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import (
    ClauseElement,
    Dialect,
    Table,
    bindparam,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from dr.engine.journal.statements import (
    RECORD_COLUMNS,
    VERSION,
    Statement,
    Statements,
    by_name,
    in_order_of,
)
from dr.engine.journal.tables import (
    Answer,
    Attempt,
    Base,
    Event,
    Question,
    Run,
    RunLock,
    Snapshot,
    Worker,
)


def statements(dialect: Dialect) -> Statements:
    """Compile every statement for ``dialect``."""
    is_postgres = dialect.name == "postgresql"
    head = select(Run.epoch, Run.state, Run.seq, Run.hash, Run.at).where(Run.id == _p("run"))
    records = select(*_record_columns()).join(Snapshot, Snapshot.run == Run.id)
    unit = (
        Attempt.run == _p("run"),
        Attempt.step == _p("step"),
        Attempt.host == _p("host"),
        Attempt.number == _p("number"),
    )
    asked = (Question.run == _p("run"), Question.id == _p("question"))
    run_at = (Run.id == _p("run"),)
    advance = update(Run).where(*run_at).values(seq=_p("s"), hash=_p("h"), at=_p("t"))

    def sql(statement: ClauseElement, keys: Sequence[str] | None = None) -> Statement:
        compiled = statement.compile(dialect=dialect, column_keys=keys)
        if is_postgres:
            return by_name(str(compiled))
        return in_order_of(str(compiled), tuple(getattr(compiled, "positiontup", None) or ()))

    def add(table: type[Base], *, once: bool = False) -> Statement:
        real: Any = table.__table__
        assert isinstance(real, Table)  # noqa: S101 - a mapped class has a table
        statement: Any = (postgresql if is_postgres else sqlite).insert(real)
        if once:
            statement = statement.on_conflict_do_nothing()
        return sql(statement, [c.name for c in real.columns])

    return Statements(
        head=sql(head.with_for_update() if is_postgres else head),
        advance=sql(advance),
        advance_from=sql(advance.where(Run.seq == _p("seq"), Run.hash == _p("hash"))),
        set_state=sql(update(Run).where(*run_at).values(state=_p("to"))),
        set_epoch=sql(update(Run).where(*run_at).values(epoch=_p("to"))),
        doubt_older=sql(
            update(Attempt)
            .where(
                Attempt.run == _p("run"),
                Attempt.state == text("'running'"),
                Attempt.epoch < _p("to"),
            )
            .values(state=text("'in_doubt'"))
        ),
        add_run=add(Run, once=True),
        add_snapshot=add(Snapshot),
        add_event=add(Event),
        claim_attempt=add(Attempt, once=True),
        move_attempt=sql(update(Attempt).where(*unit).values(state=_p("to"))),
        open_question=add(Question, once=True),
        close_question=sql(
            update(Question).where(*asked).values(state=text("'closed'"), outcome=_p("to"))
        ),
        question=sql(select(Question.state, Question.nonce).where(*asked)),
        add_answer=add(Answer, once=True),
        take_lock=add(RunLock, once=True),
        lock_owner=sql(select(RunLock.run).where(RunLock.name == _p("name"))),
        release_locks=sql(delete(RunLock).where(RunLock.run == _p("run"))),
        locks=sql(select(RunLock.name).where(RunLock.run == _p("run"))),
        events=sql(
            select(Base.metadata.tables["event"])
            .where(Event.run == _p("run"), Event.seq > _p("after"))
            .order_by(Event.seq)
        ),
        all_events=sql(
            select(Base.metadata.tables["event"]).where(Event.run == _p("run")).order_by(Event.seq)
        ),
        last_event=sql(select(Event.hash).where(Event.run == _p("run"), Event.seq == _p("seq"))),
        records=sql(records.order_by(Run.created.desc(), Run.id.desc())),
        record=sql(records.where(*run_at)),
        ids=sql(select(Run.id).order_by(Run.created.desc(), Run.id.desc())),
        is_run=sql(select(func.count()).select_from(Run).where(*run_at)),
        attempts=sql(
            select(Attempt.step, Attempt.host, Attempt.number, Attempt.state, Attempt.epoch).where(
                Attempt.run == _p("run")
            )
        ),
        questions=sql(select(Question.id, Question.state).where(Question.run == _p("run"))),
        answers=sql(select(Answer.question, Answer.by).where(Answer.run == _p("run"))),
        holder=sql(select(Worker.holder).where(Worker.run == _p("run"))),
        drop_worker=sql(delete(Worker).where(Worker.run == _p("run"), Worker.epoch == _p("epoch"))),
        version=by_name(VERSION),
        tables=tuple(Base.metadata.tables),
    )


def _p(name: str) -> Any:
    return bindparam(name)


def _record_columns() -> list[Any]:
    large = {"source", "inputs", "inventory"}
    return [getattr(Snapshot if name in large else Run, name) for name in RECORD_COLUMNS]


_KEPT = '''\
"""SQLite's statements as ``compiling`` compiles them; a test holds the two together.

Written by ``python -m dr.engine.journal.compiling > FILE``; never by hand.
"""

# ruff: noqa: E501 - as compiled

from __future__ import annotations

TABLES: tuple[str, ...] = {tables}

TEXTS: dict[str, tuple[str, tuple[str, ...]]] = {texts}
'''


def sqlite_module() -> str:
    """Return the source of ``sqlite_texts``, not yet formatted."""
    found = statements(sqlite.dialect(paramstyle="qmark"))
    named = {f.name: getattr(found, f.name) for f in fields(found)}
    texts = {
        name: (one.sql, one.names)
        for name, one in named.items()
        if isinstance(one, Statement) and name != "version"
    }
    return _KEPT.format(tables=repr(found.tables), texts=repr(texts))


if __name__ == "__main__":
    sys.stdout.write(sqlite_module())
