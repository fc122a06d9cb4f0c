"""How much would be lost: from log positions and moments, never a bare number without its basis."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from dr.engine.core.values import Text


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about the end of the old primary and about the host that takes over.

    Attributes:
        recovered_to: commit time of the last transaction that the new primary has.
        detected_at: when the failure was noticed; an upper bound of the primary's last commit.
        last_acknowledged: when a branch last held an answer; None when no ledger could be read.
        all_branches: every branch's ledger was read.
        missing_bytes: what is known to be missing of the old primary's log; None unknown.
        ended_at: when the old primary was fenced: what branches were told after it was told by
            another; None while nothing else has served them.
        writing: the old primary still answers, so its position is the true end.
        whole_until: a moment up to which the new primary surely has everything, where nobody
            knows its last transaction: the checkpoint it has, or the archive it reaches past.
    """

    recovered_to: datetime | None
    detected_at: datetime
    last_acknowledged: datetime | None = None
    all_branches: bool = False
    missing_bytes: int | None = None
    ended_at: datetime | None = None
    writing: bool = False
    whole_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """The greatest loss that the evidence allows; ``at_most`` None is unknown, never zero.

    ``since`` is the moment that stands in for the last transaction where nobody knows that.
    """

    at_most: timedelta | None
    basis: Text
    missing_bytes: int | None = None
    since: datetime | None = None

    @property
    def seconds(self) -> float | None:
        """The loss in seconds."""
        return None if self.at_most is None else self.at_most.total_seconds()


def loss(evidence: Evidence) -> Loss:
    """Return the greatest possible loss and how it is known.

    Nothing was acknowledged after the last answer that any branch holds, so with every ledger
    read that moment bounds the loss; else the moment of detection does.  Moments are from different
    clocks: a loss below zero is none.
    """
    missing = evidence.missing_bytes
    if evidence.writing and missing == 0:
        basis = Text(
            en="the old primary answers and has nothing that the standby lacks",
            zh="原主库仍可应答，备库与其一致",
        )
        return Loss(timedelta(), basis, 0)
    if evidence.recovered_to is None:
        return _since_whole(evidence)
    if evidence.all_branches and evidence.last_acknowledged is not None:
        end = min(evidence.last_acknowledged, evidence.ended_at or evidence.last_acknowledged)
        en = "from the last transaction replayed to the last answer that any branch holds"
        zh = "最后一笔已重放事务至各网点最后一次收到确认之间"
    else:
        end = evidence.detected_at
        en = "from the last transaction replayed to the detection of the failure; an upper bound"
        zh = "最后一笔已重放事务至发现故障之间，为上限"
    length = max(timedelta(), end - evidence.recovered_to)
    if missing:
        en += f"; {missing} bytes of log are known to be missing"
        zh += f"；已知缺失日志 {missing} 字节"
    return Loss(length, Text(en=en, zh=zh), missing)


def _since_whole(evidence: Evidence) -> Loss:
    """Bound the loss of a host that has replayed no transaction since it started."""
    if evidence.whole_until is None:
        basis = Text(
            en="nobody knows when the last replayed transaction was committed",
            zh="无法得知最后一笔已重放事务的提交时间",
        )
        return Loss(None, basis, evidence.missing_bytes)
    end = evidence.detected_at
    if evidence.all_branches and evidence.last_acknowledged is not None:
        end = min(evidence.last_acknowledged, evidence.ended_at or end)
    basis = Text(
        en="no transaction was replayed lately; at most since its last checkpoint or archived log",
        zh="近期没有已重放的事务；损失不超过其最后检查点或已归档日志以来的业务",
    )
    length = max(timedelta(), end - evidence.whole_until)
    return Loss(length, basis, evidence.missing_bytes, evidence.whole_until)
