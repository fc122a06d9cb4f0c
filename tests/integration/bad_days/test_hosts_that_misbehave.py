"""Hosts that can not be reached, are not who they were, or do not do what they are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dr.lab.api import break_, heal
from tests.integration.bad_days.workplace import Workplace

pytestmark = pytest.mark.lab

STEP = "  - { id: act, uses: ssh.run, hosts: db-b, effect: once, timeout: 20s, with: %s }"
TRACE = '{ shell: "echo ran >> /root/%s" }'


def _ran(lab: Workplace, name: str, host: str = "db-b") -> int:
    """Return how often the command that leaves ``name`` behind ran."""
    path = lab.folder.parent / "hosts" / host / "upper/root" / name
    return len(path.read_text().splitlines()) if path.exists() else 0


def _because(lab: Workplace, run: str) -> str:
    said = lab.dr("show", run, "act", "--json").data
    return str(said["because"])


def test_a_changed_host_key_fails_the_step_before_anything_is_sent(lab: Workplace) -> None:
    known = lab.folder / "keys/known_hosts"
    lines = known.read_text().splitlines()
    other = next(line.split(" ", 1)[1] for line in lines if line.startswith("db-a,"))
    changed = [
        line.split(" ", 1)[0] + " " + other if line.startswith("db-b,") else line for line in lines
    ]
    known.write_text("\n".join(changed) + "\n")
    run = lab.begun(lab.runbook("changed", STEP % (TRACE % "changed")), code=1)
    lab.ends(run, "failed")
    assert "db-b (198.18.1.12) shows another host key" in _because(lab, run)
    assert _ran(lab, "changed") == 0
    ready = lab.dr("run", "changed", "--dry-run")
    assert (ready.code, "NOT READY" in ready.out) == (1, True)


def test_a_key_that_the_host_does_not_know_fails_the_step(lab: Workplace) -> None:
    stranger = lab.folder / "keys/people/liu.yang"
    (lab.folder / "keys/engine_ed25519").write_bytes(stranger.read_bytes())
    run = lab.begun(lab.runbook("stranger", STEP % (TRACE % "stranger")), code=1)
    lab.ends(run, "failed")
    assert "does not let root in: it does not accept the key" in _because(lab, run)
    assert _ran(lab, "stranger") == 0


def test_a_host_that_is_cut_off_fails_the_step_and_can_be_retried_later(
    lab: Workplace, hosts: Path
) -> None:
    name = lab.runbook("cut-off", STEP % (TRACE % "cut-off"))
    break_(hosts, "host-off", "db-b")
    try:
        run = lab.begun(name, code=1)
        lab.ends(run, "failed")
        assert "db-b" in _because(lab, run)
    finally:
        heal(hosts, "host-off", "db-b")
    lab.ends(lab.begun(name, code=0), "succeeded")
    assert _ran(lab, "cut-off") == 1


def test_a_command_that_prints_a_gigabyte_is_kept_within_bounds(lab: Workplace) -> None:
    shell = '{ shell: "head -c 1073741824 /dev/zero | tr \\\\0 x; echo; echo the end" }'
    run = lab.begun(lab.runbook("gigabyte", (STEP % shell).replace("20s", "50s")), code=0)
    lab.ends(run, "succeeded")
    kept = sum(p.stat().st_size for p in (lab.folder / ".dr").rglob("*") if p.is_file())
    assert kept < 8 * 1024 * 1024
    shown = lab.dr("show", run, "act")
    assert len(shown.out) < 20_000
    assert lab.dr("log", run, "act", "--tail", "1").out == "the end\n"


def test_a_command_that_never_ends_is_in_doubt_and_a_person_says_what_it_was(
    lab: Workplace,
) -> None:
    endless = (STEP % '{ shell: "echo $$; exec sleep 1000" }').replace("20s", "1s")
    run = lab.begun(lab.runbook("endless", endless))
    assert lab.state(run) == "in_doubt"
    pid = lab.dr("log", run, "act").out.strip()
    listed = lab.dr("status")
    assert f"dr resolve {run} act --as done|not-done|failed" in listed.out
    assert lab.dr("resolve", run, "act", "--as", "failed", "--because", "it hangs").code == 0
    lab.ends(run, "failed")
    assert lab.dr("lab", "shell", "db-b", "kill", pid).code == 0


def test_a_read_that_never_ends_fails_and_puts_nothing_in_doubt(lab: Workplace) -> None:
    endless = (STEP % "{ argv: [sleep, '1000'] }").replace("20s", "1s").replace("once", "read")
    run = lab.begun(lab.runbook("endless-read", endless), code=1)
    lab.ends(run, "failed")
    assert "had not ended after 1 s" in _because(lab, run)


def test_a_connection_that_closes_half_way_is_found_again_and_ran_once(lab: Workplace) -> None:
    kill_sshd = (
        "echo ran >> /root/half-way; for p in /proc/[0-9]*; do read -r c < $p/comm || continue; "
        "case $c in sshd*) n=${p#/proc/}; s=$(cut -d' ' -f4 $p/stat); "
        "[ $s != 1 ] && kill -9 $n;; esac; done; echo the end"
    )
    steps = STEP % json.dumps({"shell": kill_sshd})
    run = lab.begun(lab.runbook("half-way", steps), code=0)
    lab.ends(run, "succeeded")
    kinds = [
        json.loads(line)["event"]["kind"] for line in lab.dr("log", run, "--json").out.splitlines()
    ]
    assert "attempt.lost" in kinds
    assert _ran(lab, "half-way") == 1
    assert "the end" in lab.dr("log", run, "act").out


def test_what_a_host_puts_out_can_not_steer_the_terminal(lab: Workplace) -> None:
    shell = "printf 'one\\033[2J\\033]0;title\\007\\302\\233 \\377 two\\r\\n'; exit 3"
    step = STEP % json.dumps({"shell": shell})
    run = lab.begun(lab.runbook("steers", step.replace("once", "idempotent")), code=1)
    said = [lab.dr("log", run, "act"), lab.dr("log", run), lab.dr("show", run, "act")]
    said += [lab.dr("show", run), lab.dr("status", run), lab.dr("attach", run)]
    for one in said:
        steering = {c for c in one.out + one.err if ord(c) < 32 or 127 <= ord(c) < 160} - {"\n"}
        assert steering == set()
    assert "one^[[2J^[]0;title^G" in said[0].out
