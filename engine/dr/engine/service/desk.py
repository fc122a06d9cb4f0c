"""The desk: every use case, for the command line and the web alike."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dr.engine.core.amendment import as_amended
from dr.engine.core.errors import (
    DrError,
    ExitCode,
    HeldError,
    JournalError,
    MovedError,
    PlanChangedError,
    Problem,
    UserError,
)
from dr.engine.core.events import Draft, Event, Kind
from dr.engine.core.model import Runbook
from dr.engine.core.ports import RunRecord
from dr.engine.core.states import ENDED, TAKEN_BACK, StepState
from dr.engine.core.view import RunView, fold
from dr.engine.journal.sql import SqlJournal
from dr.engine.journal.verdict import Verdict
from dr.engine.service.approvals import Approvals
from dr.engine.service.engines import holder_lives
from dr.engine.service.logs import FileLogs
from dr.engine.service.measured import MeasuredDurations
from dr.engine.service.progress import Progress, progress_of
from dr.engine.service.reconciling import Reconciling
from dr.engine.service.starting import (
    check_inputs,
    check_names,
    created_draft,
    record_of,
    spawn_engine,
)
from dr.engine.service.surroundings import SystemClock, logs_folder, with_paths
from dr.engine.service.takeover import (
    lapsed_elsewhere,
    lease_left,
    require_here,
    require_shared,
    require_unfinished,
    require_whole,
    take_over,
    takeover_draft,
)
from dr.engine.service.taking_back import under_way
from dr.inventory.checks import check
from dr.inventory.ordinary import LARGEST_PLAN_BYTES, read_ordinary
from dr.inventory.reading import read_inventory
from dr.inventory.secrets import SecretsInUse
from dr.inventory.snapshot import snapshot
from dr.inventory.workspace import (
    VARIABLE,
    Environment,
    Workspace,
    find_workspace,
    read_workspace,
)

if TYPE_CHECKING:
    from dr.engine.service.amending import Amendment
    from dr.engine.service.branch_signing import BranchSigning
    from dr.engine.service.bundles import Exported
    from dr.engine.service.catalog import RunbookEntry
    from dr.engine.service.comparing import Comparing
    from dr.engine.service.plans import Plan
    from dr.engine.service.reconciliation_reports import ReconciliationReports
    from dr.engine.service.taking_back import Undoing
    from dr.engine.service.worklists import WorkLists

# What loads every action (catalog, plans, wiring, engine_process) is imported where it is used:
# approving, resuming and following are typed in a hurry and need none of it.

DATABASE_VARIABLE = "DR_DATABASE_URL"
_POLL_S = 0.2
_TRIES = 20
"""How often a wish is written anew because others wrote meanwhile."""
_ACTS_AGAIN = frozenset({Kind.OP_RETRY, Kind.OP_UNDO})


def open_desk(directory: Path | None = None, environment: str | None = None) -> Desk:
    """Return the desk of the workspace at ``directory`` or found from where one stands.

    Raises:
        UserError: there is no workspace, or no such environment.
    """
    found = find_workspace(Path.cwd(), directory, os.environ.get(VARIABLE))
    if found is None:
        from dr.engine.service.glance import find_workplace

        place = find_workplace(None)
        found = place.directory if place is not None else None
    if found is None:
        raise UserError(
            "there is no workspace here: no dr.yaml in this folder or above",
            hint="Type 'dr init DIR' to make one, or name one with --workspace DIR.",
            code="no_workspace",
        )
    workspace = read_workspace(found)
    return Desk(workspace, workspace.environment(environment))


class Desk:
    """Use cases bound to one workspace and environment.  Opens the journal on first use."""

    def __init__(self, workspace: Workspace, environment: Environment) -> None:
        self.workspace = workspace
        self.environment = environment

    def close(self) -> None:
        """Let go of the journal, if it was opened; it opens again on the next use."""
        journal: SqlJournal | None = self.__dict__.pop("journal", None)
        if journal is not None:
            journal.close()

    @cached_property
    def journal(self) -> SqlJournal:
        """The journal: ``$DR_DATABASE_URL``, else a SQLite file in the state folder."""
        url = os.environ.get(DATABASE_VARIABLE)
        if not url:
            _make_folder(self.workspace.state)
            url = f"sqlite:///{self.workspace.state / 'journal.sqlite3'}"
        return SqlJournal(url).open()

    @cached_property
    def inventory(self) -> dict[str, Any]:
        """The inventory of the environment as a run would keep it now."""
        return snapshot(self.workspace, self.environment.name)

    @cached_property
    def approvals(self) -> Approvals:
        """Decisions of people."""
        return Approvals(
            self.journal,
            SystemClock(),
            workspace=self.workspace.directory,
            state=self.workspace.state,
            standing=self.environment.inventory / "standing",
            today=lambda: snapshot(self.workspace, self.environment.name),
        )

    # -- reconciliation

    @cached_property
    def reconciling(self) -> Reconciling:
        """Cases of the branches, and what people decide about them."""
        return Reconciling(self.journal, SystemClock())

    @cached_property
    def branch_signing(self) -> BranchSigning:
        """Sign-offs of branches, and waivers."""
        from dr.engine.service.branch_signing import BranchSigning

        return BranchSigning(self.reconciling, self.workspace.directory)

    @cached_property
    def worklists(self) -> WorkLists:
        """Lists that go out to branches and come back, and corrections."""
        from dr.engine.service.worklists import WorkLists

        return WorkLists(self.reconciling, self.workspace.state / "evidence")

    @cached_property
    def reconciliation_reports(self) -> ReconciliationReports:
        """Reports of a reconciliation, of the bureau and of branches."""
        from dr.engine.service.reconciliation_reports import ReconciliationReports

        return ReconciliationReports(self.reconciling, self.workspace.state / "reports")

    @cached_property
    def understanding(self) -> Comparing:
        """How evidence is read; no host and no database is asked."""
        from dr.engine.service.comparing import Comparing
        from dr.engine.service.wiring import Unreachable

        secrets = SecretsInUse(self.workspace.directory)
        keep = self.workspace.state / "evidence"
        return Comparing(self.reconciling, Unreachable(), secrets, keep)

    @contextmanager
    def comparing(self, run: str) -> Iterator[Comparing]:
        """Comparisons with the recovered database of ``run``, by connections that only look."""
        from dr.engine.service.comparing import Comparing
        from dr.engine.service.wiring import Reach, wire

        record = self.journal.run(run)
        record = as_amended(record, self.view(record.id))
        inventory = with_paths(self.workspace, record.inventory)
        wiring = wire(self.workspace, self.journal, inventory, record.environment, reach=Reach.LOOK)
        try:
            keep = self.workspace.state / "evidence"
            yield Comparing(self.reconciling, wiring.connections, wiring.ports.secrets, keep)
        finally:
            wiring.close()

    # -- runbooks

    def runbooks(self) -> list[RunbookEntry]:
        """List the runbooks that can be run by name."""
        from dr.engine.service.catalog import entries
        from dr.engine.service.wiring import offline_actions

        return entries(self.workspace, offline_actions())

    def load(self, name: str) -> Runbook:
        """Load a runbook by name or path."""
        from dr.engine.service.catalog import load_runbook
        from dr.engine.service.wiring import offline_actions

        return load_runbook(self.workspace, name, offline_actions())

    # -- plans and runs

    def plan(
        self, name: str, inputs: Mapping[str, str], *, probe: bool = False, mode: str = "real"
    ) -> Plan:
        """Say what a runbook would do now; with ``probe`` by looking, never by acting."""
        from dr.engine.service.plans import Planning
        from dr.engine.service.wiring import Reach, wire

        runbook = self.load(name)
        inventory = with_paths(self.workspace, self.inventory)
        record = self._record(runbook, inputs, inventory, mode, "nobody")
        reach = Reach.LOOK if probe else Reach.NOTHING
        name_ = self.environment.name
        wiring = wire(self.workspace, self.journal, inventory, name_, reach=reach)
        try:
            return Planning(wiring.ports, runbook, record, probe=probe).plan()
        finally:
            wiring.close()

    def _record(
        self,
        runbook: Runbook,
        inputs: Mapping[str, Any],
        inventory: Mapping[str, Any],
        mode: str,
        requester: str,
    ) -> RunRecord:
        from dr.engine.loader.expressions import Grammar

        values = check_inputs(runbook, inputs, inventory)
        check_names(runbook, inventory)
        return record_of(
            runbook,
            values,
            inventory,
            Grammar(),
            environment=self.environment.name,
            mode=mode,
            requester=requester,
        )

    def start(
        self,
        name: str,
        inputs: Mapping[str, str],
        requester: str,
        mode: str = "real",
        plan_file: Path | None = None,
    ) -> RunRecord:
        """Write a new run down, take its locks and start its engine.

        Raises:
            HeldError: another run holds a lock, for example on the same service.
            PlanChangedError: the plan in ``plan_file`` is not what would be carried out now.
        """
        from dr.engine.service.plans import plan_digest

        runbook = self.load(name)
        record = self._record(runbook, inputs, self.inventory, mode, requester)
        plan_hash = plan_digest(record)
        if plan_file is not None:
            _same_plan(plan_file, plan_hash)
        draft = created_draft(runbook, record, str(self.environment.kind), plan_hash)
        self.journal.create(record, [draft])
        spawn_engine(self.workspace, record.id)
        return record

    def resume(
        self, run: str, plan_file: Path | None = None, accept: tuple[str, str] | None = None
    ) -> RunRecord:
        """Start an engine for a run that is not over and has none.

        Args:
            accept: who says, and why, that the run goes on although its journal lacks events.

        Raises:
            HeldError: an engine on this machine has it, or one elsewhere had it last.
            WholeDoubtError: the journal lacks events, and nobody has decided about it.
            PlanChangedError: the run did not begin from the plan in ``plan_file``.
            UserError: the run is over.
        """
        record = self.journal.run(run)
        view = self.view(record.id)
        if plan_file is not None:
            _same_plan(plan_file, str(view.created.get("plan_hash")))
        require_unfinished(view)
        if view.holder and holder_lives(view.holder) is True:
            raise HeldError(
                f"an engine has run {record.id} already: {view.holder}",
                hint=f"Follow it with: dr attach {record.id}",
            )
        require_here(self.journal, view)
        if view.is_behind and accept is not None:
            by, because = accept
            self._wish(record.id, Kind.OP_ACCEPT, None, by, because)
        else:
            require_whole(view)
        spawn_engine(self.workspace, record.id)
        return record

    def take_over(
        self, run: str, by: str, because: str, watch: Callable[[float], None] | None = None
    ) -> RunRecord:
        """Start an engine here for a run whose engine elsewhere is dead or frozen.

        See :func:`dr.engine.service.takeover.take_over`.
        """
        return take_over(self.workspace, self.journal, run, by=by, because=because, watch=watch)

    def require_shared(self) -> None:
        """Refuse to take over with a journal that no other machine can have written."""
        require_shared(self.journal)

    def run_engine(self, run: str, taken: tuple[str, str] | None = None) -> ExitCode:
        """Carry the run out in this process; ``taken``: who takes it over, and why."""
        from dr.engine.service.engine_process import carry_out

        record = self.journal.run(run)
        why = [takeover_draft(self.journal, record.id, *taken)] if taken else []
        return carry_out(self.workspace, self.journal, record, why)

    def unfinished(self) -> list[RunRecord]:
        """List runs that are not over, newest first."""
        return self.journal.runs(unfinished=True)

    def runs(self) -> list[RunRecord]:
        """List all runs, newest first."""
        return self.journal.runs()

    def record(self, run: str) -> RunRecord:
        """Return a run by id, unique part of it, or ``last``."""
        return self.journal.run(run)

    def view(self, run: str) -> RunView:
        """Return how a run stands."""
        record = self.journal.run(run)
        return fold(record.id, self.journal.events(record.id))

    def engine_alive(self, run: str) -> bool:
        """Whether an engine has the run now; one on another machine lives while its lease lasts."""
        holder = self.view(run).holder
        lives = holder_lives(holder) if holder else False
        if lives is None and self.journal.shared:
            return lease_left(self.journal, self.journal.run(run).id) > 0
        return lives is not False

    def lapsed_elsewhere(self, view: RunView) -> bool:
        """Whether nobody has an unfinished run whose last engine was on another machine."""
        return lapsed_elsewhere(self.journal, view)

    def follow(self, run: str, after: int = 0, poll_s: float = _POLL_S) -> Iterator[list[Event]]:
        """Yield what is new, an empty list when nothing is, until the run is over."""
        record = self.journal.run(run)
        while True:
            batch = self.journal.events(record.id, after=after)
            if batch:
                after = batch[-1].seq
            yield batch
            if any(event.kind is Kind.RUN_ENDED for event in batch):
                return
            if not batch:
                time.sleep(poll_s)

    def output(self, run: str, step: str, host: str | None = None, tail: int = 50) -> str:
        """Return the last lines that a step put out."""
        logs = FileLogs(logs_folder(self.workspace), SecretsInUse(self.workspace.directory))
        return logs.tail(self.journal.run(run).id, step, host, tail)

    def progress(self, run: str) -> Progress:
        """Return what is left of the time, who is awaited, and what to type next."""
        record = self.journal.run(run)
        estimates = MeasuredDurations(self.journal, record.environment)
        return progress_of(record, self.view(record.id), estimates, datetime.now(UTC))

    # -- operators

    def pause(self, run: str, by: str) -> None:
        """Start nothing further; what is under way goes on."""
        self._wish(run, Kind.OP_PAUSE, None, by, "")

    def continue_(self, run: str, by: str) -> None:
        """Go on after a pause."""
        self._wish(run, Kind.OP_CONTINUE, None, by, "")

    def abort(self, run: str, by: str, because: str, *, kill_jobs: bool = False) -> None:
        """End the run: nothing further starts, what runs on hosts is ended, ``finally`` still runs.

        ``kill_jobs`` also ends jobs of ``once`` and ``irreversible`` steps, which are else left.
        An engine is started where the last one is dead: only an engine can reach the hosts.
        """
        self._wish(run, Kind.OP_ABORT, None, by, because, kill_jobs=kill_jobs)
        self._see_to_it(self.journal.run(run).id)

    def _see_to_it(self, run: str) -> None:
        """Start an engine for a wish when it is certain that none has the run, nor must not."""
        view = self.view(run)
        if not view.is_behind and holder_lives(view.holder) is False:
            spawn_engine(self.workspace, run)

    def retry(self, run: str, step: str, by: str, because: str) -> None:
        """Try a step again that failed, or that was taken back."""
        self._needs_state(run, step, {StepState.FAILED, *TAKEN_BACK})
        self._wish(run, Kind.OP_RETRY, step, by, because)

    def skip(self, run: str, step: str, by: str, because: str) -> None:
        """Go on without a step that failed, was taken back or has not begun."""
        self._needs_state(run, step, {StepState.FAILED, *TAKEN_BACK, StepState.PENDING})
        self._wish(run, Kind.OP_SKIP, step, by, because)

    def undoing(self, run: str, back_to: str | None = None) -> list[Undoing]:
        """List what an undo would take back, in its order, and what it would leave.

        Raises:
            UserError: the run is over, has no such step, or did nothing.
            HeldError: an undo is under way already.
            WholeDoubtError: the journal lacks events, and nobody has decided about it.
        """
        from dr.engine.service.taking_back import undoing
        from dr.engine.service.wiring import offline_actions

        record = self.journal.run(run)
        self._not_over(record)
        view = self.view(record.id)
        require_whole(view)
        return undoing(as_amended(record, view), view, back_to, offline_actions())

    def is_production(self, run: str) -> bool:
        """Whether the run is of an environment that counts."""
        environment = self.view(run).created.get("environment")
        return isinstance(environment, Mapping) and environment.get("kind") == "production"

    def undo(self, run: str, by: str, because: str, back_to: str | None = None) -> int:
        """Take finished steps back; return the number of the event that wishes it.

        Raises:
            UserError: the run is over.
            HeldError: somebody else's undo came first; this wish is not followed.
        """
        record = self.journal.run(run)
        seq = self._wish(record.id, Kind.OP_UNDO, None, by, because, **{"from": back_to})
        events = [e for e in self.journal.events(record.id) if e.seq <= seq]
        wished = fold(record.id, events).undo or {}
        if wished.get("seq") != seq:
            raise under_way(record.id)
        self._see_to_it(record.id)
        return seq

    def amend(
        self,
        run: str,
        inputs: Mapping[str, str],
        by: str,
        because: str,
        *,
        dry_run: bool = False,
    ) -> Amendment:
        """Propose the plan as it is on disk now for what has not begun of a run.

        See :func:`dr.engine.service.amending.amend`.
        """
        from dr.engine.service.amending import amend

        return amend(
            self.workspace, self.journal, run,
            inputs=inputs, by=by, because=because, dry_run=dry_run,
        )  # fmt: skip

    def withdraw(self, run: str, by: str, because: str) -> str:
        """Take the open amendment of a run back; return the id of its question."""
        from dr.engine.service.amending import withdraw

        return withdraw(self.journal, run, by, because)

    def note(self, run: str, by: str, text: str) -> None:
        """Write a remark into the journal."""
        record = self.journal.run(run)
        data = {"by": by, "text": text}
        self.journal.append(record.id, [Draft(Kind.OP_NOTE, data=data)])

    def _wish(
        self, run: str, kind: Kind, step: str | None, by: str, because: str, **more: Any
    ) -> int:
        record = self.journal.run(run)
        self._not_over(record)
        data = {"by": by, "because": because, **more}
        if kind in _ACTS_AGAIN:
            return self._wish_to_act(record.id, kind, step, data)
        return self.journal.append(record.id, [Draft(kind, step, data=data)])[-1].seq

    def _wish_to_act(self, run: str, kind: Kind, step: str | None, data: dict[str, Any]) -> int:
        """Take the locks with the wish, if they are free while only branches are awaited."""
        for left in reversed(range(_TRIES)):
            view = self.view(run)
            frees = view.session is not None and view.session.frees_locks
            draft = Draft(kind, step, data={**data, "takes_locks": True} if frees else data)
            try:
                return self.journal.append(run, [draft], after=view.seq)[-1].seq
            except MovedError:
                if not left:
                    raise
        raise AssertionError("unreachable")  # the last try raised

    def _not_over(self, record: RunRecord) -> None:
        if self.view(record.id).state.ended:
            raise UserError(
                f"run {record.id} is over; nothing of it can be changed",
                hint=f"Look at it with: dr show {record.id}",
            )

    def _needs_state(self, run: str, step: str, allowed: set[StepState]) -> None:
        record, view = self.journal.run(run), self.view(run)
        known = {str(s["id"]): s for s in view.created.get("outline", [])}
        if step not in known:
            raise UserError(
                f"run {record.id} has no step '{step}'", hint=f"Known: {', '.join(known)}."
            )
        seen = view.steps.get(step)
        state = seen.state if seen else StepState.PENDING
        if state not in allowed:
            raise UserError(
                f"step '{step}' is {state}",
                hint=f"This is for steps that are {' or '.join(sorted(allowed))}; "
                f"look at the run with: dr status {record.id}",
            )
        above = view.steps.get(str(known[step].get("ladder")))
        if state in TAKEN_BACK and above is not None and above.state in ENDED:
            raise UserError(
                f"step '{step}' is part of the ladder '{above.id}', which is {above.state}",
                hint=f"Climb it again with: dr retry {record.id} {above.id} --because '…'",
            )
        if known[step].get("uses") == "gate.approve" and StepState.PENDING in allowed:
            raise UserError(
                f"step '{step}' is a gate and can not be skipped",
                hint=f"Its approvers decide with: dr approve {record.id} {step} --reason '…'",
            )

    # -- evidence

    def verify(self, run: str) -> Verdict:
        """Check the hash chain of a run."""
        return self.journal.verify(self.journal.run(run).id)

    def export(
        self, run: str, path: Path, *, withhold: Sequence[str] = (), key: Path | None = None
    ) -> Exported:
        """Write the journal of a run to one file that is checked anywhere."""
        from dr.engine.service.bundles import export

        return export(self.journal, run, path, withhold=withhold, key=key, now=datetime.now(UTC))

    def report(self, run: str, languages: Sequence[str] = ("en", "zh")) -> list[Path]:
        """Write the reports of a run as it stands now; return their files."""
        record = self.journal.run(run)
        from dr.engine.service.engine_process import file_reports

        return file_reports(self.workspace, self.journal, record, languages)

    def check_inventory(self) -> list[Problem]:
        """Return every problem of the environment's inventory files."""
        return check(read_inventory(self.workspace, self.environment.name), date.today())  # noqa: DTZ011 - a local day


def _make_folder(state: Path) -> None:
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise JournalError(
            f"the state folder {state} cannot be made: {(error.strerror or '').lower()}",
            hint=f"Look at it with 'ls -ld {state}', or name another as 'state' in dr.yaml.",
            code="journal_unreachable",
        ) from None


def _same_plan(path: Path, plan_hash: str) -> None:
    try:
        reviewed = json.loads(read_ordinary(path, LARGEST_PLAN_BYTES)).get("hash")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise DrError(
            f"{path} is no plan: {error}", hint="Write one with: dr plan -o FILE"
        ) from None
    if reviewed != plan_hash:
        raise PlanChangedError(
            f"the plan in {path} is not what would be carried out now",
            hint="Look at the new plan with 'dr plan', then have that one reviewed.",
        )
