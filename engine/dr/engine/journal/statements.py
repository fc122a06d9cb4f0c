"""Every statement of the journal, written with SQLAlchemy Core and compiled once a process.

The texts then go to the driver as they are: building and compiling a statement for each append
costs more than the append.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
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

EVENT_COLUMNS = tuple(c.name for c in Base.metadata.tables["event"].columns)
RECORD_COLUMNS = (
    "id",
    "runbook",
    "runbook_sha256",
    "source",
    "file",
    "environment",
    "mode",
    "requester",
    "inputs",
    "inventory",
    "created",
    "locks",
    "state",
    "epoch",
    "title",
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A text for the driver, and how it wants its parameters, which are given by name."""

    sql: str
    bind: Callable[[Mapping[str, Any]], Any]


def by_name(sql: str) -> Statement:
    """Return a statement whose driver takes the parameters as a mapping."""
    return Statement(sql, _same)


def _same(params: Mapping[str, Any]) -> Mapping[str, Any]:
    return params


def _in_order(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Any]:
    # SQLite binds a tuple in a third of the time that it takes to look names up
    if len(names) == 1:
        (only,) = names
        return lambda params: (params[only],)
    return itemgetter(*names) if names else lambda _params: ()


@dataclass(frozen=True, slots=True)
class Statements:
    """The statements in one dialect."""

    head: Statement
    advance: Statement
    advance_from: Statement
    set_state: Statement
    set_epoch: Statement
    doubt_older: Statement
    add_run: Statement
    add_snapshot: Statement
    add_event: Statement
    claim_attempt: Statement
    move_attempt: Statement
    open_question: Statement
    close_question: Statement
    question: Statement
    add_answer: Statement
    take_lock: Statement
    lock_owner: Statement
    release_locks: Statement
    locks: Statement
    events: Statement
    all_events: Statement
    last_event: Statement
    records: Statement
    record: Statement
    ids: Statement
    is_run: Statement
    attempts: Statement
    questions: Statement
    answers: Statement
    holder: Statement
    drop_worker: Statement
    version: Statement
    tables: Sequence[str]


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
        return Statement(str(compiled), _in_order(getattr(compiled, "positiontup", None) or ()))

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
        version=by_name("SELECT version_num FROM alembic_version"),
        tables=tuple(Base.metadata.tables),
    )


def _p(name: str) -> Any:
    return bindparam(name)


def _record_columns() -> list[Any]:
    large = {"source", "inputs", "inventory"}
    return [getattr(Snapshot if name in large else Run, name) for name in RECORD_COLUMNS]
