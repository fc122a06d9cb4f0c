"""``make demo``: a miniature data centre loses its storage, and ``dr`` brings the business back.

Everything is done by the commands that are shown; nothing here reaches into dr.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import demo_facts
from demo_shell import (
    DR,
    LAB,
    ON_TERMINAL,
    WORKSPACE,
    DemoError,
    ask_dr,
    both,
    command_line,
    heading,
    need,
    offer,
    say,
    stop_as_on_ctrl_c,
    time_of_day,
    type_dr,
)

RUNBOOK = "storage-failure"
REQUESTER = "liu.yang"
LEADER, LEADER_NAME = "chen.wei", both("Chen Wei", "陈伟")
KEY = WORKSPACE / "keys/people" / LEADER
REASON = "storage is gone"
WAITING, VIEW_LEFT = 3, 130
"""Exit codes of dr."""

BUSINESS_S = 30.0
"""How long at most the branches work before the storage breaks."""
ENOUGH = 5
"""Entries that each branch should have made by then."""
NOTICE_S = 30.0
"""How long branches may take to notice that the database is gone, or is back."""


@dataclass
class Progress:
    """How far the demo got: what Ctrl-C leaves behind."""

    lab_is_up: bool = False
    broken: bool = False
    run: str = ""


# -- the parts --------------------------------------------------------------------------------


def bring_up(progress: Progress) -> None:
    """Bring a lab up; one that is there already goes away with all that was done to it."""
    heading(both("A miniature data centre", "微型数据中心"))
    if ask_dr("lab", "status")["up"]:
        _clear(progress)
    code = type_dr("lab", "up", quiet=True)
    need(code, "lab", "up")
    progress.lab_is_up = True
    say(
        both(
            "Primary db-a, its standby db-b, a standby dr-a at the DR centre, spare storage, a "
            "backup host and three branch offices: each a host of its own with SSH and PostgreSQL.",
            "主库 db-a、备库 db-b、灾备中心备库 dr-a、备用存储、备份主机、三个登记网点："
            "各为独立主机，运行真实的 SSH 与 PostgreSQL。",
        )
    )


def _clear(progress: Progress) -> None:
    progress.lab_is_up = True
    say(
        both(
            f"A lab is up in {LAB}, maybe from the demo before.  The demo begins with a new one; "
            "the old one's journal and reports go with it.",
            f"{LAB} 中已有实验环境（可能是上次演示留下的）。"
            "演示将重建环境，原有日志与报告一并清除。",
        )
    )
    unfinished = _unfinished_runs()
    if unfinished and ON_TERMINAL:
        text = both(
            "Run {run} in it is not over.  Enter: begin anew.  Ctrl-C: leave it. ",
            "其中处置任务 {run} 尚未结束。按回车重新开始，按 Ctrl-C 保留。",
        )
        input(text.format(run=", ".join(unfinished)))
    need(type_dr("lab", "down"), "lab", "down")
    progress.lab_is_up = False


def _unfinished_runs() -> list[str]:
    try:
        rows = ask_dr("status")["runs"]
    except (DemoError, KeyError):  # the lab's workspace may be half gone: nothing to keep
        return []
    return [row["id"] for row in rows if row["state"] not in {"succeeded", "failed", "aborted"}]


def do_business() -> None:
    """Let the branches register until each did some and the backup host has their log."""
    heading(both("Branch offices register business", "网点办理登记业务"))
    end = time.monotonic() + BUSINESS_S
    archived = False
    while time.monotonic() < end:
        branches = ask_dr("lab", "status")["branches"]
        archived = archived or _is_archived()
        enough = all(branch["acknowledged"] >= ENOUGH for branch in branches)
        _counts(branches, last=enough and archived)
        if enough and archived:
            return
        time.sleep(1.0)
    _counts(branches, last=True)


def _counts(branches: list[dict[str, Any]], *, last: bool) -> None:
    """Print what the branches did; on a terminal over the line before."""
    text = "  " + "   ".join(f"{row['branch']}: {row['acknowledged']}" for row in branches)
    if ON_TERMINAL:
        print(f"\r{text}", end="\n" if last else "", flush=True)
    elif last:
        print(text, flush=True)


def _is_archived() -> bool:
    """Return whether a log with business in it has reached the backup host."""
    query = (
        "SELECT coalesce(last_archived_time > pg_postmaster_start_time(), false) "
        "FROM pg_stat_archiver"
    )
    words = ["psql", "-U", "postgres", "-h", "/run/postgresql", "-Atc", query]
    done = subprocess.run(
        [DR, "lab", "shell", "--dir", LAB, "db-a", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() == "t"


def break_storage(progress: Progress) -> None:
    """Break the storage of the primary and wait until every branch has noticed."""
    heading(both("The storage of the primary fails", "主库存储设备故障"))
    need(type_dr("lab", "break", "storage-killed"), "lab", "break", "storage-killed")
    progress.broken = True
    for row in _when_branches(failing=True):
        text = both("can not register since {time}", "自 {time} 起无法办理业务")
        print(f"  {row['branch']}: " + text.format(time=time_of_day(row["failing_since"])))


def _when_branches(*, failing: bool) -> list[dict[str, Any]]:
    """Return the branches as soon as all fail, or none does; or as they are in the end."""
    end = time.monotonic() + NOTICE_S
    while True:
        branches: list[dict[str, Any]] = ask_dr("lab", "status")["branches"]
        if all(bool(row["failing_since"]) is failing for row in branches):
            return branches
        if time.monotonic() > end:
            return branches
        time.sleep(0.3)


def recover(progress: Progress) -> None:
    """Run the runbook to its gate, through it, and to its end."""
    heading(both("dr recovers", "dr 执行恢复"))
    words = ("run", RUNBOOK, "-i", "closing=later", "--no-wait", "--requester", REQUESTER)
    code = type_dr(*words, quiet=ON_TERMINAL, well=(0, WAITING, VIEW_LEFT))
    runs = ask_dr("status")["runs"]
    progress.run = runs[0]["id"] if runs else ""
    if code == VIEW_LEFT:
        raise KeyboardInterrupt
    if code != WAITING:
        need(code or 1, *words)
    gate = _open_gate(progress.run)
    if gate:
        _approve(progress.run, gate)
    code = type_dr("attach", progress.run, quiet=ON_TERMINAL, well=(0, VIEW_LEFT))
    if code == VIEW_LEFT:
        raise KeyboardInterrupt
    need(code, "attach", progress.run)


def _open_gate(run: str) -> str:
    """Return the step whose gate waits for people; empty when none does."""
    for asked in ask_dr("show", run)["questions"].values():
        if asked["question"]["kind"] == "gate" and not asked["outcome"]:
            return str(asked["question"]["step"])
    return ""


def _approve(run: str, gate: str) -> None:
    """Have the leader decide: the person at the terminal, or this script where there is none."""
    heading(both("The decision", "决策审批"))
    words = ("approve", run, gate, "--by", LEADER, "--key", str(KEY), "--reason", REASON)
    if not ON_TERMINAL:
        say(
            both(
                f"No terminal to ask: this script signs as the lab's leader {LEADER_NAME}, "
                "with the made-up key that lies in the lab.  Outside of a lab only the leader can.",
                f"当前无终端可供询问：由脚本以实验环境领导{LEADER_NAME}的虚拟密钥代为签名。"
                "在实际环境中只有本人可以签名。",
            )
        )
        need(type_dr(*words, "--yes"), *words)
        return
    type_dr("show", run, gate)
    print()
    say(
        both(
            f"You are {LEADER_NAME}, of the leadership group.  Press Enter to approve here, with "
            f"{LEADER_NAME}'s key.  Or type it yourself in another terminal:",
            f"您现在是应急领导组的{LEADER_NAME}。按回车键即以{LEADER_NAME}的密钥在此批准；也可在另一终端输入：",
        )
    )
    offer(
        (
            words,
            both(
                "approves; 'dr reject' with the same words says no",
                "批准；如不同意，改用 dr reject",
            ),
        )
    )
    while _open_gate(run):
        if select.select([sys.stdin], [], [], 1.0)[0]:
            sys.stdin.readline()
            if type_dr(*words, "--yes", quiet=True) == 0:
                return
            print(both("Press Enter to try again.", "按回车重试。"))
    print(both("decided in another terminal", "已在另一终端作出决定"))


def tell_what_happened(progress: Progress) -> None:
    """Print the facts of the run from its report."""
    _when_branches(failing=False)  # their ledgers tell how long they stood still
    reports = ask_dr("show", progress.run, "--report")["reports"]
    path = next(path for path in reports if path.endswith("report.json"))
    demo_facts.tell(json.loads(Path(path).read_text(encoding="utf-8")), reports)


def say_what_next(progress: Progress) -> None:
    """Leave the lab up and print what to try."""
    heading(both("The lab stays up; try", "实验环境保留，可继续尝试"))
    offer(
        (("status",), both("how runs stand", "处置任务一览")),
        (("show", progress.run), both("everything known of this run", "本次处置的全部记录")),
        (
            ("reconcile", "open", progress.run, "--by", LEADER),
            both("lets the branches reconcile their business", "组织各网点业务核对"),
        ),
        (("lab", "status"), both("hosts, and what the branches do", "主机与网点状态")),
        (
            ("lab", "break", "storage-killed", "db-b"),
            both(
                "break the new primary, too; the DR centre's standby is left",
                "再破坏现主库；仍有灾备中心备库可用",
            ),
        ),
        (
            ("lab", "break", "host-off", "dr-a"),
            both(
                "and switch that off as well: only the cold backup is left, for the spare storage",
                "再关闭灾备中心备库：只剩冷备份，将恢复至备用存储",
            ),
        ),
        (("run", RUNBOOK), both("recover after either", "破坏后执行恢复")),
        (
            ("lab", "heal", "storage-killed", "db-a"),
            both("gives db-a a new, empty storage", "为 db-a 更换新的空存储"),
        ),
        (("lab", "down"), both("removes all of it", "清除全部实验环境")),
    )


# -- the whole --------------------------------------------------------------------------------


def stopped(progress: Progress) -> None:
    """Say in which state Ctrl-C leaves the lab, after taking a half-built one away."""
    print("\n")
    heading(both("The demo was stopped", "演示已中止"))
    if not progress.lab_is_up:
        type_dr("lab", "down")
        say(both("Nothing of it is left.", "未留下任何内容。"))
        return
    run = progress.run or next(iter(_unfinished_runs()), "")
    if not run and not progress.broken:
        state = both("The lab stays up as it was.", "实验环境保持原状。")
        rows = [(("lab", "break", "storage-killed"), both("breaks it", "制造故障"))]
    elif not run:
        state = both("The lab stays up, its storage broken.", "实验环境保留，存储已故障。")
        rows = [(("run", RUNBOOK), both("brings the business back", "恢复业务"))]
    else:
        state = both(
            f"The lab stays up.  Run {run} does not stop with this view: its engine goes on, and "
            "waits at its gate until somebody decides or the gate's time is over.",
            f"实验环境保留。处置任务 {run} 不随本界面停止：引擎继续运行，"
            "在审批处等待，直至有人决定或审批超时。",
        )
        approve = ("approve", run, "--by", LEADER, "--key", str(KEY), "--reason", REASON)
        rows = [(("attach", run), both("follows it", "继续查看"))]
        if _open_gate(run):
            rows.insert(0, (approve, both("approves its gate", "批准")))
    say(state)
    offer(*rows, (("lab", "down"), both("removes all of it", "清除全部实验环境")))


def main() -> int:
    """Tell the whole story; return the exit code."""
    stop_as_on_ctrl_c()
    began = time.monotonic()
    progress = Progress()
    try:
        bring_up(progress)
        do_business()
        break_storage(progress)
        recover(progress)
        tell_what_happened(progress)
        say_what_next(progress)
    except KeyboardInterrupt:
        stopped(progress)
        return VIEW_LEFT
    except DemoError as error:
        print(f"error: {error}", file=sys.stderr)
        hint = both("See what is up with '{}'; '{}' removes all of it.", "查看：{}；清除：{}")
        text = hint.format(command_line("lab", "status"), command_line("lab", "down"))
        print(f"hint: {text}", file=sys.stderr)
        return 1
    print(
        both(
            f"\nall of it took {time.monotonic() - began:.0f} s",
            f"\n全程 {time.monotonic() - began:.0f} 秒",
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
