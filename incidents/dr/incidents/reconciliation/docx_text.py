"""Text as a .docx can hold it: nothing hidden, nothing that reorders a line, no markup."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from dr.incidents.report.voice import visible

_NO_XML = re.compile("[\ufffe\uffff]")
"""What ``visible`` lets through and XML 1.0 has no place for."""


def safe(text: object) -> str:
    """Return ``text`` with everything that a document can not show as a box."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", visible(text))


def escaped(text: object) -> str:
    """Return ``text`` for the inside of an XML element."""
    return escape(safe(text))
