"""Files made to hurt: pipes, devices, links, files that change, and hosts with clever names."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from pathlib import Path

import pytest

from dr.engine.core.errors import DrError, RefusedError, RunbookError, UserError
from dr.engine.service import evidence
from dr.engine.service.evidence import keep_file
from dr.inventory.ordinary import open_ordinary, read_ordinary
from dr.inventory.secrets import resolve
from dr.inventory.strictyaml.reading import read_yaml
from tests.unit.cli.conftest import Dr


@pytest.fixture
def strange(tmp_path: Path) -> list[Path]:
    """Return what is no ordinary file: a pipe, a link to it, a socket, a folder, devices."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
    (tmp_path / "folder").mkdir()
    names = ("pipe", "link", "round", "socket", "folder", "none", "a" * 300)
    return [*(tmp_path / name for name in names), Path("/dev/zero"), Path("/dev/null"), Path("/")]


def test_what_is_no_ordinary_file_is_refused_at_once_wherever_a_file_is_named(
    strange: list[Path], tmp_path: Path
) -> None:
    for path in strange:
        with pytest.raises(OSError, match=r".+"):
            open_ordinary(path)
        with pytest.raises(RunbookError):
            read_yaml(path)
        with pytest.raises(RefusedError):
            resolve(f"file:{path}", tmp_path)
        with pytest.raises(UserError, match="cannot be read") as refused:
            keep_file(path, tmp_path / "kept")
        assert refused.value.hint
    assert not (tmp_path / "kept").exists()


def test_no_command_waits_for_a_pipe(dr: Dr, workspace: Path) -> None:
    os.mkfifo(workspace / "inventory/lab/hosts.yaml")
    os.mkfifo(workspace / "inventory/lab/people.yaml")
    (workspace / "inventory/lab/standing").mkdir()
    os.mkfifo(workspace / "inventory/lab/standing/x.json")
    os.mkfifo(workspace / "plan.json")
    assert dr("inventory", "check").code == 2
    assert dr("lint", "plan.json").code == 2
    assert dr("run", "storage-failure", "--plan", "plan.json").code != 0
    (workspace / "dr.yaml").unlink()
    os.mkfifo(workspace / "dr.yaml")
    assert dr("status").code != 0


