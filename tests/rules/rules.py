"""The rules that keep data whole, what taking one out looks like, and the tests that notice.

``take_out`` replaces the one place in ``file`` where the rule stands; at least one of ``tests``
must then fail.  A rule that has no such test is a wish.
"""

from __future__ import annotations

from dataclasses import dataclass

ACTIONS = "engine/dr/engine/actions"
JOURNAL = "engine/dr/engine/journal"
RUNTIME = "engine/dr/engine/runtime"
EXECUTOR = "tests/unit/runtime/test_executor.py"
BAD_HOURS = "tests/unit/runtime/test_bad_hours.py"
CONTRACT = "tests/contract/journal/test_journal_contract.py"


@dataclass(frozen=True)
class Rule:
    """A rule, how it is taken out, and the tests that must fail then.

    Args:
        file: where the rule stands, from the checkout.
        take_out: the text there, which occurs once, and what replaces it.
        tests: node ids as pytest takes them.
    """

    name: str
    file: str
    take_out: tuple[str, str]
    tests: tuple[str, ...]


RULES = (
    Rule(
        "every command to a host presents its epoch, and a lower one is refused there",
        f"{ACTIONS}/wrapper/job.sh",
        ('[ "$epoch" -ge "$seen" ] || finish fenced "$seen"', ":"),
        ("tests/integration/transport/test_jobs.py::test_an_engine_with_a_lower_epoch_is_fenced",),
    ),
    Rule(
        "every write is fenced by the lease's epoch",
        f"{JOURNAL}/sql.py",
        ("if lease is not None and lease.epoch != end.epoch:", "if False:"),
        (f"{CONTRACT}::test_a_dead_engine_is_succeeded_and_its_writes_are_fenced",),
    ),
    Rule(
        "an attempt leaves the queue only by compare-and-set",
        f"{JOURNAL}/index_tables.py",
        (
            "if not self._tx.change(self._sql.claim_attempt, values):",
            "if not self._tx.change(self._sql.claim_attempt, values) and False:",
        ),
        (f"{CONTRACT}::test_an_attempt_is_claimed_once",),
    ),
    Rule(
        "on SQLite the lease is a lock of the operating system, held by one engine",
        f"{JOURNAL}/run_holds.py",
        (
            "if descriptor is None:\n            return False",
            "if descriptor is None:\n            return True",
        ),
        (f"{CONTRACT}::test_a_run_that_a_living_engine_holds_is_refused_naming_it",),
    ),
    Rule(
        "roles are looked at again, and nothing is promoted where they do not fit",
        f"{ACTIONS}/postgres/promote.py",
        ('if target.role != "standby":', "if False:"),
        ("tests/unit/recovery/test_rules.py",),
    ),
    Rule(
        "a fence proof that would not outlive a reboot does not stand for a silent host",
        f"{ACTIONS}/postgres/proof.py",
        (
            'if not seen.reachable and proof.get("survives_reboot") is True:',
            "if not seen.reachable:",
        ),
        ("tests/unit/recovery/test_proofs.py",),
    ),
    Rule(
        "after a possible effect of a careful step a failed verify is in doubt",
        f"{RUNTIME}/attempts.py",
        ("doubt = check.holds is UNKNOWN or step.effect in CAREFUL", "doubt = False"),
        (f"{EXECUTOR}::test_a_once_step_that_is_not_proven_is_in_doubt_and_not_failed",),
    ),
    Rule(
        "a lost answer is in doubt, never retried unseen",
        f"{RUNTIME}/attempts.py",
        (
            "LostContactError):\n            if step.effect is Effect.READ:",
            "LostContactError):\n            if True:",
        ),
        (f"{EXECUTOR}::test_an_irreversible_step_in_doubt_and_absent_waits_for_a_person",),
    ),
    Rule(
        "an irreversible step never runs again by itself",
        f"{RUNTIME}/doubt.py",
        ("step.in_doubt is InDoubt.ASK or step.effect is Effect.IRREVERSIBLE", "False"),
        (f"{EXECUTOR}::test_an_irreversible_step_in_doubt_and_absent_waits_for_a_person",),
    ),
    Rule(
        "leaving what was approved opens a new gate",
        f"{RUNTIME}/ladder.py",
        ("elif gate is not None and not self.gates.covers(gate, left[0]):", "elif False:"),
        (f"{EXECUTOR}::test_a_rung_that_would_lose_more_than_was_accepted_is_asked_about_again",),
    ),
    Rule(
        "a person's decision on a question counts once",
        f"{JOURNAL}/index_tables.py",
        (
            "if not self._tx.change(self._sql.add_answer, values):",
            "if not self._tx.change(self._sql.add_answer, values) and False:",
        ),
        (f"{CONTRACT}::test_one_person_cannot_answer_a_question_twice",),
    ),
    Rule(
        "a verdict on a step of a guarded ladder needs the gate's authority",
        f"{RUNTIME}/gates.py",
        (
            'return group_of(context.render(gate.with_.get("approvers")))\n    return ""',
            'return ""\n    return ""',
        ),
        (f"{BAD_HOURS}::test_going_on_past_an_effect_that_is_left_needs_the_gates_authority",),
    ),
    Rule(
        "time-out never approves",
        f"{RUNTIME}/gates.py",
        (
            'self._close(asked, "timed_out", because, {"state": "failed", "because": because})',
            'self._close(asked, "approved", because, {"state": "succeeded"})',
        ),
        (f"{EXECUTOR}::test_time_out_escalates_and_then_fails_and_never_approves",),
    ),
    Rule(
        "time never goes back in the journal",
        f"{JOURNAL}/sealing.py",
        ("return max(now, head.at)", "return now"),
        (f"{CONTRACT}::test_time_never_goes_back_when_the_clock_is_set_back_a_day",),
    ),
    Rule(
        "facts older than their limit are looked at again before they decide",
        f"{RUNTIME}/context.py",
        ("now - seen.ended > step.fresh", "False"),
        (f"{EXECUTOR}::test_an_old_fact_is_looked_at_again_before_it_decides",),
    ),
    Rule(
        "finally runs while something is in doubt, and again at the true end",
        f"{RUNTIME}/ending.py",
        (
            "        self.context.provisional = False\n        for step",
            "        return\n        for step",
        ),
        (f"{BAD_HOURS}::test_the_report_is_written_while_in_doubt_and_again_at_the_true_end",),
    ),
    Rule(
        "the next rung starts only when every effect of the last is proven undone",
        f"{RUNTIME}/ladder.py",
        ("if left is Left.NOTHING:", "if True:"),
        (f"{BAD_HOURS}::test_a_person_who_says_failed_has_not_proven_that_nothing_is_left",),
    ),
    Rule(
        "hosts that succeeded are left alone when a fan-out is retried",
        "engine/dr/engine/core/view.py",
        ('if done and event.data.get("keep_done", True) and step.fan_out:', "if False:"),
        (f"{EXECUTOR}::test_retrying_a_fan_out_leaves_hosts_alone_that_succeeded",),
    ),
    Rule(
        "nobody skips a gate: the right to run is not the right to approve",
        f"{RUNTIME}/hearing.py",
        ("if kind is Kind.OP_SKIP and self.context.is_gate(step):", "if False:"),
        (f"{BAD_HOURS}::test_an_operator_cannot_skip_a_gate",),
    ),
    Rule(
        "a skipped step opens no way around the gate before it",
        "engine/dr/engine/core/planner.py",
        ("if view is None or view.state is not _S.SKIPPED or not view.forced:", "if True:"),
        (f"{BAD_HOURS}::test_skipping_a_step_behind_a_gate_opens_no_way_around_the_gate",),
    ),
    Rule(
        "a clerk decides on what was read, and the second is told what the first did",
        "engine/dr/engine/journal/memory.py",
        ("if after is not None and after != found.head.seq:", "if False:"),
        ("tests/integration/reconciling/test_cases.py",),
    ),
    Rule(
        "who proposes what is done about a case does not approve it",
        "engine/dr/engine/service/reconciling.py",
        ("if who == found.maker:", "if False:"),
        ("tests/integration/reconciling/test_cases.py",),
    ),
    Rule(
        "a signature of a branch is void once anything of it moved",
        "engine/dr/engine/core/reconciliation.py",
        ("branch.signature.digest == self.digest_of(branch)", "branch.signature.digest"),
        ("tests/unit/core/test_reconciliation.py",),
    ),
    Rule(
        "a correction is settled by a comparison and by nothing else",
        "engine/dr/engine/core/reconciling.py",
        (
            "if case.resolution not in PROVEN and case.resolution is not Resolution.REFER:",
            "if True:",
        ),
        ("tests/unit/core/test_reconciliation.py",),
    ),
    Rule(
        "a skip never satisfies a requires",
        f"{RUNTIME}/proofs.py",
        ("if state not in PROVEN:", "if False:"),
        ("tests/unit/runtime/test_proofs.py",),
    ),
    Rule(
        "a resolved secret is never written down",
        f"{RUNTIME}/recorder.py",
        ("return self._secrets.redact(text)", "return text"),
        (f"{EXECUTOR}::test_a_secret_reaches_the_action_and_never_the_journal",),
    ),
    Rule(
        "nothing is written or begun after the first append that failed",
        f"{RUNTIME}/recorder.py",
        (
            "self._refuse([wanted])\n            return False\n",
            "pass\n",
        ),
        ("tests/unit/runtime/test_recorder.py",),
    ),
    Rule(
        "an engine that may have been frozen asks for its lease before it acts",
        f"{RUNTIME}/attempts.py",
        ("            self.context.recorder.require_lease()\n", ""),
        ("tests/unit/runtime/test_frozen_engine.py",),
    ),
    Rule(
        "an engine that may have been frozen asks for its lease before it takes anything back",
        f"{RUNTIME}/undoing.py",
        ("        self.context.recorder.require_lease()\n", ""),
        ("tests/unit/runtime/test_frozen_engine.py",),
    ),
    Rule(
        "an undo looks for the effect before it acts",
        f"{RUNTIME}/taking_back.py",
        ("            if seen.presence is Presence.ABSENT:\n", "            if False:\n"),
        ("tests/unit/runtime/test_taking_back.py",),
    ),
    Rule(
        "a look that saw nothing is no proof that nothing is there",
        f"{RUNTIME}/attempts.py",
        ("        if outcome.unseen and not done:\n", "        if False:\n"),
        ("tests/unit/runtime/test_taking_back.py",),
    ),
    Rule(
        "an undo that was cut off is looked for before it is begun again",
        f"{RUNTIME}/undoing.py",
        ("            if seen.presence is Presence.ABSENT:\n", "            if False:\n"),
        ("tests/faults/test_trouble.py",),
    ),
    Rule(
        "what was done already when the run came to it is never taken back",
        "engine/dr/engine/core/takeback.py",
        ("unit.intent is not None and not found_before", "True"),
        ("tests/unit/runtime/test_taking_back.py",),
    ),
    Rule(
        "a failed undo is not tried again without a person's word",
        f"{RUNTIME}/taking_back.py",
        ("if unit.state is _S.UNDO_FAILED and", "if False and"),
        ("tests/faults/test_trouble.py",),
    ),
    Rule(
        "nothing begins on top of what was taken back",
        f"{RUNTIME}/beginning.py",
        (" or self.course.lacks_ground(step)", ""),
        ("tests/unit/runtime/test_taking_back.py",),
    ),
    Rule(
        "a journal that lost what was kept is not written on",
        f"{JOURNAL}/sql.py",
        ("        self._require_seen(tx.rows, run, end)\n        if lease", "        if lease"),
        ("tests/integration/journal/test_leases.py",),
    ),
    Rule(
        "what hosts know of a run and the journal does not puts it in doubt as a whole",
        "engine/dr/engine/core/behind.py",
        ("        if above or jobs:\n", "        if above and jobs:\n"),
        ("tests/unit/core/test_behind.py",),
    ),
    Rule(
        "the bytes that people sign are canonical and published",
        "engine/dr/engine/core/canonical.py",
        ("sort_keys=True", "sort_keys=False"),
        ("tests/unit/approvals/test_statement.py",),
    ),
)
