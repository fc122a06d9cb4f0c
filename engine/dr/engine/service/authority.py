"""Who may answer a question, in which role, by the inventory that the run keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dr.engine.core.errors import NotAllowedError, UserError
from dr.engine.core.questions import Answer, Question
from dr.engine.core.values import parse_utc
from dr.engine.core.view import QuestionView
from dr.inventory.directory import Directory
from dr.inventory.strictyaml.validation import did_you_mean

DEPUTIES = "deputies"
"""An escalation to this word makes the deputies of the group's members count."""


@dataclass(frozen=True, slots=True)
class Role:
    """In which capacity somebody answers; ``seat`` is the member whose place is taken, or ""."""

    group: str
    seat: str = ""

    def __str__(self) -> str:
        return f"{self.group} (for {self.seat})" if self.seat else self.group


def known_person(directory: Directory, name: str) -> str:
    """Return the id of the person called ``name``.

    Raises:
        NotAllowedError: the run's inventory knows nobody of that name.
    """
    found = directory.person(name)
    if found is None:
        near = did_you_mean(name, directory.people, otherwise="People are")
        raise NotAllowedError(
            f"'{name}' is not in the inventory of this run",
            hint=f"{near} Name yourself with --by PERSON.".strip(),
        )
    return found


def role_of(asked: QuestionView, directory: Directory, who: str, now: datetime) -> Role:
    """Return the role in which ``who`` may answer now.

    Raises:
        NotAllowedError: none; the message says why, the hint who may.
    """
    question = asked.question
    if who in _excluded(question, directory):
        raise NotAllowedError(
            f"'{who}' does not count at '{question.step}': four eyes, whoever started the run "
            "may not answer for it",
            hint=f"Ask one of: {', '.join(may_answer(asked, directory, now)) or 'nobody is left'}.",
        )
    for role in _roles(asked, directory, now):
        if role[0] == who:
            return role[1]
    groups = ", ".join(g for g in open_groups(asked, now))
    raise NotAllowedError(
        f"'{who}' may not answer '{question.step}': not in {groups or question.approvers}",
        hint=f"Ask one of: {', '.join(may_answer(asked, directory, now)) or 'nobody is left'}.",
    )


def may_answer(asked: QuestionView, directory: Directory, now: datetime) -> list[str]:
    """List who may answer now and has not: the question's people in the order of its groups."""
    done = {answer.by for answer in asked.answers} | _excluded(asked.question, directory)
    seats = {_seat(answer) for answer in asked.answers}
    people = [
        who
        for who, role in _roles(asked, directory, now)
        if who not in done and role.seat not in done and who not in seats
    ]
    return list(dict.fromkeys(people))


def open_groups(asked: QuestionView, now: datetime) -> list[str]:
    """List the groups whose members count now: the approvers', and those escalated to."""
    question = asked.question
    opened = parse_utc(question.opened)
    groups = [question.approvers] if question.approvers else []
    groups += [
        group
        for group, after_s in question.escalate
        if now >= opened + timedelta(seconds=after_s) or group in asked.escalated
    ]
    return list(dict.fromkeys([*groups, *asked.escalated]))


def refuse_second(asked: QuestionView, who: str, role: Role) -> None:
    """Refuse a person, or a member and the deputy in the same place, who answers twice.

    Raises:
        UserError: that place has answered.
    """
    for answer in asked.answers:
        if who in {answer.by, _seat(answer)} or role.seat == answer.by:
            verb = {"approve": "approved", "reject": "rejected"}.get(answer.verdict, "answered")
            raise UserError(
                f"'{answer.by}' has already {verb} step '{asked.question.step}'",
                hint="Each person counts once; ask somebody else of the group.",
            )


def _seat(answer: Answer) -> str:
    return str(answer.evidence.get("for") or "")


def _excluded(question: Question, directory: Directory) -> set[str]:
    """Return who does not count, also under a login name or alias of theirs."""
    return {directory.person(name) or name for name in question.distinct_from}


def _roles(asked: QuestionView, directory: Directory, now: datetime) -> Sequence[tuple[str, Role]]:
    """List people with the role they have now; members before those who stand in."""
    day = now.date()
    members: list[tuple[str, Role]] = []
    others: list[tuple[str, Role]] = []
    for group in open_groups(asked, now):
        if group == DEPUTIES and directory.group(group) is None:
            seats = directory.members(asked.question.approvers)
            found = [(directory.deputy(m), Role(asked.question.approvers, m)) for m in seats]
            others += [(who, role) for who, role in found if who]
            continue
        for member in directory.members(group):
            members.append((member, Role(group)))
            deputy = directory.deputy(member)
            if deputy and directory.away(member, day):
                others.append((deputy, Role(group, member)))
    return [*members, *others]
