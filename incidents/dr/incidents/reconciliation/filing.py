"""Reports of a reconciliation as files, each whole or not at all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dr.engine.core.canonical import canonical_bytes
from dr.incidents.reconciliation.facts import BranchFacts, ReconciliationFacts
from dr.incidents.report.filing import write_whole
from dr.incidents.report.rendering import LANGUAGES
from dr.incidents.report.voice import Voice, zone_of

if TYPE_CHECKING:
    from dr.incidents.reconciliation.certificates import FormsFacts

_ODD = re.compile(r"[^\w.-]|^\.")


def file_bureau(
    facts: ReconciliationFacts,
    folder: Path,
    *,
    languages: Sequence[str] = LANGUAGES,
    zone: str = "UTC",
) -> list[Path]:
    """Write the bureau's report into ``folder``; return the files.

    Raises:
        OSError: a file could not be written; those written before it are whole.
        UserError: nobody knows the time zone.
    """
    from dr.incidents.reconciliation.document import bureau_document
    from dr.incidents.reconciliation.page import bureau_page

    files = [_write(folder / "reconciliation.json", as_json(facts))]
    return files + _both_forms(
        folder / "reconciliation",
        [Voice(language, zone_of(zone)) for language in languages],
        lambda voice: bureau_page(facts, voice),
        lambda voice: bureau_document(facts, voice),
    )


def file_branch(
    facts: ReconciliationFacts,
    branch: BranchFacts,
    folder: Path,
    *,
    languages: Sequence[str] = LANGUAGES,
    zone: str = "UTC",
) -> list[Path]:
    """Write a branch's report into ``folder``; return the files.

    Raises:
        OSError: a file could not be written; those written before it are whole.
        UserError: nobody knows the time zone.
    """
    from dr.incidents.reconciliation.document import branch_document
    from dr.incidents.reconciliation.page import branch_page

    return _both_forms(
        folder / f"reconciliation-{file_word(branch.id)}",
        [Voice(language, zone_of(zone)) for language in languages],
        lambda voice: branch_page(facts, branch, voice),
        lambda voice: branch_document(facts, branch, voice),
    )


def file_certificates(
    facts: ReconciliationFacts,
    forms: Sequence[FormsFacts],
    folder: Path,
    *,
    languages: Sequence[str] = LANGUAGES,
    zone: str = "UTC",
) -> list[Path]:
    """Write the account of numbered certificates into ``folder``; return the files.

    Raises:
        OSError: a file could not be written; those written before it are whole.
        UserError: nobody knows the time zone.
    """
    from dr.incidents.reconciliation.certificates import CertificatesContent
    from dr.incidents.reconciliation.document import certificates_document
    from dr.incidents.reconciliation.page import certificates_page

    return _both_forms(
        folder / "certificates",
        [Voice(language, zone_of(zone)) for language in languages],
        lambda voice: certificates_page(CertificatesContent(facts, forms, voice)),
        lambda voice: certificates_document(CertificatesContent(facts, forms, voice)),
    )


def _both_forms(
    stem: Path,
    voices: Sequence[Voice],
    page: Callable[[Voice], str],
    document: Callable[[Voice], bytes],
) -> list[Path]:
    """Write a report as HTML and .docx in each language."""
    files = []
    for voice in voices:
        for kind, make in (("html", page), ("docx", document)):
            path = stem.with_name(f"{stem.name}.{voice.language}.{kind}")
            files.append(_write(path, make(voice)))
    return files


def as_json(facts: ReconciliationFacts) -> str:
    """Return the facts as canonical JSON, in no language."""
    return canonical_bytes(facts.to_data()).decode() + "\n"


def file_word(name: str) -> str:
    """Return ``name`` as a part of a file's name; two names never become one."""
    plain = _ODD.sub("_", name)[:80]
    if plain == name:
        return name
    return f"{plain}-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:8]}"


def _write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
    return path
