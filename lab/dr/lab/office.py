"""A branch office: it registers business through the service address and keeps its own ledger.

Each case is accepted, registered and ends in a certificate, in one transaction.  The office's book
is a CSV file, one line per case, written and synced when its outcome is known:

``acknowledged``  the office saw COMMIT return: the register must have it;
``unknown``       COMMIT was sent and no answer came: the register may have it;
``failed``        refused or broken off before COMMIT: the register must not have it.

The natural key that the book and the register share is the slip number, which the office gives when
it accepts a case: 32, the branch, the day, a running number, 21 digits in all.  The receipt number
comes from the register, the certificate's from the office's own stock of numbered forms.

What the office hands in to others, its ledger, is the book itself under a second name, until
somebody puts another file there (see :mod:`dr.lab.spoiling`).  The book is locked during a case:
whoever holds the lock sees it at rest.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from dr.lab import names
from dr.lab.blocks import Stock, number_of
from dr.lab.libpq import Answer, Connection, ServerLostError

LEDGER = "/var/lib/registry/ledger.csv"
BOOK = "/var/lib/registry/book.csv"
STATE = "/var/lib/registry/office.json"
COLUMNS = (
    "slip",
    "accepted_at",
    "receipt_no",
    "certificate_serial",
    "parcel_no",
    "kind",
    "clerk",
    "outcome",
    "detail",
    "branch",
    "holder",
    "amount",
    "status",
)
ZONE = timezone(timedelta(hours=8))
"""Beijing's, in which the office's day begins."""
_KINDS = ("transfer", "transfer", "first", "mortgage")
_CONNECT_S = _ANSWER_S = 3.0
_RETRY_S = 1.0
_NUMBER_DIGITS = 7
_TAKEN = "23505"


@dataclass(frozen=True, slots=True)
class OfficeSettings:
    """How one office works."""

    branch: str
    conninfo: str
    parcels: int
    """Highest number of a parcel; they are called P0000001 and so on."""
    rate: float
    """Cases per second while business is open."""


@dataclass(slots=True)
class OfficeState:
    """What ``dr lab status`` shows of an office.  Times are UTC, ISO 8601."""

    branch: str
    acknowledged: int = 0
    unknown: int = 0
    failed: int = 0
    last_success: str | None = None
    failing_since: str | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    slip: str
    accepted_at: str
    parcel_no: str
    kind: str
    clerk: str
    branch: str
    holder: str
    amount: str


def slip_number(branch: str, day: datetime, number: int) -> str:
    """Return the number of a slip: 21 digits."""
    return f"32{number_of(branch):04d}{day.astimezone(ZONE):%Y%m%d}{number:0{_NUMBER_DIGITS}d}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Ledger:
    """The office's own book: only added to, synced after each line."""

    def __init__(self, path: Path) -> None:
        """Open the book beside ``path``; a new one is handed in there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        book = path.with_name(Path(BOOK).name)
        self._fd = os.open(book, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        if os.fstat(self._fd).st_size == 0:
            self._write(COLUMNS)
            os.link(book, path)
        with book.open(newline="", encoding="utf-8") as file:
            self.lines = list(csv.DictReader(file))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others from the book, after those who have it now."""
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def add(self, case: _Case, receipt: str, serial: str, outcome: str, detail: str) -> None:
        """Write a case down; only an acknowledged one has a status that the office knows."""
        status = "issued" if outcome == "acknowledged" else ""
        row = (case.slip, case.accepted_at, receipt, serial, case.parcel_no, case.kind, case.clerk)
        self._write((*row, outcome, detail, case.branch, case.holder, case.amount, status))

    def _write(self, row: tuple[str, ...]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(row)
        os.write(self._fd, text.getvalue().encode())
        os.fdatasync(self._fd)


class Office:
    """One office at work."""

    def __init__(self, settings: OfficeSettings, ledger: Path, state: Path) -> None:
        self.settings = settings
        self.ledger = Ledger(ledger)
        self.state_path = state
        self.state = OfficeState(settings.branch)
        for line in self.ledger.lines:
            self._count(line["outcome"])
        self.number = max((_number(line["slip"]) for line in self.ledger.lines), default=0)
        serials = (line["certificate_serial"] for line in self.ledger.lines)
        self.stock = Stock(settings.branch, (int(text) for text in serials if text.isdecimal()))
        self.ledger.lines.clear()
        self.connection: Connection | None = None
        self.random = random.Random()  # noqa: S311  which parcel a customer owns is no secret
        self._save()

    def work(self) -> None:
        """Serve customers for ever."""
        while True:
            began = time.monotonic()
            pause_s = self.random.uniform(0.5, 1.5) / self.settings.rate
            with self.ledger.held():
                served = self._serve_one()
            if not served:
                pause_s = max(pause_s, _RETRY_S)
            time.sleep(max(0.0, began + pause_s - time.monotonic()))

    def _serve_one(self) -> bool:
        try:
            if self.connection is None:
                self.connection = Connection(self.settings.conninfo, timeout_s=_CONNECT_S)
        except ServerLostError as error:
            # the customer waits at the counter: nothing was accepted, nothing goes into the ledger
            return self._failing(str(error))
        form = self.stock.next
        if form is None:
            return self._failing("no blank certificate is left")
        case = self._accept()
        receipt = serial = ""
        outcome = "failed"
        try:
            answer = self.connection.query(_registration(case, form), timeout_s=_ANSWER_S)
            if answer.error:
                self.connection.query("ROLLBACK", timeout_s=_ANSWER_S)
                if answer.sqlstate == _TAKEN:
                    self.stock.take()  # somebody wrote on another form with this number
            else:
                receipt, serial = (value or "" for value in answer.rows[0])
                outcome = "unknown"
                answer = self.connection.query("COMMIT", timeout_s=_ANSWER_S)
                outcome = "acknowledged" if answer.tag == "COMMIT" else "failed"
            detail = answer.error
        except ServerLostError as error:
            self.connection = None
            detail = str(error)
        if serial:
            self.stock.take()
        self.ledger.add(case, receipt, serial, outcome, detail)
        self._count(outcome)
        if outcome != "acknowledged":
            return self._failing(detail)
        self.state.last_success = _now()
        self.state.failing_since = self.state.last_error = None
        self._save()
        return True

    def _accept(self) -> _Case:
        self.number += 1
        branch, kind = self.settings.branch, self.random.choice(_KINDS)
        return _Case(
            slip=slip_number(branch, datetime.now(UTC), self.number),
            accepted_at=_now(),
            parcel_no=f"P{self.random.randint(1, self.settings.parcels):07d}",
            kind=kind,
            clerk=f"clerk-{self.random.randint(1, 4)}",
            branch=branch,
            holder=names.holder(kind, self.random),
            amount=names.amount(kind, self.random),
        )

    def _count(self, outcome: str) -> None:
        setattr(self.state, outcome, getattr(self.state, outcome) + 1)

    def _failing(self, message: str) -> bool:
        self.state.failing_since = self.state.failing_since or _now()
        self.state.last_error = message
        self._save()
        return False

    def _save(self) -> None:
        part = self.state_path.with_suffix(".part")
        part.write_text(json.dumps(asdict(self.state)))
        part.rename(self.state_path)


def _number(slip: str) -> int:
    digits = slip[-_NUMBER_DIGITS:]
    return int(digits) if digits.isdecimal() else 0


def _registration(case: _Case, form: int) -> str:
    """Return the SQL of a case up to, and without, its COMMIT.

    All values are made by this package from letters, digits, '-', ':' and names without a quote.
    """
    if case.kind == "mortgage":
        right = (
            "INSERT INTO mortgage (parcel_no, receipt_no, creditor, amount) "
            "SELECT parcel_no, receipt_no, holder, amount FROM accepted"
        )
    else:
        right = (
            "INSERT INTO property_right (parcel_no, receipt_no, holder) "
            "SELECT parcel_no, receipt_no, holder FROM accepted"
        )
    return f"""BEGIN;
WITH accepted AS (
  INSERT INTO registration
    (branch, slip, clerk, parcel_no, kind, accepted_at, holder, amount, status)
  VALUES ('{case.branch}', '{case.slip}', '{case.clerk}', '{case.parcel_no}', '{case.kind}',
          '{case.accepted_at}', '{case.holder}', {case.amount or "NULL"}, 'issued')
  RETURNING receipt_no, parcel_no, holder, amount
), entered AS ({right}), printed AS (
  INSERT INTO certificate (serial, receipt_no, parcel_no)
  SELECT {form}, receipt_no, parcel_no FROM accepted
  RETURNING serial
) SELECT receipt_no, serial FROM accepted, printed"""  # noqa: S608


def run_office(settings: OfficeSettings) -> None:
    """Work as the office of this host, for ever."""
    Office(settings, Path(LEDGER), Path(STATE)).work()


__all__ = [
    "BOOK",
    "COLUMNS",
    "LEDGER",
    "STATE",
    "ZONE",
    "Answer",
    "Ledger",
    "Office",
    "OfficeSettings",
    "run_office",
    "slip_number",
]
