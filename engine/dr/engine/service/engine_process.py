"""The engine process of one run: take the lease, carry out, end with the run's exit code."""

from __future__ import annotations

import json
import logging
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from dr.engine.actions.witnesses import sightings
from dr.engine.core.amendment import as_amended
from dr.engine.core.behind import highest_epoch, in_words, unknown_to
from dr.engine.core.errors import DrError, ExitCode, HeldError, JournalError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.faults import passage
from dr.engine.core.ports import Journal, Lease, RunRecord
from dr.engine.core.states import RunState
from dr.engine.core.view import fold
from dr.engine.journal.sql import SqlJournal
from dr.engine.loader.loading import load
from dr.engine.runtime.context import RunContext
from dr.engine.runtime.executor import Executor
from dr.engine.runtime.recorder import Recorder, StoppedError
from dr.engine.service.engines import holder, holder_lives
from dr.engine.service.reconciliation_reports import signature_checks
from dr.engine.service.surroundings import with_paths
from dr.engine.service.wiring import Wiring, wire
from dr.incidents.report.filing import file_report
from dr.incidents.report.rendering import LANGUAGES
from dr.inventory.secrets import SecretsInUse
from dr.inventory.workspace import Workspace

log = logging.getLogger("dr.engine")


class JsonLines(logging.Formatter):
    """One JSON object a line; it repeats journal rows and never replaces them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps({k: self.redact(v) for k, v in line.items()}, ensure_ascii=False)

    def redact(self, text: str) -> str:
        """Return ``text`` with secrets masked; the run's own take this place once it has any."""
        return text


def _log_to_stderr(lines: JsonLines) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(lines)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("paramiko").setLevel(logging.ERROR)


WITNESSES_S = 3.0
"""How long hosts are asked what they know of the run, before anything acts."""


def carry_out(
    workspace: Workspace, journal: SqlJournal, record: RunRecord, why: Sequence[Draft] = ()
) -> ExitCode:
    """Carry a run on in this process until it has ended or must stop.

    Args:
        why: events that are kept together with the lease, such as a take-over.

    Raises:
        HeldError: another engine holds the run.
    """
    lines = JsonLines()
    _log_to_stderr(lines)
    lease = _acquire(journal, record.id, why)
    passage("lease-taken")
    log.info("run %s: epoch %s", record.id, lease.epoch)
    secrets = SecretsInUse(workspace.directory)
    lines.redact = secrets.redact  # type: ignore[method-assign]
    view = fold(record.id, journal.events(record.id))
    recorder = Recorder(journal, lease, view, secrets)
    wiring, executor = _set_up(workspace, journal, record, recorder, secrets)
    _obey_signals(recorder)
    try:
        inventory = executor.context.record.inventory
        if journal.shared and _is_behind(recorder, wiring, inventory):
            return ExitCode.WAITING
        state = executor.run()
        while executor.is_amended:  # as if resumed, with the lease that it has
            log.info("run %s: the plan is amended", record.id)
            before, hidden = wiring, executor.context.hidden
            wiring, executor = _set_up(workspace, journal, record, recorder, secrets)
            before.close()
            executor.context.hidden.update(hidden)
            state = executor.run()
        log.info("run %s: %s", record.id, state)
        _report_the_end(workspace, journal, record)
        return executor.exit_code()
    except (StoppedError, JournalError) as error:
        log.exception("run %s: stopped", record.id)
        return ExitCode.HELD if isinstance(recorder.broken, HeldError) else error.exit_code
    finally:
        recorder.release()
        wiring.close()


def _set_up(
    workspace: Workspace,
    journal: SqlJournal,
    record: RunRecord,
    recorder: Recorder,
    secrets: SecretsInUse,
) -> tuple[Wiring, Executor]:
    """Put an executor together for the plan that is in force."""
    now = as_amended(record, recorder.view)
    inventory = with_paths(workspace, now.inventory)
    wiring = wire(workspace, journal, inventory, now.environment, secrets=secrets)
    runbook = load(now.source, actions=wiring.actions, file=now.file)
    context = RunContext(wiring.ports, _with_inventory(now, inventory), runbook, recorder)
    return wiring, Executor(context)


def _is_behind(recorder: Recorder, wiring: Wiring, inventory: Mapping[str, Any]) -> bool:
    """Put the whole run in doubt when a host knows of it what the journal does not.

    A shared journal can come back without its last events, after its database failed over.
    """
    view = recorder.view
    if not view.epoch > 1:
        return False
    seen = sightings(wiring.connections, inventory, view.id, within_s=WITNESSES_S)
    found = unknown_to(view, seen, recorder.epoch)
    if not found:
        return False
    because = f"the journal lacks events that hosts know of: {in_words(found)}"
    log.error("run %s: %s", view.id, because)
    recorder.write(
        Draft(Kind.RUN_BEHIND, data={"seen": found}),
        Draft(Kind.RUN_STATE, data={"state": RunState.IN_DOUBT, "because": because}),
    )
    return True


def _acquire(journal: SqlJournal, run: str, why: Sequence[Draft]) -> Lease:
    """Take the run; a lease left by an engine that is dead, seen on this machine, is given back.

    A shared journal can not see an engine die: its lease would have to lapse first.
    """
    view = fold(run, journal.events(run))
    above = highest_epoch(view)
    try:
        return journal.acquire(run, holder(), why, above=above)
    except HeldError:
        view = fold(run, journal.events(run))
        same_machine = view.holder.split(" ")[0] == socket.gethostname()
        if not same_machine or holder_lives(view.holder) is not False:
            raise
        log.info("run %s: its last engine is dead: %s", run, view.holder)
        journal.release(Lease(run, view.holder, view.epoch))
        return journal.acquire(run, holder(), why, above=above)


def file_reports(
    workspace: Workspace, journal: Journal, record: RunRecord, languages: Sequence[str]
) -> list[Path]:
    """Write the reports of a run from its journal as it stands; return the files."""
    folder = workspace.state / "reports"
    zone = str(record.inventory.get("timezone", "UTC"))
    events = journal.events(record.id)
    checks = signature_checks(fold(record.id, events).session, record.inventory)
    filed = file_report(record, events, folder, languages=list(languages), zone=zone, checks=checks)
    return [filed.directory / name for name in filed.files]


def _report_the_end(workspace: Workspace, journal: Journal, record: RunRecord) -> None:
    """Write the report once more: only now does the journal say how the run ended."""
    try:
        file_reports(workspace, journal, record, LANGUAGES)
    except (OSError, DrError):
        log.exception("run %s: the last report was not written", record.id)


def _with_inventory(record: RunRecord, inventory: dict[str, object]) -> RunRecord:
    return replace(record, inventory=inventory)


def _obey_signals(recorder: Recorder) -> None:
    """On SIGTERM stop writing at once: what is under way is found again by ``dr resume``."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        recorder.stop(DrError("the engine was told to stop", hint="Type 'dr resume' to go on."))

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
