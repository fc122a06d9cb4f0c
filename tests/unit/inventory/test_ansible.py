"""Ansible inventories: what is read here is what Ansible says."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dr.engine.core.errors import RunbookError
from dr.inventory import ansible
from dr.inventory.ansible import AnsibleHosts, ask_ansible, natural, read_hosts
from dr.inventory.hosts import host_of
from dr.inventory.plain_hosts import NotPlainError, read_plain

PLAIN = {
    "groups": """
all:
  vars: { ansible_user: root, v: all, path: "{{ inventory_dir }}/keys" }
  hosts: { lonely: { v: own } }
  children:
    b_group: { hosts: { h1: { a: 1 }, h10: , h2: }, vars: { v: b, y: yes, o: 0644 } }
    a_group:
      hosts: { h1: }
      vars: { v: a }
      children: { c_group: { hosts: { h3: }, vars: { v: c } } }
""",
    "twice": """
all:
  children:
    site: { vars: { v: 1 }, children: { db: } }
    db: { hosts: { h1: { m: { k: [1, 2.5, null] } } }, vars: { v: 2 } }
""",
    "several tops": "db: { hosts: { h1: } }\nweb: { hosts: { h2: }, vars: { x: off } }\n",
}

NOT_PLAIN = {
    "range.yaml": "all: { hosts: { 'web[1:3]': } }",
    "tag.yaml": "all: { vars: { p: !vault x } }",
    "anchor.yaml": "all: { vars: { a: &x 1, b: *x } }",
    "port.yaml": "all: { hosts: { 'h1:2222': } }",
    "date.yaml": "all: { hosts: { h1: { d: 2026-11-01 } } }",
    "plugin.yaml": "plugin: constructed",
    "priority.yaml": "a:\n  vars:\n    ansible_group_priority: 10",
    "cycle.yaml": "a: { children: { b: { children: { a: } } } }",
    "hosts.ini": "[db]\nh1",
    "empty.yaml": "",
    "broken.yaml": "all: {",
}


def _as_ansible_says(path: Path) -> AnsibleHosts:
    return ansible._of_listing(ask_ansible(path))


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_file_is_read_as_ansible_reads_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text(PLAIN[name], encoding="utf-8")
    read_plain(path)
    assert read_hosts(path) == _as_ansible_says(path)


_names = st.sampled_from(["h1", "h2", "h3", "h10"])
_groups = st.sampled_from(["ga", "gb", "gc", "gd"])
_values = st.sampled_from([1, "x", True, None, [1, "a"], {"k": "v"}, 2.5, "no", "010"])
_vars = st.dictionaries(st.sampled_from(["v", "w"]), _values, max_size=2)
_group = st.recursive(
    st.fixed_dictionaries(
        {}, optional={"hosts": st.dictionaries(_names, _vars, max_size=3), "vars": _vars}
    ),
    lambda inner: st.fixed_dictionaries(
        {"children": st.dictionaries(_groups, inner, min_size=1, max_size=3)},
        optional={"hosts": st.dictionaries(_names, _vars, max_size=2), "vars": _vars},
    ),
    max_leaves=5,
)


@settings(
    max_examples=8,
    phases=[Phase.generate],  # shrinking asks Ansible hundreds of times
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(_group)
def test_any_plain_file_is_read_as_ansible_reads_it(
    tmp_path: Path, everything: dict[str, object]
) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text(yaml.safe_dump({"all": everything}), encoding="utf-8")
    try:
        read_plain(path)
    except NotPlainError:
        return
    assert read_hosts(path) == _as_ansible_says(path)


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_is_not_plain_is_left_to_ansible(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(NOT_PLAIN[name], encoding="utf-8")
    with pytest.raises(NotPlainError):
        read_plain(path)


def test_an_ini_file_is_asked_about_once_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cache = tmp_path / "hosts.ini", tmp_path / "cache"
    path.write_text("[db]\ndb-a ansible_host=192.0.2.1\n", encoding="utf-8")
    first = read_hosts(path, cache)
    assert first.groups["db"] == ("db-a",)
    asked: list[Path] = []

    def ask(source: Path) -> dict[str, object]:
        asked.append(source)
        return {}

    monkeypatch.setattr(ansible, "ask_ansible", ask)
    assert read_hosts(path, cache) == first
    assert asked == []
    path.write_text("[db]\ndb-a ansible_host=192.0.2.2\n", encoding="utf-8")
    read_hosts(path, cache)
    assert asked == [path]


def test_a_program_is_asked_every_time(tmp_path: Path) -> None:
    path, state = tmp_path / "hosts.py", tmp_path / "state"
    state.write_text("192.0.2.1", encoding="utf-8")
    path.write_text(
        "#!/usr/bin/env python3\nimport json\n"
        f"address = open({str(state)!r}).read()\n"
        "print(json.dumps({'db': {'hosts': ['db-a']},"
        " '_meta': {'hostvars': {'db-a': {'ansible_host': address}}}}))\n",
        encoding="utf-8",
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    assert read_hosts(path, tmp_path / "cache").variables["db-a"]["ansible_host"] == "192.0.2.1"
    state.write_text("192.0.2.2", encoding="utf-8")
    assert read_hosts(path, tmp_path / "cache").variables["db-a"]["ansible_host"] == "192.0.2.2"
    assert not os.path.exists(tmp_path / "cache")


def test_what_ansible_refuses_is_said_in_its_own_words(tmp_path: Path) -> None:
    path = tmp_path / "hosts.ini"
    path.write_text("[db\nx", encoding="utf-8")
    with pytest.raises(RunbookError, match="ansible can not read it") as caught:
        read_hosts(path)
    assert "ansible-inventory -i" in caught.value.hint


def test_connection_variables_become_the_hosts_own(tmp_path: Path) -> None:
    host = host_of(
        "db-a",
        {
            "ansible_host": "192.0.2.11",
            "ansible_port": "2222",
            "ansible_ssh_private_key_file": "{{ inventory_dir }}/../k",
            "ansible_ssh_common_args": (
                '-o UserKnownHostsFile="{{inventory_dir}}/kh" -J jump@192.0.2.1'
            ),
            "dr_site": "main",
            "ansible_become_pass": "hunter2",
            "rack": 4,
        },
        {"user": "engine", "identity": "/default"},
        tmp_path,
        tmp_path / "inventory",
    )
    assert (host.address, host.port, host.user) == ("192.0.2.11", 2222, "engine")
    assert host.identity == str(tmp_path / "k")
    assert host.known_hosts == str(tmp_path / "inventory/kh")
    assert (host.jump, host.site, host.variables) == ("jump@192.0.2.1", "main", {"rack": 4})
    assert "hunter2" not in str(host.to_data())


@pytest.mark.parametrize("port", ["0", "65536", "ssh", -1])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: object) -> None:
    with pytest.raises(ValueError, match="is not a port"):
        host_of("h", {"ansible_port": port}, {}, tmp_path)


def test_hosts_are_in_the_order_that_people_count() -> None:
    assert sorted(["h10", "h2", "h1"], key=natural) == ["h1", "h2", "h10"]
