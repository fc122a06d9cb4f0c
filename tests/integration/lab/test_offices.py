"""A branch office writes down what it knows, and only that."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dr.lab.api import in_host, status
from dr.lab.office import LEDGER
from dr.lab.postgres import SOCKET_DIR
from tests.deadline import WaitFor

pytestmark = pytest.mark.lab


def _sql(directory: Path, *statements: str) -> str:
    psql = ["psql", "-qtAX", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h", SOCKET_DIR]
    words = [word for statement in statements for word in ("-c", statement)]
    done = in_host(directory, "db-a", [*psql, "-d", "registry", *words])
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _ledger(directory: Path, outcome: str) -> list[dict[str, str]]:
    text = in_host(directory, "branch-01", ["cat", LEDGER]).stdout
    # the office may be in the middle of its newest line
    whole = text[: text.rfind("\n") + 1]
    return [line for line in csv.DictReader(whole.splitlines()) if line["outcome"] == outcome]


def _in_register(directory: Path, line: dict[str, str]) -> bool:
    sql = f"SELECT count(*) FROM registration WHERE slip = '{line['slip']}'"  # noqa: S608
    return _sql(directory, sql) == "1"


def test_a_commit_that_is_never_answered_is_unknown_though_the_register_has_it(
    small_lab: Path, wait_for: WaitFor
) -> None:
    # the primary holds the answer of COMMIT back until a standby confirms that does not exist
    reload = "SELECT pg_reload_conf()"
    _sql(small_lab, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", reload)
    try:
        [line, *_] = wait_for(lambda: _ledger(small_lab, "unknown"), 20, "an unknown outcome")
    finally:
        _sql(small_lab, "ALTER SYSTEM RESET synchronous_standby_names", reload)

    assert line["receipt_no"] and line["certificate_serial"]  # noqa: PT018  one claim: it was told both
    wait_for(lambda: _in_register(small_lab, line), 10, "the commit that nobody saw")
    [branch] = status(small_lab).branches
    assert branch["unknown"] == len(_ledger(small_lab, "unknown"))
    wait_for(lambda: status(small_lab).branches[0]["failing_since"] is None, 20, "business")


def test_a_case_that_is_refused_is_failed_and_the_register_lacks_it(
    small_lab: Path, wait_for: WaitFor
) -> None:
    _sql(small_lab, "UPDATE service_state SET stage = 'read_only'")
    try:
        [line, *_] = wait_for(lambda: _ledger(small_lab, "failed"), 20, "a failed outcome")
    finally:
        _sql(small_lab, "UPDATE service_state SET stage = 'full'")

    assert line["receipt_no"] == ""
    assert "open for reading only" in line["detail"]
    assert not _in_register(small_lab, line)


def test_two_cases_never_have_one_slip(small_lab: Path) -> None:
    text = in_host(small_lab, "branch-01", ["cat", LEDGER]).stdout
    slips = [line["slip"] for line in csv.DictReader(text.splitlines())]
    assert len(slips) == len(set(slips)) > 0
