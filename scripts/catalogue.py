#!/usr/bin/env python3
"""Bring the catalogues of the command line up to date with the code: .po merged, .mo compiled.

    .venv/bin/python scripts/catalogue.py

``dr`` holds what the command line says itself, and click's own messages, since click asks
gettext's global domain.  ``errors`` holds the errors of all floors (error_texts.py), which the
command line translates when it shows one; it has no English catalogue, as they are English.

New texts appear in the Chinese catalogues with an empty translation; a test refuses it until
somebody has written one.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.error_texts import error_texts  # noqa: E402

CLI = ROOT / "cli/dr/cli"
CATALOGUES = (("dr", "en"), ("dr", "zh_Hans"), ("errors", "zh_Hans"))
"""Domain and language of each."""
_KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2)}
_CLICK = (
    "core.py",
    "decorators.py",
    "exceptions.py",
    "formatting.py",
    "parser.py",
    "shell_completion.py",
    "termui.py",
    "types.py",
)
"""The modules of click whose words people see here."""

_UNSEEN_BY_THE_EXTRACTOR = ("required",)
"""click translates this one through a variable."""

Id = str | tuple[str, ...]


def texts(domain: str) -> Iterator[Id]:
    """Yield every text that the code may show, the plural ones as pairs."""
    yield from _own_texts() if domain == "dr" else error_texts(ROOT)


def _own_texts() -> Iterator[Id]:
    folder = Path(click.__file__).parent
    files = [*sorted(CLI.rglob("*.py")), *(folder / name for name in _CLICK)]
    for path in files:
        for _line, found, _comments, _context in extract_from_file(
            "python", path, keywords=_KEYWORDS
        ):
            yield found
    yield from _UNSEEN_BY_THE_EXTRACTOR


def po_path(domain: str, locale: str) -> Path:
    """Return the file of a catalogue."""
    return CLI / "locale" / locale / "LC_MESSAGES" / f"{domain}.po"


def read(domain: str, locale: str) -> Catalog:
    """Return the catalogue as it is on disk; an empty one when there is none."""
    path = po_path(domain, locale)
    if not path.is_file():
        return Catalog(locale=locale)
    with path.open("rb") as stream:
        return read_po(stream, locale=locale)


def merged(domain: str, locale: str) -> Catalog:
    """Return the catalogue with exactly the texts of the code, translations kept."""
    old = read(domain, locale)
    new = Catalog(locale=locale, domain=domain, project="dr", header_comment="# dr")
    new.fuzzy = False
    for text in sorted(set(texts(domain)), key=str):
        known = old.get(text)
        new.add(text, _english(text, new) if locale == "en" else (known.string if known else ""))
    return new


def _english(text: Id, catalog: Catalog) -> str | tuple[str, ...]:
    return text if isinstance(text, str) else tuple(text[: catalog.num_plurals])


def po_bytes(catalog: Catalog) -> bytes:
    """Return the catalogue as text, without dates: the same texts give the same bytes."""
    out = io.BytesIO()
    write_po(out, catalog, omit_header=True, no_location=True, width=100)
    rules = f"nplurals={catalog.num_plurals}; plural={catalog.plural_expr};"
    head = (
        'msgid ""\nmsgstr ""\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n'
        f'"Language: {catalog.locale_identifier}\\n"\n'
        f'"Plural-Forms: {rules}\\n"\n\n'
    )
    return head.encode() + out.getvalue()


def mo_bytes(po: bytes) -> bytes:
    """Return the compiled catalogue."""
    out, catalog = io.BytesIO(), read_po(io.BytesIO(po))
    # the same texts give the same bytes
    catalog.creation_date = catalog.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    write_mo(out, catalog)
    return out.getvalue()


def missing(catalog: Catalog) -> list[Id]:
    """Return the texts that have no translation."""
    return [_id(message) for message in catalog if message.id and not _is_whole(message)]


def _id(message: Message) -> Id:
    return message.id if isinstance(message.id, str) else tuple(message.id)


def _is_whole(message: Message) -> bool:
    strings = message.string if isinstance(message.string, list | tuple) else (message.string,)
    return bool(strings) and all(strings)


def main() -> int:
    """Write the files; say what is not translated yet."""
    untranslated = 0
    for domain, locale in CATALOGUES:
        catalog = merged(domain, locale)
        po = po_bytes(catalog)
        path = po_path(domain, locale)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(po)
        path.with_suffix(".mo").write_bytes(mo_bytes(po))
        for text in missing(catalog):
            untranslated += 1
            sys.stderr.write(f"{locale}: not translated: {text!r}\n")
    return 1 if untranslated else 0


if __name__ == "__main__":
    sys.exit(main())
