"""Evidence away from home: bundles that people signed, and copies that nobody may write to."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dr.engine.journal.sql import SqlJournal
from dr.engine.service.bundles import Exported, check_bundle, export
from tests.contract.journal.sample import (
    NOON,
    SetClock,
    answered,
    asked,
    closed,
    created,
    ended,
    finished,
    intent,
    note,
    record,
)
from tests.integration.approvals.bureau import make_inventory, make_key

DR = Path(sys.executable).with_name("dr")
RUN = "r-20261101-0001"
POWERLESS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Begins a program of root's for which rights of files count."""


@dataclass(frozen=True)
class Bureau:
    """A journal of one finished run, and the keys of its people."""

    folder: Path
    journal: SqlJournal

    def key(self, who: str) -> Path:
        return self.folder / "keys" / "people" / who

    def export(self, name: str, **more: Any) -> Exported:
        more = {"now": NOON, **more}
        return export(self.journal, RUN, self.folder / name, **more)


@pytest.fixture
def bureau(tmp_path: Path) -> Iterator[Bureau]:
    inventory = make_inventory(tmp_path)
    inventory["people"]["bo"]["keys"] = [
        {"key": inventory["people"]["bo"]["keys"][0], "valid_before": "2026-10-01"}
    ]
    with SqlJournal(f"sqlite:///{tmp_path}/journal.sqlite3") as journal:
        journal.create(record(inventory=inventory), created())
        lease = journal.acquire(RUN, "engine-1")
        journal.append(RUN, [intent(), finished(), asked(), answered(), closed()], lease=lease)
        journal.append(RUN, [note("because of ana"), ended()])
        journal.release(lease)
        yield Bureau(tmp_path, journal)


