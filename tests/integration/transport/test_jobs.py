"""Jobs on a real host: started once, followed, found again, fenced."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dr.engine.actions.conformance import RecordingWorld
from dr.engine.actions.hosts import Actor
from dr.engine.actions.transport.ssh import SshConnections
from dr.engine.core.errors import (
    FailedError,
    FencedError,
    LostContactError,
    RefusedError,
    RetryableError,
)
from dr.engine.core.model import Effect
from dr.engine.core.ports import Attempt, Found
from tests.deadline import WaitFor
from tests.sshd import Sshd


def an_attempt(**changes: Any) -> Attempt:
    """Return an attempt with an effect that happens once."""
    made = Attempt(
        run="run-1",
        step="act",
        host="target",
        number=1,
        epoch=1,
        input={},
        timeout=timedelta(seconds=20),
        effect=Effect.ONCE,
    )
    return replace(made, **changes)


@pytest.fixture
def actor(connections: SshConnections) -> Actor:
    """Host ``target``, for acting."""
    return connections.actor("target")


def lose(actor: Actor, attempt: Attempt, world: RecordingWorld, script: str) -> None:
    """Run a job whose end the engine does not see."""
    with pytest.raises(LostContactError):
        actor.job(attempt, world, script=script)


def job_folder(sshd: Sshd, attempt: Attempt) -> Path:
    """Return where the attempt's job is kept."""
    return sshd.state_root / "jobs" / attempt.key.replace("/", "+") / str(attempt.number)


