"""How much would be lost, and how that is known."""

from __future__ import annotations

from datetime import timedelta

from dr.engine.actions.branch_ledgers import Collection
from dr.engine.actions.postgres.evidence import gather
from dr.engine.actions.postgres.loss import Evidence, loss
from dr.engine.actions.postgres.member import Member
from tests.unit.recovery.members import NOW

MINUTE = timedelta(minutes=1)


def test_nothing_is_lost_while_the_old_primary_answers_and_has_nothing_more() -> None:
    evidence = Evidence(None, NOW, missing_bytes=0, writing=True)
    assert loss(evidence).seconds == 0


def test_a_loss_nobody_can_bound_is_unknown_and_not_zero() -> None:
    assert loss(Evidence(None, NOW)).seconds is None


def test_the_last_answer_of_the_branches_bounds_the_loss_when_every_ledger_was_read() -> None:
    evidence = Evidence(
        NOW - MINUTE,
        NOW,
        last_acknowledged=NOW - MINUTE + timedelta(seconds=2),
        all_branches=True,
    )
    assert loss(evidence).seconds == 2


def test_with_one_ledger_missing_the_detection_bounds_the_loss() -> None:
    evidence = Evidence(NOW - MINUTE, NOW, last_acknowledged=NOW - MINUTE, all_branches=False)
    assert loss(evidence).seconds == 60


def test_what_branches_were_told_after_the_fence_is_not_lost() -> None:
    evidence = Evidence(
        NOW - MINUTE,
        NOW,
        last_acknowledged=NOW + timedelta(hours=1),
        all_branches=True,
        ended_at=NOW - MINUTE + timedelta(seconds=5),
    )
    assert loss(evidence).seconds == 5


def test_clocks_that_differ_make_no_negative_loss() -> None:
    assert loss(Evidence(NOW + MINUTE, NOW)).seconds == 0


def test_log_that_is_known_to_be_missing_is_said() -> None:
    assert "4096 bytes" in loss(Evidence(NOW, NOW, missing_bytes=4096)).basis.en


def test_a_quiet_standby_lost_at_most_what_came_after_its_checkpoint_or_the_archive() -> None:
    evidence = Evidence(None, NOW, whole_until=NOW - MINUTE)
    assert loss(evidence).seconds == 60
    assert loss(evidence).since == NOW - MINUTE


def test_the_last_answer_of_every_branch_bounds_a_quiet_standbys_loss_as_well() -> None:
    evidence = Evidence(
        None,
        NOW,
        last_acknowledged=NOW - 2 * MINUTE,
        all_branches=True,
        whole_until=NOW - 3 * MINUTE,
    )
    assert loss(evidence).seconds == 60


def test_the_checkpoint_of_a_promoted_host_says_nothing_about_the_old_one() -> None:
    promoted = Member("db-b", NOW, answers=True, in_recovery=False, checkpoint_at=NOW)
    evidence = gather(promoted, [promoted], Collection({}, {}), NOW, archived=NOW)
    assert loss(evidence).seconds is None
