"""Whether an error that nobody foresaw comes from a journal that somebody else has written to."""

from __future__ import annotations

from dr.cli.session import Session
from dr.cli.text import _
from dr.engine.core.errors import DrError, JournalError

MOST_RUNS = 20
"""So many of the newest runs are checked; a look at a damaged one is seldom at an old one."""


def damage(session: Session) -> DrError | None:
    """Return the error of the first run whose rows do not verify; None when nothing is wrong.

    Rows that were edited can hold anything, also what no part of dr expects.  The chain of hashes
    tells; it is asked only when something else has gone wrong already.
    """
    try:
        journal = session.desk.journal
        for run in sorted(journal.ids(), reverse=True)[:MOST_RUNS]:
            verdict = journal.verify(run)
            if not verdict.ok:
                return _not_intact(run, str(verdict.because))
    except DrError as error:
        return error if isinstance(error, JournalError) else None
    except Exception:  # noqa: BLE001 (the first error is the one to tell)
        return None
    return None


def _not_intact(run: str, because: str) -> JournalError:
    return JournalError(
        _("the journal of run {run} was changed and can not be read as it is: {because}").format(
            run=run, because=because
        ),
        hint=_("Keep a copy of the file, then type 'dr journal verify {run}'.").format(run=run),
        code="journal_damaged",
    )
