"""``dr lab`` from up to down, as a newcomer types it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="a lab needs root"),
]

Dr = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    # not below /tmp: hosts of a lab have their own
    folder = Path(tempfile.mkdtemp(prefix="dr-cli-lab-", dir="/var/tmp"))
    yield folder / "lab"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def dr(place: Path) -> Iterator[Dr]:
    surroundings = {k: v for k, v in os.environ.items() if not k.startswith("DR_")}

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dr.cli", *words],
            env={**surroundings, "DR_LAB": str(place), "DR_LANG": "en"},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    up = call("lab", "up", "--branches", "1", "--no-staging")
    assert up.returncode == 0, up.stderr
    assert up.stdout.startswith(f"the lab is up in {place} after ")
    yield call
    down = call("lab", "down")
    assert down.returncode == 0, down.stderr
    assert not place.exists()


def test_a_second_lab_in_the_same_place_is_refused(dr: Dr) -> None:
    again = dr("lab", "up")
    assert again.returncode == 2
    assert "Type 'dr lab down' first" in again.stderr


def test_a_fault_is_seen_in_the_status_and_healed_again(dr: Dr) -> None:
    broken = dr("lab", "break", "host-off", "db-b")
    assert (broken.returncode, broken.stdout) == (0, "broken: host-off on db-b\n")
    hosts = {h["name"]: h for h in json.loads(dr("lab", "status", "--json").stdout)["hosts"]}
    assert hosts["db-b"]["power"] == "off"
    assert "OFF" in dr("lab", "status").stdout
    healed = json.loads(dr("lab", "heal", "host-off", "db-b", "--json").stdout)
    assert healed == {"v": 1, "fault": "host-off", "targets": ["db-b"]}


def test_an_unknown_fault_is_told_the_nearest_one(dr: Dr) -> None:
    said = dr("lab", "break", "storage-kiled")
    assert said.returncode == 2
    assert "storage-killed" in said.stderr


def test_a_command_inside_a_host_ends_with_its_own_exit_code(dr: Dr) -> None:
    said = dr("lab", "shell", "db-a", "sh", "-c", "hostname; exit 7")
    assert (said.returncode, said.stdout) == (7, "db-a\n")


def test_a_command_of_this_machine_runs_in_the_control_network(dr: Dr) -> None:
    said = dr("lab", "run", "ip", "-o", "addr", "show", "dev", "eth0")
    assert said.returncode == 0
    assert "198.18.1.5/16" in said.stdout


def test_the_workspace_of_the_lab_is_found_without_naming_it(dr: Dr) -> None:
    said = dr("status")
    assert (said.returncode, said.stdout) == (0, "no run yet; try: dr plan storage-failure\n")
    assert dr("inventory", "check").returncode == 0
    hosts = json.loads(dr("inventory", "show", "hosts", "--json").stdout)["hosts"]
    assert hosts["db-a"]["address"] == "198.18.1.11"


def test_what_was_spoilt_is_told_by_the_truth_and_not_by_the_spoiling(dr: Dr) -> None:
    assert dr("lab", "truth").stdout == "nothing was spoilt\n"
    said = dr("lab", "spoil", "lost-holes", "--count", "2", "--seed", "5")
    assert (said.returncode, said.stdout) == (
        0,
        "spoilt: lost-holes, batch 1, seed 5; 2 truths are kept aside\n",
    )
    told = json.loads(dr("lab", "truth", "--json").stdout)
    assert told["in_doubt"] == []
    assert {truth["class"] for truth in told["truths"]} == {"missing_central"}
    shown = dr("lab", "truth").stdout
    for truth in told["truths"]:
        assert truth["key"] in shown
        assert truth["key"] not in said.stdout + said.stderr
        assert truth["fields"]["parcel"]["central"] is None


def test_the_kinds_of_spoiling_are_listed_in_both_languages(dr: Dr) -> None:
    english, chinese = (dr("--lang", lang, "lab", "spoil").stdout for lang in ("en", "zh"))
    names = [line.split()[0] for line in english.splitlines()]
    assert names == [line.split()[0] for line in chinese.splitlines()]
    assert {"lost-tail", "xlsx-bomb", "answers-twice"} <= set(names)
    assert "the newest records are lost" in english
    assert "丢失最新的记录" in chinese


def test_an_unknown_kind_of_spoiling_is_told_the_nearest_one(dr: Dr) -> None:
    said = dr("lab", "spoil", "lost-tial")
    assert said.returncode == 2
    assert "lost-tail" in said.stderr
