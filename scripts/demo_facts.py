"""What happened, told from the run's report, its journal and the branches' own ledgers."""

from __future__ import annotations

import csv
import io
import subprocess
from datetime import datetime
from itertools import pairwise
from typing import Any

from demo_shell import DR, LAB, ask_dr, both, duration, fact, heading, known, text_of, time_of_day


def tell(report: dict[str, Any], reports: list[str]) -> None:
    """Print the facts of a run that is over."""
    heading(both("What happened", "处置结果"))
    _down(report)
    _branches(report)
    _lost(report)
    _recovered(report)
    _approved(report)
    _journal(report["run"]["id"])
    wanted = both("report.en.html", "report.zh.html")
    fact(both("report", "报告"), next(path for path in reports if path.endswith(wanted)))


def _down(report: dict[str, Any]) -> None:
    target = report["recovery_time"]
    met = {True: both("met", "达标"), False: both("MISSED", "未达标")}.get(target["met"], "?")
    text = both(
        "{down} from the start of the run to a proven write (target {target}: {met})",
        "{down}（自启动处置至验证可写；目标 {target}：{met}）",
    )
    fact(
        both("time down", "停机时间"),
        text.format(
            down=duration(target["actual_s"]), target=duration(target["target_s"]), met=met
        ),
    )
    waited = sum(_seconds(wait) for step in report["steps"] for wait in step["waited"])
    text = both("{time} of that waited for the approval", "其中等待审批 {time}")
    fact("", text.format(time=duration(round(waited, 1))))


def _seconds(wait: dict[str, str]) -> float:
    end, start = (datetime.fromisoformat(wait[name]) for name in ("end", "start"))
    return (end - start).total_seconds()


def _branches(report: dict[str, Any]) -> None:
    """Print how long each branch could not register, as its own ledger has it."""
    name = both("as branches", "网点所见")
    for row in report["loss"]["branches"]:
        last, first = standstill(row["branch"])
        text = both(
            "{branch}: last entry {last}, next {first}: stood still {time}",
            "{branch}：最后一笔 {last}，恢复后首笔 {first}，停办 {time}",
        )
        length = (first - last).total_seconds() if last and first else None
        fact(
            name,
            text.format(
                branch=row["branch"],
                last=time_of_day(last),
                first=time_of_day(first),
                time=duration(length),
            ),
        )
        name = ""


def standstill(branch: str) -> tuple[datetime | None, datetime | None]:
    """Return the two acknowledged entries of a ledger with the longest pause between them."""
    done = subprocess.run(
        [DR, "lab", "shell", "--dir", LAB, branch, "cat", "/var/lib/registry/ledger.csv"],
        capture_output=True,
        text=True,
        check=False,
    )
    moments = [
        datetime.fromisoformat(row["accepted_at"])
        for row in csv.DictReader(io.StringIO(done.stdout))
        if row["outcome"] == "acknowledged"
    ]
    pairs = list(pairwise(moments))
    return max(pairs, key=lambda pair: pair[1] - pair[0]) if pairs else (None, None)


def _lost(report: dict[str, Any]) -> None:
    loss = report["loss"]
    records = known(loss["records"])
    text = both("{seconds}, {records} records", "{seconds}，{records} 笔业务")
    count = both("unknown", "未知") if records is None else f"{records:.0f}"
    fact(
        both("data lost", "数据丢失"), text.format(seconds=duration(loss["seconds"]), records=count)
    )
    fact("", text_of(loss["basis"]))
    for row in loss["branches"]:
        missing = known(row["missing"])
        text = both("{branch}: {n} missing", "{branch}：缺失 {n} 笔")
        count = both("unknown", "未知") if missing is None else f"{missing:.0f}"
        fact("", text.format(branch=row["branch"], n=count))


def _recovered(report: dict[str, Any]) -> None:
    recovery = report["recovery"]
    how = {
        "promoted": both("the standby {host} was promoted", "备库 {host} 已提升为主库"),
        "restored": both(
            "backup {backup} was restored onto {host}", "冷备份 {backup} 已恢复至 {host}"
        ),
    }.get(recovery["means"], recovery["means"])
    fact(
        both("brought back", "恢复方式"),
        how.format(host=recovery["host"], backup=recovery["backup"] or "?"),
    )
    for proof in report["proofs"]:
        text = both(
            "before that, {host} was proven unable to write: {means}",
            "此前已证实 {host} 无法写入：{means}",
        )
        fact("", text.format(host=proof["host"], means=proof["means"]))


def _approved(report: dict[str, Any]) -> None:
    for question in report["questions"]:
        for answer in question["answers"]:
            text = both(
                "{who} ({group}) at {time}, by {means} with their own key: {choice}; “{reason}”",
                "{who}（{group}）{time} 以本人密钥签名：{choice}；“{reason}”",
            )
            fact(
                both("approved by", "审批人"),
                text.format(
                    who=text_of(answer["by"]["name"]),
                    group=text_of(question["group"]),
                    time=time_of_day(answer["at"]),
                    means=answer["means"],
                    choice=answer["choice"],
                    reason=answer["reason"],
                ),
            )


def _journal(run: str) -> None:
    verdict = ask_dr("journal", "verify", run)
    found = verdict["runs"][0] if "runs" in verdict else verdict
    intact = found.get("intact", found.get("ok"))
    word = both("verified, intact", "校验通过，完整") if intact else both("BROKEN", "已损坏")
    text = both("{word}: {rows} rows, head {head}", "{word}：{rows} 行，链首 {head}")
    fact(
        both("journal", "日志"),
        text.format(word=word, rows=found.get("rows"), head=str(found.get("head"))[:16]),
    )
