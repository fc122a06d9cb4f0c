"""``backup.restore``: the newest usable backup, with all its log, on an empty host."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from dr.backups.catalogue import BackupSet, find_set
from dr.backups.choice import Candidate, candidates, choose, estimate
from dr.backups.pgbackrest import (
    BackupRef,
    Repository,
    archive_end,
    complaints,
    fixed_settings,
    restore_argv,
    wal_bytes_after,
)
from dr.engine.actions.backup_catalogue import archived_at, look_into, os_user_of
from dr.engine.actions.branch_ledgers import collect
from dr.engine.actions.driver import Driver, specify
from dr.engine.actions.hosts import Connections, StorageError, host_of
from dr.engine.actions.inputs import Duration, Inputs
from dr.engine.actions.postgres.accepted import GREATER, too_much
from dr.engine.actions.postgres.evidence import detected_at, fenced_at, gather
from dr.engine.actions.postgres.loss import Loss, loss
from dr.engine.actions.postgres.member import Member, mark_path
from dr.engine.actions.postgres.observatory import look_at_hosts
from dr.engine.actions.postgres.proof import recheck_proof
from dr.engine.actions.postgres.roles import old_primary
from dr.engine.actions.postgres.roles import primary as find_primary
from dr.engine.actions.postgres.scan import scan
from dr.engine.actions.postgres.scripts import script
from dr.engine.actions.postgres.service import Service, required_proof, service_of
from dr.engine.core.errors import ActionError, FailedError, RefusedError, UserError
from dr.engine.core.model import Effect
from dr.engine.core.ports import (
    Attached,
    Attempt,
    Check,
    Forecast,
    Found,
    Outcome,
    Presence,
    Probe,
    World,
)
from dr.engine.core.values import UNKNOWN, Text, parse_utc, utc_text

_LOOK = timedelta(seconds=5)
_SPACE = 1.3  # of the backup's size, for the log that comes with it and for growth


class RestoreInput(Inputs):
    """``with`` of backup.restore.

    Attributes:
        prefer: ``freshest`` takes the newest usable backup of all copies.
        backup: one backup by its label, instead of the newest.
        target_time: stop the recovery there, RFC 3339; empty replays everything that was archived.
        max_loss: the greatest loss that is accepted, ``15m`` or seconds; nothing is restored when
            the forecast loss is greater.  Empty: what the run's gate accepted, if it named a loss.
        scan_within: how long the pages of the restored database may be read to prove them.
    """

    set: str
    prefer: Literal["freshest"] = "freshest"
    medium: str | None = "disk"
    backup: str | None = None
    target_time: str | None = None
    service: str | None = None
    max_loss: str | float | int | None = None
    detected_at: str | None = None
    scan_within: Duration = timedelta(minutes=10)


@dataclass(frozen=True)
class _Choice:
    candidate: Candidate
    backup: BackupRef
    repository: Repository


class Restore(Driver[RestoreInput]):
    """Restores with pgBackRest onto spare storage; never over anything that is there.

    The restored server does not archive: turning that on again, with a new backup, is for people
    to decide.
    """

    inputs = RestoreInput
    spec = specify(
        "backup.restore",
        "Restore the newest usable backup",
        "恢复最新可用备份",
        RestoreInput,
        effects=(Effect.ONCE,),
        probes=True,
        attaches=True,
        undoes=True,
        needs_host=True,
        outputs={
            "host": "string",
            "recovered_to": "moment",
            "timeline": "integer",
            "system_id": "string",
            "loss_s": "number",
            "loss_basis": "map",
            "backup": "string",
            "copy": "string",
            "medium": "string",
        },
    )

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def describe(self, attempt: Attempt) -> Sequence[str]:
        """Say what would be restored where."""
        host = attempt.host or "the spare storage"
        return [
            f"choose the newest usable backup of {attempt.input.get('set')}",
            f"on {host}: refuse unless the data directory is empty and nothing runs on it",
            f"on {host}: pgbackrest restore --archive-mode=off, then replay the archived log",
            f"on {host}: read every page, check every index",
        ]

    def precheck(self, attempt: Attempt, world: World) -> Check:
        """The old primary is fenced, the target empty, a backup usable, the loss accepted."""
        service = self._service(attempt, world)
        try:
            proof = required_proof(attempt)
        except RefusedError as error:
            return Check(holds=False, because=error.message, hint=error.hint)
        proven = recheck_proof(proof, self._connections, service, world.inventory)
        if proven.holds is not True:
            return proven
        members = look_at_hosts(self._connections, service, world.inventory, world.clock)
        rivals = [m.host for m in members if m.role == "primary"]
        if rivals:
            return Check(
                holds=False,
                because=f"{rivals[0]} is a primary that writes; a restored one would be a second",
                hint="See who is what: `dr inventory show`.",
            )
        empty = self._target(attempt, world, service)
        if empty.holds is not True:
            return empty
        chosen = self._choose(attempt, world)
        if isinstance(chosen, str):
            return Check(holds=False, because=chosen, hint="See `backup.check` in the report.")
        lost = self._forecast_loss(attempt, world, service, members, chosen)
        facts = {"loss_s": lost.seconds, "loss_basis": lost.basis.plain()}
        because = too_much(lost, self.given(attempt).max_loss, world)
        if because:
            return Check(holds=False, because=because, hint=GREATER, facts=facts)
        because = f"backup {chosen.backup.label} is usable"
        return Check(holds=True, because=because, facts=facts)

    def probe(self, attempt: Attempt, world: World) -> Probe:
        """Whether the target runs the set's cluster as a primary."""
        service = self._service(attempt, world)
        seen = self._look(attempt, world, service)
        if not seen.reachable:
            return Probe(Presence.UNKNOWN, f"{seen.host} does not answer: {seen.because}")
        if seen.role == "primary":
            chosen = self._choose(attempt, world)
            if isinstance(chosen, str):
                return Probe(
                    Presence.UNKNOWN, f"nobody knows what {seen.host} should run: {chosen}"
                )
            if seen.system_id != chosen.repository.system_id:
                return Probe(Presence.PARTIAL, f"another cluster runs on {seen.host}")
            return Probe(
                Presence.DONE,
                f"{seen.host} writes on timeline {seen.timeline}",
                self._outputs(attempt, world, service, seen, chosen),
            )
        empty = self._target(attempt, world, service)
        if empty.holds is True:
            return Probe(Presence.ABSENT, f"the data directory on {seen.host} is empty")
        return Probe(Presence.PARTIAL, empty.because)

    def perform(self, attempt: Attempt, world: World) -> Outcome:
        """Check again, restore, start, wait for the end of recovery."""
        may = self.precheck(attempt, world)
        if may.holds is not True:
            raise RefusedError(may.because, hint=may.hint, facts=may.facts)
        service = self._service(attempt, world)
        chosen = self._choose(attempt, world)
        if isinstance(chosen, str):
            raise RefusedError(chosen)
        world.output(f"restoring {chosen.backup.label} from {chosen.candidate.copy.id}\n")
        done = self._connections.actor(host_of(attempt)).job(
            attempt, world, script=script("restore"), env=self._env(attempt, world, service, chosen)
        )
        if not done.ok:
            raise _failed(host_of(attempt), done.exit_code, done.stdout + done.stderr)
        return self._ended(attempt, world, done.stdout + done.stderr, chosen)

    def attach(self, attempt: Attempt, world: World) -> Attached:
        """Find the restore and wait for it: two hours of copying outlive an engine."""
        found = self._connections.actor(host_of(attempt)).attach(attempt, world)
        if found.found is not Found.ENDED or found.outcome is None:
            return found
        code = int(found.outcome.outputs.get("exit_code", 1))
        said = f"{found.outcome.outputs.get('stdout', '')}{found.outcome.outputs.get('stderr', '')}"
        if code != 0:
            return Attached(Found.ENDED, error=_failed(host_of(attempt), code, said))
        chosen = self._choose(attempt, world)
        return Attached(Found.ENDED, outcome=self._ended(attempt, world, said, chosen))

    def verify(self, attempt: Attempt, world: World, outcome: Outcome) -> Check:
        """It writes, it is the right cluster, and every page can be read."""
        service = self._service(attempt, world)
        seen = self._look(attempt, world, service)
        if not seen.answers:
            return Check(holds=UNKNOWN, because=f"{seen.host} does not answer: {seen.because}")
        if seen.role != "primary":
            return Check(holds=False, because=f"{seen.host} is still in recovery")
        wanted = outcome.outputs.get("system_id")
        if wanted and seen.system_id != wanted:
            return Check(holds=False, because=f"{seen.host} is another cluster: {seen.system_id}")
        observer = self._connections.observer(seen.host)
        checked = scan(observer, service.database, within=self.given(attempt).scan_within)
        if checked.verdict == "damaged":
            return Check(holds=False, because=f"the restored data is damaged: {checked.basis}")
        holds = True if checked.verdict == "intact" else UNKNOWN
        return Check(holds=holds, because=checked.basis)

    def undo(self, attempt: Attempt, world: World) -> Outcome:
        """Stop it and rename what was restored; nothing is deleted."""
        service = self._service(attempt, world)
        database = service.database
        run = re.sub(r"[^A-Za-z0-9_-]", "-", attempt.run)
        aside = f"{database.data_dir}.undone-{run}-{attempt.number}"
        done = self._connections.actor(host_of(attempt)).job(
            attempt,
            world,
            script=script("set_aside"),
            name="undo",
            env={
                "DR_OS_USER": database.os_user,
                "DR_BIN_DIR": database.bin_dir,
                "DR_DATA_DIR": database.data_dir,
                "DR_ASIDE": aside,
            },
        )
        if not done.ok:
            raise FailedError(f"the restored server could not be set aside: {done.stdout.strip()}")
        return Outcome({"host": host_of(attempt), "aside": aside})

    def forecast(self, attempt: Attempt, world: World) -> Forecast:
        """Copying by the declared rate; the loss from the end of the archive."""
        service = self._service(attempt, world)
        chosen = self._choose(attempt, world)
        if isinstance(chosen, str):
            return Forecast(loss=UNKNOWN, available=Check(holds=False, because=chosen))
        members = look_at_hosts(self._connections, service, world.inventory, world.clock)
        writing = find_primary(members, service.expected_primary)
        old = old_primary(members, writing, service.expected_primary)
        if writing.basis == "observed" and writing.host not in (old.host, attempt.host):
            because = f"{writing.host} writes already; a restored database would be a second"
            return Forecast(loss=UNKNOWN, available=Check(holds=False, because=because))
        empty = self._target(attempt, world, service)
        takes = estimate(chosen.backup, chosen.repository, chosen.candidate.copy.expect)
        lost = self._forecast_loss(attempt, world, service, members, chosen)
        basis = Text(
            en=f"{takes.basis.say('en')}; {lost.basis.say('en')}",
            zh=f"{takes.basis.say('zh')}；{lost.basis.say('zh')}",
        )
        return Forecast(
            p50=takes.p50,
            p90=takes.p90,
            loss=UNKNOWN if lost.at_most is None else lost.at_most,
            basis=basis,
            available=Check(holds=empty.holds, because=empty.because),
        )

    def _forecast_loss(
        self,
        attempt: Attempt,
        world: World,
        service: Service,
        members: Sequence[Member],
        chosen: _Choice,
    ) -> Loss:
        """Return what a restore would lose, from the end of the archive as it is now."""
        copy, last = chosen.candidate.copy, chosen.repository.wal_last
        moment = archived_at(self._connections, copy, chosen.repository)
        detected = detected_at(world, self.given(attempt).detected_at)
        lost = max(timedelta(), detected - (moment or chosen.backup.consistent_at))
        lost = max(lost, self._least(world, service, members, chosen.repository, detected, moment))
        if moment is not None:
            en = f"loss at most since log segment {last} was archived"
            zh = f"损失不超过日志段 {last} 归档以来的业务"
        else:
            en = f"loss at most since backup {chosen.backup.label}; the log to {last} makes it less"
            zh = f"损失不超过备份 {chosen.backup.label} 以来的业务，归档日志（至 {last}）可减少损失"
        target = self.given(attempt).target_time
        if target and detected - parse_utc(target) > lost:
            lost = detected - parse_utc(target)
            en, zh = f"recovery stops at {target}, by choice", f"按指定时间 {target} 停止恢复"
        return Loss(lost, Text(en=en, zh=zh))

    def _least(
        self,
        world: World,
        service: Service,
        members: Sequence[Member],
        repository: Repository,
        detected: datetime,
        archived: datetime | None,
    ) -> timedelta:
        """Return the loss of the best standby when it reaches past the archive.

        What a standby lacks the archive then lacks as well, so a restore can not lose less.
        """
        ahead = [
            m
            for m in members
            if m.role == "standby"
            and m.segment_bytes
            and m.reaches(archive_end(repository, m.segment_bytes))
        ]
        if not ahead:
            return timedelta()
        best = max(ahead, key=lambda m: m.end or 0)
        branches = collect(self._connections, service, world.inventory)
        bounded = gather(best, members, branches, detected, archived=archived)
        return loss(bounded).at_most or timedelta()

    def _service(self, attempt: Attempt, world: World) -> Service:
        given = self.given(attempt)
        return service_of(attempt, world, given.service or self._set(attempt, world).service)

    def _set(self, attempt: Attempt, world: World) -> BackupSet:
        try:
            return find_set(world.inventory.get("backups") or {}, self.given(attempt).set)
        except UserError as error:
            raise RefusedError(error.message, hint=error.hint) from error

    def _choose(self, attempt: Attempt, world: World) -> _Choice | str:
        """Return the backup to restore, or why there is none."""
        given = self.given(attempt)
        backup_set = self._set(attempt, world)
        user = os_user_of(world.inventory, backup_set)
        held = look_into(self._connections, backup_set, user, medium=given.medium)
        target = parse_utc(given.target_time) if given.target_time else None
        found = candidates(backup_set, held, medium=given.medium, target_time=target)
        if given.backup:
            found = [c for c in found if c.backup is not None and c.backup.label == given.backup]
        best = choose(found)
        repository = held.get(best.copy.id) if best else None
        if best is None or best.backup is None or not isinstance(repository, Repository):
            reasons = "; ".join(dict.fromkeys(c.because for c in found if c.because))
            return f"no usable backup of {given.set}: {reasons or 'there is none'}"
        return _Choice(best, best.backup, repository)

    def _look(self, attempt: Attempt, world: World, service: Service) -> Member:
        host = host_of(attempt)
        return look_at_hosts(
            self._connections, service, world.inventory, world.clock, hosts=[host]
        )[0]

    def _target(self, attempt: Attempt, world: World, service: Service) -> Check:
        """Whether the data directory on the target is absent or empty, and the host not fenced."""
        host = host_of(attempt)
        observer = self._connections.observer(host)
        path = service.database.data_dir
        try:
            names = observer.listing(path, timeout=_LOOK)
            marked = observer.stat(mark_path(world.inventory, host, service.id), timeout=_LOOK)
        except (ActionError, StorageError) as error:
            return Check(holds=UNKNOWN, because=f"{host}: {error}")
        if marked is not None:
            return Check(holds=False, because=f"{host} carries a fence mark")
        if names:
            return Check(
                holds=False,
                because=f"{path} on {host} is not empty ({len(names)} entries)",
                hint="Choose empty storage, or move what lies there aside by hand.",
            )
        return Check(holds=True, because=f"{path} on {host} is empty")

    def _env(
        self, attempt: Attempt, world: World, service: Service, chosen: _Choice
    ) -> dict[str, str]:
        given = self.given(attempt)
        database = service.database
        copy = chosen.candidate.copy
        argv = restore_argv(
            config=copy.config,
            stanza=copy.stanza,
            data_dir=database.data_dir,
            label=chosen.backup.label,
            target_time=parse_utc(given.target_time) if given.target_time else None,
        )
        settings = " ".join(f"-c {name}={_option(value)}" for name, value in fixed_settings())
        wal = wal_bytes_after(chosen.backup, chosen.repository) or 0
        return {
            "DR_OS_USER": database.os_user,
            "DR_BIN_DIR": database.bin_dir,
            "DR_DATA_DIR": database.data_dir,
            "DR_SOCKET_DIR": database.socket_dir,
            "DR_PORT": str(database.port),
            "DR_ADMIN_USER": database.admin_user,
            "DR_SYSTEM_ID": chosen.repository.system_id,
            "DR_LOG": "/var/log/postgresql/postgresql.log",
            "DR_MARK": mark_path(world.inventory, host_of(attempt), service.id),
            "DR_NEED_KB": str(int((chosen.backup.size_bytes * _SPACE + min(wal, 1 << 30)) / 1024)),
            "DR_WAIT_S": str(max(30, int(attempt.timeout.total_seconds() * 0.8))),
            "DR_RESTORE": shlex.join(argv),
            "DR_SETTINGS": settings,
        }

    def _ended(self, attempt: Attempt, world: World, said: str, chosen: _Choice | str) -> Outcome:
        service = self._service(attempt, world)
        seen = self._look(attempt, world, service)
        facts = {
            "complaints": complaints(said),
            "archiving": "off until people turn it on and take a new backup",
        }
        return Outcome(self._outputs(attempt, world, service, seen, chosen), facts)

    def _outputs(
        self,
        attempt: Attempt,
        world: World,
        service: Service,
        seen: Member,
        chosen: _Choice | str,
    ) -> dict[str, Any]:
        backup = None if isinstance(chosen, str) else chosen.backup
        copy = None if isinstance(chosen, str) else chosen.candidate.copy
        # read inside the data; a backup after which nothing was committed is as new as itself
        moment: datetime | None = seen.replayed_to or (backup.consistent_at if backup else None)
        lost = self._loss(attempt, world, service, seen, moment)
        return {
            "host": seen.host,
            "recovered_to": utc_text(moment) if moment else None,
            "timeline": seen.timeline,
            "system_id": seen.system_id,
            "loss_s": lost.seconds,
            "loss_basis": lost.basis.plain(),
            "backup": backup.label if backup else None,
            "copy": copy.id if copy else None,
            "medium": copy.medium if copy else None,
        }

    def _loss(
        self,
        attempt: Attempt,
        world: World,
        service: Service,
        seen: Member,
        moment: datetime | None,
    ) -> Loss:
        branches = collect(self._connections, service, world.inventory)
        detected = detected_at(world, self.given(attempt).detected_at)
        restored = replace(seen, replayed_to=moment)
        return loss(gather(restored, [seen], branches, detected, fenced_at(attempt)))


def _option(value: str) -> str:
    # pg_ctl hands -o to a shell: an empty value has to survive it
    return value if value and re.fullmatch(r"[A-Za-z0-9_./-]+", value) else f"'{value}'"


_CODES = {
    10: "the target was not empty",
    11: "there is too little space",
    12: "pgbackrest ended with an error",
    13: "the restored server did not start",
    14: "the restored server did not end its recovery in time",
    15: "another cluster came out of the backup",
}


def _failed(host: str, code: int, said: str) -> ActionError:
    lines = [line for line in said.strip().splitlines() if line.strip()]
    words = _CODES.get(code, f"exit code {code}")
    last = (complaints(said) or lines or [""])[-1]
    if code in {10, 11}:
        return RefusedError(f"{host}: {words}: {lines[-1] if lines else ''}")
    return FailedError(
        f"restoring onto {host} failed: {words}: {last[:300]}",
        hint="Read the whole output with `dr log RUN STEP`; another backup may be usable.",
    )
