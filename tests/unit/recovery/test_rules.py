"""What must not be fenced, and what must not be promoted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dr.engine.actions.postgres.fence import why_not_fence
from dr.engine.actions.postgres.member import Member
from dr.engine.actions.postgres.promote import why_not_promote
from dr.engine.actions.postgres.proof import own_processes
from tests.unit.recovery.members import NOW, dead, primary, silent, standby

PROOF = {"kind": "proof", "host": "db-a", "system_id": "42"}
FENCED = dead("db-a", fenced=True, holds_address=False)


@pytest.mark.parametrize(
    ("members", "expected", "because"),
    [
        ([standby("db-a"), primary("db-b")], {}, "is a standby"),
        ([primary("db-a", timeline=2), primary("db-b", timeline=1)], {}, "the old one is db-b"),
        ([primary("db-a"), standby("db-b")], {"system_id": "43"}, "expected was 43"),
        ([primary("db-a", timeline=3), standby("db-b")], {"timeline": 2}, "promoted meanwhile"),
        ([primary("db-a"), dead("db-b", fenced=True)], {}, "fenced already"),
    ],
    ids=["standby", "promoted", "other-cluster", "newer-timeline", "in-service"],
)
def test_the_wrong_host_is_not_fenced(
    members: list[Member], expected: dict[str, Any], because: str
) -> None:
    assert because in why_not_fence("db-a", members, expected)


@pytest.mark.parametrize("target", [primary("db-a"), dead("db-a"), silent("db-a")])
def test_the_old_primary_may_be_fenced_dead_or_alive(target: Member) -> None:
    assert why_not_fence("db-a", [target, standby("db-b")], {}) == ""


def test_yesterday_s_fence_mark_does_not_protect_today_s_declared_primary() -> None:
    members = [primary("db-b"), dead("db-a", fenced=True)]
    assert why_not_fence("db-b", members, {}, declared="db-b") == ""


def test_a_healthy_standby_may_be_promoted() -> None:
    assert why_not_promote("db-b", [FENCED, standby("db-b"), standby("dr-a")], PROOF) == ""


@pytest.mark.parametrize(
    ("members", "proof", "because"),
    [
        ([FENCED, silent("db-b")], PROOF, "does not answer"),
        ([FENCED, primary("db-b")], PROOF, "not in recovery"),
        ([FENCED, standby("db-b", fenced=True)], PROOF, "fence mark"),
        ([FENCED, standby("db-b")], {"host": "db-b"}, "itself is fenced"),
        ([FENCED, standby("db-b"), primary("dr-a")], PROOF, "would make two"),
        ([FENCED, standby("db-b", system_id="43")], PROOF, "system identifier 43"),
        ([FENCED, standby("db-b"), standby("dr-a", timeline=2)], PROOF, "dr-a is further"),
        (
            [
                FENCED,
                standby("db-b"),
                standby("dr-a", received=2000, replayed_to=NOW + timedelta(seconds=1)),
            ],
            PROOF,
            "dr-a is further",
        ),
    ],
)
def test_the_wrong_host_is_not_promoted(
    members: list[Member], proof: dict[str, Any], because: str
) -> None:
    assert because in why_not_promote("db-b", members, proof)


def test_log_without_a_commit_makes_no_standby_better() -> None:
    members = [FENCED, standby("db-b"), standby("dr-a", received=1100)]
    assert why_not_promote("db-b", members, PROOF) == ""


LISTING = """\
    7     1 Ss   postgres /usr/lib/postgresql/15/bin/postgres -D /data/main
    9     7 Ss   postgres postgres: checkpointer
   20     1 Ss   postgres /usr/lib/postgresql/15/bin/postgres -D /data/other
   21    20 Ss   postgres postgres: checkpointer
   30     1 Ds   postgres postgres: app registry 198.18.3.11(40000) COMMIT
   31     1 Zs   postgres [postgres] <defunct>
   32     1 S    sh       sh -c postgres
"""


def test_the_processes_of_another_cluster_are_left_alone_and_orphans_are_not() -> None:
    assert own_processes(LISTING, "/data/main") == [
        "pid 7 in state Ss",
        "pid 9 in state Ss",
        "pid 30 in state Ds",
    ]
