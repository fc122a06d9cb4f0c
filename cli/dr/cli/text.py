"""Words for people in the language that was asked for.

The catalogue is bound to gettext's *global* domain, so that click's own messages are
translated by it too.  ``N_`` marks a text that is translated later, when it is shown:
commands are imported once, the language may be chosen after that.
"""

from __future__ import annotations

import gettext
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

DOMAIN: Final = "dr"
LOCALE_DIR: Final = Path(__file__).parent / "locale"
ENGLISH: Final = "en"
CHINESE: Final = "zh_Hans"


def N_(message: str) -> str:  # noqa: N802 (gettext's own name for it)
    """Mark ``message`` for the catalogue and return it unchanged."""
    return message


def _(message: str) -> str:
    """Return ``message`` in the language in use."""
    return gettext.gettext(message) if message else message


def shown(message: str | None) -> str:
    """Return a marked text (``N_``) in the language in use; nothing for None."""
    return _(message) if message else ""


def ngettext(one: str, many: str, count: int) -> str:
    """Return the form of a text that fits ``count``, in the language in use."""
    return gettext.ngettext(one, many, count)


def language_for(argv: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the language asked for: ``--lang``, then DR_LANG, then the locale."""
    asked = _option(argv) or environ.get("DR_LANG") or _locale(environ)
    return CHINESE if asked.lower().startswith(("zh", "cn")) else ENGLISH


def _option(argv: Sequence[str]) -> str:
    for position, word in enumerate(argv):
        if word == "--":
            break
        if word.startswith("--lang="):
            return word.partition("=")[2]
        if word == "--lang" and position + 1 < len(argv):
            return argv[position + 1]
    return ""


def _locale(environ: Mapping[str, str]) -> str:
    locale = next((v for n in ("LC_ALL", "LC_MESSAGES", "LANG") if (v := environ.get(n))), "")
    if locale.split(".")[0] in {"", "C", "POSIX"}:
        return ENGLISH
    return environ.get("LANGUAGE", "").split(":")[0] or locale


def use(language: str) -> None:
    """Speak ``language`` from now on, click's messages included."""
    # gettext looks the language up in the environment each time; there is no other way in
    # that click's own calls would also take
    os.environ["LANGUAGE"] = language
    gettext.bindtextdomain(DOMAIN, str(LOCALE_DIR))
    gettext.textdomain(DOMAIN)


def language() -> str:
    """Return the language in use: ``en`` or ``zh_Hans``."""
    return CHINESE if os.environ.get("LANGUAGE", "").startswith("zh") else ENGLISH
