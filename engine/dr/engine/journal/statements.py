"""Every statement of the journal, written with SQLAlchemy Core and compiled once a process.

The texts then go to the driver as they are: building and compiling a statement for each append
costs more than the append.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
class Statements:
    """The texts for one dialect; parameters are named."""

    head: str
    advance: str
    set_state: str
    set_epoch: str
    doubt_older: str
    add_run: str
    add_snapshot: str
    add_event: str
    claim_attempt: str
    move_attempt: str
    open_question: str
    close_question: str
    question: str
    add_answer: str
    take_lock: str
    lock_owner: str
    release_locks: str
    locks: str
    events: str
    last_event: str
    records: str
    record: str
    ids: str
    is_run: str
    attempts: str
    questions: str
    answers: str
    holder: str
    drop_worker: str
    version: str
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

    def sql(statement: ClauseElement, keys: Sequence[str] | None = None) -> str:
        return str(statement.compile(dialect=dialect, column_keys=keys))

    def add(table: type[Base], *, once: bool = False) -> str:
        real: Any = table.__table__
        assert isinstance(real, Table)  # noqa: S101 - a mapped class has a table
        statement: Any = (postgresql if is_postgres else sqlite).insert(real)
        if once:
            statement = statement.on_conflict_do_nothing()
        return sql(statement, [c.name for c in real.columns])

    return Statements(
        head=sql(head.with_for_update() if is_postgres else head),
        advance=sql(update(Run).where(*run_at).values(seq=_p("s"), hash=_p("h"), at=_p("t"))),
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
        version="SELECT version_num FROM alembic_version",
        tables=tuple(Base.metadata.tables),
    )


def _p(name: str) -> Any:
    return bindparam(name)


def _record_columns() -> list[Any]:
    large = {"source", "inputs", "inventory"}
    return [getattr(Snapshot if name in large else Run, name) for name in RECORD_COLUMNS]
