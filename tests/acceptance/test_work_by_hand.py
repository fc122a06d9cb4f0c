"""Somebody did the work by hand before the run; a decision was signed beforehand.

The tests are one story told in order: each finds the lab as the one before left it.
"""

from __future__ import annotations

import json

import pytest

from dr.engine.core.events import Kind
from dr.lab.api import break_
from tests.acceptance.scene import Scene, until

pytestmark = [pytest.mark.lab, pytest.mark.slow]

PROMOTE = "/usr/lib/postgresql/*/bin/pg_ctl promote -w -D /var/lib/postgresql/*/main"
ADDRESS = "198.18.1.100/16"


def test_somebody_fences_promotes_and_moves_the_address_by_hand(scene: Scene) -> None:
    until(lambda: len(scene.acknowledged()) > 3, 20, "the branches to register")
    words = ["--rung", "promote-standby", "--max-loss", "1h", "--expires", "2099-12-31"]
    signed = ["--by", "li.na", "--key", str(scene.key("li.na")), "--reason", "nights"]
    scene.dr("standing", "sign", "storage-failure", *words, *signed)
    break_(scene.lab, "storage-killed", "db-a")
    break_(scene.lab, "postgres-killed", "db-a")
    scene.on("db-a", "sh", "-c", f"ip address delete {ADDRESS} dev eth0; : >/etc/dr-addresses")
    scene.on("db-a", "sh", "-c", "mkdir -p /var/lib/dr/fenced; echo by hand >/var/lib/dr/fenced/x")
    scene.on("db-b", "su", "postgres", "-c", PROMOTE)
    move = f"ip address add {ADDRESS} dev eth0; echo {ADDRESS} eth0 >/etc/dr-addresses;"
    scene.on("db-b", "sh", "-c", f"{move} arping -q -U -c 1 -I eth0 198.18.1.100 || true")
    assert scene.timeline("db-b") == 2


def test_the_run_recognises_the_work_and_the_standing_authorisation_answers(scene: Scene) -> None:
    scene.dr("run", "storage-failure", "--yes", limit_s=150)
    states = scene.states()
    assert states["promote"] == "already_done"
    assert states["address"] == "already_done"
    assert str(scene.view.state) == "succeeded"
    answers = scene.events(Kind.QUESTION_ANSWERED, "choose")
    assert [a.data["answer"]["means"] for a in answers] == ["standing"]


def test_nothing_was_done_twice(scene: Scene) -> None:
    assert scene.begun_jobs("db-b", "promote") == []
    assert scene.begun_jobs("db-b", "address") == []
    assert (scene.timeline("db-b"), scene.switches("db-b")) == (2, 1)


def test_the_report_names_who_signed_beforehand_and_what_was_found_done(scene: Scene) -> None:
    folder = scene.workspace / ".dr/reports" / scene.run
    text = (folder / "report.en.md").read_text("utf-8")
    assert "Li Na (li.na)" in text
    assert "standing" in text
    said = json.loads((folder / "report.json").read_text("utf-8"))
    states = {step["id"]: step["state"] for step in said["steps"]}
    assert states["promote"] == "already_done"
