"""A made-up night at the bureau, told as journal events, for every test of reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dr.engine.core.canonical import GENESIS, digest, plain
from dr.engine.core.events import Event, Kind, row_hash
from dr.engine.core.ports import RunRecord
from dr.engine.core.questions import Answer, Option, Question, QuestionKind
from dr.engine.core.values import Text, utc_text

START = datetime(2026, 11, 21, 19, 4, 10, tzinfo=UTC)
RUN = "20261121-190412-storage-failure-7k2m"

INVENTORY: dict[str, Any] = {
    "bureau": {"en": "Lab City Bureau of Natural Resources", "zh": "实验市自然资源局"},
    "environment": {"name": "production", "kind": "production"},
    "people": {
        "chen.wei": {"name": {"en": "Chen Wei", "zh": "陈伟"}},
        "li.na": {"name": {"en": "Li Na", "zh": "李娜"}},
        "zhao.min": {"name": {"en": "Zhao Min", "zh": "赵敏"}},
        "sun.hao": {"name": {"en": "Sun Hao", "zh": "孙浩"}},
    },
    "people_groups": {
        "leadership": {"title": {"en": "Leadership group", "zh": "应急领导组"}},
    },
    "branches": {
        "branch-01": {"title": {"en": "Riverside registration centre", "zh": "滨河登记中心"}},
        "branch-02": {"title": {"en": "East office", "zh": "城东分局"}},
        "branch-03": {"title": {"en": "North office", "zh": "城北分局"}},
    },
    "services": {"registry": {"rto": "4h", "rpo": "15m"}},
}


def _line(id: str, en: str, zh: str, phase: str, uses: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "title": {"en": en, "zh": zh}, "phase": phase, "uses": uses, **more}


OUTLINE = [
    _line("storage_dead", "Is the storage really gone?", "确认存储故障", "assess", "path.check"),
    _line("standby", "How is the standby?", "检查备库状态", "assess", "postgres.assess"),
    _line("backups", "Which backups could be restored?", "检查可用备份", "assess", "backup.assess"),
    _line(
        "choose",
        "Declare the storage lost and choose the way back",
        "认定存储故障并选择恢复方式",
        "decide",
        "gate.approve",
    ),
    _line(
        "fence",
        "Make sure the old primary can not write",
        "隔离原主机",
        "isolate",
        "postgres.fence",
        effect="idempotent",
    ),
    _line("database", "A writable database again", "恢复可写数据库", "recover", ""),
    _line(
        "promote",
        "Promote the standby",
        "提升备库",
        "recover",
        "postgres.promote",
        effect="irreversible",
        ladder="database",
        rung="promote-standby",
    ),
    _line(
        "restore_cold",
        "Restore the newest cold backup",
        "恢复最新冷备份",
        "recover",
        "backup.restore",
        effect="once",
        ladder="database",
        rung="restore-cold-backup",
    ),
    _line("address", "Move the service address", "切换服务地址", "recover", "address.move"),
    _line("reopen", "Reopen in stages", "分步恢复业务", "prove", "business.reopen"),
    _line("tell", "Tell the branches", "通知各网点", "prove", "notify.send"),
    _line(
        "branches",
        "What each branch did that the database lacks",
        "清点各网点缺失业务",
        "prove",
        "reconcile.branches",
    ),
    _line("report", "Write the report", "编写报告", "return", "report.write", in_finally=True),
]

OPTIONS = (
    Option(
        "promote-standby",
        Text("Promote the standby db-b", "提升备库 db-b"),
        available=True,
        p50_s=25.0,
        p90_s=70.0,
        loss_s=2.4,
        loss_known=True,
        basis=Text("replication position seen at 19:04:14", "19:04:14 观测到的复制位置"),
        irreversible=("promote",),
        proposed=True,
    ),
    Option(
        "restore-cold-backup",
        Text("Restore the newest cold backup", "恢复最新冷备份"),
        available=True,
        p50_s=410.0,
        p90_s=900.0,
        loss_s=61.0,
        loss_known=True,
        basis=Text("newest WAL in the repository", "备份库中最新的 WAL"),
    ),
    Option(
        "restore-tape",
        Text("Restore from tape", "从磁带恢复"),
        available=False,
        because=Text("tape restore is not built yet", "磁带恢复尚未实现"),
    ),
    Option(
        "dr-centre",
        Text("Activate the DR centre", "启用灾备中心"),
        available=False,
        because=Text("no DR centre declared for this service", "本业务未声明灾备中心"),
    ),
)


@dataclass
class Teller:
    """Appends events with honest numbers, times and hashes."""

    run: str = RUN
    now: datetime = START
    epoch: int = 1
    events: list[Event] = field(default_factory=list)

    def wait(self, seconds: float) -> Teller:
        self.now += timedelta(seconds=seconds)
        return self

    def tell(
        self,
        kind: Kind,
        step: str | None = None,
        host: str | None = None,
        attempt: int | None = None,
        **data: Any,
    ) -> Teller:
        previous = self.events[-1].hash if self.events else GENESIS
        row: dict[str, Any] = {
            "run": self.run,
            "seq": len(self.events) + 1,
            "at": self.now,
            "kind": kind,
            "step": step,
            "host": host,
            "attempt": attempt,
            "epoch": self.epoch,
            "data": plain(data),
        }
        self.events.append(Event(**row, hash=row_hash(previous, **row)))
        return self

    def begin(self, step: str, host: str | None = None, attempt: int = 1) -> Teller:
        return self.tell(Kind.INTENT, step, host, attempt, epoch=self.epoch, effect="once")

    def end(self, step: str, host: str | None = None, attempt: int = 1, **data: Any) -> Teller:
        return self.tell(Kind.FINISHED, step, host, attempt, **{"state": "succeeded", **data})

    def work(self, step: str, host: str | None, seconds: float, **outputs: Any) -> Teller:
        return self.begin(step, host).wait(seconds).end(step, host, outputs=outputs)

    def ask(self, id: str, kind: str, step: str, asks: Text, **more: Any) -> Teller:
        opened = utc_text(self.now)
        question = Question(id, QuestionKind(kind), step, asks, "n0nce", opened, **more)
        return self.tell(Kind.QUESTION_OPENED, step, question=question.to_data())

    def answer(self, id: str, by: str, verdict: str, **more: Any) -> Teller:
        said = Answer(by, verdict, utc_text(self.now), **more)
        return self.tell(Kind.QUESTION_ANSWERED, question=id, answer=said.to_data())

    def close(self, id: str, outcome: str, because: str = "") -> Teller:
        return self.tell(Kind.QUESTION_CLOSED, question=id, outcome=outcome, because=because)


def record(**changes: Any) -> RunRecord:
    """Return the row of the run."""
    values: dict[str, Any] = {
        "id": RUN,
        "runbook": "storage-failure",
        "runbook_sha256": digest("storage-failure"),
        "source": "format: 1\n",
        "file": "runbooks/storage-failure.yaml",
        "environment": "production",
        "mode": "real",
        "requester": "sun.hao",
        "inputs": {"service": "registry"},
        "inventory": INVENTORY,
        "created": START,
        "title": {"en": "Storage failure", "zh": "存储设备故障"},
        **changes,
    }
    return RunRecord(**values)


def opening(teller: Teller, outline: Sequence[Mapping[str, Any]] = OUTLINE) -> Teller:
    """Tell the start: the run is created and an engine takes it."""
    return (
        teller.tell(
            Kind.RUN_CREATED,
            runbook="storage-failure",
            environment={"name": "production", "kind": "production"},
            objectives={"rto_s": 14400.0, "rpo_s": 900.0},
            outline=list(outline),
            engine="0.1.0",
            mode="real",
            requester="sun.hao",
            inputs={"service": "registry"},
        )
        .wait(0.2)
        .tell(Kind.RUN_LEASE, epoch=1, holder="control:4711")
    )


def assessed(teller: Teller) -> Teller:
    """Tell the look before the decision, up to the open gate."""
    opening(teller).wait(0.3).begin("storage_dead", "db-a").begin("standby", "db-b")
    teller.begin("backups", "backup").wait(2.1)
    teller.end("standby", "db-b", outputs={"healthy": True, "loss_s": 99.0})
    teller.wait(1.4).end("backups", "backup", outputs={"usable": True})
    error = {"code": "retryable", "message": "db-a did not answer within 10s"}
    teller.wait(6.5).tell(
        Kind.FINISHED, "storage_dead", "db-a", 1, state="retry", error=error
    ).wait(5)
    teller.begin("storage_dead", "db-a", 2).wait(1.2)
    teller.end("storage_dead", "db-a", 2, outputs={"state": "io_error"})
    return teller.ask(
        "choose#1",
        "gate",
        "choose",
        Text(
            "Declare the storage of db-a lost and promote db-b?", "认定 db-a 存储故障并提升 db-b？"
        ),
        approvers="leadership",
        quorum=2,
        plan_hash=digest("plan"),
        options=OPTIONS,
        chooses="database",
        max_loss_s=60.0,
    )


def recovered_night() -> Teller:
    """Tell the whole night: two approvals, an engine that died at the promotion, an honest end."""
    teller = assessed(Teller())
    teller.wait(96).answer(
        "choose#1",
        "chen.wei",
        "approve",
        reason="storage array lost both controllers",
        choice="promote-standby",
        max_loss_s=60.0,
        means="signature",
    )
    teller.wait(41).answer(
        "choose#1",
        "li.na",
        "approve",
        reason="agreed by telephone",
        choice="promote-standby",
        means="voice",
        witnesses=("zhao.min", "sun.hao"),
    )
    teller.wait(0.2).close("choose#1", "approved").end("choose", attempt=1)
    proof = {
        "kind": "proof",
        "host": "db-a",
        "means": "PostgreSQL stopped, service address removed, start refused",
        "survives_reboot": True,
    }
    teller.work("fence", "db-a", 4.4, proof=proof).wait(0.1)
    teller.tell(Kind.RUNG_STARTED, "database", rung="promote-standby", forecast={"p50_s": 25.0})
    teller.begin("promote", "db-b").wait(3.0)
    teller.epoch = 2
    teller.wait(48).tell(Kind.RUN_LEASE, epoch=2, holder="control:5022")
    teller.tell(Kind.LOST, "promote", "db-b", 1, message="the engine that began it is gone")
    teller.wait(14.6).tell(
        Kind.PROBED, "promote", "db-b", 1, presence="done", detail="timeline 2, writable"
    )
    to = utc_text(START - timedelta(seconds=2.4))
    promoted = {"host": "db-b", "recovered_to": to, "loss_s": 2.4}
    basis = {"en": "last record replayed on db-b", "zh": "db-b 最后回放的记录"}
    promoted["loss_basis"] = basis
    teller.end("promote", "db-b", state="already_done", via="probe", outputs=promoted)
    teller.tell(Kind.STEP_FINISHED, "database", state="succeeded", outputs=promoted)
    teller.work("address", "db-b", 2.2).work("reopen", "db-b", 7.9)
    teller.tell(
        Kind.RUN_RECOVERED, down_s=240.8, detected_at=utc_text(START - timedelta(seconds=7))
    )
    refused = {"code": "refused", "message": "198.18.1.5:25 refused east@lab.example (550)"}
    teller.begin("tell").wait(1).tell(Kind.FINISHED, "tell", None, 1, state="failed", error=refused)
    teller.ask(
        "tell!1", "failure", "tell", Text("'tell' failed: what now?", "“tell”失败，如何处理？")
    )
    teller.wait(33).answer("tell!1", "sun.hao", "skip", reason="told them by telephone")
    teller.close("tell!1", "skip").tell(
        Kind.STEP_SKIPPED, "tell", by="sun.hao", because="told them by telephone"
    )
    lacking = {
        "branch-01": {"missing": 2, "unknown": 1, "numbers": ["R-100231", "R-100232"]},
        "branch-02": {"missing": 0, "unknown": 0},
        "branch-03": {"missing": None, "unknown": None, "basis": "the branch did not answer"},
    }
    teller.work("branches", None, 3.1, loss_branches=lacking)
    teller.tell(Kind.OP_NOTE, by="sun.hao", text="East office reopened its counter at 03:12")
    teller.tell(Kind.RUN_CLOSED).work("report", None, 0.4)
    return teller.wait(0.1).tell(Kind.RUN_ENDED, state="succeeded", because="")
