"""Runs that a release left behind are opened, read and carried to their end by this dr.

When a test fails, the change that broke it would leave a bureau in the middle of a recovery: mend
the change or add a migration, never the file (scripts/golden_journals.py adds new ones).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dr.cli.app import VERSION
from dr.engine.core.states import RunState, StepState
from dr.engine.service.bundles import check_bundle, export
from dr.incidents.report.filing import file_report
from tests.golden.journals.scenes import CAREFUL, HERE, SCENES, Kept, restored

KEPT = sorted(HERE.glob("*/*.sql"))
every_kept = pytest.mark.parametrize("sql", KEPT, ids=[f"{p.parent.name}-{p.stem}" for p in KEPT])


def _told(sql: Path) -> Mapping[str, Any]:
    told: Mapping[str, Any] = json.loads(sql.with_suffix(".json").read_text(encoding="utf-8"))
    return told


@pytest.fixture
def world(sql: Path, tmp_path: Path) -> Kept:
    return restored(sql, _told(sql), tmp_path / "journal.sqlite3")


@every_kept
def test_an_old_journal_is_read_as_it_was_written(sql: Path, world: Kept, tmp_path: Path) -> None:
    told = _told(sql)
    verdict = world.kept.verify(world.record.id)
    assert (verdict.ok, verdict.because) == (True, "")
    assert (verdict.rows, verdict.head) == (told["events"], told["head"])
    assert str(world.view().state) == told["state"]
    filed = file_report(world.record, world.kept.events(world.record.id), tmp_path / "reports")
    assert filed.files
    done = export(world.kept, world.record.id, tmp_path / "bundle", now=world.clock.now())
    assert check_bundle(done.path).verdict.head == told["head"]


@every_kept
def test_an_old_run_goes_on_to_its_end_and_no_effect_happens_twice(sql: Path, world: Kept) -> None:
    before = world.kept.events(world.record.id)

    if not world.view().state.ended:
        assert world.finish() is RunState.SUCCEEDED

    after = world.kept.events(world.record.id)
    assert after[: len(before)] == before
    assert world.kept.verify(world.record.id).ok
    assert world.view().state is RunState.SUCCEEDED
    # every step is there, even those that had ended before the upgrade
    assert {world.view().steps[s].state for s in ("look", "single", "ladder", "fan")} <= {
        StepState.SUCCEEDED,
        StepState.ALREADY_DONE,
    }
    run = world.record.id
    assert {name: world.outside.effects[f"{run}/{name}"] for name in CAREFUL} == dict.fromkeys(
        CAREFUL, 1
    )


def test_this_release_has_kept_a_journal_of_every_scene() -> None:
    # when this fails: .venv/bin/python scripts/golden_journals.py
    assert {path.stem for path in (HERE / VERSION).glob("*.sql")} >= set(SCENES)
