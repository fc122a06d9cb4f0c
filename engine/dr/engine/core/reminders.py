"""Whom a reminder of late branches goes to, and what it says to each of them.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dr.engine.core.values import Text

MOST_NAMED = 50
"""How many branches one letter names; of the others it says how many there are."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """One letter to one person.

    ``own`` are the late branches that are theirs; who ``leads`` is told of all late branches.
    """

    person: str
    own: tuple[str, ...] = ()
    leads: bool = False


@dataclass(frozen=True, slots=True)
class Round:
    """One round of letters about branches that are ``late``; ``nobodys``: no one answers for."""

    late: Sequence[str]
    due: datetime
    letters: Sequence[Reminder]
    nobodys: Sequence[str]


def round_of(
    late: Sequence[str], due: datetime, inventory: Mapping[str, Any], groups: Iterable[str]
) -> Round:
    """Return one letter for everybody concerned.

    Args:
        late: branches, in the order in which they are named.
        due: when they should have handed in.
        inventory: ``branches``, ``people_groups``.
        groups: whose members are told of all late branches, such as leadership.
    """
    own: dict[str, list[str]] = {}
    nobodys: list[str] = []
    for branch in late:
        people = _people_of(branch, inventory)
        for person in people:
            own.setdefault(person, []).append(branch)
        if not people:
            nobodys.append(branch)
    leaders = dict.fromkeys(person for group in groups for person in _members(group, inventory))
    letters = [
        Reminder(person, tuple(own.get(person, ())), person in leaders)
        for person in dict.fromkeys([*own, *leaders])
    ]
    return Round(late, due, letters, nobodys)


def _people_of(branch: str, inventory: Mapping[str, Any]) -> list[str]:
    """Return who answers for a branch: one person, or everybody of its group."""
    entry: Mapping[str, Any] = (inventory.get("branches") or {}).get(branch) or {}
    if entry.get("responsible"):
        return [str(entry["responsible"])]
    return _members(str(entry.get("group") or ""), inventory)


def _members(group: str, inventory: Mapping[str, Any]) -> list[str]:
    groups: Mapping[str, Any] = inventory.get("people_groups") or {}
    return list(dict.fromkeys((groups.get(group) or {}).get("members") or ()))


def words(
    letter: Reminder, told: Round, run: str, inventory: Mapping[str, Any]
) -> tuple[Text, Text]:
    """Return the subject and the text of a letter; the moment is in this machine's time zone."""
    own = set(letter.own)
    others = [branch for branch in told.late if branch not in own] if letter.leads else []
    branches = [*letter.own, *others]
    one = branches[0] if len(branches) == 1 else ""
    count, since = len(branches), told.due.astimezone().isoformat(sep=" ", timespec="minutes")
    load = f"dr reconcile load {run} {one or 'BRANCH'} FILE --by {letter.person}"
    subject = Text(
        en=f"Overdue: the ledger of {one}" if one else f"Overdue: the ledgers of {count} branches",
        zh=f"催办：{one} 业务台账逾期未交" if one else f"催办：{count} 个网点业务台账逾期未交",
    )
    en = [
        f"The reconciliation of run {run} still waits for the ledger of:",
        *_named(branches, inventory, "en"),
        f"It was due at {since}. Hand it in with:",
        f"  {load}",
    ]
    zh = [
        f"运行 {run} 的业务核对仍在等待下列网点提交业务台账：",
        *_named(branches, inventory, "zh"),
        f"提交期限为 {since}，现已逾期。请用以下命令提交：",
        f"  {load}",
    ]
    if letter.leads:
        waive = f"  dr reconcile waive {run} {one or 'BRANCH'} --reason TEXT --by {letter.person}"
        en += ["Those who may waive let it close without a branch with:", waive]
        zh += ["有权豁免者可用以下命令在缺少某网点的情况下结束核对：", waive]
    return subject, Text(en="\n".join(en), zh="\n".join(zh))


def _named(branches: Sequence[str], inventory: Mapping[str, Any], language: str) -> list[str]:
    entries: Mapping[str, Any] = inventory.get("branches") or {}
    lines = [
        f"  - {branch} {Text.of((entries.get(branch) or {}).get('title')).say(language)}".rstrip()
        for branch in branches[:MOST_NAMED]
    ]
    more = len(branches) - len(lines)
    if more:
        lines.append(f"  以及另外 {more} 个网点" if language == "zh" else f"  and {more} more")
    return lines