def dr(*words: str | Path, cwd: Path, prefix: Sequence[str] = ()) -> tuple[int, str]:
    """Call ``dr`` where there is no workspace and no database."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("DR_", "LC_", "LANG"))}
    environ = {**kept, "LC_ALL": "C.UTF-8", "DR_LAB": "/nonexistent"}
    done = subprocess.run(
        [*prefix, DR, *words], cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_a_bundle_that_a_person_signed_is_checked_away_from_everything_and_says_by_whom(
    bureau: Bureau, tmp_path_factory: pytest.TempPathFactory
) -> None:
    done = bureau.export("run.drj", key=bureau.key("ana"))
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(done.path, elsewhere)

    code, said = dr("journal", "verify", elsewhere / "run.drj", cwd=elsewhere)

    assert code == 0
    assert f"{RUN}: intact, 9 rows, head {done.head}" in said
    assert "signed by ana at 2026-11-01T12:00:00.000000Z with SHA256:" in said
    assert "by the bundle's own list of people" in said
    assert done.signer == "ana"


def test_a_bundle_without_a_signature_says_that_it_has_none(bureau: Bureau) -> None:
    bureau.export("run.drj")
    code, said = dr("journal", "verify", "./run.drj", cwd=bureau.folder)
    assert code == 0
    assert "not signed: nobody vouches that nothing is missing at the end" in said
    assert "signed by" not in said
    code, said = dr("journal", "verify", "./run.drj", "--json", cwd=bureau.folder)
    assert json.loads(said)["signature"]["holds"] is None


def test_a_stranger_who_signs_is_no_signature_except_to_whoever_knows_the_stranger(
    bureau: Bureau,
) -> None:
    public = make_key(bureau.folder, "stranger")
    done = bureau.export("run.drj", key=bureau.folder / "stranger")
    assert done.signer == ""
    code, said = dr("journal", "verify", done.path, cwd=bureau.folder)
    assert code == 1
    assert "NOT SIGNED by anybody known: it was signed by a key that is nobody's" in said

    signers = bureau.folder / "signers"
    signers.write_text(f"court@example.org {public}\n", encoding="utf-8")
    code, said = dr("journal", "verify", done.path, "--signers", signers, cwd=bureau.folder)
    assert code == 0
    assert "signed by court@example.org at" in said
    assert "own list of people" not in said


def test_whoever_demands_a_signature_gets_no_unsigned_bundle_through(bureau: Bureau) -> None:
    signers = bureau.folder / "signers"
    signers.write_text(f"ana {bureau.key('ana').with_suffix('.pub').read_text()}")
    bureau.export("run.drj")
    code, said = dr("journal", "verify", "./run.drj", "--signers", signers, cwd=bureau.folder)
    assert code == 1
    assert "NOT SIGNED by anybody known: it is not signed" in said


@pytest.mark.parametrize(
    ("who", "now", "holds"),
    [
        ("bo", datetime(2026, 9, 1, tzinfo=UTC), True),
        ("bo", NOON, False),  # the key had lapsed
        ("ana", NOON + timedelta(days=900), True),
    ],
)
def test_a_key_counts_at_the_moment_of_signing(
    bureau: Bureau, who: str, now: datetime, holds: bool
) -> None:
    done = bureau.export("run.drj", key=bureau.key(who), now=now)
    assert check_bundle(done.path).signature.holds is holds


@pytest.mark.parametrize("field", ["seq", "head", "run", "issued", "withheld", "namespace"])
def test_a_changed_word_of_the_signed_head_is_found(bureau: Bureau, field: str) -> None:
    done = bureau.export("run.drj", key=bureau.key("ana"))
    *lines, last = done.path.read_text(encoding="utf-8").splitlines(keepends=True)
    end: dict[str, Any] = json.loads(last)
    other: Mapping[str, Any] = {
        "seq": 8,
        "head": "a" * 64,
        "run": "r-other",
        "issued": "2026-11-01T12:00:01.000000Z",
        "withheld": ["reasons"],
        "namespace": "dr-journal@another",
    }
    end["statement"][field] = other[field]
    text = json.dumps(end, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    done.path.write_text("".join(lines) + text + "\n", encoding="utf-8")
    checked = check_bundle(done.path)
    assert not checked.ok
    assert (checked.verdict.ok, checked.signature.holds) != (True, True)


def test_a_signature_for_a_gate_is_none_for_a_journal(bureau: Bureau) -> None:
    done = bureau.export("run.drj", key=bureau.key("ana"))
    *lines, last = done.path.read_text(encoding="utf-8").splitlines(keepends=True)
    end = json.loads(last)
    end["statement"]["namespace"] = "dr-approval@lab.example"
    text = json.dumps(end, sort_keys=True, separators=(",", ":"))
    done.path.write_text("".join(lines) + text + "\n", encoding="utf-8")
    code, said = dr("journal", "verify", done.path, cwd=bureau.folder)
    assert code == 1
    assert "it is signed for another purpose" in said


def test_what_is_withheld_is_named_and_the_rest_still_verifies(bureau: Bureau) -> None:
    done = bureau.export("run.drj", withhold=["reasons"], key=bureau.key("ana"))
    assert b"because of ana" not in done.path.read_bytes()
    code, said = dr("journal", "verify", done.path, cwd=bureau.folder)
    assert code == 0
    assert "withheld: reasons; 1 row show only their hash" in said
    assert "signed by ana" in said


def test_with_the_people_withheld_only_a_list_from_elsewhere_knows_who_signed(
    bureau: Bureau,
) -> None:
    done = bureau.export("run.drj", withhold=["inventory"], key=bureau.key("ana"))
    code, said = dr("journal", "verify", done.path, cwd=bureau.folder)
    assert code == 1
    assert "the people of the run are withheld" in said
    signers = bureau.folder / "signers"
    signers.write_text(f"ana {bureau.key('ana').with_suffix('.pub').read_text()}")
    code, said = dr("journal", "verify", done.path, "--signers", signers, cwd=bureau.folder)
    assert code == 0
    assert "the run's own record is withheld" in said


def test_a_bundle_is_for_its_owner_and_never_written_over(bureau: Bureau) -> None:
    done = bureau.export("run.drj")
    assert done.path.stat().st_mode & 0o777 == 0o600
    before = done.path.read_bytes()
    with pytest.raises(Exception, match="is there already"):
        bureau.export("run.drj")
    assert done.path.read_bytes() == before


def test_a_key_that_does_not_sign_leaves_no_file(bureau: Bureau) -> None:
    with pytest.raises(Exception, match="there is no key file"):
        bureau.export("run.drj", key=bureau.folder / "nobody")
    assert not (bureau.folder / "run.drj").exists()


@pytest.mark.postgres
def test_a_journal_on_postgresql_gives_the_same_bundle(
    bureau: Bureau, request: pytest.FixtureRequest
) -> None:
    url: str = request.getfixturevalue("postgres_server").database()
    bundles = []
    for name, address in (("sqlite", f"sqlite:///{bureau.folder}/other.sqlite3"), ("pg", url)):
        with SqlJournal(address, clock=SetClock()) as journal:
            journal.create(record(), created())
            journal.append(RUN, [intent(), finished(), note()])
            done = export(journal, RUN, bureau.folder / name, now=NOON)
            assert check_bundle(done.path).ok
            bundles.append(done.path.read_bytes())
    assert bundles[0] == bundles[1]


# -- copies of the journal itself


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[Path]:
    """Return a folder that is closed to writing when the test says ``chmod``; opened at the end."""
    folder = tmp_path / "sealed"
    folder.mkdir()
    yield folder
    folder.chmod(0o700)


def _powerless() -> Sequence[str]:
    return POWERLESS if os.geteuid() == 0 else ()


def test_a_copy_without_its_wal_on_a_read_only_place_verifies(bureau: Bureau, sealed: Path) -> None:
    bureau.journal.close()  # which puts everything into the file
    copy = Path(shutil.copy(bureau.folder / "journal.sqlite3", sealed))
    copy.chmod(0o400)
    sealed.chmod(0o500)

    code, said = dr("journal", "verify", copy, cwd=bureau.folder, prefix=_powerless())

    assert (code, f"{RUN}: intact, 9 rows" in said) == (0, True), said
    assert sorted(p.name for p in sealed.iterdir()) == ["journal.sqlite3"]


def test_a_copy_with_its_wal_on_a_read_only_place_verifies_to_the_last_row(
    bureau: Bureau, sealed: Path
) -> None:
    bureau.journal.append(RUN, [note("only in the -wal")])
    for name in ("journal.sqlite3", "journal.sqlite3-wal"):
        shutil.copy(bureau.folder / name, sealed)
    sealed.chmod(0o500)
    before = {p.name: p.read_bytes() for p in sealed.iterdir()}

    code, said = dr(
        "journal", "verify", sealed / "journal.sqlite3", cwd=bureau.folder, prefix=_powerless()
    )

    assert (code, f"{RUN}: intact, 10 rows" in said) == (0, True), said
    assert {p.name: p.read_bytes() for p in sealed.iterdir()} == before


def test_an_edited_row_of_a_read_only_copy_is_named(bureau: Bureau, sealed: Path) -> None:
    bureau.journal.close()
    copy = Path(shutil.copy(bureau.folder / "journal.sqlite3", sealed))
    with closing(sqlite3.connect(copy)) as wire, wire:
        wire.execute("DROP TRIGGER event_no_update")
        wire.execute("UPDATE event SET data = '{}' WHERE seq = 4")
    sealed.chmod(0o500)
    code, said = dr("journal", "verify", copy, cwd=bureau.folder, prefix=_powerless())
    assert code == 1
    assert "NOT INTACT at row 4, after 3 rows that fit: event 4 is not as it was written" in said


def test_a_whole_workspace_on_a_read_only_place_can_be_looked_at_and_exported(
    bureau: Bureau, sealed: Path
) -> None:
    bureau.journal.close()
    (sealed / ".dr").mkdir()
    shutil.copy(bureau.folder / "journal.sqlite3", sealed / ".dr")
    (sealed / "inventory").mkdir()
    (sealed / "dr.yaml").write_text(
        "format: 1\nbureau: { en: B, zh: 局 }\ndefault_environment: lab\n"
        "environments:\n  lab: { kind: lab, inventory: inventory }\n"
    )
    (sealed / ".dr").chmod(0o500)
    sealed.chmod(0o500)
    try:
        for words in (["journal", "verify"], ["show"], ["log", RUN], ["status", RUN]):
            code, said = dr(*words, cwd=sealed, prefix=_powerless())
            assert code == 0, said
        target = bureau.folder / "from-a-copy.drj"
        code, said = dr(
            "journal", "export", "-o", target, "--json", cwd=sealed, prefix=_powerless()
        )
        assert (code, json.loads(said)["rows"]) == (0, 9)
    finally:
        (sealed / ".dr").chmod(0o700)
