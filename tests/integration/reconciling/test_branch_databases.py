"""Databases beside the recovered one: a branch's own, another copy; and one that goes away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dr.engine.core.errors import UserError
from dr.engine.core.reconciliation import BranchState
from dr.reconcile.evidence import EvidenceError
from dr.reconcile.relation import CentralError
from tests.deadline import wait_for
from tests.integration.approvals.bureau import RUN
from tests.integration.postgres_server import PostgresServer, own_server
from tests.integration.reconciling.sides import BACK, Sides, Wire, two_sides

pytestmark = pytest.mark.postgres


def test_what_only_the_branchs_own_database_has_is_missing_centrally(sides: Sides) -> None:
    sides.register(sides.other, "1", "2", "3")
    sides.register(sides.central, "1", "4")
    done = sides.comparing.load_database(RUN, "north", by="cai")
    assert [(one.via, one.name) for one in done.evidence] == [("database", "database")]
    missing, extra = "missing_central", "extra_central"
    assert sides.cases == {(missing, "2"), (missing, "3"), (extra, "4")}


def test_a_branch_whose_database_went_on_is_asked_again_when_ledgers_are_fetched(
    sides: Sides,
) -> None:
    sides.register(sides.other, "1")
    sides.comparing.load_database(RUN, "north", by="cai")
    sides.register(sides.other, "2")
    assert sides.comparing.fetch(RUN, ["north"]) == {}
    assert sides.cases == {("missing_central", "1"), ("missing_central", "2")}


def test_a_branch_database_that_does_not_answer_is_told_and_its_earlier_answer_stands(
    sides: Sides,
) -> None:
    sides.register(sides.other, "1")
    sides.comparing.load_database(RUN, "north", by="cai")
    sides.other.execute(b"DROP TABLE work")
    unread = sides.comparing.fetch(RUN, ["north"])
    assert list(unread) == ["north"]
    assert "does not answer" in unread["north"]
    with pytest.raises(EvidenceError, match="does not answer"):
        sides.comparing.load_database(RUN, "north", by="cai")
    assert sides.cases == {("missing_central", "1")}


def test_a_file_takes_the_place_of_a_database_that_does_not_answer(
    sides: Sides, tmp_path: Path
) -> None:
    sides.register(sides.central, "1")
    path = tmp_path / "ledger.csv"
    path.write_text("slip,parcel,at\n1,P-1,2026-11-22 10:50:00\n2,P-2,2026-11-22 10:50:00\n")
    sides.comparing.load(RUN, "north", path, by="cai")
    assert sides.cases == {("missing_central", "2")}


def test_what_a_branch_did_in_the_last_fraction_of_a_second_is_asked_for(sides: Sides) -> None:
    last = "INSERT INTO work VALUES ('north', '9', 'P-9', %s)"
    for wire in (sides.central, sides.other):
        wire.execute(last.encode(), (BACK - timedelta(milliseconds=200),))
    sides.comparing.load_database(RUN, "north", by="cai")
    assert sides.cases == set()


def test_a_branch_without_a_declared_database_is_refused(sides: Sides) -> None:
    with pytest.raises(UserError, match="not declared how the database of branch 'south'"):
        sides.comparing.load_database(RUN, "south", by="dan")


def test_a_file_of_two_gigabytes_is_refused_and_not_kept(sides: Sides, tmp_path: Path) -> None:
    path = tmp_path / "ledger.csv"
    with path.open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(UserError, match="larger than 256 MiB"):
        sides.comparing.load(RUN, "north", path, by="cai")
    assert sides.north.evidence == []


def test_a_picture_is_kept_once_and_is_no_answer(sides: Sides, tmp_path: Path) -> None:
    path = tmp_path / "receipt.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0 a receipt")
    sides.comparing.load(RUN, "north", path, by="cai", via="photo")
    north = sides.comparing.load(RUN, "north", path, by="cai", via="photo")
    assert [(one.via, one.name) for one in north.evidence] == [("photo", "receipt.jpg")]
    assert not north.answered
    assert sides.comparing.store.read(north.evidence[0].sha256) == path.read_bytes()


# -- another copy of the database


def test_what_only_a_copy_has_is_found_and_changes_nothing(sides: Sides) -> None:
    sides.register(sides.other, "1", "2")
    sides.register(sides.central, "1", "3")
    before = sides.office.journal.events(RUN)
    found = sides.comparing.copies.compare(RUN, "old")
    assert {(f.what, f.key) for f in found.found} == {
        ("missing_central", "2"), ("extra_central", "3"),
    }  # fmt: skip
    assert (found.here, found.there) == (2, 2)
    assert sides.office.journal.events(RUN) == before


def test_what_a_copy_has_of_a_branch_that_is_silent_is_a_case_and_the_branch_still_owes_its_word(
    sides: Sides,
) -> None:
    sides.register(sides.other, "1", "2")
    sides.register(sides.central, "1", "3")
    hand_in(sides)
    assert sides.cases == {("missing_central", "2")}, "a copy is no whole account"
    assert not sides.north.answered
    session = sides.office.reconciling.open(RUN).session
    assert session.state_of(sides.north, sides.office.clock.now()) is BranchState.WAITING


def test_a_branchs_own_word_goes_before_that_of_a_copy(sides: Sides, tmp_path: Path) -> None:
    sides.register(sides.other, "1", "2", "3")
    hand_in(sides)
    path = tmp_path / "ledger.csv"
    path.write_text("slip,parcel,at\n1,P-OTHER,2026-11-22 10:50:00\n", "utf-8")
    sides.comparing.load(RUN, "north", path, by="cai")
    assert sides.north.answered
    cases = {c.found.key: c.found.ledger["parcel"] for c in sides.north.open_cases}
    assert cases == {"1": "P-OTHER", "2": "P-2", "3": "P-3"}


def test_a_record_that_a_copy_has_otherwise_is_shown_with_both_versions(sides: Sides) -> None:
    sides.register(sides.other, "1")
    sides.register(sides.central, "1")
    sides.central.execute(b"UPDATE work SET at = at + interval '61 s'")
    hand_in(sides)
    [case] = sides.north.open_cases
    assert (case.found.what, case.found.fields) == ("field_diff", ("at",))
    assert "10:50:00" in case.found.ledger["at"]
    assert "10:51:01" in case.found.central["at"]


def test_a_queue_alone_is_no_account_of_what_the_branch_did(sides: Sides, tmp_path: Path) -> None:
    sides.register(sides.central, "1", "3")
    path = tmp_path / "queue.csv"
    lines = ("slip,parcel,at", "1,P-1,2026-11-22 10:50:00", "2,P-2,2026-11-22 10:50:00")
    path.write_text("\n".join(lines), "utf-8")
    sides.comparing.load(RUN, "north", path, by="cai", via="queue")
    assert sides.cases == {("in_flight", "2")}


def test_totals_by_telephone_go_on_to_count_beside_a_copy(sides: Sides) -> None:
    sides.register(sides.other, "1", "2")
    sides.register(sides.central, "1")
    total = ("2026-11-22", 5, None, "", "")
    sides.comparing.tell(RUN, "north", total, by="cai", heard_by=["eva", "fei"])
    hand_in(sides)
    assert {what for what, _ in sides.cases} == {"total_mismatch", "missing_central"}


def test_a_copy_does_not_hide_that_a_branchs_own_file_was_refused(
    sides: Sides, tmp_path: Path
) -> None:
    sides.register(sides.other, "1")
    path = tmp_path / "ledger.csv"
    path.write_text("no,header", "utf-8")
    with pytest.raises(UserError, match="is no evidence of north"):
        sides.comparing.load(RUN, "north", path, by="cai")
    hand_in(sides)
    session = sides.office.reconciling.open(RUN).session
    assert session.state_of(sides.north, sides.office.clock.now()) is BranchState.REFUSED


def test_handing_the_same_copy_in_twice_is_one_piece_of_evidence(sides: Sides) -> None:
    sides.register(sides.other, "1")
    hand_in(sides)
    hand_in(sides)
    assert [one.via for one in sides.north.evidence] == ["copy"]


def test_what_was_entered_again_from_a_copy_is_proven_by_the_next_comparison(sides: Sides) -> None:
    sides.register(sides.other, "1")
    hand_in(sides)
    sides.register(sides.central, "1")
    sides.comparing.recheck(RUN, ["north"])
    assert sides.cases == set()


def test_a_copy_is_read_where_nothing_can_be_written(sides: Sides) -> None:
    name = sides.other.info.dbname
    sides.register(sides.other, "1")
    for wire in (sides.other, sides.central):
        wire.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    assert [f.key for f in sides.comparing.copies.compare(RUN, "old").found] == ["1"]


def test_the_recovered_database_is_no_copy_of_itself_and_an_unknown_host_is_told(
    sides: Sides,
) -> None:
    with pytest.raises(UserError, match="itself is on db"):
        sides.comparing.copies.compare(RUN, "db")
    with pytest.raises(UserError, match="no host 'odl'"):
        sides.comparing.copies.compare(RUN, "odl")


def hand_in(sides: Sides) -> None:
    copies = sides.comparing.copies
    copies.hand_in(RUN, "old", copies.compare(RUN, "old"), by="fei")


# -- the database goes away


def test_a_database_that_fails_over_during_a_comparison_leaves_all_as_it_was(
    keyed: tuple[Path, dict[str, Any]], other: PostgresServer, tmp_path: Path
) -> None:
    with own_server() as server, two_sides(keyed, server, other, tmp_path / "store") as sides:
        sides.register(sides.other, "1")
        sides.comparing.load_database(RUN, "north", by="cai")
        before = sides.office.journal.events(RUN)
        # the comparison has begun, and waits for this lock
        holder = server.connect(sides.central.info.dbname)
        with closing(holder), ThreadPoolExecutor(1) as pool:
            holder.execute(b"BEGIN; LOCK TABLE work IN ACCESS EXCLUSIVE MODE")
            asked = pool.submit(sides.comparing.recheck, RUN, ["north"])
            wait_for(lambda: _waits(sides.central), 20, "the comparison to be under way")
            server.crash()
            with pytest.raises(CentralError, match="does not answer"):
                asked.result(60)
        assert sides.office.journal.events(RUN) == before
        assert sides.comparing.recheck(RUN, ["north"])["north"].open_cases


def _waits(wire: Wire) -> bool:
    asked = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'dr reconcile'"
    return wire.execute(f"{asked} AND wait_event_type = 'Lock'".encode()).fetchone() is not None
