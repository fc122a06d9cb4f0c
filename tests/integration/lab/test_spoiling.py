"""What the lab says it spoilt is what a look at the register and at the branches' files shows."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dr.lab.api import break_, down, heal, in_host, status
from dr.lab.blocks import usable
from dr.lab.business import LEDGER_COLUMNS
from dr.lab.enter import host_command
from dr.lab.errors import LabError, LabUsageError
from dr.lab.postgres import SOCKET_DIR
from dr.lab.spoiling import (
    KINDS,
    NOTHING,
    Truth,
    batches,
    handed_in,
    path_of,
    spoil,
    truth_of,
)
from dr.lab.testing import LabFactory
from tests.deadline import wait_for
from tests.integration.lab.traces import traces

pytestmark = pytest.mark.lab

BRANCHES = ("branch-01", "branch-02", "branch-03")
BUSINESS = [name for name, kind in KINDS.items() if kind.register and name != "faults"]
_PSQL = ["psql", "-qtAX", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h", SOCKET_DIR]
_CENTRAL = """
SELECT row_to_json(q) FROM (
  SELECT r.slip AS key, r.receipt_no::text AS receipt, c.serial::text AS certificate,
         r.parcel_no AS parcel, r.kind, r.clerk, r.branch,
         r.holder, r.amount::text AS amount, r.status,
         to_char(r.accepted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"+00:00"') AS at
  FROM registration r LEFT JOIN certificate c USING (receipt_no)
  WHERE r.receipt_no > 30000 ORDER BY r.receipt_no) q"""

Row = Mapping[str, str | None]


def sql(lab: Path, text: str, host: str = "db-a") -> str:
    done = in_host(lab, host, [*_PSQL, "-d", "registry", "-c", text])
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def lines_of(data: bytes) -> list[dict[str, str | None]]:
    """Return a ledger's lines in dr's words."""
    rows = csv.DictReader(io.StringIO(data.decode(), newline=""))
    return [{word: row[head] or None for word, head in LEDGER_COLUMNS.items()} for row in rows]


def plain(text: str | None) -> str | None:
    """Return what a text means: widths and spaces do not count."""
    return "".join(unicodedata.normalize("NFKC", text).split()) if text else text


@dataclass(frozen=True)
class Found:
    """Both sides, as anybody sees them, after everything was spoilt."""

    central: Sequence[Row]
    ledger: Sequence[Row]
    truths: list[Truth]

    def told(self, *classes: str) -> list[Truth]:
        return [truth for truth in self.truths if truth.break_class in classes]

    @property
    def acknowledged(self) -> dict[str | None, Row]:
        return {line["key"]: line for line in self.ledger if line["outcome"] == "acknowledged"}

    @property
    def by_slip(self) -> dict[str | None, Row]:
        """What the centre has, the oldest of each slip, by what the slip means."""
        return {plain(row["key"]): row for row in reversed(self.central)}


@pytest.fixture(scope="module")
def lab(lab_factory: LabFactory) -> Path:
    directory = lab_factory(staging=False, branches=3, volume="dir", rate=12)
    wait_for(
        lambda: all(one["acknowledged"] >= 60 for one in status(directory).branches),
        60,
        "business",
    )
    return directory


@pytest.fixture(scope="module")
def found(lab: Path) -> Found:
    """Spoil in every way that is about business, while it goes on, and look once at the end."""
    for name in BUSINESS:
        spoilt = spoil(lab, name, seed=7)
        assert (spoilt.what, spoilt.host) == (name, "db-a")
    sql(lab, "UPDATE service_state SET stage = 'read_only'")
    wait_for(lambda: all(b["failing_since"] for b in status(lab).branches), 20, "no more business")
    ledger = [
        line for branch in BRANCHES for line in lines_of(handed_in(lab, branch)["ledger.csv"])
    ]
    central = [json.loads(line) for line in sql(lab, _CENTRAL).splitlines()]
    return Found(central, ledger, truth_of(lab))


def test_every_kind_left_a_truth(found: Found) -> None:
    assert {truth.what for truth in found.truths} == set(BUSINESS)


def test_what_the_centre_lacks_is_what_was_lost(found: Found) -> None:
    missing = found.acknowledged.keys() - found.by_slip.keys()
    told = {truth.key: truth for truth in found.told("missing_central")}
    assert missing == told.keys()
    for key, truth in told.items():
        assert dict(truth.fields) == {
            word: (None, value or "")
            for word, value in found.acknowledged[key].items()
            if word != "outcome"
        }


def test_a_tail_is_the_newest_business_and_a_hole_is_not(found: Found) -> None:
    lost = {truth.subclass: set[int]() for truth in found.told("missing_central")}
    for truth in found.told("missing_central"):
        lost[truth.subclass].add(int(found.acknowledged[truth.key]["receipt"] or 0))
    assert lost.keys() == {"rpo_tail", "hole"}
    assert max(lost["hole"]) < min(lost["rpo_tail"])


def test_what_no_branch_knows_is_what_was_added(found: Found) -> None:
    extra = found.by_slip.keys() - {line["key"] for line in found.ledger}
    told = {truth.key: truth for truth in found.told("extra_central", "dup_business")}
    assert extra == told.keys()
    for key, truth in told.items():
        row = found.by_slip[key]
        assert {word: (value, None) for word, value in row.items()} == dict(truth.fields) or (
            truth.break_class == "dup_business"
            and all(row[word] == value for word, (value, _) in truth.fields.items())
        )
    flying = {key for key in extra if found.by_slip[key]["status"] == "accepted"}
    assert flying == {t.key for t in told.values() if t.subclass == "in_flight"}


def test_business_that_was_entered_again_is_the_same_business(found: Found) -> None:
    for truth in found.told("dup_business"):
        again, first = found.by_slip[truth.key], found.by_slip[truth.detail["of"]]
        assert {w for w in again if again[w] != first[w]} == set(truth.fields)
        assert truth.fields.keys() == {"key", "receipt", "certificate", "at"}


def test_what_is_there_twice_is_what_was_doubled(found: Found) -> None:
    central = Counter(plain(row["key"]) for row in found.central)
    assert {key for key, n in central.items() if n > 1} == {
        truth.key for truth in found.told("dup_key_central")
    }
    ledger = Counter(line["key"] for line in found.ledger)
    doubled = {t.key for t in found.told("dup_key_ledger") if t.what == "ledger-double"}
    assert {key for key, n in ledger.items() if n > 1} == doubled


def test_every_field_that_differs_was_spoilt_and_no_other_differs(found: Found) -> None:
    seen = {
        (key, word, row[word], line[word])
        for key, line in found.acknowledged.items()
        if (row := found.by_slip.get(key))
        for word in row
        if row[word] != line[word]
    }
    classes = {"field_diff", "format_only", "cross_branch", "serial_swap"}
    told = {
        (truth.key, word, *values)
        for truth in found.truths
        if truth.break_class in classes or truth.subclass == "receipt_at_two_branches"
        for word, values in truth.fields.items()
    }
    assert seen == told


def test_a_difference_of_format_is_none_in_meaning(found: Found) -> None:
    for truth in found.told("format_only"):
        [(central, ledger)] = truth.fields.values()
        assert central != ledger
        assert truth.what == "rare-names" or plain(central) == plain(ledger)


def test_what_looks_odd_and_is_no_break_is_alike_on_both_sides(found: Found) -> None:
    odd = found.told(NOTHING)
    assert odd
    for truth in odd:
        holder = found.by_slip[truth.key]["holder"]
        assert found.acknowledged[truth.key]["holder"] == holder == truth.fields["holder"][0]


def test_numbers_that_nobody_accounts_for_are_the_gaps(found: Found) -> None:
    used: set[int] = set()
    for row in (*found.central, *found.ledger):
        used.add(int(row["certificate"] or 0))
    gaps = set()
    for branch in BRANCHES:
        first, _ = usable(branch)
        own = [serial for serial in used if serial in first]
        gaps |= set(range(first[0], max(own))) - used
    assert gaps == {int(truth.key) for truth in found.told("serial_gap")}


def test_numbers_that_two_branches_used_are_the_doubles(found: Found) -> None:
    owners: dict[str | None, set[str | None]] = {}
    for row in found.central:
        if row["certificate"]:
            owners.setdefault(row["certificate"], set()).add(plain(row["key"]))
    again = {truth.key for truth in found.told("dup_key_central")}
    twice = {serial for serial, keys in owners.items() if len(keys - again) > 1}
    assert twice == {truth.key for truth in found.told("serial_dup")}


def test_numbers_out_of_the_register_of_forms_are_those_that_were_moved(
    found: Found, lab: Path
) -> None:
    text = (lab / "workspace/inventory/lab/serial-blocks.csv").read_text("utf-8")
    blocks = list(csv.DictReader(io.StringIO(text)))

    def within(serial: int, branch: str, kind: str) -> bool:
        return any(
            (block["branch"], block["kind"]) == (branch, kind)
            and int(block["first"]) <= serial <= int(block["last"])
            for block in blocks
        )

    used = {
        (str(line["branch"]), int(line["certificate"]))
        for line in found.acknowledged.values()
        if line["certificate"]
    }
    outside = {str(serial) for branch, serial in used if not within(serial, branch, "issued")}
    assert outside == {truth.key for truth in found.told("serial_out_of_block")}
    for kind in ("void", "stolen"):
        bad = {str(serial) for branch, serial in used if within(serial, branch, kind)}
        assert bad == {t.key for t in found.told("serial_void") if t.subclass == kind}


@pytest.mark.parametrize(
    "what", [n for n in KINDS if n.startswith(("file-", "xlsx-", "answers-n"))]
)
def test_a_spoilt_file_is_what_the_branch_hands_in(what: str, lab: Path, found: Found) -> None:
    count = 8 if what == "xlsx-bomb" else None
    assert spoil(lab, what, branch="branch-03", count=count).host == ""
    files = handed_in(lab, "branch-03", most_bytes=1 << 20)
    told = [truth for truth in truth_of(lab) if truth.where == "file"]
    assert {truth.what for truth in told} == {what}
    ledgers = {name: data for name, data in files.items() if name.startswith("ledger.")}
    if what == "answers-never":
        assert ledgers == {}
        return
    [(name, data)] = ledgers.items()
    assert name == ("ledger.xlsx" if what.startswith("xlsx-") else "ledger.csv")
    assert {truth.file for truth in told} == {f"/var/lib/registry/{name}"}
    if what != "file-huge":
        assert {truth.detail["sha256"] for truth in told} == {hashlib.sha256(data).hexdigest()}


def test_a_huge_file_takes_no_room(lab: Path) -> None:
    spoil(lab, "file-huge", branch="branch-03")
    stat = ["stat", "-c", "%s %b", "/var/lib/registry/ledger.csv"]
    size, blocks = map(int, in_host(lab, "branch-03", stat).stdout.split())
    assert size == 2 << 30
    assert blocks * 512 < 1 << 20
    [truth] = [truth for truth in truth_of(lab) if truth.where == "file"]
    assert truth.detail["size"] == size


def test_business_of_a_branch_that_hands_in_a_copy_is_left_alone(lab: Path) -> None:
    spoil(lab, "file-bom", branch="branch-03")
    with pytest.raises(LabUsageError, match="hands in a spoilt file"):
        spoil(lab, "ledger-amount", branch="branch-03")
    before = len(truth_of(lab))
    spoil(lab, "ledger-amount", count=5)
    assert {truth.branch for truth in truth_of(lab)[before:]} <= {"branch-01", "branch-02"}


def test_a_branch_hands_in_its_book_again_with_what_was_done_since(lab: Path) -> None:
    spoil(lab, "file-truncated", branch="branch-03")
    spoil(lab, "answers-truly", branch="branch-03")
    book = in_host(lab, "branch-03", ["cat", "/var/lib/registry/book.csv"]).stdout
    assert handed_in(lab, "branch-03")["ledger.csv"].decode().startswith(book)
    assert [truth for truth in truth_of(lab) if truth.where == "file"] == []


def test_a_branch_answers_later_and_another_answers_twice(lab: Path) -> None:
    spoil(lab, "answers-later", branch="branch-01", after_s=0.5)
    spoil(lab, "answers-twice", branch="branch-02", after_s=2.0, count=4)
    first = handed_in(lab, "branch-02")["ledger.csv"]
    [truth] = [truth for truth in truth_of(lab) if truth.subclass == "answered_twice"]
    assert hashlib.sha256(first).hexdigest() == truth.detail["first_sha256"]
    wait_for(lambda: "ledger.csv" in handed_in(lab, "branch-01"), 20, "the late answer")
    second = wait_for(
        lambda: (now := handed_in(lab, "branch-02")["ledger.csv"]) != first and now, 20, "a second"
    )
    slips = [{line["key"] for line in lines_of(data)} for data in (first, second or b"")]
    assert set(truth.detail["missing"]) <= slips[1] - slips[0]


@pytest.mark.parametrize("what", ["queue-unsent", "paper-receipts"])
def test_what_lies_beside_the_ledger_is_in_no_register(what: str, lab: Path) -> None:
    before = len(truth_of(lab))
    spoil(lab, what, branch="branch-02")
    told = [t for t in truth_of(lab)[before:] if t.break_class == "missing_central"]
    files = handed_in(lab, "branch-02")
    for truth in told:
        assert truth.key in files[Path(truth.file).name].decode("utf-8-sig")
        assert sql(lab, f"SELECT count(*) FROM registration WHERE slip = '{truth.key}'") == "0"  # noqa: S608


def test_no_host_can_see_the_truth(lab: Path) -> None:
    path = path_of(lab)
    assert path.stat().st_mode & 0o777 == 0o600
    for host in status(lab).hosts:
        look = f"test -e {path} || ls {lab} 2>/dev/null | grep -q ."
        assert in_host(lab, host["name"], ["sh", "-c", look]).returncode == 1, host["name"]


@contextmanager
def locked_certificates(lab: Path) -> Iterator[None]:
    """Hold every certificate of the register as a transaction that does not end."""
    words = [*_PSQL, "-d", "registry", "-c", "BEGIN", "-c", "SELECT 1 FROM certificate FOR UPDATE"]
    words = ["sh", "-c", 'exec "$@" -c "\\echo held" -f -', "sh", *words]
    command, environment, fds = host_command(lab, "db-a", words)
    holder = subprocess.Popen(
        command,
        env=dict(environment),
        cwd="/",
        pass_fds=fds,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    for fd in fds:
        os.close(fd)
    with holder:
        try:
            assert holder.stdout
            assert "held\n" in iter(holder.stdout.readline, "")
            yield
        finally:
            holder.kill()


def test_a_spoiling_that_is_killed_half_way_is_in_doubt_and_changed_nothing(lab: Path) -> None:
    slips = "SELECT count(*), sum(receipt_no) FROM registration"
    before, done = sql(lab, slips), len(batches(lab))
    words = [sys.executable, "-m", "dr.lab", "--dir", str(lab), "spoil", "lost-holes"]
    with locked_certificates(lab), subprocess.Popen(words) as spoiling:
        try:
            wait_for(lambda: len(batches(lab)) > done, 20, "a batch that is announced")
        finally:
            spoiling.send_signal(signal.SIGKILL)
    [batch] = [batch for batch in batches(lab) if not batch.done]
    assert (batch.what, len(batch.truths)) == ("lost-holes", 3)
    assert sql(lab, slips) == before
    assert len(truth_of(lab)) >= 3


def test_a_database_that_takes_no_writes_is_not_spoilt_and_leaves_no_truth(lab: Path) -> None:
    before = batches(lab)
    with pytest.raises(LabError, match="read-only transaction"):
        spoil(lab, "lost-holes", host="db-b")
    assert batches(lab) == before


def test_what_was_lost_by_no_spoiling_is_found_beside_what_was_spoilt(lab: Path) -> None:
    known = {key for batch in batches(lab) for key in batch.keys}
    lines = lines_of(handed_in(lab, "branch-02")["ledger.csv"])
    slip, receipt = next(
        (line["key"], line["receipt"])
        for line in reversed(lines)
        if line["outcome"] == "acknowledged" and line["key"] not in known
    )
    for table in ("certificate", "property_right", "mortgage", "registration"):
        sql(lab, f"DELETE FROM {table} WHERE receipt_no = {receipt}")  # noqa: S608
    before = len(truth_of(lab))
    spoil(lab, "faults")
    [truth] = truth_of(lab)[before:]
    assert (truth.key, truth.break_class, truth.subclass) == (slip, "missing_central", "fault")
    spoil(lab, "faults")
    assert len(truth_of(lab)) == before + 1


def test_offices_go_on_behind_what_was_spoilt(lab: Path) -> None:
    spoil(lab, "answers-never", branch="branch-01")
    break_(lab, "host-off", "branch-01")
    heal(lab, "host-off", "branch-01")
    sql(lab, "UPDATE service_state SET stage = 'full'")
    before = {one["branch"]: one["acknowledged"] for one in status(lab).branches}
    wait_for(
        lambda: all(b["acknowledged"] > before[b["branch"]] + 2 for b in status(lab).branches),
        30,
        "new business at every branch",
    )
    assert "ledger.csv" not in handed_in(lab, "branch-01")
    spoil(lab, "answers-truly", branch="branch-01")
    lines = lines_of(handed_in(lab, "branch-01")["ledger.csv"])
    done = [line for line in lines if line["outcome"] == "acknowledged"]
    newest, *earlier = reversed(done)
    assert newest["key"] == max(line["key"] or "" for line in lines)
    first, _ = usable("branch-01")
    used = {int(line["certificate"] or 0) for line in earlier} & set(first)
    assert int(newest["certificate"] or 0) == max(used) + 1


def test_down_takes_along_what_was_to_come_later(lab: Path) -> None:
    spoil(lab, "answers-later", branch="branch-02", after_s=900)
    seen = traces(lab)
    assert seen.named("sleep")

    down(lab)

    assert seen.left() == []
    assert list(lab.parent.iterdir()) == []
