"""A journal that somebody edited or a disk damaged: every look at it ends in words."""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dr.cli.app import main
from dr.engine.core.events import Draft
from dr.engine.core.ports import RunRecord
from dr.engine.service.desk import open_desk
from tests.property.budget import examples
from tests.sample_run import FANS_OUT, IN_DOUBT, RUN, START

LOOKS = [
    ("status", RUN), ("status",), ("show", RUN), ("show", RUN, "--json"), ("log", RUN),
    ("log", RUN, "--json"), ("journal", "verify", RUN), ("pause", RUN),
    ("abort", RUN, "--confirm", RUN, "--because", "x"), ("show", RUN, "--report"),
    ("answer", RUN, "done"), ("approve", RUN, "--by", "ana", "--reason", "x"),
]  # fmt: skip

WORKSPACE = """format: 1
bureau: { en: Bureau, zh: 局 }
default_environment: lab
environments:
  lab: { kind: lab, inventory: inventory/lab }
"""


class Place:
    """A workspace, and the bytes of its journal: no dataclass, of which a failure shows all."""

    def __init__(self, folder: Path, content: bytes) -> None:
        self.folder, self.content = folder, content


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A workspace, and the bytes of its journal without the triggers that forbid edits."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "inventory/lab").mkdir(parents=True)
    (folder / "dr.yaml").write_text(WORKSPACE, encoding="utf-8")
    journal = open_desk(folder, None).journal
    record = RunRecord(
        id=RUN, runbook="storage-failure", runbook_sha256="0" * 64, source="", file="x.yaml",
        environment="lab", mode="real", requester="ana", inputs={"service": "registry"},
        inventory={}, created=START, title={"en": "Storage failure", "zh": "存储设备故障"},
    )  # fmt: skip
    rows = [*IN_DOUBT, *[row for row in FANS_OUT if row[2] == "branches"]]
    drafts = [
        Draft(kind, step, host, 1 if str(kind).startswith("attempt") else None, data)
        for _second, kind, step, host, data in rows
        if kind != "run.lease"
    ]
    journal.create(record, drafts[:1])
    lease = journal.acquire(RUN, "elsewhere pid 1 start 1 boot 0")
    for draft in drafts[1:]:
        with contextlib.suppress(Exception):  # the tail of another story
            journal.append(RUN, [draft], lease=lease)
    journal.release(lease)
    journal.close()
    file = folder / ".dr/journal.sqlite3"
    with closing(sqlite3.connect(file, isolation_level=None)) as wire:
        made = wire.execute("SELECT name FROM sqlite_master WHERE type='trigger'")
        for (name,) in made.fetchall():
            wire.execute(f"DROP TRIGGER {name}")
        wire.execute("PRAGMA journal_mode=DELETE")
    before = dict(os.environ)
    os.environ.update({"DR_WORKSPACE": str(folder), "LC_ALL": "C.UTF-8", "DR_PERSON": "ana"})
    for name in ("DR_LANG", "DR_DATABASE_URL"):
        os.environ.pop(name, None)
    yield Place(folder, file.read_bytes())
    os.environ.clear()
    os.environ.update(before)


def looked(folder: Path, content: bytes, words: tuple[str, ...]) -> str:
    """Return what ``dr`` said of a journal with this content; whatever it is, it is in words."""
    for old in (folder / ".dr").glob("journal.sqlite3*"):
        if old.is_file():
            old.unlink()
    file = folder / ".dr/journal.sqlite3"
    file.write_bytes(content)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(words))
    said = out.getvalue() + err.getvalue()
    assert "unexpected error" not in said, said  # an unexpected argument is one of an edit's words
    assert "Traceback" not in said
    if code not in {0, 3}:
        assert "hint" in said or "NOT INTACT" in said, (words, code, said)
    return said


