"""What the classes of a difference, its resolutions and its states are called, in both languages.

Lists, reports and screens say the same words for them.  Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dr.engine.core.reconciliation import BranchState, CaseState, Resolution
from dr.engine.core.values import Text

WHAT: Final[Mapping[str, Text]] = {
    "missing_central": Text("missing in the database", "数据库中缺失"),
    "in_flight": Text("without an answer, missing in the database", "无回执，数据库中缺失"),
    "extra_central": Text("in the database only", "仅数据库中有"),
    "different": Text("differs", "内容不一致"),
    "field_diff": Text("differs", "内容不一致"),
    "later_version": Text("a later version on one side", "一方版本较新"),
    "duplicate": Text("twice", "重复"),
    "dup_key_central": Text("twice in the database", "数据库中重复"),
    "dup_key_ledger": Text("twice in the ledger", "台账中重复"),
    "dup_business": Text("the same business twice", "同一业务重复办理"),
    "late": Text("late", "迟报"),
    "cross_branch": Text("filed under another branch", "登记在其他网点名下"),
    "key_damaged": Text("number damaged", "号码已损坏"),
    "serial_gap": Text("serial numbers missing", "流水号缺失"),
    "serial_dup": Text("serial number used twice", "流水号重复使用"),
    "serial_out_of_block": Text("serial number outside of its range", "流水号超出号段"),
    "serial_void": Text("serial number is void", "流水号已作废"),
    "ledger_unreadable": Text("lines that could not be read", "台账有无法读取的行"),
    "total_mismatch": Text("totals differ", "合计不符"),
}
"""By ``Found.what``; a class that is not here is shown by its own word."""

RESOLUTIONS: Final[Mapping[Resolution, Text]] = {
    Resolution.RE_ENTER: Text("re-enter", "补录"),
    Resolution.VOID: Text("void", "作废"),
    Resolution.ADJUST: Text("adjust", "更正"),
    Resolution.ACCEPT: Text("accept", "认可"),
    Resolution.LOST: Text("lost", "永久丢失"),
    Resolution.REFER: Text("refer", "移交"),
}

CASE_STATES: Final[Mapping[CaseState, Text]] = {
    CaseState.OPEN: Text("open", "待处理"),
    CaseState.PROPOSED: Text("proposed, to be approved", "已提出意见，待复核"),
    CaseState.APPROVED: Text("approved, to be proven", "已复核，待比对证明"),
    CaseState.SETTLED: Text("settled", "已办结"),
}

BRANCH_STATES: Final[Mapping[BranchState, Text]] = {
    BranchState.WAITING: Text("waiting for its ledger", "待提交台账"),
    BranchState.REFUSED: Text("its file could not be read", "所交文件无法读取"),
    BranchState.WORKING: Text("cases are open", "有未处理的差错业务"),
    BranchState.CLEAN: Text("to be signed", "待签认"),
    BranchState.SIGNED: Text("signed", "已签认"),
    BranchState.WAIVED: Text("waived by leadership", "领导组已豁免"),
}


def what_of(word: str) -> Text:
    """Return the words for a class of difference."""
    return WHAT.get(word, Text(word, word))


def resolution_of(word: str) -> Resolution | None:
    """Return the resolution that ``word`` names, in either language or both; None when none.

    Case and white space do not count: ``Re-enter``, ``补录`` and ``re-enter 补录`` are one.
    """
    said = "".join(word.split()).casefold()
    for resolution, text in RESOLUTIONS.items():
        names = (text.en, text.zh, text.en + text.zh)
        if said in {"".join(name.split()).casefold() for name in names}:
            return resolution
    return None
