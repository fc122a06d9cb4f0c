"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQLITE_TRIGGER = """
CREATE TRIGGER event_no_{low} BEFORE {verb} ON event
BEGIN SELECT RAISE(ABORT, 'events are only ever added'); END
"""
_POSTGRES_FUNCTION = """
CREATE FUNCTION event_is_only_added() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'events are only ever added'; END $$
"""
_POSTGRES_TRIGGER = """
CREATE TRIGGER event_no_{low} BEFORE {verb} ON event
FOR EACH STATEMENT EXECUTE FUNCTION event_is_only_added()
"""


def upgrade() -> None:
    """Create every table and the triggers that keep events as they are."""
    _runs()
    _events()
    _questions()
    _holders()
    _triggers()


def _name(column: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(column, sa.Text(), nullable=nullable)


def _word(column: str, length: int = 32) -> sa.Column[str]:
    return sa.Column(column, sa.String(length), nullable=False)


def _count(column: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(column, sa.Integer(), nullable=nullable)


def _of_run(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["run"], ["run.id"], name=f"fk_{table}_run")


def _runs() -> None:
    op.create_table(
        "run",
        _name("id"),
        _name("runbook"),
        _name("runbook_sha256"),
        _name("file"),
        _name("environment"),
        _word("mode"),
        _name("requester"),
        _word("created", 27),
        _name("locks"),
        _name("title"),
        _word("state"),
        _count("epoch"),
        _count("seq"),
        _word("hash", 64),
        _word("at", 27),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
    )
    op.create_table(
        "snapshot",
        _name("run"),
        _name("source"),
        _name("inputs"),
        _name("inventory"),
        sa.PrimaryKeyConstraint("run", name="pk_snapshot"),
        _of_run("snapshot"),
    )


def _events() -> None:
    op.create_table(
        "event",
        _name("run"),
        _count("seq"),
        _word("at", 27),
        _word("kind"),
        _name("step", nullable=True),
        _name("host", nullable=True),
        _count("attempt", nullable=True),
        _count("epoch"),
        _name("data"),
        _word("hash", 64),
        sa.PrimaryKeyConstraint("run", "seq", name="uq_event_run_seq"),
        _of_run("event"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "attempt",
        _name("run"),
        _name("step"),
        _name("host"),
        _count("number"),
        _word("state"),
        _count("epoch"),
        _name("key"),
        sa.PrimaryKeyConstraint("run", "step", "host", "number", name="pk_attempt"),
        _of_run("attempt"),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'ended', 'in_doubt')", name="ck_attempt_state"
        ),
        sqlite_with_rowid=False,
    )


def _questions() -> None:
    op.create_table(
        "question",
        _name("run"),
        _name("id"),
        _name("step"),
        _word("kind"),
        _word("state"),
        _name("nonce"),
        _name("outcome", nullable=True),
        _count("seq"),
        sa.PrimaryKeyConstraint("run", "id", name="pk_question"),
        _of_run("question"),
        sa.CheckConstraint("state IN ('open', 'closed')", name="ck_question_state"),
    )
    op.create_table(
        "answer",
        _name("run"),
        _count("seq"),
        _name("question"),
        _name("by"),
        _name("nonce"),
        sa.PrimaryKeyConstraint("run", "seq", name="pk_answer"),
        sa.UniqueConstraint("run", "question", "by", name="uq_answer_run_question_by"),
        sa.ForeignKeyConstraint(
            ["run", "question"], ["question.run", "question.id"], name="fk_answer_question"
        ),
    )


def _holders() -> None:
    op.create_table(
        "run_lock",
        _name("name"),
        _name("run"),
        sa.PrimaryKeyConstraint("name", name="pk_run_lock"),
        _of_run("run_lock"),
    )
    op.create_table(
        "worker",
        _name("run"),
        _name("holder"),
        _count("epoch"),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("run", name="pk_worker"),
        _of_run("worker"),
    )


def _triggers() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(_SQLITE_TRIGGER.format(low=verb.lower(), verb=verb))
        return
    op.execute(_POSTGRES_FUNCTION)
    for verb in ("UPDATE", "DELETE", "TRUNCATE"):
        op.execute(_POSTGRES_TRIGGER.format(low=verb.lower(), verb=verb))
