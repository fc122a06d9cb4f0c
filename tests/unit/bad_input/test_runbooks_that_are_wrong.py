"""Runbooks that are wrong in every way: said with the place, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Dr

HEAD = "format: 1\nname: x\ntitle: {en: X, zh: X}\nsteps:\n"
CHECK = "uses: tcp.check, hosts: db-a, with: {port: 1}"
BOMB = "  - &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"  - &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)

WRONG: dict[str, tuple[bytes, str]] = {
    "unknown key": (f"{HEAD}  - {{id: a, {CHECK}, hots: x}}".encode(), "Did you mean 'hosts'?"),
    "wrong type": (f"{HEAD}  - {{id: a, {CHECK}, retry: 3}}".encode(), "should be a mapping"),
    "wrong time": (f"{HEAD}  - {{id: a, {CHECK}, timeout: soon}}".encode(), "not a duration"),
    "duplicate key": (f"{HEAD}  - {{id: a, {CHECK}, id: b}}".encode(), "is written twice"),
    "duplicate id": (f"{HEAD}  - {{id: a, {CHECK}}}\n  - {{id: a, {CHECK}}}".encode(), "'a'"),
    "cycle": (
        f"{HEAD}  - {{id: a, needs: [b], {CHECK}}}\n  - {{id: b, needs: [a], {CHECK}}}".encode(),
        "wait for one another",
    ),
    "needs itself": (f"{HEAD}  - {{id: a, needs: [a], {CHECK}}}".encode(), "a"),
    "unknown need": (f"{HEAD}  - {{id: a, needs: [bb], {CHECK}}}".encode(), "no step 'bb'"),
    "unknown action": (f"{HEAD}  - {{id: a, uses: tcp.chek}}".encode(), "'tcp.check'?"),
    "tag": (f"{HEAD}  - !!python/object/apply:os.system [id]".encode(), "is not allowed"),
    "bomb": ((HEAD + BOMB).encode(), "aliases expand to more than"),
    "alias in itself": (f"{HEAD}  - &a [*a]".encode(), "inside its own anchor"),
    "too deep": (b"a: " + b"[" * 200_000, "nested more than 32 deep"),
    "10 MB": (b"a" * 10_485_760, "larger than 1 MB"),
    "binary": (b"\x7fELF\x02\x01\x01\x00\x00", "binary file"),
    "GBK": ("标题: 存储".encode("gbk"), "not UTF-8 text"),
    "empty": (b"", "the file is empty"),
    "a list": (b"- 1", "should be a mapping"),
    "two documents": (b"a: 1\n---\nb: 2\n", "a second document"),
    "control character": (b'format: 1\nname: "\x07"', "control characters"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_runbook_is_said_with_its_file_and_what_to_write(
    dr: Dr, tmp_path: Path, kind: str
) -> None:
    content, says = WRONG[kind]
    path = tmp_path / "wrong.yaml"
    path.write_bytes(content)
    said = dr("lint", str(path))
    assert said.code == 2
    assert says in said.out
    assert said.out.startswith(f"{path}:")
    assert len(said.out) < 30_000
    problems = json.loads(dr("lint", str(path), "--json").out)["problems"]
    assert [p["where"].startswith(str(path)) for p in problems] == [True] * len(problems)
    chinese = dr("--lang", "zh", "lint", str(path))
    assert chinese.code == 2


@pytest.mark.parametrize("kind", ["unknown key", "bomb", "10 MB", "binary"])
@pytest.mark.parametrize("verb", ["plan", "run"])
def test_a_wrong_runbook_neither_plans_nor_runs(
    dr: Dr, workspace: Path, kind: str, verb: str
) -> None:
    (workspace / "wrong.yaml").write_bytes(WRONG[kind][0])
    said = dr(verb, str(workspace / "wrong.yaml"), "--json")
    error = json.loads(said.out)["error"]
    assert (said.code, error["code"]) == (2, "runbook")
    assert error["problems"]
    assert not list(workspace.glob(".dr/logs/*"))


def test_all_mistakes_of_a_file_are_said_at_once_in_its_order(dr: Dr, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(
        f"{HEAD}  - {{id: a, {CHECK}, retry: 3}}\n  - {{id: b, needs: [c], {CHECK}}}\n"
        f"  - {{id: d, {CHECK}, timeout: soon}}\n"
    )
    said = dr("lint", str(path))
    lines = [line for line in said.out.splitlines() if line.startswith(str(path))]
    assert [line.split(":")[1] for line in lines] == ["5", "6", "7"]
    assert said.err == "3 errors\n"


def test_a_released_runbook_needs_both_languages_and_a_draft_does_not(
    dr: Dr, tmp_path: Path
) -> None:
    path = tmp_path / "draft.yaml"
    path.write_text(f"{HEAD}  - {{id: a, title: only English, {CHECK}}}\n")
    assert dr("lint", str(path)).code == 0
    released = dr("lint", "--release", str(path))
    assert released.code == 2
    assert "has no words in zh [DR103]" in released.out


def test_the_shipped_runbooks_pass_as_released(dr: Dr) -> None:
    said = dr("lint", "--release")
    assert (said.code, said.out, said.err) == (0, "", "0 errors\n")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gone.yaml", "there is no file gone.yaml"),
        ("a" * 5000 + ".yaml", "file name too long"),
        ("pipe.yaml", "is not an ordinary file"),
        ("loop.yaml", "there is no file loop.yaml: "),
        ("/dev/null", "/dev/null is not an ordinary file"),
        ("storage-failur", "Did you mean 'storage-failure'?"),
        ("\x1b[2J.yaml", "there is no file ^[[2J.yaml"),
    ],
)
def test_a_name_that_is_no_runbook_is_a_usage_error_and_hangs_on_nothing(
    dr: Dr, workspace: Path, name: str, says: str
) -> None:
    import os

    os.mkfifo(workspace / "pipe.yaml")
    (workspace / "loop.yaml").symlink_to("loop.yaml")
    said = dr("lint", name)
    assert said.code == 2
    assert says in said.err
    assert "\nhint: " in said.err
