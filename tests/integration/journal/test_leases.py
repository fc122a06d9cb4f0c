"""Leases on PostgreSQL: on the database's clock, as long as the setting says, tried while idle."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.engine import make_url

from dr.engine.core.errors import HeldError, JournalError, UserError
from dr.engine.core.events import Draft, Kind
from dr.engine.journal.lease_setting import lease_setting
from dr.engine.journal.sql import SqlJournal
from tests.contract.journal.sample import created, note, record
from tests.deadline import wait_for
from tests.integration.postgres_server import PostgresServer

pytestmark = pytest.mark.postgres

RUN = "r-20261101-0001"


class Skewed:
    """A machine whose clock is wrong by so much."""

    def __init__(self, minutes: float) -> None:
        self._wrong = timedelta(minutes=minutes)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._wrong

    def monotonic(self) -> float:
        return self.now().timestamp()


@pytest.fixture
def url(postgres_server: PostgresServer) -> str:
    url = postgres_server.database()
    with SqlJournal(url) as journal:
        journal.create(record(), created())
    return url


@pytest.mark.parametrize(("first", "second"), [(10, -10), (-10, 10), (0, 10), (0, -10)])
def test_clocks_ten_minutes_apart_neither_shorten_a_lease_nor_prolong_it(
    url: str, first: float, second: float
) -> None:
    one = SqlJournal(url, clock=Skewed(first), lease_s=1)
    two = SqlJournal(url, clock=Skewed(second), lease_s=1)
    with one, two:
        old = one.acquire(RUN, "one")
        living = two.living(RUN)
        assert living is not None
        assert 0 < living.left_s <= 1
        with pytest.raises(HeldError):
            two.acquire(RUN, "two")
        one.renew(old)
        with pytest.raises(HeldError):
            two.acquire(RUN, "two")
        wait_for(lambda: two.living(RUN) is None, 5, "the lease to lapse")
        why = Draft(Kind.OP_TAKEOVER, data={"by": "ana", "because": "dark"})
        new = two.acquire(RUN, "two", [why])
        assert new.epoch == 2
        with pytest.raises(HeldError, match="its epoch is 1, the newest is 2"):
            one.append(RUN, [note()], lease=old)
        with pytest.raises(HeldError):
            one.renew(old)
        two.append(RUN, [note("after")], lease=new)
        events = two.events(RUN)
        assert [e.kind for e in events[-3:]] == [Kind.OP_TAKEOVER, Kind.RUN_LEASE, Kind.OP_NOTE]
        times = [e.at for e in events]
        assert times == sorted(times), "time never goes back, whoever writes"
        assert two.verify(RUN).ok


def test_a_take_over_that_is_refused_leaves_no_word_of_it(url: str) -> None:
    with SqlJournal(url) as one, SqlJournal(url) as two:
        one.acquire(RUN, "one")
        with pytest.raises(HeldError, match="held by one"):
            two.acquire(RUN, "two", [Draft(Kind.OP_TAKEOVER, data={"by": "ana"})])
        assert [e.kind for e in two.events(RUN)] == [Kind.RUN_CREATED, Kind.RUN_LEASE]


def test_an_epoch_that_a_host_has_seen_is_passed(url: str) -> None:
    with SqlJournal(url) as journal:
        assert journal.acquire(RUN, "one", above=7).epoch == 8


def test_a_connection_dropped_while_it_said_nothing_costs_no_write(
    url: str, postgres_server: PostgresServer
) -> None:
    name = make_url(url).database
    with contextlib.closing(postgres_server.connect()) as wire:
        wire.execute(f"ALTER DATABASE {name} SET idle_session_timeout = '100ms'".encode())
        with SqlJournal(url) as journal:
            lease = journal.acquire(RUN, "one")
            mine = b"SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
            for kept in range(3, 6):
                wait_for(lambda: wire.execute(mine, [name]).fetchone() == (0,), 10, "the drop")
                journal.append(RUN, [note()], lease=lease)
                wait_for(lambda: wire.execute(mine, [name]).fetchone() == (0,), 10, "the drop")
                journal.renew(lease)
                assert len(journal.events(RUN)) == kept


@pytest.mark.parametrize("grown", [False, True], ids=["shorter", "grown-otherwise"])
def test_a_journal_that_lost_what_was_kept_is_not_written_on(
    url: str, postgres_server: PostgresServer, *, grown: bool
) -> None:
    with SqlJournal(url) as journal:
        lease = journal.acquire(RUN, "one")
        journal.append(RUN, [note("kept")], lease=lease)
        kept = journal.events(RUN)
        with contextlib.closing(postgres_server.connect(str(make_url(url).database))) as wire:
            # as after a fail-over to a standby that had not got the last event
            wire.execute(b"ALTER TABLE event DISABLE TRIGGER ALL")
            wire.execute(b"DELETE FROM event WHERE seq = 3")
            wire.execute(b"UPDATE run SET seq = 2, hash = (SELECT hash FROM event WHERE seq = 2)")
            wire.execute(b"ALTER TABLE event ENABLE TRIGGER ALL")
        if grown:
            with SqlJournal(url) as other:
                other.append(RUN, [note("another history"), note("and longer")])
        with SqlJournal(url) as other:
            before = len(other.events(RUN))
        for refused in (
            lambda: journal.append(RUN, [note()], lease=lease),
            lambda: journal.renew(lease),
        ):
            with pytest.raises(JournalError, match="has lost events of run") as said:
                refused()
            assert said.value.code == "journal_behind"
        with SqlJournal(url) as other:
            assert len(other.events(RUN)) == before
        assert kept[-1].seq == 3


@pytest.mark.parametrize("text", ["", "3", "4.5", "600"])
def test_a_lease_lasts_as_long_as_the_setting_says(text: str) -> None:
    assert lease_setting(text) == float(text or 15)


@pytest.mark.parametrize("text", ["2.9", "601", "-5", "nan", "inf", "soon", "5s"])
def test_a_setting_that_is_no_sensible_number_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=f"'{text}' in DR_LEASE_S is not") as refused:
        lease_setting(text)
    assert refused.value.hint
