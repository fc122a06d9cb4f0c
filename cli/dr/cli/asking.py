"""Asking a person for words: only at a keyboard; elsewhere the flag is named and dr ends with 2."""

from __future__ import annotations

import click

from dr.cli.session import Session
from dr.cli.text import _
from dr.engine.core.errors import UserError

LONGEST_REASON = 10_000
"""It is shown on screens and in reports, and travels with every copy of the journal."""


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