def edited(folder: Path, content: bytes, table: str, column: int, row: int, value: Any) -> bytes:
    """Return the bytes of the journal with one cell changed."""
    file = folder / "edited.sqlite3"
    file.write_bytes(content)
    with closing(sqlite3.connect(file, isolation_level=None)) as wire:
        wire.execute("PRAGMA ignore_check_constraints=ON")
        about = wire.execute(f"PRAGMA table_info({table})").fetchall()
        names = [name for _, name, *_ in about]
        keys = [name for _, name, *_, is_key in about if is_key] or names
        rows = wire.execute(f"SELECT {', '.join(keys)} FROM {table}").fetchall()  # noqa: S608
        if not rows:
            return content
        where = " AND ".join(f"{name} IS ?" for name in keys)
        with contextlib.suppress(sqlite3.IntegrityError):
            wire.execute(
                f"UPDATE {table} SET {names[column % len(names)]} = ? WHERE {where}",  # noqa: S608
                (value, *rows[row % len(rows)]),
            )
    return file.read_bytes()


def tables(content: bytes, folder: Path) -> list[str]:
    """Return the tables of the journal."""
    file = folder / "looked.sqlite3"
    file.write_bytes(content)
    with closing(sqlite3.connect(file)) as wire:
        found = wire.execute("SELECT name FROM sqlite_master WHERE type='table' ORDER BY name")
        return [name for (name,) in found]


VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=8).filter(lambda text: text.isprintable()),
    st.binary(max_size=8),
    st.sampled_from(
        ["", "{}", "[]", "null", "[" * 5000, '{"state": 1}', '{"state": "x"}', '{"question": {}}',
         "step.planned", "question.opened", "attempt.finished", "2026-13-99T99:99:99.000000Z", "-1",
         '{"hosts": 1, "batches": 3}', '{"at": 7}', '{"runbook": 7, "outline": 8}', "\x1b[2J"]
    ),
)  # fmt: skip


@examples(60)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 60), VALUES, st.sampled_from(LOOKS))
def test_a_look_at_a_journal_with_an_edited_cell_ends_in_words(
    place: Place, which: int, column: int, row: int, value: Any, words: tuple[str, ...]
) -> None:
    folder, content = place.folder, place.content
    names = tables(content, folder)
    table = "event" if which % 2 else names[which % len(names)]
    looked(folder, edited(folder, content, table, column, row, value), words)


@pytest.mark.parametrize("value", [7, b"x", None], ids=["number", "bytes", "null"])
@pytest.mark.parametrize("table", ["answer", "attempt", "question", "run_lock"])
def test_an_index_with_a_value_of_another_type_is_verified_in_words(
    place: Place, table: str, value: Any
) -> None:
    for column in range(5):
        content = edited(place.folder, place.content, table, column, 0, value)
        looked(place.folder, content, ("journal", "verify", RUN))


@examples(60)
@given(st.integers(0, 10**9), st.binary(min_size=1, max_size=40), st.sampled_from(LOOKS))
def test_a_look_at_a_journal_with_damaged_bytes_ends_in_words(
    place: Place, at: int, damage: bytes, words: tuple[str, ...]
) -> None:
    folder, content = place.folder, place.content
    at %= len(content)
    looked(folder, content[:at] + damage + content[at + len(damage) :], words)


@pytest.mark.parametrize("words", [("status", RUN), ("show", RUN, "--json")], ids=" ".join)
def test_an_option_of_a_gate_with_a_misspelt_key_ends_in_words(
    place: Place, words: tuple[str, ...]
) -> None:
    content = place.content.replace(b'"loss_known"', b'"3oss_known"')
    assert content != place.content
    assert "does not follow from those before it" in looked(place.folder, content, words)


@examples(30)
@given(st.binary(max_size=200) | st.integers(0, 10**9), st.sampled_from(LOOKS))
def test_a_look_at_a_file_that_is_no_journal_or_half_of_one_ends_in_words(
    place: Place, found: bytes | int, words: tuple[str, ...]
) -> None:
    folder, content = place.folder, place.content
    looked(folder, found if isinstance(found, bytes) else content[: found % len(content)], words)