def test_a_job_gives_its_output_and_its_exit_code(actor: Actor, world: RecordingWorld) -> None:
    done = actor.job(an_attempt(), world, script="echo out; echo err >&2; exit 3")

    assert (done.exit_code, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert not done.truncated
    assert sorted(world.log.split()) == ["err", "out"]


def test_an_argv_is_passed_as_it_is(actor: Actor, world: RecordingWorld) -> None:
    words = ["a b", "$HOME", "'", '"', "`id`", "\\", "", "中文", "-n", "*", "line\nbreak"]

    done = actor.job(an_attempt(), world, ["printf", "%s|", *words])

    assert done.stdout == "".join(f"{word}|" for word in words)


def test_environment_and_input_reach_the_command_and_stay_out_of_its_files(
    actor: Actor, world: RecordingWorld, sshd: Sshd
) -> None:
    attempt = an_attempt()
    script = 'read line; echo "$DR_PASSWORD/$line" | tr a-z A-Z'

    done = actor.job(
        attempt, world, script=script, env={"DR_PASSWORD": "sesame"}, stdin=b"swordfish\n"
    )

    assert done.stdout == "SESAME/SWORDFISH\n"
    kept = [path.read_bytes() for path in job_folder(sshd, attempt).iterdir() if path.is_file()]
    assert not [text for text in kept if b"sesame" in text or b"swordfish" in text]


def test_a_job_is_never_started_a_second_time(
    actor: Actor, world: RecordingWorld, tmp_path: Path
) -> None:
    script = f"echo started >> {tmp_path}/starts; echo once"

    first = actor.job(an_attempt(), world, script=script)
    second = actor.job(an_attempt(), world, script=script)

    assert (tmp_path / "starts").read_text() == "started\n"
    assert second.stdout == first.stdout == "once\n"


def test_two_engines_that_start_a_job_at_once_start_it_once(
    actor: Actor, sshd: Sshd, tmp_path: Path
) -> None:
    script = f"echo started >> {tmp_path}/starts; sleep 0.3; echo once"
    said: list[str] = []

    def start() -> None:
        said.append(actor.job(an_attempt(), RecordingWorld(sshd.inventory()), script=script).stdout)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (tmp_path / "starts").read_text() == "started\n"
    assert said == ["once\n"] * 6


def test_the_handle_is_written_down_before_the_command_starts(actor: Actor, sshd: Sshd) -> None:
    attempt = an_attempt()

    class Careful(RecordingWorld):
        def record_handle(self, handle: Any) -> None:
            super().record_handle(handle)
            assert not job_folder(sshd, attempt).exists()

    world = Careful(sshd.inventory())
    actor.job(attempt, world, ["true"])

    assert [handle["job"] for handle in world.handles] == [str(job_folder(sshd, attempt))]


def test_an_engine_with_a_lower_epoch_is_fenced(actor: Actor, world: RecordingWorld) -> None:
    actor.job(an_attempt(epoch=7), world, ["true"])

    with pytest.raises(FencedError, match="epoch 7"):
        actor.job(an_attempt(epoch=6, number=2), world, ["true"])

    other_run = an_attempt(epoch=1, run="run-2")
    assert actor.job(other_run, world, ["true"]).ok


def test_looking_for_a_job_fences_the_engine_that_was_to_start_it(
    actor: Actor, world: RecordingWorld, tmp_path: Path
) -> None:
    found = actor.attach(an_attempt(epoch=2), world)
    assert found.found is Found.NEVER_STARTED

    with pytest.raises(FencedError):
        actor.job(an_attempt(epoch=1), world, ["touch", f"{tmp_path}/late"])
    with pytest.raises(FencedError, match="withdrawn"):
        actor.job(an_attempt(epoch=2), world, ["touch", f"{tmp_path}/late"])

    assert not (tmp_path / "late").exists()


def test_memory_backed_state_is_refused(sshd: Sshd, tmp_path: Path, world: RecordingWorld) -> None:
    inventory = sshd.inventory(vars={"dr_state_dir": "/dev/shm"})  # noqa: S108
    connections = SshConnections(inventory, tmp_path)

    with pytest.raises(RefusedError, match="in memory"):
        connections.actor("target").job(an_attempt(), world, ["true"])
    connections.close()


def test_a_missing_state_directory_is_refused_and_not_made(
    sshd: Sshd, tmp_path: Path, world: RecordingWorld
) -> None:
    inventory = sshd.inventory(vars={"dr_state_dir": str(tmp_path / "none" / "dr")})
    connections = SshConnections(inventory, tmp_path)
    actor = connections.actor("target")

    with pytest.raises(RefusedError, match="no directory") as refused:
        actor.job(an_attempt(), world, ["true"])

    assert "install -d" in refused.value.hint
    assert not (tmp_path / "none").exists()
    assert actor.attach(an_attempt(), world).found is Found.NEVER_STARTED
    connections.close()


def test_a_job_outlives_its_connection_and_is_found_again(
    actor: Actor, sshd: Sshd, world: RecordingWorld, tmp_path: Path, wait_for: WaitFor
) -> None:
    attempt = an_attempt()
    script = (
        f"echo begun; touch {tmp_path}/up; "
        f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; exit 4"
    )
    lost: list[BaseException] = []

    def run() -> None:
        try:
            actor.job(attempt, world, script=script)
        except LostContactError as error:
            lost.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for((tmp_path / "up").exists, 10)
    sshd.kill_everything()
    thread.join(15)
    assert len(lost) == 1

    sshd.start()
    short = replace(attempt, timeout=timedelta(seconds=0.5), epoch=2)
    assert actor.attach(short, world).found is Found.UNKNOWN

    (tmp_path / "go").touch()
    found = actor.attach(replace(attempt, epoch=2), world)
    assert found.found is Found.ENDED
    assert found.outcome is not None
    assert found.outcome.outputs == {"exit_code": 4, "stdout": "begun\n", "stderr": ""}


_ENGINE = """
import sys, json
from datetime import timedelta
from pathlib import Path
from dr.engine.actions.conformance import RecordingWorld
from dr.engine.actions.transport.ssh import SshConnections
from dr.engine.core.model import Effect
from dr.engine.core.ports import Attempt
inventory, script = json.loads(sys.argv[1]), sys.argv[2]
attempt = Attempt("run-1", "act", "target", 1, 1, {}, timedelta(seconds=60), Effect.ONCE)
SshConnections(inventory, Path("/")).actor("target").job(
    attempt, RecordingWorld(inventory), script=script)
"""


def test_a_killed_engines_job_is_found_by_the_next_one_and_ran_once(
    actor: Actor, sshd: Sshd, world: RecordingWorld, tmp_path: Path, wait_for: WaitFor
) -> None:
    script = (
        f"echo started >> {tmp_path}/starts; "
        f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; exit 5"
    )
    engine = subprocess.Popen(
        [sys.executable, "-c", _ENGINE, json.dumps(sshd.inventory()), script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    wait_for((tmp_path / "starts").exists, 20)
    engine.send_signal(signal.SIGKILL)
    engine.wait(10)
    (tmp_path / "go").touch()

    found = actor.attach(an_attempt(epoch=2), world)

    assert found.outcome is not None
    assert found.outcome.outputs["exit_code"] == 5
    assert (tmp_path / "starts").read_text() == "started\n"


def test_a_job_whose_processes_were_killed_is_gone(
    actor: Actor, sshd: Sshd, world: RecordingWorld, tmp_path: Path, wait_for: WaitFor
) -> None:
    attempt = an_attempt()
    script = f"touch {tmp_path}/up; while :; do sleep 0.1; done"
    thread = threading.Thread(target=lose, args=(actor, attempt, world, script))
    thread.start()
    wait_for((tmp_path / "up").exists, 10)
    record = (job_folder(sshd, attempt) / "process").read_text()
    os.killpg(int(record.split()[1]), signal.SIGKILL)
    thread.join(15)

    assert actor.attach(attempt, world).found is Found.GONE


def test_a_job_from_before_a_restart_is_gone(
    actor: Actor, sshd: Sshd, world: RecordingWorld
) -> None:
    attempt = an_attempt()
    actor.job(attempt, world, ["true"])
    folder = job_folder(sshd, attempt)
    (folder / "exit").unlink()  # as if the power had gone during the command
    record = (folder / "process").read_text().splitlines()
    (folder / "process").write_text("\n".join([*record[:2], "boot another"]) + "\n")

    assert actor.attach(attempt, world).found is Found.GONE


def test_a_running_command_that_lost_its_supervisor_is_not_called_gone(
    actor: Actor, sshd: Sshd, world: RecordingWorld, tmp_path: Path, wait_for: WaitFor
) -> None:
    attempt = an_attempt(timeout=timedelta(seconds=2))
    script = f"touch {tmp_path}/up; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    thread = threading.Thread(target=lose, args=(actor, attempt, world, script))
    thread.start()
    wait_for((tmp_path / "up").exists, 10)
    supervisor = int((job_folder(sshd, attempt) / "process").read_text().split()[1])
    os.kill(supervisor, signal.SIGKILL)
    thread.join(15)

    assert actor.attach(attempt, world).found is Found.UNKNOWN
    (tmp_path / "go").touch()
    wait_for(lambda: actor.attach(attempt, world).found is Found.GONE, 10)


def test_a_command_that_prints_without_end_is_kept_within_bounds(
    actor: Actor, sshd: Sshd, world: RecordingWorld
) -> None:
    attempt = an_attempt(timeout=timedelta(seconds=60))
    done = actor.job(attempt, world, script="head -c 1073741824 /dev/zero | tr '\\0' x; echo end")

    assert done.ok
    assert done.truncated
    assert done.stdout.endswith("xend\n")
    assert len(done.stdout) < 200_000
    assert len(world.log) < 5_000_000
    on_disk = sum(p.stat().st_size for p in job_folder(sshd, attempt).iterdir() if p.is_file())
    assert on_disk < 2_000_000


def test_a_read_that_prints_without_end_is_kept_within_bounds(
    actor: Actor, world: RecordingWorld
) -> None:
    attempt = an_attempt(effect=Effect.READ, timeout=timedelta(seconds=60))

    done = actor.job(attempt, world, script="head -c 100000000 /dev/zero | tr '\\0' x; echo end")

    assert done.truncated
    assert done.stdout.endswith("xend\n")
    assert len(world.log) < 5_000_000


def test_an_endless_command_is_lost_contact_and_goes_on(
    actor: Actor, world: RecordingWorld, tmp_path: Path, wait_for: WaitFor
) -> None:
    attempt = an_attempt(timeout=timedelta(seconds=1))
    script = f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; touch {tmp_path}/ended"

    with pytest.raises(LostContactError):
        actor.job(attempt, world, script=script)

    (tmp_path / "go").touch()
    wait_for((tmp_path / "ended").exists, 10)


def test_a_command_that_may_be_killed_is_ended_with_all_its_children(
    actor: Actor, world: RecordingWorld, tmp_path: Path
) -> None:
    attempt = an_attempt(timeout=timedelta(seconds=1))
    script = f"trap '' TERM; echo $$ > {tmp_path}/pid; sleep 300 & while :; do sleep 0.1; done"

    with pytest.raises(FailedError, match="was ended"):
        actor.job(attempt, world, script=script, kill_on_timeout=True)

    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_endless_read_may_be_asked_again(actor: Actor, world: RecordingWorld) -> None:
    attempt = an_attempt(effect=Effect.READ, timeout=timedelta(seconds=0.5))

    with pytest.raises(RetryableError) as late:
        actor.job(attempt, world, ["sleep", "60"])

    assert late.value.reason == "timeout"


def test_output_of_a_long_job_arrives_while_it_runs(
    actor: Actor, world: RecordingWorld, tmp_path: Path, wait_for: WaitFor
) -> None:
    script = f"echo early; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo late"
    thread = threading.Thread(target=lambda: actor.job(an_attempt(), world, script=script))
    thread.start()

    wait_for(lambda: "early" in world.log, 10)
    assert "late" not in world.log
    (tmp_path / "go").touch()
    thread.join(15)

    assert world.log == "early\nlate\n"


def test_a_daemon_that_keeps_the_output_open_does_not_hold_up_the_end(
    actor: Actor, world: RecordingWorld, tmp_path: Path, wait_for: WaitFor
) -> None:
    script = f"setsid sh -c 'while [ ! -e {tmp_path}/go ]; do sleep 0.1; done' & echo started"

    done = actor.job(an_attempt(), world, script=script)
    (tmp_path / "go").touch()

    assert done.stdout == "started\n"
    assert done.duration_s < 10


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_runs_a_command_as_another_user(actor: Actor, world: RecordingWorld) -> None:
    done = actor.job(
        an_attempt(),
        world,
        script='echo "$(id -un) $(id -gn) $HOME $USER $DR_X"',
        user="nobody",
        env={"DR_X": "kept"},
    )

    assert done.stdout.split() == ["nobody", "nogroup", "/nonexistent", "nobody", "kept"]


def test_a_user_that_is_not_there_is_refused(actor: Actor, world: RecordingWorld) -> None:
    with pytest.raises(RefusedError):
        actor.job(an_attempt(), world, ["true"], user="no-such-user")


def test_interrupts_reach_the_command(actor: Actor, world: RecordingWorld) -> None:
    done = actor.job(an_attempt(), world, script="kill -INT $$; echo survived")

    assert done.exit_code == 130
    assert done.stdout == ""
