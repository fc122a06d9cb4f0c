"""Words of the reports of a reconciliation, in both languages.

The Chinese is that of official papers and of docs/glossary.md.

``dr.incidents.report.words`` takes them in, so that :class:`Voice` says them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dr.engine.core.case_words import BRANCH_STATES, CASE_STATES, RESOLUTIONS, WHAT
from dr.engine.core.values import Text


def _all(group: str, texts: Mapping[str, Text]) -> dict[str, tuple[str, str]]:
    return {f"{group}_{key}": (text.en, text.zh) for key, text in texts.items()}


RECONCILIATION: Final[dict[str, tuple[str, str]]] = {
    **_all("rc_state", {str(k): v for k, v in BRANCH_STATES.items()}),
    **_all("rc_case", {str(k): v for k, v in CASE_STATES.items()}),
    **_all("rc_do", {str(k): v for k, v in RESOLUTIONS.items()}),
    **_all("rc_what", WHAT),
    # heads
    "rc_bureau_title": (
        "Reconciliation with the branches: {title}",
        "关于“{title}”业务核对情况的报告",
    ),
    "rc_branch_title": (
        "Reconciliation of {branch}: {title}",
        "关于“{title}”{branch}业务核对情况的报告",
    ),
    "rc_kicker": ("Report of a reconciliation", "业务核对报告"),
    "rc_section": ("Reconciliation with the branches", "网点业务核对"),
    "rc_provisional_why": (
        "The reconciliation is not closed. Figures may still change.",
        "业务核对尚未办结，数据可能变化。",
    ),
    "rc_as_of": ("As of {at} ({zone})", "截至 {at}（{zone}）"),
    # the situation
    "rc_situation": ("The situation", "总体情况"),
    "rc_summary": (
        "Branches: {branches}; answered: {answered}; signed off: {signed}; waived: {waived}. "
        "Cases: {cases}; still open: {open}; value at risk: {risk}.",
        "本次业务核对涉及网点 {branches} 个，已提交并核对台账 {answered} 个，已签认 {signed} 个，"
        "经领导组豁免 {waived} 个。共发现差错业务 {cases} 笔，尚未办结 {open} 笔，"
        "涉险金额：{risk}。",
    ),
    "rc_branch_summary": (
        "Ledger entries compared: {entries}. Cases: {cases}; still open: {open}; "
        "value at risk: {risk}.",
        "该网点已核对台账业务：{entries} 笔。共发现差错业务 {cases} 笔，尚未办结 {open} 笔，"
        "涉险金额：{risk}。",
    ),
    "rc_critical": (
        "Cases that cast doubt on the recovery itself: {n}.",
        "其中对恢复结果本身存疑的差错业务 {n} 笔。",
    ),
    "rc_oldest": (
        "Open longest: case {case} of {branch}, since {since} ({age}).",
        "未办结时间最长的差错业务：{branch} {case}，自 {since} 起已历时{age}。",
    ),
    "rc_window": (
        "Business compared: from {start} to {end}.",
        "核对的业务时段：{start} 至 {end}。",
    ),
    "rc_beginning": ("the beginning (the recovery point is unknown)", "起始（恢复点待核实）"),
    "rc_rule": (
        "Closes when {signed} have signed and no more than {open} cases are open; leadership may "
        "waive the rest once {waivable} have signed.",
        "办结条件：签认网点达到 {signed}，未办结差错业务不超过 {open} 笔；签认达到 {waivable} 后，"
        "其余网点可由领导组豁免。",
    ),
    "rc_closed_signed_off": ("closed, all signed off", "已办结（网点均已签认）"),
    "rc_closed_waived": ("closed, leadership waived the rest", "已办结（其余经领导组豁免）"),
    "rc_open": ("open", "未办结"),
    # moments
    "rc_moments": ("Recovered and closed", "恢复与办结"),
    "rc_moment_recovered": ("recovered (technically)", "技术恢复"),
    "rc_moment_opened": ("reconciliation opened", "启动业务核对"),
    "rc_moment_due": ("branches were to answer by", "网点提交截止"),
    "rc_moment_closed": ("closed", "办结"),
    "rc_since_recovered": ("after recovery", "距技术恢复"),
    # picture
    "rc_picture": ("Branches and where they stand", "各网点核对状态"),
    "rc_picture_alt": (
        "Branches by state: {told}. Every figure is in the tables.",
        "各网点按状态分布：{told}。数据见各表。",
    ),
    "rc_legend_critical": (
        "dark: with cases that cast doubt on the recovery",
        "深色：有对恢复结果存疑的差错业务",
    ),
    "rc_each": ("each square is a branch", "每格代表一个网点"),
    "rc_open_cases": ("{n} open", "未办结 {n} 笔"),
    # outcomes
    "rc_outcomes": ("What became of the differences", "差错业务处理结果"),
    "rc_outcome": ("Outcome", "处理结果"),
    "rc_count": ("Cases", "笔数"),
    "rc_value": ("Value", "金额"),
    "rc_out_re-enter": ("entered again", "补录"),
    "rc_out_void": ("voided", "作废"),
    "rc_out_adjust": ("adjusted", "更正"),
    "rc_out_accept": ("accepted as it is", "认可"),
    "rc_out_lost": ("LOST FOR EVER", "永久丢失"),
    "rc_out_gone": ("found no more by a later comparison", "再次比对已一致"),
    "rc_out_open": ("still open: value at risk", "尚未办结（涉险）"),
    "rc_and_unpriced": ("{value}, and {n} of unknown value", "{value}，另有 {n} 笔金额待核实"),
    "rc_all_unpriced": ("unknown for all {n}", "{n} 笔金额均待核实"),
    "rc_nothing": ("–", "—"),
    "rc_more_unpriced": ("and {n} of unknown value", "另有 {n} 笔金额待核实"),
    "rc_cases_of": ("{n} cases", "{n} 笔"),
    "rc_at_risk": ("Value at risk", "涉险金额"),
    "rc_classes": ("What was found", "差错类型"),
    "rc_class": ("Class", "类型"),
    # branches
    "rc_branches": ("Branch by branch", "各网点办理情况"),
    "rc_awaited": ("Branches that are awaited", "尚未签认的网点"),
    "rc_none_awaited": ("No branch is awaited.", "各网点均已签认。"),
    "rc_entries": ("Entries", "台账笔数"),
    "rc_open_column": ("Open", "未办结"),
    "rc_more": (
        "and {n} more: dr reconcile report {run}",
        "其余 {n} 个网点见：dr reconcile report {run}",
    ),
    "rc_reminded": ("reminded {n} times", "已催办 {n} 次"),
    # signatures
    "rc_signatures": ("Who signed, and whether the signature checks", "签认及核验"),
    "rc_signer": ("Signed by", "签认人"),
    "rc_means": ("How", "方式"),
    "rc_check": ("Check", "核验"),
    "rc_check_good": ("checks", "核验通过"),
    "rc_check_bad": ("DOES NOT CHECK", "核验不通过"),
    "rc_check_spoken": ("spoken: nothing to check", "口头签认，无签名可核验"),
    "rc_check_not": ("not checked here", "本报告未作核验"),
    "rc_check_void": ("VOID: the branch moved on after it", "已失效：签认后情况发生变化"),
    "rc_means_signature": ("signed with the person's own key", "本人密钥签名"),
    "rc_means_voice": ("read back by telephone", "电话复诵"),
    "rc_no_signature": ("No branch has signed.", "尚无网点签认。"),
    "rc_not_signed": ("not signed", "未签认"),
    "rc_counted_checks": (
        "Signatures: {n}; check: {good}; spoken: {spoken}; do not check: {bad}; void: {void}; "
        "not checked here: {unchecked}.",
        "签认共 {n} 份：核验通过 {good} 份，口头签认 {spoken} 份，核验不通过 {bad} 份，"
        "已失效 {void} 份，未作核验 {unchecked} 份。",
    ),
    # waivers
    "rc_waivers": ("Waivers of leadership", "领导组豁免"),
    "rc_no_waiver": ("Leadership waived no branch.", "无豁免。"),
    "rc_waived_branches": ("Branches", "网点"),
    "rc_reason": ("Reason", "理由"),
    "rc_expires": ("Good until", "有效期至"),
    "rc_lapsed": ("LAPSED", "已过期"),
    "rc_debt": (
        "A waived branch stays a debt until it has signed.",
        "被豁免的网点仍须补办签认。",
    ),
    # a branch
    "rc_evidence": ("What the branch handed in", "网点提交的证据"),
    "rc_no_evidence": ("The branch has handed nothing in.", "该网点尚未提交。"),
    "rc_file": ("File", "文件"),
    "rc_via": ("How it came", "提交方式"),
    "rc_via_sftp": ("fetched", "系统采集"),
    "rc_via_file": ("as a file", "文件"),
    "rc_via_paper": ("on paper", "纸质"),
    "rc_via_database": ("asked of its database", "查询其数据库"),
    "rc_via_queue": ("a queue of unsent work", "未发送队列"),
    "rc_via_copy": ("from a copy of the database", "取自数据库副本"),
    "rc_via_photo": ("a picture", "照片"),
    "rc_via_telephone": ("by telephone", "电话"),
    "rc_used": ("compared with", "据此核对"),
    "rc_cases": ("Every difference", "差错业务明细"),
    "rc_no_cases": ("Nothing differs.", "未发现差错业务。"),
    "rc_case_column": ("Case", "差错业务"),
    "rc_case_number": ("Business", "业务"),
    "rc_ledger": ("Branch's ledger", "网点台账"),
    "rc_central": ("Recovered database", "恢复后数据库"),
    "rc_not_there": ("not there", "无"),
    "rc_people": ("Maker / checker", "经办/复核"),
    "rc_parcel": ("parcel {parcel}", "宗地 {parcel}"),
    "rc_reference": ("reference {reference}", "凭证 {reference}"),
    "rc_reopened": ("opened again {n} times", "重新打开 {n} 次"),
    # where from
    "rcf_stolen_title": (
        "Report of stolen numbered certificates",
        "关于被盗不动产权证书、不动产登记证明的报告",
    ),
    "rcf_forms_title": (
        "Account of numbered certificates",
        "不动产权证书、不动产登记证明流水号核查情况",
    ),
    "rcf_stolen": ("Stolen certificates", "被盗证书、证明"),
    "rcf_none_stolen": (
        "The register names none that is stolen.",
        "登记册中没有被盗的证书、证明。",
    ),
    "rcf_stolen_law": (
        "Number and serial ranges, by art. 17 (2) of the Jiangxi rules on incidents of real-estate "
        "registration; by art. 18 to be told within one hour, and the outcome in writing within "
        "six hours after it was dealt with.",
        "依据《江西省不动产登记突发事件应急处置办法（试行）》第十七条第（二）项，现将被盗证书、证明的数量和流水号段"
        "报备；依据第十八条，1小时内口头或书面报送，处置完后6小时内书面报送处置结果。",
    ),
    "rcf_stolen_police": (
        "The police are told before this is sent.",
        "报送前应已向公安机关报案。",
    ),
    "rcf_ranges": ("Serial ranges", "流水号段"),
    "rcf_count": ("Number", "数量"),
    "rcf_used_after": ("Records on them", "已被使用"),
    "rcf_total": ("Together", "合计"),
    "rcf_forms": ("All numbered certificates", "各网点证书、证明流水号核查情况"),
    "rcf_issued": ("Issued", "领用"),
    "rcf_used": ("Used", "已使用"),
    "rcf_void": ("Void", "作废"),
    "rcf_source": (
        "Ranges are those of serial-blocks.csv as the run keeps it; records were counted in the "
        "recovered database at {at}; what does not add up is from the run's journal.",
        "号段取自本次运行留存的 serial-blocks.csv；已使用数量于 {at} 在恢复后的数据库中统计；"
        "异常情况取自执行日志账本。",
    ),
    "rcf_audited": ("What does not add up", "异常情况"),
    "rc_source": ("Where this comes from", "报告依据"),
    "rc_session": ("Session", "核对批次"),
    "rc_statement": ("SHA-256 of the statement", "签认文本 SHA-256"),
    "rc_verify": (
        "Written from the run's journal and nothing else. 'dr journal verify {run}' checks it; "
        "'dr reconcile statement {run} BRANCH' prints what a branch signs.",
        "本报告仅依据执行日志账本生成。可用“dr journal verify {run}”核验，"
        "用“dr reconcile statement {run} BRANCH”查看网点签认的文本。",
    ),
}
