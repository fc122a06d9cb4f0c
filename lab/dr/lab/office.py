"""A branch office: it registers business through the service address and keeps its own ledger.

Each case is accepted, registered and ends in a certificate, in one transaction.  The ledger is a
CSV file, one line per case, written and synced when its outcome is known:

``acknowledged``  the office saw COMMIT return: the register must have it;
``unknown``       COMMIT was sent and no answer came: the register may have it;
``failed``        refused or broken off before COMMIT: the register must not have it.

The natural key that the ledger and the register share is the slip number, which the office gives
when it accepts a case; receipt and certificate numbers come from the register.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from dr.lab.libpq import Answer, Connection, ServerLostError

LEDGER = "/var/lib/registry/ledger.csv"
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
)
_KINDS = ("transfer", "transfer", "first", "mortgage")
_CONNECT_S = _ANSWER_S = 3.0
_RETRY_S = 1.0


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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Ledger:
    """The office's own book: only added to, synced after each line."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        if os.fstat(self._fd).st_size == 0:
            self._write(COLUMNS)
        with path.open(newline="", encoding="utf-8") as file:
            self.lines = list(csv.DictReader(file))

    def add(self, case: _Case, receipt: str, serial: str, outcome: str, detail: str) -> None:
        row = (case.slip, case.accepted_at, receipt, serial, case.parcel_no, case.kind, case.clerk)
        self._write((*row, outcome, detail))

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
        self.number = len(self.ledger.lines)
        self.ledger.lines.clear()
        self.connection: Connection | None = None
        self.random = random.Random()  # noqa: S311  which parcel a customer owns is no secret
        self._save()

    def work(self) -> None:
        """Serve customers for ever."""
        while True:
            began = time.monotonic()
            pause_s = self.random.uniform(0.5, 1.5) / self.settings.rate
            if not self._serve_one():
                pause_s = max(pause_s, _RETRY_S)
            time.sleep(max(0.0, began + pause_s - time.monotonic()))

    def _serve_one(self) -> bool:
        try:
            if self.connection is None:
                self.connection = Connection(self.settings.conninfo, timeout_s=_CONNECT_S)
        except ServerLostError as error:
            # the customer waits at the counter: nothing was accepted, nothing goes into the ledger
            return self._failing(str(error))
        case = self._accept()
        receipt = serial = ""
        outcome = "failed"
        try:
            answer = self.connection.query(
                _registration(self.settings.branch, case), timeout_s=_ANSWER_S
            )
            if answer.error:
                self.connection.query("ROLLBACK", timeout_s=_ANSWER_S)
            else:
                receipt, serial = (value or "" for value in answer.rows[0])
                outcome = "unknown"
                answer = self.connection.query("COMMIT", timeout_s=_ANSWER_S)
                outcome = "acknowledged" if answer.tag == "COMMIT" else "failed"
            detail = answer.error
        except ServerLostError as error:
            self.connection = None
            detail = str(error)
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
        return _Case(
            slip=f"{self.settings.branch}/{self.number:06d}",
            accepted_at=_now(),
            parcel_no=f"P{self.random.randint(1, self.settings.parcels):07d}",
            kind=self.random.choice(_KINDS),
            clerk=f"clerk-{self.random.randint(1, 4)}",
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


def _registration(branch: str, case: _Case) -> str:
    """Return the SQL of a case up to, and without, its COMMIT.

    All values are made by this module from letters, digits, '-', '/' and ':'.
    """
    if case.kind == "mortgage":
        right = (
            "INSERT INTO mortgage (parcel_no, receipt_no, creditor, amount) "
            "SELECT parcel_no, receipt_no, 'bank-1', 500000 FROM accepted"
        )
    else:
        right = (
            "INSERT INTO property_right (parcel_no, receipt_no, holder) "  # noqa: S608
            f"SELECT parcel_no, receipt_no, 'holder of {case.slip}' FROM accepted"
        )
    return f"""BEGIN;
WITH accepted AS (
  INSERT INTO registration (branch, slip, clerk, parcel_no, kind, accepted_at)
  VALUES ('{branch}', '{case.slip}', '{case.clerk}', '{case.parcel_no}', '{case.kind}',
          '{case.accepted_at}')
  RETURNING receipt_no, parcel_no
), entered AS ({right}), printed AS (
  INSERT INTO certificate (receipt_no, parcel_no) SELECT receipt_no, parcel_no FROM accepted
  RETURNING serial
) SELECT receipt_no, serial FROM accepted, printed"""  # noqa: S608


def run_office(settings: OfficeSettings) -> None:
    """Work as the office of this host, for ever."""
    Office(settings, Path(LEDGER), Path(STATE)).work()


__all__ = [
    "COLUMNS",
    "LEDGER",
    "STATE",
    "Answer",
    "Ledger",
    "Office",
    "OfficeSettings",
    "run_office",
]
