"""The report of one night, byte for byte.

After a wanted change: ``DR_GOLDEN=write pytest tests/golden/report``, then read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dr.incidents.report.reading import report_data
from dr.incidents.report.rendering import LANGUAGES, Format, file_name, render
from dr.incidents.report.voice import Voice, zone_of
from tests.unit.incidents.story import record, recovered_night

PAGES = Path(__file__).parent / "pages"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", list(Format))
def test_the_report_of_the_night_reads_as_it_was_agreed(form: Format, language: str) -> None:
    data = report_data(record(), recovered_night().events)
    text = render(data, form, Voice(language, zone_of("Asia/Shanghai")))
    golden = PAGES / file_name(form, language)
    if os.environ.get("DR_GOLDEN") == "write":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
