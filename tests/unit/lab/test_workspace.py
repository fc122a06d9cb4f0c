"""The lab's workspace is an ordinary one: what reads a bureau's reads this."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dr.inventory.checks import check
from dr.inventory.directory import Directory
from dr.inventory.reading import read_inventory
from dr.inventory.snapshot import snapshot
from dr.inventory.workspace import Workspace, read_workspace
from dr.lab import office, workspace
from dr.lab.keys import make_keys
from dr.lab.plan import LabOptions, LabPlan
from dr.lab.postgres import Installation
from dr.lab.topology import plan_topology


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> LabPlan:
    directory = tmp_path_factory.mktemp("lab")
    topology = plan_topology()
    made = LabPlan(
        directory=directory,
        options=LabOptions(directory=directory),
        topology=topology,
        installation=Installation(Path("/usr/lib/postgresql/16/bin"), "16.4"),
        golden=None,
        privileged=False,
        volumes=(),
        passwords={"app": "one", "dr_reader": "two", "repl": "three"},
    )
    make_keys(workspace.key_files(directory))
    workspace.write_workspace(made, "db-a,198.18.1.11 ssh-ed25519 AAAA\n")
    return made


@pytest.fixture(scope="module")
def read(plan: LabPlan) -> Workspace:
    return read_workspace(workspace.workspace_folder(plan.directory))


@pytest.mark.parametrize("environment", ["lab", "staging"])
def test_the_inventory_is_read_without_an_error(read: Workspace, environment: str) -> None:
    problems = check(read_inventory(read, environment), datetime.now(UTC).date())
    assert [problem for problem in problems if problem.severity == "error"] == []


def test_every_host_of_an_environment_is_in_its_inventory(plan: LabPlan, read: Workspace) -> None:
    for environment in ("lab", "staging"):
        listed = set(snapshot(read, environment)["hosts"])
        assert listed == {host.name for host in plan.topology.in_environment(environment)}


def test_the_database_is_where_this_machines_postgresql_puts_it(read: Workspace) -> None:
    database = snapshot(read, "lab")["services"]["registry"]["database"]
    assert database["bin_dir"] == "/usr/lib/postgresql/16/bin"
    assert database["data_dir"] == "/var/lib/postgresql/16/main"


def test_two_people_lead_and_each_has_a_deputy_and_a_private_key(
    plan: LabPlan, read: Workspace
) -> None:
    people = Directory(snapshot(read, "lab"))
    leaders = people.members("leadership")
    assert len(leaders) == 2
    for leader in leaders:
        assert people.deputy(leader) in people.members("leadership-deputies")
        key = workspace.workspace_folder(plan.directory) / "keys/people" / leader
        assert key.stat().st_mode & 0o077 == 0


def test_passwords_are_for_their_owner_only(plan: LabPlan) -> None:
    files = list((workspace.workspace_folder(plan.directory) / "keys").glob("*.password"))
    assert len(files) == 3
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)


def test_the_ledgers_columns_are_those_that_an_office_writes(read: Workspace) -> None:
    columns = snapshot(read, "lab")["branches"]["branch-01"]["ledger"]["columns"]
    assert set(columns.values()) <= set(office.COLUMNS)
    assert columns["key"] == "slip"


def test_the_ledgers_words_are_those_of_the_query_on_the_database(read: Workspace) -> None:
    columns = snapshot(read, "lab")["branches"]["branch-01"]["ledger"]["columns"]
    query = snapshot(read, "lab")["services"]["registry"]["business"]["ledger"]["query"]
    # the outcome is what the branch was told: the database can not know it
    assert columns.keys() - {"outcome"} == set(re.findall(r" AS (\w+)[,\s]", query)) - {"r", "c"}


def test_the_register_of_forms_lies_beside_the_branches(plan: LabPlan) -> None:
    folder = workspace.workspace_folder(plan.directory)
    text = (folder / "inventory/lab" / workspace.SERIAL_BLOCKS).read_text("utf-8")
    assert {line.split(",")[0] for line in text.splitlines()[1:]} == {
        "bureau",
        *(branch.name for branch in plan.topology.branches),
    }
