"""The account of numbered certificates has what art. 17 wants told, on the page and on paper."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dr.engine.core.values import Text
from dr.incidents.reconciliation.certificates import CertificatesContent, FormsFacts
from dr.incidents.reconciliation.document import certificates_document
from dr.incidents.reconciliation.page import certificates_page
from dr.incidents.report.voice import Voice, zone_of
from tests.unit.incidents.branch_story import begun
from tests.unit.incidents.papers import words_of
from tests.unit.incidents.test_reconciliation_layouts import facts
from tests.unit.incidents.test_report_layouts import EVIL, read_page

NORTH = FormsFacts(
    "branch-01", Text("North", "北城分局"), ("赣0000101-赣0000200",), 100, 2,
    ("赣0000191-赣0000195", "赣0000199"), 6, 40, 1, {"serial_gap": ("赣0000150",)},
)  # fmt: skip
SOUTH = FormsFacts("branch-02", Text("South", "南城分局"), ("粤1-粤9",), 9, 0, (), 0, 3, 0)


def content(*forms: FormsFacts, language: str = "zh") -> CertificatesContent:
    told = facts(begun(["branch-01", "branch-02"]))
    return CertificatesContent(told, forms, Voice(language, zone_of("UTC")))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_page_and_paper_have_every_stolen_range_its_number_and_what_was_used_of_it(
    language: str,
) -> None:
    made = content(NORTH, SOUTH, language=language)
    page = certificates_page(made)
    for text in (page, "\n".join(words_of(certificates_document(made)))):
        for part in ("赣0000191-赣0000195", "赣0000199", "赣0000150", "粤1-粤9"):
            assert part in text
        assert ("第十七条第（二）项" if language == "zh" else "art. 17 (2)") in text
    [stolen, together] = next(made.sections()).rows
    assert [cell.text for cell in stolen][2:] == ["6", "1"]
    assert stolen[3].tone == "bad"
    assert [cell.text for cell in together][2:] == ["6", "1"]


def test_what_nobody_counted_is_unknown_and_never_zero() -> None:
    made = content(replace(NORTH, used=None, stolen_used=None), SOUTH, language="en")
    stolen, together = next(made.sections()).rows
    assert stolen[3].text == together[3].text == "unknown"


def test_what_nobody_audited_is_unknown_and_not_in_order() -> None:
    made = content(replace(NORTH, found=None), SOUTH, language="en")
    _, every, _ = made.sections()
    assert [row[4].text for row in every.rows] == ["unknown", "none"]


def test_an_account_without_stolen_forms_says_so_and_claims_no_law() -> None:
    page = certificates_page(content(SOUTH, language="en"))
    assert "names none that is stolen" in page
    assert "art. 17" not in page


def test_names_of_branches_and_forms_stay_text() -> None:
    named = replace(NORTH, branch=EVIL, title=Text(EVIL, EVIL), stolen=(EVIL,))
    made = content(replace(named, found={"serial_gap": (EVIL,)}), language="en")
    page = certificates_page(made)
    reader = read_page(page)
    assert not {"script", "img", "link", "iframe", "object", "embed"} & set(reader.tags)
    assert reader.open == []
    assert "\u202e" not in page
    assert "\u202e" not in "\n".join(words_of(certificates_document(made)))
