"""A run made by hand: the events of storage-failure up to any moment, for tests of the faces."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dr.engine.core.events import Event, Kind
from dr.engine.core.view import RunView, fold

RUN = "R-20261122-abcde"
START = datetime(2026, 11, 21, 19, 0, tzinfo=UTC)


def _step(name: str, en: str, zh: str, phase: str, **more: Any) -> dict[str, Any]:
    defaults = {"uses": "ssh.run", "effect": "read", "ladder": None, "rung": None}
    return {"id": name, "title": {"en": en, "zh": zh}, "phase": phase, **defaults, **more}


OUTLINE = [
    _step("storage_dead", "Is the storage really gone?", "确认存储故障", "assess"),
    _step("choose", "Declare the storage lost", "认定存储故障", "decide", uses="gate.approve"),
    _step("fence", "Fence the old primary", "隔离原主机", "isolate", effect="idempotent"),
    _step("database", "A writable database again", "恢复可写数据库", "recover"),
    _step(
        "promote", "Promote the standby", "提升备用库", "recover",
        effect="irreversible", ladder="database", rung="promote-standby",
    ),
    _step("branches", "Tell the branches", "通知网点", "prove"),
]  # fmt: skip

QUESTION: dict[str, Any] = {
    "id": "choose#1",
    "kind": "gate",
    "step": "choose",
    "asks": {
        "en": "Declare the storage lost and promote the standby?",
        "zh": "认定存储故障并提升备用库？",
    },
    "nonce": "n1",
    "opened": "2026-11-21T19:00:20.000000Z",
    "approvers": "leadership",
    "quorum": 1,
    "distinct_from": ["ana"],
    "plan_hash": "ab" * 32,
    "chooses": "database",
    "decide_by": "2026-11-21T19:30:20.000000Z",
    "options": [
        {
            "name": "promote-standby",
            "title": {"en": "Promote the standby", "zh": "提升备用库"},
            "available": True,
            "p50_s": 40.0,
            "p90_s": 95.0,
            "loss_s": 2.5,
            "loss_known": True,
            "basis": {"en": "replication position at 03:00:18", "zh": "03:00:18 的复制位置"},
            "irreversible": ["promote"],
            "proposed": True,
        },
        {
            "name": "restore-cold-backup",
            "title": {"en": "Restore the cold backup", "zh": "恢复冷备份"},
            "available": True,
            "p50_s": None,
            "p90_s": None,
            "loss_s": None,
            "loss_known": False,
        },
        {
            "name": "restore-tape",
            "title": {"en": "Restore from tape", "zh": "从磁带库恢复"},
            "available": False,
            "because": {"en": "not built yet", "zh": "尚未实现"},
        },
    ],
}

ANSWER = {
    "by": "chen.wei",
    "verdict": "approve",
    "at": "2026-11-21T19:04:00.000000Z",
    "reason": "storage is gone",
    "choice": "promote-standby",
    "means": "signature",
}

Row = tuple[int, Kind, str | None, str | None, Mapping[str, Any]]

BEGINS: list[Row] = [
    (
        0, Kind.RUN_CREATED, None, None,
        {
            "runbook": {"name": "storage-failure"},
            "title": {"en": "Storage failure", "zh": "存储设备故障"},
            "environment": {"name": "lab", "kind": "lab"},
            "requester": "ana",
            "mode": "real",
            "objectives": {"rto_s": 14400, "rpo_s": 900},
            "inputs": {"service": "registry"},
            "outline": OUTLINE,
        },
    ),
    (1, Kind.RUN_LEASE, None, None, {"epoch": 1, "holder": "control pid 1"}),
    (2, Kind.INTENT, "storage_dead", "db-a", {}),
    (20, Kind.FINISHED, "storage_dead", "db-a", {"state": "succeeded", "outputs": {"s": "gone"}}),
]  # fmt: skip
ASKS: list[Row] = [
    *BEGINS,
    (20, Kind.QUESTION_OPENED, "choose", None, {"question": QUESTION}),
    (20, Kind.RUN_STATE, None, None, {"state": "waiting", "because": ""}),
]
APPROVED: list[Row] = [
    *ASKS,
    (240, Kind.QUESTION_ANSWERED, "choose", None, {"question": "choose#1", "answer": ANSWER}),
    (240, Kind.QUESTION_CLOSED, "choose", None, {"question": "choose#1", "outcome": "approved"}),
    (240, Kind.STEP_FINISHED, "choose", None, {"state": "succeeded"}),
    (240, Kind.RUN_STATE, None, None, {"state": "running"}),
    (241, Kind.INTENT, "fence", "db-a", {"describes": ["systemctl stop postgresql"]}),
    (245, Kind.FINISHED, "fence", "db-a", {"state": "already_done"}),
    (245, Kind.RUNG_STARTED, "database", None, {"rung": "promote-standby"}),
    (246, Kind.INTENT, "promote", "db-b", {}),
]
IN_DOUBT: list[Row] = [
    *APPROVED,
    (300, Kind.LOST, "promote", "db-b", {"error": {"message": "the connection broke"}}),
    (
        301, Kind.QUESTION_OPENED, "promote", "db-b",
        {
            "question": {
                "id": "promote@db-b#1", "kind": "doubt", "step": "promote", "host": "db-b",
                "asks": {"en": "Did the promotion take effect?", "zh": "提升是否已生效？"},
                "nonce": "n2", "opened": "2026-11-21T19:05:01.000000Z",
                "card": {"sent": "pg_ctl promote", "last lines": ["waiting for server"]},
            }
        },
    ),
    (301, Kind.RUN_STATE, None, None, {"state": "in_doubt", "because": "promote"}),
]  # fmt: skip
FANS_OUT: list[Row] = [
    *APPROVED,
    (290, Kind.FINISHED, "promote", "db-b", {"state": "succeeded"}),
    (290, Kind.STEP_FINISHED, "database", None, {"state": "succeeded"}),
    (290, Kind.RUN_RECOVERED, None, None, {"down_s": 290.0}),
    (
        291, Kind.STEP_PLANNED, "branches", None,
        {"hosts": ["branch-01", "branch-02", "branch-03"], "batches": [["branch-01"], ["x", "y"]]},
    ),
    (292, Kind.INTENT, "branches", "branch-01", {}),
    (293, Kind.FINISHED, "branches", "branch-01", {"state": "succeeded"}),
    (293, Kind.INTENT, "branches", "branch-02", {}),
    (
        294, Kind.FINISHED, "branches", "branch-02",
        {"state": "failed", "error": {"message": "no route to host"}},
    ),
    (294, Kind.INTENT, "branches", "branch-03", {}),
]  # fmt: skip
SUCCEEDS: list[Row] = [
    *FANS_OUT,
    (299, Kind.FINISHED, "branches", "branch-03", {"state": "succeeded"}),
    (
        299,
        Kind.STEP_FINISHED,
        "branches",
        None,
        {"state": "failed", "because": "1 of 3 hosts failed: branch-02"},
    ),
    (300, Kind.RUN_CLOSED, None, None, {}),
    (300, Kind.RUN_ENDED, None, None, {"state": "succeeded"}),
]
REJECTED: list[Row] = [
    *ASKS,
    (
        60, Kind.QUESTION_ANSWERED, "choose", None,
        {"question": "choose#1", "answer": {**ANSWER, "verdict": "reject", "reason": "look again"}},
    ),
    (
        60, Kind.QUESTION_CLOSED, "choose", None,
        {"question": "choose#1", "outcome": "rejected", "because": "look again"},
    ),
    (60, Kind.STEP_FINISHED, "choose", None, {"state": "failed", "because": "rejected"}),
    (61, Kind.RUN_ENDED, None, None, {"state": "failed", "because": "rejected"}),
]  # fmt: skip


def events(rows: list[Row]) -> list[Event]:
    """Return the rows as events of the journal."""
    return [
        Event(
            run=RUN,
            seq=number,
            at=START + timedelta(seconds=second),
            kind=kind,
            step=step,
            host=host,
            attempt=1 if kind in {Kind.INTENT, Kind.FINISHED, Kind.LOST} else None,
            epoch=1,
            data=data,
            hash=f"{number:064x}",
        )
        for number, (second, kind, step, host, data) in enumerate(rows, start=1)
    ]


def view_of(rows: list[Row]) -> RunView:
    """Return how the run stands after the rows."""
    return fold(RUN, events(rows))


def created_differently(rows: list[Row], **changed: Any) -> list[Row]:
    """Return the rows with other words in the event that created the run."""
    (second, kind, step, host, data), *rest = rows
    return [(second, kind, step, host, {**data, **changed}), *rest]


PLAN: dict[str, Any] = {
    "v": 1,
    "runbook": "storage-failure",
    "environment": "lab",
    "inputs": {"service": "registry"},
    "hash": "ab" * 32,
    "objectives": {"rto_s": 14400, "rpo_s": 900},
    "critical_path": ["storage_dead", "choose", "database"],
    "p50_s": 120.0,
    "p90_s": None,
    "fits_rto": None,
    "ready": False,
    "steps": [
        {
            "id": "storage_dead",
            "title": {"en": "Is the storage gone?", "zh": "确认存储故障"},
            "phase": "assess",
            "mark": "=",
            "because": "",
            "wave": 1,
            "hosts": ["db-a"],
            "batches": [],
            "describes": ["stat PG_VERSION"],
            "p50_s": 1.0,
            "p90_s": 2.0,
            "rungs": [],
            "gate": None,
        },
        {
            "id": "choose",
            "title": {"en": "Declare it lost", "zh": "认定存储故障"},
            "phase": "decide",
            "mark": "@",
            "because": "",
            "wave": 2,
            "hosts": [],
            "p50_s": None,
            "p90_s": None,
            "rungs": [],
            "gate": {"approvers": "leadership", "quorum": 1, "who_today": ["chen.wei"]},
        },
        {
            "id": "database",
            "title": {"en": "A writable database", "zh": "恢复可写数据库"},
            "phase": "recover",
            "mark": "?",
            "because": "unknown until 'choose'",
            "wave": 3,
            "hosts": [],
            "p50_s": 40.0,
            "p90_s": 95.0,
            "rungs": [
                {
                    **QUESTION["options"][0],
                    "because": "",
                    "steps": [
                        {
                            "id": "promote",
                            "title": {"en": "Promote the standby", "zh": "提升备用库"},
                            "effect": "irreversible",
                        }
                    ],
                },
                {**QUESTION["options"][1], "because": ""},
                QUESTION["options"][2],
            ],
            "gate": None,
        },
        {
            "id": "tell",
            "title": {"en": "Tell branches", "zh": "通知网点"},
            "phase": "prove",
            "mark": "!",
            "because": "branch-02 can not be reached",
            "wave": 4,
            "hosts": ["a", "b", "c"],
            "batches": [["a"], ["b", "c"]],
            "p50_s": None,
            "p90_s": None,
            "rungs": [],
            "gate": None,
        },
    ],
}
"""What Plan.to_data of the service returns."""
