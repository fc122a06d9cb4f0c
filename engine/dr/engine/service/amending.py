"""Propose another plan for what has not begun of a run, and put it to those who guard the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dr.engine.core.amendment import (
    KEPT,
    PEOPLE,
    STEP,
    Weaker,
    affected,
    as_amended,
    behind,
    bound,
    closing,
    difference,
    gates,
    in_the_way,
    is_nothing,
    open_amendment,
    weakened,
    who_decides,
)
from dr.engine.core.canonical import plain
from dr.engine.core.errors import JournalError, NotAllowedError, UserError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.model import Runbook
from dr.engine.core.ports import Journal, RunRecord
from dr.engine.core.values import Text
from dr.engine.core.view import RunView, fold
from dr.engine.loader.expressions import Grammar
from dr.engine.loader.loading import load
from dr.engine.service.catalog import load_runbook, shipped_folder
from dr.engine.service.guarding import guards_of, questions_for
from dr.engine.service.plans import plan_digest
from dr.engine.service.starting import check_inputs, check_names, created_draft, record_of
from dr.engine.service.takeover import require_unfinished, require_whole
from dr.engine.service.wiring import offline_actions
from dr.inventory.snapshot import snapshot
from dr.inventory.workspace import Workspace

_OWN = frozenset({"requester", "mode", "detected_at", "engine", "environment"})
"""What the first event says of the run itself, whatever its plan."""


@dataclass(frozen=True, slots=True)
class Amendment:
    """What was, or would be, proposed.

    ``questions`` are empty when it was only looked at, ``old`` and ``new`` plan hashes, ``asks``
    the ``group`` and ``quorum`` of each question.
    """

    run: str
    number: int
    old: str
    new: str
    diff: Mapping[str, Any]
    asks: tuple[Mapping[str, Any], ...]
    questions: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Return the JSON object that ``dr amend --json`` prints."""
        data: dict[str, Any] = plain(self)
        return {"v": 1, **data}


@dataclass(frozen=True)
class Plans:
    """The run as it stands, and the plan that would take the place of its own."""

    view: RunView
    before: RunRecord
    old: Runbook
    after: RunRecord
    new: Runbook


def amend(
    workspace: Workspace,
    journal: Journal,
    run: str,
    *,
    inputs: Mapping[str, str],
    by: str,
    because: str,
    dry_run: bool = False,
) -> Amendment:
    """Propose the runbook and inventory as they are on disk now, with ``inputs``, for a run.

    Nothing changes before the people asked have signed and the engine has taken it up.

    Raises:
        UserError: the run is over, nothing would change, or what would change has begun
            (``not_amendable``); an amendment is being decided (``amending``).
        NotAllowedError: who decides, or how, would change.
        RunbookError: the runbook, an input or the inventory is wrong.
    """
    plans = _plans(workspace, journal, run, inputs)
    if not dry_run:
        _require_amendable(plans.view)
    found, drafts = proposed(plans, by=by, because=because)
    if dry_run:
        return replace(found, questions=())
    try:
        journal.append(found.run, drafts)
    except JournalError as error:
        if error.code == "journal_conflict":  # somebody else was faster
            _require_amendable(fold(found.run, journal.events(found.run)))
        raise
    return found


def proposed(plans: Plans, *, by: str, because: str) -> tuple[Amendment, list[Draft]]:
    """Return what would be asked of whom, and the events that ask it.

    Raises:
        UserError, NotAllowedError: as :func:`amend` says.
    """
    grammar = Grammar()
    diff = difference(plans.old, plans.new, plans.before, plans.after)
    _refuse(plans, diff, grammar)
    number = 1 + sum(1 for q in plans.view.questions if q.startswith(f"{STEP}#"))
    service = _service(plans.old, plans.before)
    proposal: dict[str, Any] = {
        "number": number,
        "by": by,
        "because": because,
        "old": plan_digest(plans.before),
        "new": plan_digest(plans.after),
        "plan": _plan(plans),
        "diff": diff,
        "affected": affected(plans.old, service, diff, grammar.names_in),
    }
    _refuse_late(plans.view, proposal)
    guards = guards_of(plans.view, plans.old, plans.before, by)
    hash_ = bound(plans.view.id, proposal)
    questions = questions_for(guards, plans.before, number, _asks(plans.view.id, proposal), hash_)
    proposal["questions"] = [question.id for question in questions]
    found = Amendment(
        run=plans.view.id,
        number=number,
        old=proposal["old"],
        new=proposal["new"],
        diff=diff,
        asks=tuple({"group": g.group, "quorum": g.quorum} for g in guards),
        questions=tuple(proposal["questions"]),
    )
    opened = [Draft(Kind.QUESTION_OPENED, data={"question": q.to_data()}) for q in questions]
    return found, [Draft(Kind.OP_AMEND, data=proposal), *opened]


def _refuse_late(view: RunView, proposal: Mapping[str, Any]) -> None:
    late = in_the_way(view, proposal)
    if late:
        raise UserError(
            f"step '{late[0]}' of run {view.id} has begun, and would not be what it is",
            hint="What has begun stays as it began: put the runbook, the inputs and the inventory "
            f"of {', '.join(late)} back, and change only what is still to come.",
            code="not_amendable",
        )


