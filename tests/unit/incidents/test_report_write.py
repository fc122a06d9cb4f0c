"""The action that files a report: whole files, and never a stale one called done."""

from __future__ import annotations

from pathlib import Path

import pytest

from dr.engine.actions.report_write import ReportWrite, report_actions
from dr.engine.core.errors import FailedError
from dr.engine.core.events import Kind
from dr.engine.core.ports import Presence
from dr.incidents.report.filing import told_rows, write_whole
from tests.unit.incidents.small_world import SmallWorld, attempt
from tests.unit.incidents.story import INVENTORY, RUN, Teller, assessed, recovered_night


def _world(folder: Path, teller: Teller | None = None) -> SmallWorld:
    inventory = {**INVENTORY, "paths": {"reports": str(folder)}}
    return SmallWorld(inventory, teller or recovered_night(), step="report")


def test_the_files_are_written_and_read_back(tmp_path: Path) -> None:
    world, one, action = _world(tmp_path), attempt("report"), ReportWrite()
    outcome = action.perform(one, world)
    assert sorted(path.name for path in (tmp_path / RUN).iterdir()) == [
        "report.en.html",
        "report.en.md",
        "report.json",
        "report.zh.html",
        "report.zh.md",
    ]
    assert action.verify(one, world, outcome).holds is True
    assert outcome.outputs["head"] == world.teller.events[-1].hash


def test_a_file_changed_after_writing_fails_the_verification(tmp_path: Path) -> None:
    world, one, action = _world(tmp_path), attempt("report"), ReportWrite()
    outcome = action.perform(one, world)
    (tmp_path / RUN / "report.en.md").write_text("all went well\n")
    check = action.verify(one, world, outcome)
    assert check.holds is False
    assert "report.en.md" in check.because


def test_a_report_of_the_same_head_is_done_and_an_older_one_is_not(tmp_path: Path) -> None:
    world, one, action = _world(tmp_path, assessed(Teller())), attempt("report"), ReportWrite()
    assert action.probe(one, world).presence is Presence.ABSENT
    action.perform(one, world)
    world.teller.tell(Kind.RUN_LEASE, epoch=2, holder="other")
    world.teller.tell(Kind.LOST, "report", None, 1, message="gone")
    probe = action.probe(one, world)
    assert probe.presence is Presence.DONE
    assert set(probe.outputs["files"]) >= {"report.json", "report.zh.html"}

    world.teller.tell(Kind.OP_NOTE, by="sun.hao", text="something new")
    assert action.probe(one, world).presence is Presence.ABSENT


def test_the_report_of_another_journal_is_never_taken_for_this_one(tmp_path: Path) -> None:
    ReportWrite().perform(attempt("report"), _world(tmp_path))
    other = recovered_night()
    changed = assessed(Teller())
    changed.events[0] = other.events[1]
    assert told_rows(tmp_path / RUN, other.events) == len(other.events)
    assert told_rows(tmp_path / RUN, changed.events) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"journal": {"rows": "x", "head": ""}}'])
def test_a_broken_report_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    assert told_rows(tmp_path, recovered_night().events) is None


def test_a_report_in_the_middle_of_the_night_is_provisional(tmp_path: Path) -> None:
    outcome = ReportWrite().perform(attempt("report"), _world(tmp_path, assessed(Teller())))
    assert outcome.outputs["provisional"] is True


def test_the_report_that_the_last_step_writes_is_final(tmp_path: Path) -> None:
    night = recovered_night()
    begun = next(e.seq for e in night.events if e.step == "report" and e.kind is Kind.INTENT)
    night.events = night.events[:begun]
    outcome = ReportWrite().perform(attempt("report"), _world(tmp_path, night))
    assert outcome.outputs["provisional"] is False


def test_a_folder_that_cannot_be_written_is_a_failure_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file stands in the way")
    with pytest.raises(FailedError, match="reports"):
        ReportWrite().perform(attempt("report"), _world(tmp_path / "reports"))


def test_without_a_folder_the_precheck_says_what_to_write(tmp_path: Path) -> None:
    check = ReportWrite().precheck(attempt("report"), SmallWorld(INVENTORY))
    assert check.holds is False
    assert "directory" in check.hint


def test_a_relative_folder_is_not_accepted(tmp_path: Path) -> None:
    check = ReportWrite().precheck(attempt("report", directory="here"), _world(tmp_path))
    assert check.holds is False


def test_an_interrupted_write_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "report.en.md"
    write_whole(page, "old\n")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dr.incidents.report.filing.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(page, "new\n")
    assert page.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [page]


def test_the_chosen_languages_and_formats_are_kept_to(tmp_path: Path) -> None:
    one = attempt("report", languages=["zh"], formats=["markdown"])
    ReportWrite().perform(one, _world(tmp_path))
    names = sorted(path.name for path in (tmp_path / RUN).iterdir())
    assert names == ["report.json", "report.zh.md"]


def test_both_actions_are_offered_to_the_registry() -> None:
    assert [action.spec.name for action in report_actions()] == ["report.write", "notify.send"]
