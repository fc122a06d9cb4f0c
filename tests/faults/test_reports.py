"""Cut the power while a report is written: each file is whole, the old one or the new one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from dr.engine.core.faults import PowerCut, armed
from dr.incidents.report.filing import file_report
from tests.faults.test_power_cuts import VISITS, Cut
from tests.unit.incidents.story import Teller, assessed, opening, record, recovered_night


def written(teller: Teller, folder: Path) -> dict[str, bytes]:
    file_report(record(), teller.events, folder)
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / record().id).iterdir()}


@pytest.mark.parametrize("point", ["before-report", "after-report"])
def test_a_report_file_is_the_old_one_or_the_new_one_whenever_the_power_goes(
    tmp_path: Path, point: str
) -> None:
    old = written(assessed(opening(Teller())), tmp_path / "old")
    new = written(recovered_night(), tmp_path / "new")
    for visit in VISITS:
        folder = tmp_path / str(visit)
        written(assessed(opening(Teller())), folder)
        cut = Cut(point, visit)
        with armed(cut), suppress(PowerCut):
            written(recovered_night(), folder)
        found = contents(folder)
        assert found.keys() == new.keys()
        assert all(text in {old[name], new[name]} for name, text in found.items()), visit
        assert found["report.json"] == old["report.json"] or found == new, "JSON comes last"
        assert written(recovered_night(), folder) == new
        if not cut.happened:
            assert visit > 1
            return
