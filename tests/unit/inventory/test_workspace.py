"""Workspaces: found, read with every mistake at its place, and begun."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from dr.engine.core.errors import RunbookError, UserError
from dr.inventory.checks import check
from dr.inventory.reading import inventory_schemas, read_inventory
from dr.inventory.scaffold import init_workspace
from dr.inventory.snapshot import snapshot
from dr.inventory.workspace import find_workspace, read_workspace

TODAY = date(2026, 11, 22)
KEYS = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 42 + letter
    for letter in "EIMQ"
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a new workspace as ``dr init`` writes it."""
    init_workspace(tmp_path / "ws", TODAY)
    return tmp_path / "ws"


def test_a_new_workspace_has_no_error_and_says_who_still_needs_a_key(folder: Path) -> None:
    problems = check(read_inventory(read_workspace(folder)), TODAY)
    assert {p.rule for p in problems} == {"INV025"}
    assert {p.severity for p in problems} == {"warning"}


def test_a_new_workspace_with_keys_filled_in_has_nothing_to_complain_of(folder: Path) -> None:
    people = folder / "inventory/production/people.yaml"
    text = people.read_text(encoding="utf-8")
    for key in KEYS:
        text = text.replace("keys: []", f'keys: ["{key}"]', 1)
    people.write_text(text, encoding="utf-8")
    assert check(read_inventory(read_workspace(folder)), TODAY) == []


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    mine = tmp_path / "inventory/production/people.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine", encoding="utf-8")
    assert mine not in init_workspace(tmp_path, TODAY)
    assert mine.read_text(encoding="utf-8") == "mine"
    with pytest.raises(UserError, match="there is a workspace"):
        init_workspace(tmp_path, TODAY)


def test_the_nearest_dr_yaml_above_is_found(folder: Path) -> None:
    deep = folder / "inventory/production"
    assert find_workspace(deep) == folder
    assert find_workspace(folder.parent) is None


def test_what_is_named_counts_before_what_is_near(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    init_workspace(other, TODAY)
    assert find_workspace(folder, explicit=other / "dr.yaml") == other
    assert find_workspace(folder, variable=str(other)) == other
    with pytest.raises(UserError, match="--workspace names"):
        find_workspace(folder, explicit=tmp_path)
    with pytest.raises(UserError, match=r"\$DR_WORKSPACE names"):
        find_workspace(folder, variable=str(tmp_path))


def test_every_mistake_in_dr_yaml_is_told_with_its_position(folder: Path) -> None:
    (folder / "dr.yaml").write_text(
        "format: 1\nbureau: B\ndefault_enviroment: x\nenvironments:\n"
        "  lab: { kind: labb, inventory: inventory/lab }\nssh: { connect_timeout: 5 }\n",
        encoding="utf-8",
    )
    with pytest.raises(RunbookError) as caught:
        read_workspace(folder)
    where = {p.where.rpartition("dr.yaml:")[2]: p for p in caught.value.problems}
    assert "Did you mean 'default_environment'?" in where["3:1"].hint
    assert "'labb' is not one of" in where["5:16"].message
    assert "5 has no unit" in where["6:25"].message
    assert any("'default_environment' is missing" in p.message for p in caught.value.problems)


def test_a_default_environment_that_is_not_there_is_named(folder: Path) -> None:
    path = folder / "dr.yaml"
    text = path.read_text(encoding="utf-8").replace(
        "default_environment: production", "default_environment: prod"
    )
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RunbookError) as caught:
        read_workspace(folder)
    assert [p.where.rpartition(":")[0].rpartition(":")[2] for p in caught.value.problems] == ["4"]
    assert "production" in caught.value.problems[0].hint


