"""Reports check every signature again, with the people's real keys."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from dr.engine.core.errors import UserError
from dr.engine.core.events import Kind
from dr.engine.service.reconciliation_reports import ReconciliationReports, signature_checks
from tests.integration.approvals.bureau import RUN
from tests.integration.reconciling.office import Office, lost
from tests.unit.incidents.papers import words_of


@pytest.fixture
def reports(office: Office, tmp_path: Path) -> ReconciliationReports:
    return ReconciliationReports(office.reconciling, tmp_path / "reports")


def _page(files: list[Path], name: str) -> str:
    return next(f for f in files if f.name == name).read_text(encoding="utf-8")


def test_the_bureau_s_report_says_that_a_true_signature_checks_and_a_forged_one_does_not(
    office: Office, reports: ReconciliationReports
) -> None:
    for branch, head in (("north", "cai"), ("south", "dan")):
        office.compare(branch)
        office.signing.sign(RUN, branch, by=head)
    page = _page(reports.write(RUN), "reconciliation.en.html")
    assert "Signatures: 2; check: 2;" in page

    told = dict(office.journal.events(RUN)[-1].data)
    office.say(Kind.RECONCILE_SIGNED, **{**told, "signature": told["signature"][:60]})
    page = _page(reports.write(RUN), "reconciliation.en.html")
    assert "check: 1; spoken: 0; do not check: 1;" in page
    assert "DOES NOT CHECK" in page


def test_a_spoken_signature_is_neither_good_nor_bad(office: Office) -> None:
    office.compare("north")
    code = office.signing.code(RUN, "north")
    office.signing.voice(RUN, "north", by="cai", code=code, witnesses=["eva", "fei"])
    at = office.reconciling.open(RUN)
    (check,) = signature_checks(at.session, at.record.inventory).values()
    assert check.holds not in {True, False}


def test_a_branch_s_report_tells_its_cases_and_nobody_else_s(
    office: Office, reports: ReconciliationReports
) -> None:
    office.compare("north", lost(1))
    office.compare("south", lost(2, "south"))
    files = reports.write(RUN, ["north"], languages=["zh"])
    assert [f.name for f in files] == [
        "reconciliation-north.zh.html",
        "reconciliation-north.zh.docx",
    ]
    page = files[0].read_text(encoding="utf-8")
    words = "\n".join(words_of(files[1].read_bytes()))
    for text in (page, words):
        assert "north/1" in text
        assert "south/2" not in text


def test_a_waiver_is_in_the_report_with_its_reason_and_expiry(
    office: Office, reports: ReconciliationReports
) -> None:
    office.signing.waive(
        RUN, ["south"], by="ana", reason="the house burnt", lasts=timedelta(days=9)
    )
    page = _page(reports.write(RUN), "reconciliation.en.html")
    assert "the house burnt" in page
    assert "2026-12-01" in page


def test_an_unknown_branch_is_refused_and_nothing_is_written(
    reports: ReconciliationReports,
) -> None:
    with pytest.raises(UserError, match="no branch is called 'nort'"):
        reports.write(RUN, ["nort"])
    assert not reports.folder.exists()
