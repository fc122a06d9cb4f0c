"""Check a bundle from its bytes alone, and name the first line that does not fit.  Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dr.engine.core.canonical import GENESIS, canonical_bytes, digest
from dr.engine.journal.bundle import COLUMNS, FORMAT, HeadStatement, shown_line
from dr.engine.journal.sealing import canonical_text
from dr.engine.journal.verdict import hash_of
from dr.engine.journal.withholding import IN_RECORD, NAMES

_HASH = re.compile(r"[0-9a-f]{64}")
_FIRST = {"bundle", "head", "record", "rows", "run", "withheld"}
_END = {"end", "signature", "statement"}
_SHOWN = {*COLUMNS, "data", "hash"}
_HELD = {*COLUMNS, "hash", "withheld"}
_CREATED = "run.created"


@dataclass(frozen=True, slots=True)
class BundleVerdict:
    """What the bytes of a bundle say; a signature is not checked here.

    Attributes:
        rows: how many events fit, from the first on.
        withheld_rows: how many of them hold back their data: of those only the hash is proven.
        first_bad: ``seq`` of the first event that does not fit or is missing; None when all do,
            and when what does not fit is no event.
        head: the hash of the last event that fits.
        record: the run's own record as data, proven by the first event; None when withheld.
        statement: what was signed, and it says what the bundle says; None without a signature.
    """

    ok: bool
    run: str
    rows: int
    withheld_rows: int
    withheld: tuple[str, ...]
    first_bad: int | None
    because: str
    head: str
    record: Mapping[str, Any] | None = None
    statement: HeadStatement | None = None
    signature: str = ""


class _BadError(ValueError):
    """What is wrong, and at which event."""

    def __init__(self, message: str, seq: int | None = None) -> None:
        super().__init__(message)
        self.seq = seq


def check(lines: Iterable[bytes]) -> BundleVerdict:
    """Return the verdict on the lines of a file, each with its line feed."""
    reading = _Reading()
    try:
        reading.all(lines)
    except _BadError as bad:
        return reading.verdict(bad)
    except (ValueError, TypeError, RecursionError):  # no journal wrote such a value
        seq = reading.rows + 1
        return reading.verdict(_BadError(f"event {seq} is not written canonically", seq))
    return reading.verdict(None)


class _Reading:
    """A walk through a bundle, line by line."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()
        self.first: Mapping[str, Any] | None = None
        self.rows = 0
        self.held = 0
        self.head = GENESIS
        self.end: Mapping[str, Any] | None = None
        self.statement: HeadStatement | None = None

    def verdict(self, bad: _BadError | None) -> BundleVerdict:
        first = self.first or {}
        signed = bad is None and self.end is not None
        return BundleVerdict(
            ok=bad is None,
            run=str(first.get("run", "")),
            rows=self.rows,
            withheld_rows=self.held,
            withheld=tuple(first.get("withheld", ())),
            first_bad=bad.seq if bad else None,
            because=str(bad) if bad else "",
            head=self.head,
            record=first.get("record") if bad is None else None,
            statement=self.statement if signed else None,
            signature=str((self.end or {}).get("signature") or "") if signed else "",
        )

    def all(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            if self.end is not None:
                raise _BadError("something follows the end line")
            if not line.endswith(b"\n"):
                raise _BadError("the last line is cut off", self.rows + 1)
            self._line(line)
            self.sha256.update(line)
        if self.first is None:
            raise _BadError("the file is empty")
        if self.end is None:
            raise _BadError("the end line is missing: the file was cut", self.rows + 1)

    def _line(self, line: bytes) -> None:
        if self.first is None:
            self.first = _first(line)
            return
        found = self._parsed(line)
        if "end" in found:
            self._end(line, found)
        else:
            self._event(line, found)

    def _parsed(self, line: bytes) -> dict[str, Any]:
        try:
            return _parsed(line)
        except ValueError as error:
            seq = self.rows + 1
            raise _BadError(f"the line of event {seq} cannot be read: {error}", seq) from None

    def _event(self, line: bytes, found: dict[str, Any]) -> None:
        assert self.first is not None  # noqa: S101 - read before any event
        expected, seq = self.rows + 1, found.get("seq")
        if set(found) not in (_SHOWN, _HELD) or type(seq) is not int:
            raise _BadError(f"event {expected} does not have the fields of an event", expected)
        if seq > expected:
            raise _BadError(f"event {expected} is missing: event {seq} is next", expected)
        if seq < expected:
            raise _BadError(f"event {seq} is there out of its place", seq)
        if found["run"] != self.first["run"]:
            raise _BadError(f"event {seq} is of another run", seq)
        if "withheld" in found:
            self._withheld(line, found, seq)
        else:
            self._shown(line, found, seq)
        self.rows, self.head = seq, found["hash"]
        if seq == 1:
            self._record(found)

    def _shown(self, line: bytes, found: dict[str, Any], seq: int) -> None:
        columns = tuple(found[name] for name in COLUMNS)
        data = canonical_text(found["data"])
        row_hash = found["hash"]
        if hash_of(self.head, (*columns, data, row_hash)) != row_hash:
            raise _BadError(f"event {seq} is not as it was written: its hash does not fit", seq)
        if shown_line(columns, data, row_hash).encode() + b"\n" != line:
            raise _BadError(f"event {seq} is not written canonically", seq)

    def _withheld(self, line: bytes, found: dict[str, Any], seq: int) -> None:
        names, allowed = found["withheld"], set((self.first or {})["withheld"])
        if not isinstance(names, list) or not names or not allowed.issuperset(map(str, names)):
            raise _BadError(f"event {seq} is withheld for no reason that line 1 names", seq)
        if not _HASH.fullmatch(str(found["hash"])) or canonical_bytes(found) + b"\n" != line:
            raise _BadError(f"event {seq} is not written canonically", seq)
        self.held += 1

    def _record(self, found: dict[str, Any]) -> None:
        record = (self.first or {})["record"]
        data = found.get("data")
        if record is None:
            return
        if not isinstance(data, dict) or found["kind"] != _CREATED:
            raise _BadError("event 1, which proves the record in line 1, is not shown", 1)
        if data.get("record_sha256") != digest(record):
            raise _BadError("the record in line 1 is not as it was written (event 1 has its hash)")

    def _end(self, line: bytes, found: dict[str, Any]) -> None:
        assert self.first is not None  # noqa: S101 - read before any end
        if set(found) != _END or canonical_bytes(found) + b"\n" != line:
            raise _BadError("the end line is not written canonically")
        wanted = self.first["rows"]
        if self.rows < wanted:
            seq = self.rows + 1
            raise _BadError(f"event {seq} is missing: line 1 counts {wanted}", seq)
        if self.rows > wanted:
            raise _BadError(f"line 1 counts {wanted} events; there are more", wanted + 1)
        if self.head != self.first["head"]:
            raise _BadError("the last event is not the one that line 1 names", self.rows)
        if found["end"] != self.sha256.hexdigest():
            raise _BadError("a line was changed: the digest in the end line does not fit")
        self._signed(found)
        self.end = found

    def _signed(self, found: dict[str, Any]) -> None:
        data, signature = found["statement"], found["signature"]
        if data is None and signature is None:
            return
        if not isinstance(signature, str):
            raise _BadError("the end line has a signed head but no signature")
        try:
            said = HeadStatement.read(data)
        except (ValueError, TypeError) as error:
            raise _BadError(f"the signed head cannot be read: {error}") from None
        first = self.first or {}
        of_bundle = (first["run"], first["rows"], first["head"], found["end"])
        if (said.run, said.seq, said.head, said.bundle_sha256) != of_bundle:
            raise _BadError(f"the signed head is another: {said.seq} events ending in {said.head}")
        self.statement = said


def _first(line: bytes) -> dict[str, Any]:
    try:
        found = _parsed(line)
        if found.get("bundle") != FORMAT:
            raise ValueError(f"this dr reads bundles of the format {FORMAT}")
        if set(found) != _FIRST or canonical_bytes(found) + b"\n" != line:
            raise ValueError("it is not written canonically")
        _types(found)
    except ValueError as error:
        raise _BadError(f"line 1 is no beginning of a bundle: {error}") from None
    return found


def _types(found: Mapping[str, Any]) -> None:
    names = found["withheld"]
    sound = (
        isinstance(found["run"], str)
        and type(found["rows"]) is int
        and isinstance(found["record"], dict | None)
        and isinstance(names, list)
        and set(NAMES).issuperset(map(str, names))
    )
    if not sound:
        raise ValueError("a value is not of its type")
    if (found["record"] is None) != bool(IN_RECORD.intersection(names)):
        raise ValueError("the record is withheld for no reason that it names")


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line.decode(), parse_constant=_refused)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - as every other line that is none
    return found


def _refused(word: str) -> None:
    raise ValueError(f"{word} is no JSON number")
