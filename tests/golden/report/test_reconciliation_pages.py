"""The report of one reconciliation, byte for byte.

After a wanted change: ``DR_GOLDEN=write pytest tests/golden/report``, then read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dr.engine.core.ports import Check
from dr.engine.core.values import UNKNOWN
from dr.incidents.reconciliation.document import bureau_document
from dr.incidents.reconciliation.facts import ReconciliationFacts
from dr.incidents.reconciliation.filing import as_json
from dr.incidents.reconciliation.page import branch_page, bureau_page
from dr.incidents.reconciliation.reading import reconciliation_facts
from dr.incidents.report.rendering import LANGUAGES
from dr.incidents.report.voice import Voice, zone_of
from tests.unit.incidents.branch_story import reconciled_record, week
from tests.unit.incidents.papers import words_of

PAGES = Path(__file__).parent / "pages"


@pytest.fixture(scope="module")
def facts() -> ReconciliationFacts:
    told = week()
    checks = {
        "branch-01": Check(holds=True, because="signed by 'chen.wei'"),
        "branch-02": Check(UNKNOWN, "spoken"),
    }
    made = reconciliation_facts(
        reconciled_record(), told.view, told.teller.now, checks=checks, cases_of={"branch-02"}
    )
    assert made is not None
    return made


def _agreed(name: str, text: str) -> None:
    golden = PAGES / name
    if os.environ.get("DR_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_the_facts_read_as_they_were_agreed(facts: ReconciliationFacts) -> None:
    _agreed("reconciliation.json", as_json(facts))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_bureau_s_page_reads_as_it_was_agreed(
    facts: ReconciliationFacts, language: str
) -> None:
    voice = Voice(language, zone_of("Asia/Shanghai"))
    _agreed(f"reconciliation.{language}.html", bureau_page(facts, voice))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_bureau_s_document_reads_as_it_was_agreed(
    facts: ReconciliationFacts, language: str
) -> None:
    voice = Voice(language, zone_of("Asia/Shanghai"))
    text = "\n".join(words_of(bureau_document(facts, voice))) + "\n"
    _agreed(f"reconciliation.{language}.docx.txt", text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_branch_s_page_reads_as_it_was_agreed(facts: ReconciliationFacts, language: str) -> None:
    voice = Voice(language, zone_of("Asia/Shanghai"))
    page = branch_page(facts, facts.branch("branch-02"), voice)
    _agreed(f"reconciliation-branch-02.{language}.html", page)
