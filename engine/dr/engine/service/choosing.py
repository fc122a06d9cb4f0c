"""The rules of what an approval may choose and accept, apart from who gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from dr.engine.core import approval
from dr.engine.core.approval import Statement
from dr.engine.core.errors import NotAllowedError, PlanChangedError, UserError
from dr.engine.core.questions import Answer, Question
from dr.engine.core.values import format_duration, parse_utc
from dr.inventory.strictyaml.validation import did_you_mean


def choice(question: Question, wanted: str | None) -> str | None:
    """Return the rung that is chosen: ``wanted``, else the proposed one.

    Raises:
        UserError: it is none of the options, it is not available, or nothing is proposed.
    """
    if not question.chooses and not question.options:
        if wanted is not None:
            raise UserError(f"'{question.step}' offers no choice", hint="Leave --choice out.")
        return None
    open_names = [o.name for o in question.options if o.available]
    if wanted is None:
        found = approval.proposed(question)
        if found is None:
            raise UserError(
                f"nothing is proposed at '{question.step}'",
                hint=f"Add --choice with one of: {', '.join(open_names) or 'nothing is open'}.",
            )
        return found.name
    found = approval.option(question, wanted)
    if found is None:
        hint = did_you_mean(wanted, [o.name for o in question.options])
        raise UserError(f"'{question.step}' has no option '{wanted}'", hint=hint)
    if not found.available:
        why = found.because.say("en")
        raise UserError(
            f"'{wanted}' is not available" + (f": {why}" if why else ""),
            hint=f"Choose one of: {', '.join(open_names) or 'nothing is open'}.",
        )
    return found.name


def greatest_loss_s(question: Question, chosen: str | None, wanted: float | None) -> float | None:
    """Return the greatest loss that the approval accepts, in seconds; None is unknown.

    Whoever chooses a rung whose loss nobody knows, and names no loss, accepts an unknown one.

    Raises:
        UserError: it is less than the forecast of what is chosen.
    """
    estimate = approval.loss_estimate_s(question, chosen)
    accepted = wanted
    if accepted is None and (chosen is None or estimate is not None):
        accepted = question.max_loss_s
    if accepted is None:
        return estimate
    if accepted < 0 or (estimate is not None and estimate > accepted):
        shown = format_duration(timedelta(seconds=estimate or 0))
        allowed = format_duration(timedelta(seconds=accepted))
        raise UserError(
            f"'{chosen}' is forecast to lose {shown}, more than the {allowed} accepted",
            hint=f"Choose another rung, or accept more with --max-loss {shown}.",
        )
    return accepted


def refuse_disagreement(
    question: Question, answers: Sequence[Answer], chosen: str | None, now: datetime
) -> None:
    """Refuse an approval of another rung than that of approvals which still hold.

    Raises:
        UserError: it would never count.
    """
    for answer in answers:
        lapsed = answer.expires is not None and parse_utc(answer.expires) <= now
        if answer.verdict == "approve" and not lapsed and answer.choice != chosen:
            raise UserError(
                f"'{answer.by}' approved '{answer.choice}' at '{question.step}', not '{chosen}'",
                hint=f"Approve with --choice {answer.choice}, or reject.",
            )


def refuse_lapsed(question: Question, now: datetime) -> None:
    """Refuse an approval that would have lapsed when it is given.

    Raises:
        NotAllowedError: the question's expiry is past.
    """
    if question.expires is not None and parse_utc(question.expires) <= now:
        raise NotAllowedError(
            f"approvals of '{question.step}' expired at {question.expires}",
            hint="The engine will ask again with a new forecast; type 'dr status'.",
        )


def refuse_late(run: str, late: Sequence[str]) -> None:
    """Refuse to approve an amendment of what has begun since it was proposed.

    Raises:
        PlanChangedError: so it is; ``late`` are the steps.
    """
    if late:
        raise PlanChangedError(
            f"step '{late[0]}' has begun since the amendment was proposed",
            hint=f"Reject it, or take it back with 'dr amend {run} --withdraw', and propose "
            "one of what is still to come.",
        )


def refuse_other_plan(signed: Statement, question: Question, run: str) -> None:
    """Refuse a statement for the same gate as it was asked before.

    This goes before every other rule: the choice that was signed may not be there any more, and
    the reason for that is that the plan changed.

    Raises:
        PlanChangedError: it covers another plan.
    """
    same_gate = (signed.run, signed.gate) == (run, question.step)
    if same_gate and signed.plan_sha256 != question.plan_hash:
        raise PlanChangedError(
            f"the statement covers another plan than the one at '{question.step}'",
            hint="Type 'dr approve --print-statement' again and sign the new one.",
        )


def agreed(signed_text: str, expected: Statement) -> Statement:
    """Return the statement that was signed elsewhere when it says what is expected.

    Only the moments may differ: it was made a while ago, but must still hold.

    Raises:
        NotAllowedError: it is for something else, or no longer holds.
    """
    signed = Statement.read(signed_text.removesuffix("\n"))
    moments = ("issued", "expires")
    signed_data, wanted = asdict(signed), asdict(expected)
    differing = [n for n in wanted if n not in moments and signed_data[n] != wanted[n]]
    if differing:
        raise NotAllowedError(
            f"the statement is not for this: it differs in {', '.join(differing)}",
            hint="Type 'dr approve --print-statement' again and sign exactly that.",
        )
    _in_time(signed, expected)
    return signed


def _in_time(signed: Statement, expected: Statement) -> None:
    now = parse_utc(expected.issued)
    issued, expires = parse_utc(signed.issued), parse_utc(signed.expires)
    latest = max(parse_utc(expected.expires), issued + approval.VALIDITY)
    if expires <= now:
        because = f"it expired at {signed.expires}"
    elif issued > now + approval.CLOCK_SKEW:
        because = f"it was issued at {signed.issued}, which has not come yet"
    elif expires > latest:
        because = f"it would hold until {signed.expires}, longer than the gate allows"
    else:
        return
    raise NotAllowedError(
        f"the statement does not hold: {because}",
        hint="Type 'dr approve --print-statement' again and sign the new one.",
    )