def withdraw(journal: Journal, run: str, by: str, because: str) -> str:
    """Take the open amendment of a run back; return the id of its (first) question.

    Raises:
        UserError: none is open.
    """
    record = journal.run(run)
    asked = open_amendment(fold(record.id, journal.events(record.id)))
    if not asked:
        raise UserError(
            f"no amendment of run {record.id} is being decided",
            hint=f"Look at the run with: dr show {record.id}",
        )
    drafts = [closing(q, "withdrawn", f"{by}: {because}") for q in asked]
    first = asked[0].question.id
    journal.append(record.id, drafts, open_question=first)
    return first


# -- the plans


def _plans(workspace: Workspace, journal: Journal, run: str, inputs: Mapping[str, str]) -> Plans:
    record = journal.run(run)
    view = fold(record.id, journal.events(record.id))
    require_unfinished(view)
    require_whole(view)
    before, actions = as_amended(record, view), offline_actions()
    old = load(before.source, actions=actions, file=before.file)
    new = load_runbook(workspace, _source(before), actions)
    if new.name != before.runbook:
        raise _refused(
            f"{new.file} is the runbook '{new.name}', run {view.id} is one of '{before.runbook}'"
        )
    seen = snapshot(workspace, before.environment)
    kept = {name: before.inventory[name] for name in KEPT if name in before.inventory}
    inventory = {**seen, **kept}
    declared = {wanted.id for wanted in new.inputs}
    given = {name: value for name, value in before.inputs.items() if name in declared}
    values = check_inputs(new, {**given, **inputs}, inventory)
    _require_people(before, inventory)
    check_names(new, inventory)
    made = record_of(
        new, values, inventory, Grammar(),
        environment=before.environment, mode=before.mode, requester=before.requester,
    )  # fmt: skip
    if made.locks != record.locks:
        raise _refused(f"run {view.id} would need other locks than those that it has")
    after = replace(made, id=record.id, created=record.created, epoch=before.epoch)
    return Plans(view, before, old, after, new)


def _source(record: RunRecord) -> str:
    """Return what names the runbook now: its own file, else its name.

    A shipped one goes by its name, so that one's own copy of it is found.
    """
    path = Path(record.file)
    return record.file if path.is_file() and path.parent != shipped_folder() else record.runbook


def _require_amendable(view: RunView) -> None:
    asked = open_amendment(view)
    if view.abort is not None:
        raise _refused(f"run {view.id} is being aborted")
    if asked:
        raise UserError(
            f"an amendment of run {view.id} is being decided: {asked[0].question.id}",
            hint=f"Wait for it, or take it back first: dr amend {view.id} --withdraw "
            "--because '...'",
            code="amending",
        )


def _require_people(before: RunRecord, inventory: Mapping[str, Any]) -> None:
    for section in PEOPLE:
        if who_decides(before.inventory, section) != who_decides(inventory, section):
            raise NotAllowedError(
                f"'{section}' of the inventory is not what run {before.id} began with: people of a "
                "run never change by amendment",
                hint="Put that part back as it was when the run started; who may decide changes "
                "only for new runs.",
            )


def _refuse(plans: Plans, diff: Mapping[str, Any], grammar: Grammar) -> None:
    if is_nothing(diff):
        raise _refused(f"nothing of run {plans.view.id} would change")
    weaker = weakened(
        plans.old, plans.new, _service(plans.old, plans.before), diff, grammar.names_in
    )
    if weaker is not None:
        raise _weaker(weaker)


def _weaker(weaker: Weaker) -> NotAllowedError:
    hint = (
        "Put the gate, and what waits for it, back; a stricter gate may be added as a step of "
        "its own."
    )
    if weaker.step:
        return NotAllowedError(
            f"the gate '{weaker.gate}' would no longer guard step '{weaker.step}': rules of "
            "approval never change by amendment",
            hint=hint,
        )
    return NotAllowedError(
        f"the gate '{weaker.gate}' would not be asked as it is: rules of approval never change "
        "by amendment",
        hint=hint,
    )


def _refused(message: str) -> UserError:
    return UserError(
        message,
        hint="Change the runbook on disk, or add --plan-input NAME=VALUE, so that only steps "
        "that have not begun differ.",
        code="not_amendable",
    )


def _service(runbook: Runbook, record: RunRecord) -> str | None:
    for wanted in runbook.inputs:
        if wanted.type == "service":
            return str(record.inputs.get(wanted.id))
    return None


def _plan(plans: Plans) -> dict[str, Any]:
    """Return the whole plan as the journal keeps it: once, in the event that proposes it."""
    after, new = plans.after, plans.new
    kind = str(plans.view.created.get("environment", {}).get("kind", ""))
    created = created_draft(new, after, kind, plan_digest(after)).data
    return {
        "source": after.source,
        "file": after.file,
        "runbook_sha256": after.runbook_sha256,
        "inputs": plain(after.inputs),
        "inventory": plain(after.inventory),
        "created": {name: plain(value) for name, value in created.items() if name not in _OWN},
        "gates": {gate.id: behind(new, gate.id) for gate in gates(new)},
    }


def _asks(run: str, proposal: Mapping[str, Any]) -> Text:
    diff, said = proposal["diff"], f"{proposal['by']}: {proposal['because']}"
    counts = [len(diff["steps"][kind]) for kind in ("added", "removed", "changed")]
    counts += [len(diff["inputs"]), len(diff["inventory"])]
    en = "steps added {}, removed {}, changed {}; inputs changed {}; inventory entries changed {}"
    zh = "新增步骤 {}，删除 {}，修改 {}；修改输入 {}；修改清单条目 {}"
    return Text(
        en=f"Amend the rest of run {run}? {en.format(*counts)}. {said}",
        zh=f"是否修订运行 {run} 的后续计划？{zh.format(*counts)}。{said}",
    )
