"""The catalogues: complete, in step with the code, and compiled."""

from __future__ import annotations

import re
from string import Formatter

import pytest
from babel.messages.catalog import Message

from scripts.catalogue import CATALOGUES, merged, missing, mo_bytes, po_bytes, po_path, read

_PERCENT = re.compile(r"%\([a-z_]+\)[a-z]")
CHINESE = [domain for domain, locale in CATALOGUES if locale == "zh_Hans"]

every_catalogue = pytest.mark.parametrize(("domain", "locale"), CATALOGUES)


def _fields(text: str) -> list[str]:
    named = {field for _lit, field, _spec, _conv in Formatter().parse(text) if field is not None}
    return sorted(named | set(_PERCENT.findall(text)))


@every_catalogue
def test_the_catalogue_holds_exactly_the_texts_of_the_code(domain: str, locale: str) -> None:
    # when this fails: .venv/bin/python scripts/catalogue.py, then translate what is new
    assert po_path(domain, locale).read_bytes() == po_bytes(merged(domain, locale))


@every_catalogue
def test_no_text_is_left_untranslated_or_fuzzy(domain: str, locale: str) -> None:
    catalogue = read(domain, locale)
    assert missing(catalogue) == []
    assert [message.id for message in catalogue if message.id and message.fuzzy] == []


@every_catalogue
def test_the_compiled_catalogue_is_that_of_the_text(domain: str, locale: str) -> None:
    path = po_path(domain, locale)
    assert path.with_suffix(".mo").read_bytes() == mo_bytes(path.read_bytes())


def _strings(message: Message) -> list[str]:
    if message.string is None or isinstance(message.string, str):
        return [str(message.string)]
    return [str(one) for one in message.string]


@pytest.mark.parametrize("domain", CHINESE)
def test_a_translation_has_the_placeholders_of_its_text(domain: str) -> None:
    wrong = []
    for message in read(domain, "zh_Hans"):
        if not message.id:
            continue
        ids = message.id if isinstance(message.id, list | tuple) else (message.id,)
        allowed = [_fields(str(one)) for one in ids]
        wrong += [s for s in _strings(message) if _fields(s) not in allowed]
    assert wrong == []


@pytest.mark.parametrize("domain", CHINESE)
def test_a_chinese_text_is_chinese(domain: str) -> None:
    same = {"Choice({choices})", "{given} of {wanted}", "ssh.connect_timeout: {error}"}
    latin = [
        message.id
        for message in read(domain, "zh_Hans")
        if message.id
        and message.id not in same
        and not any("\u4e00" <= char <= "\u9fff" for s in _strings(message) for char in s)
    ]
    assert latin == []
