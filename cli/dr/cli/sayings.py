"""The errors of every floor in the language in use.

The floors below raise errors in English with the values already in them.  The catalogue
``errors`` holds the texts that those sentences were made of (scripts/error_texts.py reads them
from the source), with named places for the values.  So a sentence is turned back into its text,
the text is translated, and the values are put in again; a value that is itself a sentence is
said in the same way.  A sentence that no text fits stays as it is: English is better than
nothing.

The catalogue is read when the first error is shown in another language than English, and not
before.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter

from dr.cli.text import ENGLISH, LOCALE_DIR, _, language

_QUOTES = "'\"`“"
"""What stands in quotes is a name or something to type: it is never translated."""


@dataclass(frozen=True)
class Saying:
    """A text with places for values, and its translation.

    ``around`` are the words before, between and after the places: one more than ``names``.
    """

    around: tuple[str, ...]
    names: tuple[str, ...]
    translation: str

    @classmethod
    def of(cls, text: str, translation: str) -> Saying:
        """Return the saying of a catalogue entry; ``{{`` and ``}}`` are braces in it."""
        around, names, words = [], [], ""
        for literal, name, _spec, _conversion in Formatter().parse(text):
            words += literal
            if name is not None:
                around.append(words)
                names.append(name)
                words = ""
        return cls((*around, words), tuple(names), translation)

    @property
    def weight(self) -> int:
        """How many letters of a sentence are this text's own."""
        return sum(map(len, self.around))

    def values(self, sentence: str) -> dict[str, str] | None:
        """Return the values with which the text is ``sentence``; None when it is another text.

        Each place takes as little as it can, so this needs one walk, however long the sentence.
        """
        first, last = self.around[0], self.around[-1]
        if not self.names:
            return {} if sentence == first else None
        end = len(sentence) - len(last)
        if end < len(first) or not (sentence.startswith(first) and sentence.endswith(last)):
            return None
        found: dict[str, str] = {}
        at = len(first)
        for name, words in zip(self.names, self.around[1:-1], strict=False):
            here = sentence.find(words, at, end)
            if here < 0:
                return None
            found[name] = sentence[at:here]
            at = here + len(words)
        found[self.names[-1]] = sentence[at:end]
        return found

    def say(self, values: Mapping[str, str]) -> str:
        """Return the translation with the values in it."""
        spoken = {
            name: value if before.endswith(tuple(_QUOTES)) else _part(value)
            for (name, value), before in zip(values.items(), self.around, strict=False)
        }
        return self.translation.format(**spoken)


def say_error(sentence: str) -> str:
    """Return a message or a hint of any floor in the language in use."""
    if language() == ENGLISH or not sentence:
        return sentence
    known = _(sentence)
    return known if known != sentence else _said(sentence, language())


def _said(sentence: str, lang: str) -> str:
    for saying in sayings(lang):
        values = saying.values(sentence)
        if values is not None:
            return saying.say(values)
    place, colon, rest = sentence.partition(": ")
    said = _said(rest, lang) if colon else rest
    return sentence if said == rest else f"{place}：{said}"


def _part(value: str) -> str:
    """Return a value of a sentence: said like an error when it has words, else as it is."""
    words = value.strip()
    return value.replace(words, _said(words, language())) if " " in words else value


@cache
def sayings(lang: str) -> tuple[Saying, ...]:
    """Return what the catalogue of a language knows, the most telling text first."""
    path = LOCALE_DIR / lang / "LC_MESSAGES" / "errors.mo"
    if not path.is_file():
        return ()
    found = [Saying.of(text, said) for text, said in _entries(path) if text and said]
    return tuple(sorted(found, key=lambda one: (-one.weight, len(one.names))))


def _entries(path: Path) -> Iterator[tuple[str, str]]:
    """Yield texts and translations of a compiled catalogue.

    gettext looks a text up, but does not list what there is.  The format is in the manual of
    GNU gettext, "The Format of GNU MO Files".
    """
    data = path.read_bytes()
    order = "<" if data[:4] == b"\xde\x12\x04\x95" else ">"
    count, texts, said = struct.unpack_from(f"{order}3I", data, 8)
    for entry in range(count):
        pair = []
        for table in (texts, said):
            length, start = struct.unpack_from(f"{order}2I", data, table + 8 * entry)
            pair.append(data[start : start + length].decode())
        yield pair[0], pair[1]
