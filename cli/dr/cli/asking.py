"""Asking a person for words: only at a keyboard; elsewhere the flag is named and dr ends with 2."""

from __future__ import annotations

import click

from dr.cli.session import Session
from dr.cli.text import _
from dr.engine.core.errors import UserError

LONGEST_REASON = 10_000
"""It is shown on screens and in reports, and travels with every copy of the journal."""


def typed_run(
    session: Session, run: str, given: str | None, asks: str, done: str, *, is_needed: bool
) -> None:
    """Have the run's id typed, at a keyboard or as ``--confirm RUN``.

    Args:
        done: what was not done when another id was typed, such as "aborted".
        is_needed: refuse where nobody can be asked and nothing was given.

    Raises:
        UserError: another id was given, or none where one is needed.
    """
    if given is None and session.asks:
        given = click.prompt(asks, err=True, default="")
    if given is None and is_needed:
        raise UserError(
            _("this has to be confirmed with the run's id"),
            hint=_("Add --confirm {run}.").format(run=run),
            code="confirm",
        )
    if given is not None and given != run:
        raise UserError(
            _("'{given}' is not the id of the run; nothing was {done}").format(
                given=given, done=done
            ),
            hint=_("The id is {run}.").format(run=run),
        )


def reason_for(session: Session, given: str | None, flag: str) -> str:
    """Return the reason given by ``flag``, else ask for it.

    Raises:
        UserError: there is none, and nobody to ask.
    """
    if given is None and session.asks:
        given = click.prompt(_("reason"), err=True, default="", show_default=False)
    if not (given or "").strip():
        raise UserError(
            _("a reason is required"),
            hint=_("Add {flag} and say why; it goes into the journal.").format(flag=flag),
            code="reason",
        )
    reason = str(given).strip()
    if len(reason) > LONGEST_REASON:
        raise UserError(
            _("the reason has {count} characters, more than {most}").format(
                count=len(reason), most=LONGEST_REASON
            ),
            hint=_("Say it shorter; what is longer can be given as a file of evidence."),
            code="reason",
        )
    return reason
