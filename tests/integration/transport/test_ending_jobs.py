"""A job is ended with all its processes; nothing that is somebody else's is."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from dr.engine.actions.conformance import RecordingWorld
from dr.engine.actions.transport.ssh import SshConnections
from dr.engine.core.errors import FencedError, LostContactError, RefusedError
from dr.engine.core.ports import Ending
from tests.integration.transport.test_jobs import an_attempt, job_folder
from tests.integration.trouble.place import alive
from tests.sshd import Sshd

CHILDREN = """
set -m
(sleep 300; :) & echo $! >> {pids}
(trap '' TERM; while :; do sleep 0.1; done) & echo $! >> {pids}
echo $$ >> {pids}
wait
"""


@pytest.fixture
def pids(connections: SshConnections, world: RecordingWorld, tmp_path: Path) -> list[str]:
    """Processes of a job that nobody waits for: in groups of their own, one deaf to TERM."""
    path = tmp_path / "pids"
    attempt = an_attempt(timeout=timedelta(seconds=1))
    with pytest.raises(LostContactError):
        connections.actor("target").job(attempt, world, script=CHILDREN.format(pids=path))
    found = path.read_text().split()
    assert len(alive(found)) == 3
    return found


def test_every_process_of_the_session_is_ended_also_one_that_is_deaf_to_term(
    connections: SshConnections, world: RecordingWorld, pids: list[str]
) -> None:
    stopped = connections.actor("target").end(an_attempt(), world)
    assert stopped.ending is Ending.ENDED
    assert alive(pids) == []
    again = connections.actor("target").end(an_attempt(), world)
    assert again.ending is Ending.ENDED


def test_processes_whose_supervisor_was_killed_are_ended_and_called_gone(
    connections: SshConnections, sshd: Sshd, world: RecordingWorld, pids: list[str]
) -> None:
    process = (job_folder(sshd, an_attempt()) / "process").read_text().split()
    subprocess.run(["kill", "-KILL", process[1]], check=True)
    stopped = connections.actor("target").end(an_attempt(), world)
    assert stopped.ending is Ending.GONE
    assert alive(pids) == []


@pytest.mark.parametrize("field", ["start", "boot"])
def test_a_pid_that_is_somebody_elses_by_now_is_left_alone(
    connections: SshConnections,
    sshd: Sshd,
    world: RecordingWorld,
    pids: list[str],
    field: str,
) -> None:
    about = job_folder(sshd, an_attempt()) / "process"
    lines = dict(line.split() for line in about.read_text().splitlines())
    lines[field] = "1"
    about.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
    connections.actor("target").end(an_attempt(), world)
    assert alive(pids) == pids
    subprocess.run(["kill", "-KILL", lines["pid"], *pids], check=True)


def test_a_job_that_has_not_begun_is_withdrawn(
    connections: SshConnections, world: RecordingWorld, tmp_path: Path
) -> None:
    actor = connections.actor("target")
    assert actor.end(an_attempt(), world).ending is Ending.NEVER_STARTED
    with pytest.raises(FencedError, match="withdrawn"):
        actor.job(an_attempt(), world, ["touch", str(tmp_path / "late")])
    assert not (tmp_path / "late").exists()


def test_an_engine_of_a_lower_epoch_ends_nothing(
    connections: SshConnections, world: RecordingWorld, pids: list[str]
) -> None:
    actor = connections.actor("target")
    actor.job(an_attempt(step="other", epoch=2), world, ["true"])
    with pytest.raises(FencedError):
        actor.end(an_attempt(), world)
    assert alive(pids) == pids
    assert actor.end(an_attempt(epoch=2), world).ending is Ending.ENDED


def test_connections_that_only_look_end_nothing(sshd: Sshd, tmp_path: Path) -> None:
    looking = SshConnections(sshd.inventory(), tmp_path, read_only=True)
    with pytest.raises(RefusedError):
        looking.actor("target")
