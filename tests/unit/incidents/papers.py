"""Reads a document as a reader meets it."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import docx
from docx.oxml.ns import qn


def words_of(document: bytes) -> Iterator[str]:
    """Yield every paragraph of a document, those in tables too, in their order."""
    body: Any = docx.Document(BytesIO(document)).element.body
    for line in body.iter(qn("w:p")):
        yield "".join(piece.text or "" for piece in line.iter(qn("w:t")))
