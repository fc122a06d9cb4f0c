"""Take a run over from an engine on another machine, and go on after the journal lost events."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from dr.engine.core.behind import in_words
from dr.engine.core.errors import DrError, ExitCode, HeldError, UserError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.ports import RunRecord
from dr.engine.core.view import RunView, fold
from dr.engine.journal.database import Living
from dr.engine.journal.sql import SqlJournal
from dr.engine.service.engines import holder_lives
from dr.engine.service.starting import spawn_engine
from dr.inventory.workspace import Workspace

_POLL_S = 0.25

Watch = Callable[[float], None]
"""Is told now and then how long the lease still lasts, in seconds."""


class WholeDoubtError(DrError):
    """Hosts know of a run what its journal does not; people decide before anything acts."""

    exit_code = ExitCode.WAITING
    code = "run_behind"


def take_over(
    workspace: Workspace,
    journal: SqlJournal,
    run: str,
    *,
    by: str,
    because: str,
    watch: Watch | None = None,
) -> RunRecord:
    """Start an engine here for a run whose engine elsewhere is dead or frozen.

    Who takes it over and why is written in the transaction that takes the lease, or not at all.

    Args:
        watch: wait for the lease to lapse and tell how long it still lasts; None: refuse.

    Raises:
        UserError: the journal is on one machine only, or the run is over.
        HeldError: the lease has not lapsed; with ``watch``: it was renewed, so its engine lives.
        WholeDoubtError: the journal lacks events, and nobody has decided about it.
    """
    require_shared(journal)
    record = journal.run(run)
    view = fold(record.id, journal.events(record.id))
    require_unfinished(view)
    require_whole(view)
    if view.holder and holder_lives(view.holder) is True:
        raise HeldError(
            f"an engine has run {record.id} already: {view.holder}",
            hint=f"Follow it with: dr attach {record.id}",
        )
    _let_lapse(journal, record.id, watch)
    words = ["--taken-by", by, "--because", because]
    spawn_engine(workspace, record.id, words)
    return record


def require_shared(journal: SqlJournal) -> None:
    """Refuse to take over where no other machine can have written.

    Raises:
        UserError: the journal is a file of this machine.
    """
    if not journal.shared:
        raise UserError(
            "no run can be taken over with this journal: it is a file on one machine",
            hint="On the machine that has the run type 'dr resume'. If it is lost, start a new "
            "run with 'dr run RUNBOOK': it looks at the hosts first, recognises what is done "
            "there already, and asks for every approval again. With DR_DATABASE_URL both "
            "machines share one journal.",
            code="not_shared",
        )


def takeover_draft(journal: SqlJournal, run: str, by: str, because: str) -> Draft:
    """Return the event that says who took the run over from whom, where and why."""
    view = fold(run, journal.events(run))
    data = {"by": by, "because": because, "holder": view.holder, "machine": socket.gethostname()}
    return Draft(Kind.OP_TAKEOVER, data=data)


def require_unfinished(view: RunView) -> None:
    """Refuse a run that is over.

    Raises:
        UserError: it is.
    """
    if view.state.ended:
        raise UserError(
            f"run {view.id} is over: {view.state}", hint=f"Look at it with: dr show {view.id}"
        )


def require_whole(view: RunView) -> None:
    """Refuse to act while hosts know of the run what the journal does not.

    Raises:
        WholeDoubtError: so it is, and nobody has decided.
    """
    if view.is_behind:
        raise WholeDoubtError(
            f"run {view.id} is in doubt as a whole: the journal lacks events that hosts know of: "
            f"{in_words(view.behind)}",
            hint="Bring the database back that has them; or look at these hosts, then type: "
            f"dr resume {view.id} --as-it-is --because '...'",
        )


def require_here(journal: SqlJournal, view: RunView) -> None:
    """Refuse to go on without a word with a run that an engine elsewhere had.

    Raises:
        HeldError: its last engine was on another machine.
    """
    if journal.shared and view.holder and holder_lives(view.holder) is None:
        raise HeldError(
            f"the engine of run {view.id} is, or was, on another machine: {view.holder}",
            hint=f"If it is dead or frozen, type: dr takeover {view.id} --because '...'",
            code="elsewhere",
        )


def lease_left(journal: SqlJournal, run: str) -> float:
    """Return how long the lease of a run still lasts, in seconds; 0 when nobody has one."""
    living = journal.living(run)
    return living.left_s if living else 0.0


def lapsed_elsewhere(journal: SqlJournal, view: RunView) -> bool:
    """Whether an engine on another machine had an unfinished run last, and nobody has it now."""
    if not (journal.shared and view.holder) or view.state.ended:
        return False
    return holder_lives(view.holder) is None and journal.living(view.id) is None


def _let_lapse(journal: SqlJournal, run: str, watch: Watch | None) -> None:
    """Return once nobody has the run, or its engine is seen to be dead on this machine."""
    first = journal.living(run)
    if first is None or holder_lives(first.holder) is False:
        return
    if watch is None:
        raise _still_held(run, first)
    now: Living | None = first
    while now is not None:
        if now.renewed != first.renewed:
            raise HeldError(
                f"the engine of run {run} lives: it has just renewed its lease: {now.holder}",
                hint=f"Follow it with: dr attach {run}",
            )
        watch(now.left_s)
        time.sleep(min(max(now.left_s, 0.01), _POLL_S))
        now = journal.living(run)


def _still_held(run: str, living: Living) -> HeldError:
    return HeldError(
        f"the lease of run {run} lasts {living.left_s:.1f} s more, unless it is renewed: "
        f"{living.holder}",
        hint="If that engine is dead or frozen, add --wait to take the run as soon as its lease "
        "has lapsed.",
    )
