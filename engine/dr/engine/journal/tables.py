"""The tables, typed.  ``migrations/`` is what creates them; a test holds the two together.

Moments of events are stored as the RFC 3339 text that is hashed, so that a row reads the same
in every database and an auditor needs no time zone.  JSON is canonical text for the same reason.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKeyConstraint,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Name = Annotated[str, mapped_column(Text)]
Word = Annotated[str, mapped_column(String(32))]
Hash = Annotated[str, mapped_column(String(64))]
Instant = Annotated[str, mapped_column(String(27))]
Json = Annotated[str, mapped_column(Text)]


class Base(DeclarativeBase):
    """What all tables share."""

    metadata: ClassVar[MetaData] = MetaData()


class Run(Base):
    """A run: what never changes, and where it stands (state, epoch, end of the chain)."""

    __tablename__ = "run"
    __table_args__ = (PrimaryKeyConstraint("id", name="pk_run"),)

    id: Mapped[Name]
    runbook: Mapped[Name]
    runbook_sha256: Mapped[Name]
    file: Mapped[Name]
    environment: Mapped[Name]
    mode: Mapped[Word]
    requester: Mapped[Name]
    created: Mapped[Instant]
    locks: Mapped[Json]
    title: Mapped[Json]
    state: Mapped[Word]
    epoch: Mapped[int]
    seq: Mapped[int]
    hash: Mapped[Hash]
    at: Mapped[Instant]


class Snapshot(Base):
    """The large things a run keeps; apart from ``run``, whose row is rewritten at every append."""

    __tablename__ = "snapshot"
    __table_args__ = (
        PrimaryKeyConstraint("run", name="pk_snapshot"),
        ForeignKeyConstraint(["run"], ["run.id"], name="fk_snapshot_run"),
    )

    run: Mapped[Name]
    source: Mapped[Name]
    inputs: Mapped[Json]
    inventory: Mapped[Json]


class Event(Base):
    """Something that happened.  Rows are only ever added; triggers refuse anything else."""

    __tablename__ = "event"
    __table_args__ = (
        PrimaryKeyConstraint("run", "seq", name="uq_event_run_seq"),
        ForeignKeyConstraint(["run"], ["run.id"], name="fk_event_run"),
        {"sqlite_with_rowid": False},
    )

    run: Mapped[Name]
    seq: Mapped[int]
    at: Mapped[Instant]
    kind: Mapped[Word]
    step: Mapped[Name | None]
    host: Mapped[Name | None]
    attempt: Mapped[int | None]
    epoch: Mapped[int]
    data: Mapped[Json]
    hash: Mapped[Hash]


class Attempt(Base):
    """A try of a step on a host ('' is the engine itself).  Adding the row is the claim."""

    __tablename__ = "attempt"
    __table_args__ = (
        PrimaryKeyConstraint("run", "step", "host", "number", name="pk_attempt"),
        ForeignKeyConstraint(["run"], ["run.id"], name="fk_attempt_run"),
        CheckConstraint(
            "state IN ('queued', 'running', 'ended', 'in_doubt')", name="ck_attempt_state"
        ),
        {"sqlite_with_rowid": False},
    )

    run: Mapped[Name]
    step: Mapped[Name]
    host: Mapped[Name]
    number: Mapped[int]
    state: Mapped[Word]
    epoch: Mapped[int]
    key: Mapped[Name]


class Question(Base):
    """A question to people and whether it may still be answered."""

    __tablename__ = "question"
    __table_args__ = (
        PrimaryKeyConstraint("run", "id", name="pk_question"),
        ForeignKeyConstraint(["run"], ["run.id"], name="fk_question_run"),
        CheckConstraint("state IN ('open', 'closed')", name="ck_question_state"),
    )

    run: Mapped[Name]
    id: Mapped[Name]
    step: Mapped[Name]
    kind: Mapped[Word]
    state: Mapped[Word]
    nonce: Mapped[Name]
    outcome: Mapped[Name | None]
    seq: Mapped[int]


class Answer(Base):
    """A person's answer; the unique key makes each person count, and consume the nonce, once."""

    __tablename__ = "answer"
    __table_args__ = (
        UniqueConstraint("run", "question", "by", name="uq_answer_run_question_by"),
        PrimaryKeyConstraint("run", "seq", name="pk_answer"),
        ForeignKeyConstraint(
            ["run", "question"], ["question.run", "question.id"], name="fk_answer_question"
        ),
    )

    run: Mapped[Name]
    seq: Mapped[int]
    question: Mapped[Name]
    by: Mapped[Name]
    nonce: Mapped[Name]


class RunLock(Base):
    """A name that one unfinished run has to itself."""

    __tablename__ = "run_lock"
    __table_args__ = (
        PrimaryKeyConstraint("name", name="pk_run_lock"),
        ForeignKeyConstraint(["run"], ["run.id"], name="fk_run_lock_run"),
    )

    name: Mapped[Name]
    run: Mapped[Name]


class Worker(Base):
    """Who has a run.  ``expires_at`` is the database's clock; NULL where an OS lock decides."""

    __tablename__ = "worker"
    __table_args__ = (
        PrimaryKeyConstraint("run", name="pk_worker"),
        ForeignKeyConstraint(["run"], ["run.id"], name="fk_worker_run"),
    )

    run: Mapped[Name]
    holder: Mapped[Name]
    epoch: Mapped[int]
    renewed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
