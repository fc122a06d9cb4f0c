"""Reports of a reconciliation, with every signature checked again; from the journal alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dr.engine.core.ports import Check
from dr.engine.core.reconciliation import Session
from dr.engine.core.values import Text
from dr.engine.service.branch_signing import check_branch
from dr.engine.service.forms import BranchForms, count
from dr.engine.service.reconciling import Reconciling
from dr.incidents.reconciliation.certificates import FormsFacts
from dr.incidents.reconciliation.filing import file_branch, file_bureau, file_certificates
from dr.incidents.reconciliation.reading import reconciliation_facts
from dr.incidents.report.rendering import LANGUAGES

_AT_ONCE = 4
"""``ssh-keygen`` is a process of its own; more at once would only wait for processors."""


@dataclass(frozen=True)
class ReconciliationReports:
    """Use cases of reports.

    Args:
        folder: where the reports of runs lie, each in a folder named after the run.
    """

    reconciling: Reconciling
    folder: Path

    def write(
        self,
        run: str,
        branches: Sequence[str] = (),
        *,
        folder: Path | None = None,
        languages: Sequence[str] = LANGUAGES,
    ) -> list[Path]:
        """Write the bureau's report, or those of ``branches``, as they stand now.

        Raises:
            UserError: no such run or branch, or the run has no reconciliation.
            OSError: a file could not be written; those written before it are whole.
        """
        at = self.reconciling.open(run)
        named = [at.branch(name).name for name in dict.fromkeys(branches)]
        facts = reconciliation_facts(
            at.record,
            at.view,
            self.reconciling.clock.now(),
            checks=signature_checks(at.session, at.record.inventory, named),
            cases_of=named,
        )
        assert facts is not None  # noqa: S101 - `session` raises where there is none
        into = folder or self.folder / at.record.id
        zone = str(at.record.inventory.get("timezone", "UTC"))
        if not named:
            return file_bureau(facts, into, languages=languages, zone=zone)
        return [
            path
            for name in named
            for path in file_branch(facts, facts.branch(name), into, languages=languages, zone=zone)
        ]

    def certificates(
        self,
        run: str,
        forms: Sequence[BranchForms],
        *,
        folder: Path | None = None,
        languages: Sequence[str] = LANGUAGES,
    ) -> list[Path]:
        """Write the account of numbered certificates, with those stolen first.

        Raises:
            UserError: no such run, or it has no reconciliation.
            OSError: a file could not be written; those written before it are whole.
        """
        at = self.reconciling.open(run)
        facts = reconciliation_facts(at.record, at.view, self.reconciling.clock.now())
        assert facts is not None  # noqa: S101 - `open` raises where there is none
        into = folder or self.folder / at.record.id
        zone = str(at.record.inventory.get("timezone", "UTC"))
        declared: Mapping[str, Any] = at.record.inventory.get("branches") or {}
        told = [_forms(each, declared.get(each.branch) or {}) for each in forms]
        return file_certificates(facts, told, into, languages=languages, zone=zone)


def _forms(forms: BranchForms, branch: Mapping[str, Any]) -> FormsFacts:
    return FormsFacts(
        branch=forms.branch,
        title=Text.of(branch.get("title")),
        issued=[str(each) for each in forms.issued],
        issued_count=count(forms.issued),
        void_count=count(forms.void),
        stolen=[str(each) for each in forms.stolen],
        stolen_count=count(forms.stolen),
        used=forms.used,
        stolen_used=forms.stolen_used,
        found=forms.found,
    )


def signature_checks(
    session: Session | None, inventory: Mapping[str, Any], branches: Sequence[str] = ()
) -> dict[str, Check]:
    """Check the signature of each branch that has one; about 6 ms each.

    Args:
        branches: only these; all where none is named.
    """
    if session is None:
        return {}
    signed = [
        branch
        for name, branch in session.branches.items()
        if branch.signature is not None and (not branches or name in branches)
    ]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="verify") as pool:
        checks = pool.map(lambda branch: check_branch(session, branch, inventory), signed)
        return {branch.name: check for branch, check in zip(signed, checks, strict=True)}
