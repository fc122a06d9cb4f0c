"""Who is primary, who may take over, whom to fence."""

from __future__ import annotations

from datetime import timedelta

from dr.engine.actions.postgres.roles import candidate, old_primary, picture, why_nobody
from dr.engine.actions.postgres.roles import primary as find_primary
from tests.unit.recovery.members import NOW, dead, primary, silent, standby


def test_the_host_that_writes_is_the_primary_whatever_is_declared() -> None:
    seen = [standby("db-a"), primary("db-b")]
    assert find_primary(seen, "db-a").host == "db-b"


def test_of_two_that_write_the_higher_timeline_is_the_primary() -> None:
    seen = [primary("db-a", timeline=1), primary("db-b", timeline=2)]
    assert find_primary(seen, "db-a").host == "db-b"


def test_with_a_dead_database_the_holder_of_the_address_is_the_primary() -> None:
    role = find_primary([dead("db-a"), standby("db-b")], "db-b")
    assert (role.host, role.basis) == ("db-a", "address")


def test_a_silent_host_is_the_primary_only_by_declaration() -> None:
    role = find_primary([silent("db-a"), standby("db-b")], "db-a")
    assert (role.host, role.basis) == ("db-a", "declared")


def test_a_declared_primary_that_is_fenced_is_none() -> None:
    seen = [dead("db-a", fenced=True, holds_address=False), dead("db-b", holds_address=False)]
    assert find_primary(seen, "db-a").host == "db-b"


def test_empty_spare_storage_is_never_taken_for_a_primary() -> None:
    seen = [standby("db-a"), dead("spare", spare=True, holds_address=False)]
    assert find_primary(seen, "").host is None


def test_after_a_promotion_by_hand_the_host_to_fence_is_the_old_one() -> None:
    seen = [dead("db-a", holds_address=False), primary("db-b", timeline=2), standby("dr-a")]
    now_primary = find_primary(seen, "db-a")
    old = old_primary(seen, now_primary, "db-a")
    assert (now_primary.host, old.host) == ("db-b", "db-a")
    taking_over = candidate(seen, old)
    assert taking_over is not None
    assert taking_over.host == "db-b"


def test_a_declared_primary_that_was_rebuilt_as_a_standby_is_not_fenced() -> None:
    seen = [standby("db-a", timeline=2), primary("db-b", timeline=2)]
    assert old_primary(seen, find_primary(seen, "db-a"), "db-a").host == "db-b"


def test_the_most_advanced_standby_takes_over_from_a_dead_primary() -> None:
    seen = [dead("db-a"), standby("db-b", received=1000), standby("dr-a", received=1001)]
    best = candidate(seen, find_primary(seen, "db-a"))
    assert best is not None
    assert best.host == "dr-a"


def test_of_equal_standbys_the_one_at_the_primary_s_site_takes_over() -> None:
    seen = [dead("db-a"), standby("dr-a", site="dr"), standby("db-b", site="main")]
    best = candidate(seen, find_primary(seen, "db-a"))
    assert best is not None
    assert best.host == "db-b"


def test_while_the_primary_writes_a_few_bytes_make_no_standby_better() -> None:
    seen = [
        primary("db-a", written=5000),
        standby("db-b", received=4000),
        standby("dr-a", received=5000, site="dr"),
    ]
    best = candidate(seen, find_primary(seen, "db-a"))
    assert best is not None
    assert best.host == "db-b"


def test_the_lag_is_unknown_when_no_primary_ever_said_its_position() -> None:
    seen = picture([silent("db-a"), standby("db-b")], "db-a")
    assert seen["standby"]["lag_bytes"] is None
    told = picture([silent("db-a"), standby("db-b", primary_end=1500)], "db-a")
    assert told["standby"]["lag_bytes"] == 500


def test_a_standby_that_counted_damaged_pages_is_not_intact() -> None:
    seen = picture([dead("db-a"), standby("db-b", checksums=True, checksum_failures=2)], "db-a")
    assert seen["standby"]["intact"] is False
    clean = picture([dead("db-a"), standby("db-b", checksums=False)], "db-a")
    assert clean["standby"]["intact"] is None


def test_with_no_standby_seen_nobody_is_healthy() -> None:
    seen = picture([dead("db-a"), silent("db-b")], "db-a")
    assert seen["standby"] == {
        "host": None,
        "basis": "unknown",
        "healthy": False,
        "intact": None,
        "because": "no host was seen that could take over: "
        "db-b does not answer (no answer within 3 s)",
    }


def test_a_look_carries_its_moment() -> None:
    later = NOW + timedelta(seconds=1)
    seen = picture([primary("db-a", at=later)], "db-a")
    assert seen["primary"]["at"] == "2026-11-22T03:00:01.000000Z"


def test_where_nobody_can_take_over_each_host_is_named_with_what_it_does() -> None:
    silent = "psql: error: connection to server on socket ... failed: Connection refused"
    seen = [
        primary(answers=False, because="gone"),
        standby(answers=False, because=silent),
        standby("dr-a", reachable=False, answers=False, because="no answer within 3 s"),
        standby("spare", spare=True, answers=False, because="empty"),
    ]
    assert why_nobody(seen, "db-a").say("en") == (
        "no host was seen that could take over: db-b answers, its PostgreSQL does not"
        " (Connection refused); dr-a does not answer (no answer within 3 s)"
    )
    assert why_nobody(seen[:1], "db-a").say("en") == "no other host is declared"
