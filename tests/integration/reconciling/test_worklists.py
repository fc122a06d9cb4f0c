"""Work-lists go out and come back: what is taken, what is left alone, what is refused whole."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from dr.engine.core.errors import NotAllowedError, UserError
from dr.engine.core.events import Kind
from dr.engine.core.reconciliation import CaseState, Found
from dr.engine.service.worklists import Taken, WorkLists
from dr.reconcile.case_answers import WorkListError
from dr.reconcile.case_sheet import HIDDEN, SHEET
from dr.reconcile.evidence import EvidenceStore
from tests.integration.approvals.bureau import RUN
from tests.integration.reconciling.lists import PLACES, fill, rows
from tests.integration.reconciling.office import Office, lost

DONE = {"resolution": "re-enter 补录", "reason": "slip lies before me", "reference": "30091"}


@pytest.fixture
def lists(office: Office, tmp_path: Path) -> WorkLists:
    return WorkLists(office.reconciling, tmp_path / "evidence")


@pytest.fixture
def out(office: Office, lists: WorkLists, tmp_path: Path) -> Path:
    """Return the list of a branch with three cases."""
    office.compare("north", lost(1), lost(2), lost(3))
    (path,) = lists.write(RUN, ["north"], tmp_path / "out")
    return path


def events(office: Office) -> int:
    return len(office.journal.events(RUN))


def test_a_list_that_was_filled_in_becomes_proposals_of_who_hands_it_in(
    office: Office, lists: WorkLists, out: Path
) -> None:
    fill(out, {2: DONE, 4: {"resolution": "永久丢失", "reason": "burnt", "maker": "eva"}})
    taken = lists.take_back(RUN, out, by="eva")
    assert (taken.proposed, taken.left, taken.empty) == (["c1", "c3"], [], 1)
    one = office.case("c1")
    assert (one.state, one.resolution, one.maker) == (CaseState.PROPOSED, "re-enter", "eva")
    assert (one.reason, one.reference) == ("slip lies before me", "30091")
    assert office.case("c2").state is CaseState.OPEN
    assert office.case("c3").resolution == "lost"


def test_who_handed_the_list_in_can_not_approve_what_it_says(
    office: Office, lists: WorkLists, out: Path
) -> None:
    lists.take_back(RUN, fill(out, {2: DONE}), by="eva")
    with pytest.raises(NotAllowedError, match="maker and checker are two"):
        office.reconciling.approve(RUN, "c1", by="eva")


def test_the_list_is_kept_and_the_journal_says_which_it_was(
    office: Office, lists: WorkLists, out: Path
) -> None:
    lists.take_back(RUN, fill(out, {2: DONE}), by="eva")
    sha256 = office.journal.events(RUN)[-1].data["list"]
    assert EvidenceStore(lists.keep).read(sha256) == out.read_bytes()


def test_handing_the_same_list_in_twice_writes_nothing_more(
    office: Office, lists: WorkLists, out: Path
) -> None:
    fill(out, {2: DONE})
    lists.take_back(RUN, out, by="eva")
    before = events(office)
    assert lists.take_back(RUN, out, by="eva").same == ["c1"]
    assert events(office) == before


def test_every_cell_is_text_and_none_a_formula(
    office: Office, lists: WorkLists, tmp_path: Path
) -> None:
    names = [
        "=1+1",
        "\uff1d1+1",
        "@x",
        "-1+1",
        "+1",
        "\t=1",
        "a\u202eb",
        "\x07",
        "310115199001011234",
    ]
    bad = [
        Found(f"c{i}", "north", "missing_central", key=name, parcel=name, amount=name,
              ledger={name: name}, central={"holder": name})
        for i, name in enumerate(names)
    ]  # fmt: skip
    office.compare("north", *bad)
    (path,) = lists.write(RUN, ["north"], tmp_path / "out")
    for sheet in openpyxl.load_workbook(path).worksheets:
        for cell in (cell for row in sheet.iter_rows() for cell in row if cell.value is not None):
            assert cell.data_type == "s", cell.value
            assert cell.number_format == "@"
            assert "\u202e" not in str(cell.value)
            if str(cell.value).lstrip().startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20")):
                assert cell.quotePrefix, cell.value
    with zipfile.ZipFile(path) as packed:
        assert all(b"<f>" not in packed.read(name) for name in packed.namelist())
    assert [row["key"] for row in rows(path) if row["key"].isdigit()] == ["310115199001011234"]


def test_the_columns_to_fill_in_are_free_and_all_others_locked(out: Path) -> None:
    sheet = openpyxl.load_workbook(out)[SHEET]
    assert sheet.protection.sheet
    for key, place in PLACES.items():
        free = key in {"resolution", "reason", "reference", "maker"}
        assert sheet.cell(2, place).protection.locked is not free, key
        assert "\n" in str(sheet.cell(1, place).value)
    (choice,) = sheet.data_validations.dataValidation
    assert "re-enter 补录" in str(choice.formula1)
    assert len(str(choice.formula1)) <= 257  # what spreadsheets can hold


def test_a_list_that_may_be_filled_in_is_never_written_over(lists: WorkLists, out: Path) -> None:
    fill(out, {2: DONE})
    before = out.read_bytes()
    with pytest.raises(UserError, match="is there already, and may be filled in"):
        lists.write(RUN, [], out.parent)
    assert out.read_bytes() == before


def test_without_names_each_branch_with_open_cases_gets_its_list(
    office: Office, lists: WorkLists, tmp_path: Path
) -> None:
    office.compare("north", lost(1))
    office.compare("south")
    assert [p.name for p in lists.write(RUN, [], tmp_path / "o")] == ["worklist-north.xlsx"]
    office.compare("north")
    with pytest.raises(UserError, match=r"no case of run .* is open"):
        lists.write(RUN, [], tmp_path / "p")


# -- others were faster


def test_a_case_that_somebody_settled_meanwhile_is_named_and_not_written_over(
    office: Office, lists: WorkLists, out: Path
) -> None:
    office.reconciling.propose(RUN, "c1", resolution="lost", by="fei", reason="first")
    office.reconciling.approve(RUN, "c1", by="cai")
    office.reconciling.propose(RUN, "c2", resolution="lost", by="fei", reason="first")
    fill(out, {2: DONE, 3: DONE, 4: DONE})
    taken = lists.take_back(RUN, out, by="eva")
    assert taken.proposed == ["c3"]
    assert [(x.row, x.case, x.why, x.who) for x in taken.left] == [
        (2, "c1", "settled", "fei & cai"), (3, "c2", "taken", "fei"),
    ]  # fmt: skip
    assert (office.case("c1").resolution, office.case("c2").maker) == ("lost", "fei")


def test_a_case_taken_between_the_look_and_the_write_is_left_alone(
    office: Office, lists: WorkLists, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(out, {2: DONE, 3: DONE})
    append = office.journal.append

    def faster(*args: Any, **more: Any) -> Any:
        monkeypatch.setattr(office.journal, "append", append)
        office.another_process().propose(RUN, "c1", resolution="lost", by="fei", reason="faster")
        return append(*args, **more)

    monkeypatch.setattr(office.journal, "append", faster)
    taken = lists.take_back(RUN, out, by="eva")
    assert (taken.proposed, [x.case for x in taken.left]) == (["c2"], ["c1"])
    assert office.case("c1").maker == "fei"


def test_a_row_that_another_person_filled_in_is_left_for_that_person(
    office: Office, lists: WorkLists, out: Path
) -> None:
    # else whoever hands a list in could sign for a maker, and approve as the checker
    fill(out, {2: {**DONE, "maker": "fei"}, 3: DONE})
    taken = lists.take_back(RUN, out, by="eva")
    assert (taken.proposed, [(x.case, x.why) for x in taken.left]) == (["c2"], [("c1", "another")])
    assert office.case("c1").state is CaseState.OPEN
    assert lists.take_back(RUN, out, by="fei").proposed == ["c1"]


# -- refused whole


WRONG_ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "no such word": ({**DONE, "resolution": "delete"}, "'delete' is no resolution"),
    "no resolution": ({"reason": "x"}, "the resolution is missing"),
    "no reason": ({"resolution": "void"}, "the reason is missing"),
    "a blank reason": ({"resolution": "void", "reason": " \n "}, "the reason is missing"),
    "digits lost": ({**DONE, "reference": 3.1011519900101123e17}, "its digits are lost"),
    "a long reason": ({**DONE, "reason": "x" * 2001}, "longer than 2000"),
    "another case": ({**DONE, "id": "c9"}, "case 'c9' was not on this list"),
    "no case": ({**DONE, "id": None}, "the case is missing"),
    "a case twice": ({**DONE, "id": "c2"}, "stands in row 3 already"),
}


@pytest.mark.parametrize("why", WRONG_ROWS)
def test_one_wrong_row_refuses_the_whole_list_and_is_named(
    office: Office, lists: WorkLists, out: Path, why: str
) -> None:
    row, words = WRONG_ROWS[why]
    fill(out, {2: DONE, 3: DONE, 4: row})
    before = events(office)
    with pytest.raises(WorkListError) as refused:
        lists.take_back(RUN, out, by="eva")
    assert any(
        words in problem.message and problem.where.endswith(".xlsx:4")
        for problem in refused.value.problems
    )
    assert events(office) == before


def test_every_wrong_row_is_named_at_once(office: Office, lists: WorkLists, out: Path) -> None:
    fill(out, {row: {"resolution": "delete", "reason": "x"} for row in (2, 3, 4)})
    with pytest.raises(WorkListError, match="3 of its rows are wrong") as refused:
        lists.take_back(RUN, out, by="eva")
    assert [p.where.rpartition(":")[2] for p in refused.value.problems] == ["2", "3", "4"]


def test_a_list_whose_case_is_another_thing_now_is_stale(
    office: Office, lists: WorkLists, out: Path
) -> None:
    changed = Found("c1", "north", "missing_central", key="north/1", ledger={"slip": "9"})
    office.compare("north", changed, lost(2), lost(3))
    fill(out, {2: DONE, 3: DONE})
    with pytest.raises(WorkListError) as refused:
        lists.take_back(RUN, out, by="eva")
    (problem,) = refused.value.problems
    assert "is not what it was when the list was written" in problem.message
    assert office.case("c2").state is CaseState.OPEN


def test_a_list_outlives_a_comparison_that_changed_nothing_it_answers(
    office: Office, lists: WorkLists, out: Path
) -> None:
    office.compare("north", lost(1), lost(3), lost(7), sha="bb")
    fill(out, {2: DONE})
    assert lists.take_back(RUN, out, by="eva").proposed == ["c1"]


def _hidden(path: Path, change: Callable[[Worksheet], None]) -> Path:
    book = openpyxl.load_workbook(path)
    change(book[HIDDEN])
    book.save(path)
    return path


def _says(key: str, value: str | None) -> Callable[[Worksheet], None]:
    def change(sheet: Worksheet) -> None:
        for row in sheet.iter_rows(max_col=2):
            if row[0].value == key:
                row[1].value = value

    return change


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("session", f"{RUN}/sign#2", "a list of another reconciliation"),
        ("run", "2026-01-01-other-0000", "a list of another reconciliation"),
        ("branch", "west", "a list of 'west', which takes no part"),
        ("format", "other", "does not say what it was made from"),
        ("v", "2", "of version '2'"),
        ("digest", None, "does not say its digest"),
    ],
)
def test_a_foreign_list_is_refused(
    lists: WorkLists, out: Path, key: str, value: str | None, words: str
) -> None:
    _hidden(fill(out, {2: DONE}), _says(key, value))
    with pytest.raises(WorkListError, match=words):
        lists.take_back(RUN, out, by="eva")


def test_the_list_of_another_branch_is_taken_only_from_its_own_people(
    office: Office, lists: WorkLists, tmp_path: Path
) -> None:
    office.compare("north", lost(1))
    (path,) = lists.write(RUN, ["north"], tmp_path / "out")
    with pytest.raises(NotAllowedError, match="does not belong to branch 'north'"):
        lists.take_back(RUN, fill(path, {2: DONE}), by="dan")


def test_a_closed_session_takes_no_list(office: Office, lists: WorkLists, out: Path) -> None:
    office.say(Kind.RECONCILE_CLOSED, how="waived")
    with pytest.raises(UserError, match="is closed"):
        lists.take_back(RUN, fill(out, {2: DONE}), by="eva")


def _zip_bomb() -> bytes:
    held = BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"\0" * (40 << 20))
    return held.getvalue()


def _other_book() -> bytes:
    held = BytesIO()
    openpyxl.Workbook().save(held)
    return held.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no XLSX"), (b"case,resolution\n", "no XLSX"), (b"PK\x03\x04broken", "no XLSX"),
        (_zip_bomb(), "unpack to far more"), (_other_book(), "not those of a work-list"),
        (b"\0" * (17 << 20), "larger than 16 MiB"),
    ],
    ids=["empty", "csv", "broken", "bomb", "other", "huge"],
)  # fmt: skip
def test_what_is_no_list_is_refused_with_the_reason(
    office: Office, lists: WorkLists, tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "x.xlsx"
    path.write_bytes(content)
    with pytest.raises(WorkListError, match=words):
        lists.take_back(RUN, path, by="eva")


def test_a_file_that_is_not_there_and_a_folder_are_refused(
    lists: WorkLists, tmp_path: Path
) -> None:
    for path in (tmp_path / "gone.xlsx", tmp_path):
        with pytest.raises(UserError, match="cannot be read"):
            lists.take_back(RUN, path, by="eva")


def test_a_list_without_a_column_to_fill_in_is_refused(lists: WorkLists, out: Path) -> None:
    book = openpyxl.load_workbook(out)
    book[SHEET].delete_cols(PLACES["reason"])
    book.save(out)
    with pytest.raises(WorkListError, match="its column 'Reason' is missing"):
        lists.take_back(RUN, out, by="eva")


def test_rows_may_be_sorted_and_lines_put_above_the_header(
    office: Office, lists: WorkLists, out: Path
) -> None:
    fill(out, {2: DONE})
    book = openpyxl.load_workbook(out)
    book[SHEET].insert_rows(1, 3)
    book.save(out)
    assert lists.take_back(RUN, out, by="eva").proposed == ["c1"]


def test_a_formula_in_an_answer_is_its_value_or_nothing_and_never_carried_out(
    office: Office, lists: WorkLists, out: Path
) -> None:
    fill(out, {2: {**DONE, "reason": "=1+1"}})
    with pytest.raises(WorkListError) as refused:  # nobody calculated it: it has no value
        lists.take_back(RUN, out, by="eva")
    assert refused.value.problems[0].message == "the reason is missing"


# -- corrections


def _approved(office: Office) -> None:
    office.reconciling.propose(RUN, "c1", resolution="re-enter", by="eva", reason="=yes")
    office.reconciling.approve(RUN, "c1", by="cai")


def test_approved_corrections_are_written_for_the_application(
    office: Office, lists: WorkLists, out: Path, tmp_path: Path
) -> None:
    _approved(office)
    csv, json_ = lists.corrections(RUN, ["north"], tmp_path / "c")
    (one,) = json.loads(json_.read_text(encoding="utf-8"))["cases"]
    assert (one["case"], one["do"], one["maker"], one["checker"]) == (
        "c1",
        "re-enter",
        "eva",
        "cai",
    )
    assert (one["order"], one["accepted_at"]) == ("unknown", None)  # no ledger is kept
    assert csv.read_bytes().startswith("\ufeff".encode())
    assert ",'=yes," in csv.read_text(encoding="utf-8")


def _kept(lists: WorkLists, *lines: str) -> str:
    """Keep a ledger as evidence; return its SHA-256."""
    content = ("slip,at,parcel,outcome\n" + "".join(f"{line}\n" for line in lines)).encode()
    return EvidenceStore(lists.keep).keep(content)


@pytest.mark.parametrize(
    ("south", "order"),
    [
        (["south/7,2026-11-22T09:00:00,P-1,ok"], "kept"),
        (["south/7,2026-11-22T11:00:00,P-1,ok"], "not_kept"),
        (["south/7,2026-11-22T11:00:00,P-1,refused"], "kept"),
        (["south/7,2026-11-22T11:00:00,P-2,ok"], "kept"),
        (["south/7,,P-1,ok"], "unknown"),
        (None, "unknown"),
    ],
    ids=["earlier", "later", "refused", "elsewhere", "undated", "not compared"],
)
def test_the_order_of_acceptance_is_read_from_the_ledgers_that_were_compared(
    office: Office,
    lists: WorkLists,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    south: list[str] | None,
    order: str,
) -> None:
    columns = {"key": "slip", "at": "at", "parcel": "parcel", "outcome": "outcome"}
    for branch in office.reconciling.open(RUN).record.inventory["branches"].values():
        monkeypatch.setitem(branch, "ledger", {"columns": columns})
    case = Found("c1", "north", "missing_central", key="north/1", parcel="P-1",
                 ledger={"slip": "north/1"})  # fmt: skip
    office.compare("north", case, sha=_kept(lists, "north/1,2026-11-22T10:00:00,P-1,ok"))
    if south is not None:
        office.compare("south", sha=_kept(lists, *south))
    _approved(office)
    _, path = lists.corrections(RUN, [], tmp_path / "c")
    (one,) = json.loads(path.read_text(encoding="utf-8"))["cases"]
    assert (one["order"], one["line"]) == (order, 2)
    assert one["accepted_at"] == "2026-11-22T02:00:00.000000Z"  # branches keep Beijing time
    assert [later["key"] for later in one["later"]] == (["south/7"] if order == "not_kept" else [])


def test_corrections_that_are_proven_are_not_written_again(
    office: Office, lists: WorkLists, out: Path, tmp_path: Path
) -> None:
    _approved(office)
    office.compare("north", lost(2))
    _, json_ = lists.corrections(RUN, [], tmp_path / "c")
    assert json.loads(json_.read_text(encoding="utf-8"))["cases"] == []


def test_what_nobody_filled_in_changes_nothing(office: Office, lists: WorkLists, out: Path) -> None:
    before = events(office)
    assert lists.take_back(RUN, out, by="eva") == Taken("north", empty=3)
    assert events(office) == before
