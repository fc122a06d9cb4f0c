"""The soak with the journal on a PostgreSQL server that is killed too."""

from __future__ import annotations

import pytest

from dr.lab.testing import LabFactory
from tests.integration.postgres_server import own_server
from tests.soak.field import LAB, Field
from tests.soak.injuries import SERVER
from tests.soak.soak import soak

pytestmark = [pytest.mark.lab, pytest.mark.slow]


def test_ten_kills_with_the_journal_on_a_server_that_is_killed_too(
    lab_factory: LabFactory,
) -> None:
    lab = lab_factory(**LAB)
    with own_server() as server:
        field = Field(lab, server.database()).equip()
        tally = soak(field, 10, seed=5, most=7, bounce=server.crash)
    assert tally.kills >= 10
    assert tally.hits[SERVER] >= 1
    assert tally.violations == []
