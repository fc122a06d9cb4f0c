"""The command line in one process: English, a fixed time zone, no colour, a workspace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from dr.cli.app import main
from dr.cli.text import use
from dr.engine.core.events import Draft
from dr.engine.core.ports import RunRecord
from dr.engine.service.desk import open_desk
from tests.sample_run import RUN, START, Row


@dataclass(frozen=True)
class Said:
    """What one call of ``dr`` said."""

    code: int
    out: str
    err: str


Dr = Callable[..., Said]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("DR_LANG", "DR_WORKSPACE", "DR_DATABASE_URL", "DR_PERSON", "DR_KEY", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DR_LAB", "/nonexistent/dr-lab")
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    use("en")
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "inventory/lab").mkdir(parents=True)
    (tmp_path / "inventory/prod").mkdir()
    (tmp_path / "dr.yaml").write_text(
        "format: 1\n"
        "bureau: { en: Bureau, zh: 局 }\n"
        "default_environment: lab\n"
        "environments:\n"
        "  lab: { kind: lab, inventory: inventory/lab }\n"
        "  prod: { kind: production, inventory: inventory/prod }\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def dr(capsys: pytest.CaptureFixture[str]) -> Dr:
    """Call ``dr`` in this process."""

    def call(*words: str) -> Said:
        capsys.readouterr()
        code = main(list(words))
        captured = capsys.readouterr()
        return Said(int(code), captured.out, captured.err)

    return call


HOLDER = "elsewhere pid 1 start 1 boot 0"
"""An engine on another machine: it counts as living."""


class Journalled(Protocol):
    """Writes a run into the journal of the workspace; returns its id."""

    def __call__(self, rows: list[Row], run: str = RUN, holder: str = HOLDER) -> str: ...


@pytest.fixture
def journalled(workspace: Path) -> Journalled:
    """Write a run made by hand into the real journal of the workspace; return its id."""

    def write(rows: list[Row], run: str = RUN, holder: str = HOLDER) -> str:
        journal = open_desk(workspace, None).journal
        record = RunRecord(
            id=run,
            runbook="storage-failure",
            runbook_sha256="0" * 64,
            source="",
            file="storage-failure.yaml",
            environment="lab",
            mode="real",
            requester="ana",
            inputs={"service": "registry"},
            inventory={},
            created=START,
            title={"en": "Storage failure", "zh": "存储设备故障"},
        )
        drafts = [
            Draft(kind, step, host, 1 if str(kind).startswith("attempt") else None, data)
            for _second, kind, step, host, data in rows
        ]
        journal.create(record, drafts[:1])
        lease = journal.acquire(run, holder)
        engine = [draft for draft in drafts[1:] if draft.kind != "run.lease"]
        journal.append(run, engine, lease=lease)
        journal.release(lease)
        journal.close()
        return run

    return write
