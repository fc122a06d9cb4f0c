"""SQLite's statements as ``compiling`` compiles them; a test holds the two together.

Written by ``python -m dr.engine.journal.compiling > FILE``; never by hand.
"""

# ruff: noqa: E501 - as compiled

from __future__ import annotations

TABLES: tuple[str, ...] = (
    "run",
    "snapshot",
    "event",
    "attempt",
    "question",
    "answer",
    "run_lock",
    "worker",
)

TEXTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "head": (
        "SELECT run.epoch, run.state, run.seq, run.hash, run.at \nFROM run \nWHERE run.id = ?",
        ("run",),
    ),
    "advance": ("UPDATE run SET seq=?, hash=?, at=? WHERE run.id = ?", ("s", "h", "t", "run")),
    "advance_from": (
        "UPDATE run SET seq=?, hash=?, at=? WHERE run.id = ? AND run.seq = ? AND run.hash = ?",
        ("s", "h", "t", "run", "seq", "hash"),
    ),
    "set_state": ("UPDATE run SET state=? WHERE run.id = ?", ("to", "run")),
    "set_epoch": ("UPDATE run SET epoch=? WHERE run.id = ?", ("to", "run")),
    "doubt_older": (
        "UPDATE attempt SET state='in_doubt' WHERE attempt.run = ? AND attempt.state = 'running' AND attempt.epoch < ?",
        ("run", "to"),
    ),
    "add_run": (
        "INSERT INTO run (id, runbook, runbook_sha256, file, environment, mode, requester, created, locks, title, state, epoch, seq, hash, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            "id",
            "runbook",
            "runbook_sha256",
            "file",
            "environment",
            "mode",
            "requester",
            "created",
            "locks",
            "title",
            "state",
            "epoch",
            "seq",
            "hash",
            "at",
        ),
    ),
    "add_snapshot": (
        "INSERT INTO snapshot (run, source, inputs, inventory) VALUES (?, ?, ?, ?)",
        ("run", "source", "inputs", "inventory"),
    ),
    "add_event": (
        "INSERT INTO event (run, seq, at, kind, step, host, attempt, epoch, data, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ("run", "seq", "at", "kind", "step", "host", "attempt", "epoch", "data", "hash"),
    ),
    "claim_attempt": (
        'INSERT INTO attempt (run, step, host, number, state, epoch, "key") VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
        ("run", "step", "host", "number", "state", "epoch", "key"),
    ),
    "move_attempt": (
        "UPDATE attempt SET state=? WHERE attempt.run = ? AND attempt.step = ? AND attempt.host = ? AND attempt.number = ?",
        ("to", "run", "step", "host", "number"),
    ),
    "open_question": (
        "INSERT INTO question (run, id, step, kind, state, nonce, outcome, seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        ("run", "id", "step", "kind", "state", "nonce", "outcome", "seq"),
    ),
    "close_question": (
        "UPDATE question SET state='closed', outcome=? WHERE question.run = ? AND question.id = ?",
        ("to", "run", "question"),
    ),
    "question": (
        "SELECT question.state, question.nonce \nFROM question \nWHERE question.run = ? AND question.id = ?",
        ("run", "question"),
    ),
    "add_answer": (
        'INSERT INTO answer (run, seq, question, "by", nonce) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
        ("run", "seq", "question", "by", "nonce"),
    ),
    "take_lock": (
        "INSERT INTO run_lock (name, run) VALUES (?, ?) ON CONFLICT DO NOTHING",
        ("name", "run"),
    ),
    "lock_owner": ("SELECT run_lock.run \nFROM run_lock \nWHERE run_lock.name = ?", ("name",)),
    "release_locks": ("DELETE FROM run_lock WHERE run_lock.run = ?", ("run",)),
    "locks": ("SELECT run_lock.name \nFROM run_lock \nWHERE run_lock.run = ?", ("run",)),
    "events": (
        "SELECT event.run, event.seq, event.at, event.kind, event.step, event.host, event.attempt, event.epoch, event.data, event.hash \nFROM event \nWHERE event.run = ? AND event.seq > ? ORDER BY event.seq",
        ("run", "after"),
    ),
    "all_events": (
        "SELECT event.run, event.seq, event.at, event.kind, event.step, event.host, event.attempt, event.epoch, event.data, event.hash \nFROM event \nWHERE event.run = ? ORDER BY event.seq",
        ("run",),
    ),
    "last_event": (
        "SELECT event.hash \nFROM event \nWHERE event.run = ? AND event.seq = ?",
        ("run", "seq"),
    ),
    "records": (
        "SELECT run.id, run.runbook, run.runbook_sha256, snapshot.source, run.file, run.environment, run.mode, run.requester, snapshot.inputs, snapshot.inventory, run.created, run.locks, run.state, run.epoch, run.title \nFROM run JOIN snapshot ON snapshot.run = run.id ORDER BY run.created DESC, run.id DESC",
        (),
    ),
    "record": (
        "SELECT run.id, run.runbook, run.runbook_sha256, snapshot.source, run.file, run.environment, run.mode, run.requester, snapshot.inputs, snapshot.inventory, run.created, run.locks, run.state, run.epoch, run.title \nFROM run JOIN snapshot ON snapshot.run = run.id \nWHERE run.id = ?",
        ("run",),
    ),
    "ids": ("SELECT run.id \nFROM run ORDER BY run.created DESC, run.id DESC", ()),
    "is_run": ("SELECT count(*) AS count_1 \nFROM run \nWHERE run.id = ?", ("run",)),
    "attempts": (
        "SELECT attempt.step, attempt.host, attempt.number, attempt.state, attempt.epoch \nFROM attempt \nWHERE attempt.run = ?",
        ("run",),
    ),
    "questions": (
        "SELECT question.id, question.state \nFROM question \nWHERE question.run = ?",
        ("run",),
    ),
    "answers": (
        'SELECT answer.question, answer."by" \nFROM answer \nWHERE answer.run = ?',
        ("run",),
    ),
    "holder": ("SELECT worker.holder \nFROM worker \nWHERE worker.run = ?", ("run",)),
    "drop_worker": (
        "DELETE FROM worker WHERE worker.run = ? AND worker.epoch = ?",
        ("run", "epoch"),
    ),
}