def test_a_file_swapped_after_it_was_hashed_is_kept_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "scan.pdf"
    given.write_bytes(b"the truth")
    copy = evidence._copied

    def swapped(*args: object) -> str:
        (tmp_path / "other").write_bytes(b"a lie!!!!")
        os.replace(tmp_path / "other", given)
        return copy(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(evidence, "_copied", swapped)
    told = keep_file(given, tmp_path / "kept")

    assert told["sha256"] == hashlib.sha256(b"the truth").hexdigest()
    assert Path(told["kept"]).read_bytes() == b"the truth"


def test_a_file_written_to_after_it_was_hashed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "scan.pdf"
    given.write_bytes(b"the truth")
    copy = evidence._copied

    def written_to(*args: object) -> str:
        given.write_bytes(b"a lie!!!!")
        return copy(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(evidence, "_copied", written_to)
    with pytest.raises(UserError, match="changed while it was read"):
        keep_file(given, tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []


def test_evidence_is_kept_under_its_digest_whatever_its_name_is(tmp_path: Path) -> None:
    odd = tmp_path / "..\u202e\x1b[2J;touch x"
    odd.write_bytes(b"x")
    told = keep_file(odd, tmp_path / "kept")
    assert [p.name for p in (tmp_path / "kept").iterdir()] == [hashlib.sha256(b"x").hexdigest()]
    assert told["file"] == odd.name


def test_a_file_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(OSError, match="larger than"):
        read_ordinary(tmp_path / "sparse")


HOSTS = {
    "-oProxyCommand=touch x": "begins with '-'",
    "--": "begins with '-'",
    "a b": "characters",
    "a;touch x": "characters",
    "a\x1b[2J": "characters",
    "a\u202eb": "characters",
    "$(x)": "characters",
    "a@b": "characters",
}


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_that_a_program_could_misread_is_refused_with_its_line(
    dr: Dr, workspace: Path, name: str
) -> None:
    written = json.dumps(name)
    (workspace / "inventory/lab/hosts.yaml").write_text(
        f"all:\n  hosts:\n    good: {{ ansible_host: 192.0.2.1 }}\n"
        f"    odd: {{ ansible_host: {written} }}\n    user: {{ ansible_user: {written} }}\n"
    )
    said = json.loads(dr("inventory", "check", "--json").out)["problems"]
    told = [p for p in said if p["rule"] == "INV003"]
    assert [p["where"] for p in told] == [
        "inventory/lab/hosts.yaml:4:5",
        "inventory/lab/hosts.yaml:5:5",
    ] or (name == "a@b" and len(told) == 1)
    assert all(p["hint"] for p in told)
    assert HOSTS[name] in told[0]["message"]


@pytest.mark.parametrize("name", ["-oProxyCommand=x", "$(touch)", "a;b", "`x`"])
def test_a_host_called_like_an_option_or_a_command_is_refused_with_its_line(
    dr: Dr, workspace: Path, name: str
) -> None:
    (workspace / "inventory/lab/hosts.ini").write_text(f"good\n{name} ansible_host=192.0.2.1\n")
    said = dr("inventory", "check")
    assert said.code == 2
    assert f"inventory/lab/hosts.ini:2:1: host '{name}': the name '{name}'" in said.out


GOOD = ["db-a", "db_a", "_x", "db-a.example.org", "192.0.2.1", "2001:db8::1", "fe80::1%eth0",
        "服务器一", "DB1"]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_an_ordinary_host_is_taken(dr: Dr, workspace: Path, name: str) -> None:
    (workspace / "inventory/lab/hosts.yaml").write_text(
        f"all:\n  hosts:\n    a: {{ ansible_host: '{name}', ansible_user: svc.dr, "
        f"dr_jump: 'op_1@jump-1:2222' }}\n",
        encoding="utf-8",
    )
    assert "INV003" not in dr("inventory", "check").out


@pytest.mark.parametrize(
    "revoked", ["[1]", "x", "{ a: [1] }", "[" * 5000, "&a [*a]", "!!python/object:os.system x"]
)
def test_a_wrong_list_of_revoked_authorisations_is_a_problem(
    dr: Dr, workspace: Path, revoked: str
) -> None:
    (workspace / "inventory/lab/standing").mkdir()
    (workspace / "inventory/lab/standing/revoked.yaml").write_text(f"revoked: {revoked}\n")
    said = dr("inventory", "check")
    assert said.code == 2
    assert "unexpected" not in said.err


@pytest.mark.parametrize("text", ["[" * 3_000, "{a: " * 3_000, "- " * 3_000, "\x00", "a: &a [*a]"])
def test_a_bomb_in_place_of_any_file_of_the_workspace_is_said(
    dr: Dr, workspace: Path, text: str
) -> None:
    folder = workspace / "inventory/lab"
    for name in ("hosts.yaml", "people.yaml", "services.yaml", "backups.yaml"):
        (folder / name).write_text(text)
    for words in (("inventory", "check"), ("doctor",), ("plan", "storage-failure")):
        said = dr(*words)
        assert said.code != 0
        assert "unexpected" not in said.err
    (workspace / "plan.json").write_text(text)
    (workspace / "dr.yaml").write_text(text)
    for words in (("inventory", "check"), ("plan", "storage-failure"), ("status",)):
        said = dr(*words)
        assert said.code == 2 or words == ("status",)  # which needs little of it
        assert "unexpected" not in said.err


def test_errors_of_files_are_errors_of_dr(strange: list[Path]) -> None:
    for path in strange:
        with pytest.raises(DrError):
            read_yaml(path, "x.yaml")
