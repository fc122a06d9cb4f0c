"""``make demo`` without a terminal: what it tells is what the journal and the database hold."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dr.lab.doctor import obstacles
from dr.lab.enter import in_host
from tests.deadline import WaitFor

ROOT = Path(__file__).resolve().parents[2]
DR = ROOT / ".venv/bin/dr"
LIMIT_S = 170

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(500)]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for a lab of the test's own, and no workspace but its."""
    found = obstacles()
    if found:
        pytest.skip(f"no lab on this machine: {found[0].message}")
    place = tmp_path / "lab"
    monkeypatch.setenv("DR_LAB", str(place))
    monkeypatch.setenv("DR_LANG", "en")
    monkeypatch.delenv("DR_WORKSPACE", raising=False)
    yield place
    subprocess.run([DR, "lab", "down"], cwd=tmp_path, check=False, timeout=60)


def demo() -> str:
    """Run the demo without a terminal and return what it printed."""
    done = subprocess.run(
        [ROOT / "scripts/demo"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ask(lab: Path, *words: str) -> Any:
    """Return the JSON of a dr command on the lab's workspace."""
    done = subprocess.run(
        [DR, "-w", lab / "workspace", "--json", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return json.loads(done.stdout)


def sql(lab: Path, host: str, query: str) -> str:
    """Return what the database on ``host`` answers."""
    psql = ["psql", "-U", "postgres", "-h", "/run/postgresql", "-d", "registry", "-Atc", query]
    return in_host(lab, host, psql, timeout_s=10.0).stdout.strip()


def the_run(lab: Path) -> Any:
    """Return the only run of the lab's journal, with everything known of it."""
    runs = ask(lab, "status")["runs"]
    assert [row["state"] for row in runs] == ["succeeded"]
    return ask(lab, "show", runs[0]["id"])


def told(output: str, pattern: str) -> str:
    """Return what ``pattern`` catches in the part that tells what happened."""
    facts = " ".join(output.split("== What happened")[1].split())
    found = re.search(pattern, facts)
    assert found, f"{pattern!r} is not in: {facts}"
    return found[1]


def assert_facts(lab: Path, output: str) -> None:
    """Hold every printed fact against the journal, the ledgers and the database."""
    run = the_run(lab)
    promote = run["steps"]["promote"]
    host = told(output, r"the standby (\S+) was promoted")
    assert host == promote["outputs"]["host"]
    assert sql(lab, host, "SELECT pg_is_in_recovery()") == "f"

    loss = run["steps"]["branches"]["outputs"]
    assert told(output, r"data lost \S+ s, (\d+) records") == str(loss["loss_records"])
    by_branch = re.findall(r"(branch-\d+): (\d+) missing", output)
    assert len(by_branch) == 3
    assert sum(int(missing) for _branch, missing in by_branch) == loss["loss_records"]
    assert_ledgers_agree(lab, host, int(loss["loss_records"]))

    answer = run["questions"]["choose#1"]["answers"][0]
    assert (answer["by"], answer["means"]) == ("chen.wei", "signature")
    assert answer["reason"] in output
    assert "approved by Chen Wei" in " ".join(output.split())
    assert "this script signs as the lab's leader" in output

    verdict = ask(lab, "journal", "verify", run["run"])["runs"][0]
    assert verdict["ok"]
    assert told(output, r"verified, intact: (\d+) rows") == str(verdict["rows"])
    assert verdict["head"].startswith(told(output, r"rows, head (\w+)"))


def assert_ledgers_agree(lab: Path, host: str, lost: int) -> None:
    """Count what branches hold an answer for and the database lacks: just what was told."""
    slips = set(sql(lab, host, "SELECT slip FROM registration WHERE slip IS NOT NULL").split())
    missing = 0
    for branch in ("branch-01", "branch-02", "branch-03"):
        # the ledger is read after the database, which may be a few entries behind by then
        ledger = in_host(lab, branch, ["cat", "/var/lib/registry/ledger.csv"]).stdout
        rows = [row.split(",") for row in ledger.splitlines()[1:]]
        done = [row[0] for row in rows if row[7] == "acknowledged"]
        newest = max(slip for slip in done if slip in slips)
        missing += sum(slip not in slips for slip in done if slip < newest)
    assert missing == lost


def processes_of(lab: Path) -> list[str]:
    """Return the command lines of living processes that name the lab."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(lab) in words and entry.parent.name != str(os.getpid()):
            found.append(words)
    return found


def test_the_demo_tells_the_truth_twice_in_a_row_and_leaves_nothing(
    lab: Path, wait_for: WaitFor
) -> None:
    first = demo()
    assert "A lab is up in" not in first
    assert_facts(lab, first)
    before = the_run(lab)["run"]

    second = demo()
    assert f"A lab is up in {lab}" in " ".join(second.split())
    assert_facts(lab, second)
    assert the_run(lab)["run"] != before

    subprocess.run([DR, "lab", "down"], check=True, timeout=60)
    assert not lab.exists()
    assert list(lab.parent.iterdir()) == []
    wait_for(lambda: not processes_of(lab), 10.0, "the end of every process of the lab")
    assert str(lab) not in Path("/proc/self/mountinfo").read_text()
