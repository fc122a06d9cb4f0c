"""A comparison that took long, and a session that the run will open itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from dr.engine.actions.branch_comparison import Bureau
from dr.engine.core.errors import UserError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.reconciliation import Evidence
from dr.engine.service.comparing import Comparing
from dr.engine.service.reconciling import Open
from tests.integration.approvals.bureau import RUN
from tests.integration.reconciling.office import Office


def hand_in(office: Office, sha: str) -> None:
    office.say(Kind.RECONCILE_RECEIVED, branch="north", sha256=sha, by="cai", via="file")


def test_a_slow_comparison_does_not_take_the_place_of_one_with_a_newer_ledger(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(
        _self: Comparing, _at: Open, found: Mapping[str, Sequence[Evidence]], _all: bool
    ) -> dict[str, Any]:
        hand_in(office, "new")
        office.compare("north", sha="new")
        return {n: {"evidence": p[0].sha256, "entries": 1, "cases": []} for n, p in found.items()}

    hand_in(office, "old")
    monkeypatch.setattr(Comparing, "_compared", slow)
    comparing = Comparing(office.reconciling, None, None, office.workspace)  # type: ignore[arg-type]
    assert comparing.recheck(RUN, ["north"])["north"].compared_with == "new"


def test_a_run_that_will_open_its_reconciliation_gets_none_by_hand(office: Office) -> None:
    record = office.journal.run(RUN)
    other = replace(record, id="R-2")
    outline = [{"id": "sign", "uses": "reconcile.close"}]
    office.journal.create(other, [Draft(Kind.RUN_CREATED, data={"outline": outline})])
    with pytest.raises(UserError, match="opens its reconciliation by itself"):
        office.reconciling.begin("R-2", "fei")


def test_work_of_a_queue_was_never_sent_and_counts_as_lost_by_nobody() -> None:
    inventory = {
        "branches": {"north": {"type": "office"}},
        "branch_types": {"office": {"record": "work", "columns": {"slip": "slip"}}},
    }
    bureau = Bureau(inventory, None, None)  # type: ignore[arg-type]
    assert bureau.type_of("north", "queue").unsent
    assert not bureau.type_of("north").unsent
