"""Which language is spoken, and that click's own words follow."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from dr.cli.text import CHINESE, ENGLISH, _, language, language_for, ngettext, use


@pytest.mark.parametrize(
    ("argv", "environ", "expected"),
    [
        ([], {}, ENGLISH),
        ([], {"LANG": "zh_CN.UTF-8"}, CHINESE),
        ([], {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, ENGLISH),
        ([], {"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN:en"}, CHINESE),
        ([], {"LANG": "C.UTF-8", "LANGUAGE": "zh_CN"}, ENGLISH),
        ([], {"LANG": "zh_CN.UTF-8", "DR_LANG": "en"}, ENGLISH),
        (["--lang", "zh", "status"], {"DR_LANG": "en"}, CHINESE),
        (["status", "--lang=zh"], {}, CHINESE),
        (["lab", "run", "--", "x", "--lang", "zh"], {}, ENGLISH),
        ([], {"LANG": "fr_FR.UTF-8"}, ENGLISH),
    ],
)
def test_the_language_is_the_option_then_the_variable_then_the_locale(
    argv: list[str], environ: dict[str, str], expected: str
) -> None:
    assert language_for(argv, environ) == expected


def test_texts_and_plurals_follow_the_language_in_use() -> None:
    use(CHINESE)
    assert (language(), _("FAILED"), ngettext("{n} host", "{n} hosts", 2)) == (
        CHINESE,
        "失败",
        "{n} 台主机",
    )
    use(ENGLISH)
    assert (language(), _("FAILED"), ngettext("{n} host", "{n} hosts", 1)) == (
        ENGLISH,
        "FAILED",
        "{n} host",
    )


def test_the_words_of_click_are_translated_too() -> None:
    use(CHINESE)
    assert click.BadParameter("x").format_message() == "值无效：x"


def test_the_empty_text_stays_empty() -> None:
    use(CHINESE)
    assert _("") == ""


@pytest.mark.parametrize(("lang", "word"), [("en", "Usage:"), ("zh", "用法：")])
def test_a_whole_process_speaks_the_language(lang: str, word: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dr.cli", "--help"],
        env={"DR_LANG": lang, "PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout.startswith(word)