def test_an_unknown_environment_names_the_nearest(folder: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_workspace(folder).environment("productoin")
    assert caught.value.hint == "Did you mean 'production'?"


@pytest.mark.parametrize(
    ("file", "old", "new", "rule", "message"),
    [
        ("services", "[db-a, db-b]", "[db-a, db-c]", "INV010", "no host is called 'db-c'"),
        ("services", "spare_storage: spare", "spare_storage: spaer", "INV010", "'spaer'"),
        ("people", "deputy: first.leader", "deputy: forst.leader", "INV012", "'forst.leader'"),
        ("backups", "service: registry", "service: archive", "INV013", "'archive'"),
        ("backups", "service: registry", "service: archive", "INV070", "has no backup set"),
        ("people", "members: [first.leader, second.leader]", "members: []", "INV020", "'leadership'"),  # noqa: E501
        ("people", "members: [first.leader, second.leader]",
         "members: [first.leader, second.leader]\n    post: true", "", ""),
        ("people", "    deputy: second.leader\n", "", "", ""),
        ("people", "keys: [] ", 'keys: ["ssh-ed25519 AAAA"] ', "INV023", "the key is damaged"),
        ("suppliers", "2027-11-22", "2026-11-21", "INV040", "expired on 2026-11-21"),
        ("suppliers", "2027-11-22", "2026-12-20", "INV041", "ends in 28 days"),
        ("people", "verified_on: 2026-11-22", "verified_on: 2026-08-21", "INV042", "since 2026-08-21"),  # noqa: E501
        ("people", "verified_on: 2026-11-22", "verified_on: 2026-11-23", "INV043", "has not come yet"),  # noqa: E501
        ("services", "192.0.2.100", "192.0.2.11", "INV030", "host 'db-a'"),
        ("hosts", "192.0.2.12", "192.0.2.11", "INV030", "'db-a' and 'db-b'"),
        ("hosts", "dr_site: main,", "dr_site: main, ansible_become_pass: x,", "INV032", "clear text"),  # noqa: E501
        ("hosts", "ansible_host: 192.0.2.11", "ansible_host: '{{ x }}'", "INV003", "is a template"),
        ("services", "env:DR_READER_PASSWORD", "file:keys/none", "INV050", "is missing"),
        ("services", "env:DR_READER_PASSWORD", "hunter2", "INV002", "not a reference to a secret"),
        ("services", "rto: 4h", "rto: 4", "INV002", "4 has no unit"),
        ("services", "ip: 192.0.2.100", "ip: 192.0.2.300", "INV002", "not an IP address"),
        ("services", "format: 1", "formt: 1", "INV002", "unknown key 'formt'"),
        ("people", "  second.leader:\n", "  first.leader:\n", "INV001", "written twice"),
        ("branches", "branches: {}", "branches: { b1: { title: { en: B, zh: B } } }", "INV027", "'b1'"),  # noqa: E501
        ("branches", "branches: {}", "branches: { b1: { title: { en: B, zh: B }, responsible: first.leader } }", "", ""),  # noqa: E501
    ],
)  # fmt: skip
def test_each_mistake_is_found_under_its_rule(
    folder: Path, file: str, old: str, new: str, rule: str, message: str
) -> None:
    path = folder / f"inventory/production/{file}.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    problems = [
        p for p in check(read_inventory(read_workspace(folder)), TODAY) if p.rule != "INV025"
    ]
    if not rule:
        assert problems == []
        return
    found = [p for p in problems if p.rule == rule]
    assert any(message in p.message for p in found), problems
    assert all(p.hint for p in found if p.rule != "INV003")
    assert all(p.where.startswith("inventory/production/") for p in found)


def test_a_post_without_deputy_is_told_at_the_member(folder: Path) -> None:
    path = folder / "inventory/production/people.yaml"
    text = path.read_text(encoding="utf-8").replace("    deputy: second.leader\n", "", 1)
    text = text.replace(
        "[first.leader, second.leader]", "[first.leader, second.leader]\n    post: true", 1
    )
    path.write_text(text, encoding="utf-8")
    (problem,) = [
        p for p in check(read_inventory(read_workspace(folder)), TODAY) if p.rule == "INV021"
    ]
    assert problem.path == ("groups", "leadership", "members", 0)
    assert "^" in problem.excerpt


def test_two_people_with_one_key_are_not_four_eyes(folder: Path) -> None:
    path = folder / "inventory/production/people.yaml"
    text = path.read_text(encoding="utf-8").replace("keys: []", f'keys: ["{KEYS[0]}"]')
    path.write_text(text, encoding="utf-8")
    rules = [p.rule for p in check(read_inventory(read_workspace(folder)), TODAY)]
    assert rules.count("INV026") == 3


def test_a_missing_file_is_told_and_an_optional_one_is_not(folder: Path) -> None:
    inventory = folder / "inventory/production"
    for name in ("suppliers", "branches", "people", "hosts"):
        (inventory / f"{name}.yaml").unlink()
    problems = read_inventory(read_workspace(folder)).problems
    assert {p.where for p in problems if p.rule == "INV001"} == {
        "inventory/production/people.yaml",
        "inventory/production/hosts.yaml",
    }


def test_a_quarter_old_entry_is_fine_and_a_day_more_is_not(folder: Path) -> None:
    inventory = read_inventory(read_workspace(folder))
    assert not [p for p in check(inventory, TODAY + timedelta(days=92)) if p.rule == "INV042"]
    assert [p for p in check(inventory, TODAY + timedelta(days=93)) if p.rule == "INV042"]


def test_a_snapshot_is_the_same_twice_and_holds_references_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DR_APP_PASSWORD", "correct-horse")
    first, second = (snapshot(read_workspace(folder)) for _ in range(2))
    assert first == second
    writer = first["services"]["registry"]["database"]["writer"]
    assert writer["password"] == {"secret": "env:DR_APP_PASSWORD"}
    assert "correct-horse" not in str(first)
    assert first["services"]["registry"]["id"] == "registry"
    assert first["groups"]["databases"] == ["db-a", "db-b", "spare"]
    assert set(first["sha256"]) >= {"inventory/production/hosts.yaml"}


def test_a_wrong_file_makes_no_snapshot(folder: Path) -> None:
    (folder / "inventory/production/backups.yaml").write_text("format: 2\n", encoding="utf-8")
    with pytest.raises(RunbookError, match="2 problems") as caught:
        snapshot(read_workspace(folder))
    assert "dr inventory check" in caught.value.hint


def test_the_schemas_accept_what_init_writes(folder: Path) -> None:
    for name, schema in inventory_schemas().items():
        Draft202012Validator.check_schema(schema)
        path = folder / ("dr.yaml" if name == "workspace" else f"inventory/production/{name}.yaml")
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
        data["format"] = 1
        wrong = [
            e.message
            for e in Draft202012Validator(schema).iter_errors(data)
            if "is not of type 'integer'" not in e.message  # BaseLoader keeps numbers as text
            and "is not of type 'number'" not in e.message
            and "is not valid under any of the given schemas" not in e.message
        ]
        assert wrong == []
        assert list(Draft202012Validator(schema).iter_errors({**data, "nonsense": 1}))
