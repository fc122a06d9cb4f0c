"""Which of the things that hosts saw the journal does not know."""

from __future__ import annotations

from datetime import UTC, datetime

from dr.engine.core.behind import Sighting, highest_epoch, in_words, unknown_to
from dr.engine.core.events import Event, Kind
from dr.engine.core.view import RunView

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


_Row = tuple[Kind, str | None, str | None, int | None, dict[str, object]]
_BEGUN: _Row = (Kind.INTENT, "fence", "db-a", 1, {})


def a_run(*kinds: tuple[Kind, dict[str, object]]) -> RunView:
    """Return a run whose step ``fence`` was begun once on db-a, then these events."""
    view = RunView("R-1")
    tail: list[_Row] = [(kind, None, None, None, data) for kind, data in kinds]
    for seq, (kind, step, host, attempt, data) in enumerate([_BEGUN, *tail], 1):
        view.apply(Event("R-1", seq, NOON, kind, step, host, attempt, 1, data, ""))
    return view


def test_what_the_journal_knows_is_not_listed() -> None:
    seen = [Sighting("db-a", 1, (("fence", 1), ("fence.verify", 1), ("fence.undo", 1)))]
    assert unknown_to(a_run(), seen, 2) == []


def test_a_job_of_an_unknown_step_or_attempt_is_listed_with_its_host() -> None:
    seen = [Sighting("db-a", 1, (("fence", 2),)), Sighting("db-b", 1, (("promote", 1),))]
    found = unknown_to(a_run(), seen, 2)
    assert found == [
        {"host": "db-a", "epoch": 0, "jobs": ["fence#2"]},
        {"host": "db-b", "epoch": 0, "jobs": ["promote#1"]},
    ]
    assert in_words(found) == "db-a (fence#2), db-b (promote#1)"


def test_an_epoch_as_high_as_that_of_the_engine_that_asks_is_somebody_elses() -> None:
    assert unknown_to(a_run(), [Sighting("db-b", 1)], 2) == []
    found = unknown_to(a_run(), [Sighting("db-b", 2)], 2)
    assert in_words(found) == "db-b (epoch 2)"
    assert highest_epoch(a_run((Kind.RUN_BEHIND, {"seen": found}))) == 2


def test_what_a_person_accepted_is_not_asked_again_and_anything_more_is() -> None:
    first = unknown_to(a_run(), [Sighting("db-b", 2, (("promote", 1),))], 2)
    view = a_run((Kind.RUN_BEHIND, {"seen": first}))
    assert view.is_behind
    view = a_run((Kind.RUN_BEHIND, {"seen": first}), (Kind.OP_ACCEPT, {"by": "ana"}))
    assert not view.is_behind
    assert unknown_to(view, [Sighting("db-b", 2, (("promote", 1),))], 3) == []
    again = unknown_to(view, [Sighting("db-b", 2, (("promote", 1), ("address", 1)))], 3)
    assert again == [{"host": "db-b", "epoch": 0, "jobs": ["promote#1", "address#1"]}]
