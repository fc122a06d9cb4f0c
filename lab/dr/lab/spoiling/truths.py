"""What was spoilt, kept aside: a file in the lab's directory that no host of it can see.

Nothing but the truth itself is read from here: whoever compares ledgers must find it alone.  A
batch is written down before it is done and closed when it is done; one that is neither closed nor
withdrawn may have happened or not, and says so.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_FILE = "truth.jsonl"
_VERSION = 1
NOTHING = "nothing"
"""The class of what looks odd and is no break: whoever reports it is wrong."""

Value = str | None
Fields = Mapping[str, tuple[Value, Value]]
"""dr's word of a column: the centre's value, the branch's; None where that side has no record."""


@dataclass(frozen=True, slots=True)
class Truth:
    """One thing that must be found.

    Attributes:
        what: the kind of spoiling.
        break_class: the class of the break, such as ``missing_central``.
        branch: the branch that it is to be told to.
        subclass: what more is known, such as ``rpo_tail``; may be empty.
        key: the slip in the branch's ledger, or at the centre when only that has it; the number of
            a form for serial classes; empty when a whole file is meant.
        fields: the columns that differ; all of them when one side has no record.
        where: what was touched: ``central``, ``ledger``, ``both`` or ``file``.
        file: its path on the branch's host, when a file was handed in.
        detail: what else there is to know, by kind.
    """

    what: str
    break_class: str
    branch: str
    subclass: str = ""
    key: str = ""
    fields: Fields = field(default_factory=dict)
    where: str = "central"
    file: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    batch: int = 0

    def plain(self) -> dict[str, Any]:
        """Return what stands in the file and in ``dr lab truth --json``."""
        return {
            "batch": self.batch,
            "what": self.what,
            "class": self.break_class,
            "subclass": self.subclass,
            "branch": self.branch,
            "key": self.key,
            "fields": {
                word: {"central": central, "ledger": ledger}
                for word, (central, ledger) in self.fields.items()
            },
            "where": self.where,
            "file": self.file,
            "detail": dict(self.detail),
        }

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Truth:
        """Read a line of the file."""
        return cls(
            what=line["what"],
            break_class=line["class"],
            branch=line["branch"],
            subclass=line["subclass"],
            key=line["key"],
            fields={w: (v["central"], v["ledger"]) for w, v in line["fields"].items()},
            where=line["where"],
            file=line["file"],
            detail=line["detail"],
            batch=line["batch"],
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """What one call spoilt.

    Attributes:
        replaces: the branch whose earlier file is no longer handed in; empty when none is.
        done: False: it was under way when its process ended; it may have happened or not.
    """

    number: int
    what: str
    seed: int
    at: str
    truths: tuple[Truth, ...]
    replaces: str = ""
    done: bool = False

    @property
    def keys(self) -> frozenset[str]:
        """Every key and slip that it touched."""
        found = {truth.key for truth in self.truths}
        for truth in self.truths:
            found.update(map(str, truth.detail.get("touched", ())))
        return frozenset(found - {""})


class TruthFile:
    """The file, opened for one call and locked against others."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.batches = _read(os.pread(fd, os.fstat(fd).st_size, 0).decode())

    @property
    def next_number(self) -> int:
        """The number of a new batch."""
        return 1 + max((batch.number for batch in self.batches), default=0)

    def announce(self, batch: Batch) -> None:
        """Write down what is going to be done."""
        head = {"seed": batch.seed, "at": batch.at, "replaces": batch.replaces}
        lines = [{"batch": batch.number, "begins": batch.what, **head}]
        lines += [replace(truth, batch=batch.number).plain() for truth in batch.truths]
        self._write(lines)

    def close(self, number: int) -> None:
        """Write down that the batch was done."""
        self._write([{"batch": number, "ends": "done"}])

    def withdraw(self, number: int) -> None:
        """Write down that nothing of the batch was done."""
        self._write([{"batch": number, "ends": "withdrawn"}])

    def _write(self, lines: Iterable[Mapping[str, Any]]) -> None:
        text = "".join(
            json.dumps({"v": _VERSION, **line}, ensure_ascii=False) + "\n" for line in lines
        )
        data = text.encode()
        while data:
            data = data[os.write(self._fd, data) :]
        os.fsync(self._fd)


def path_of(directory: Path) -> Path:
    """Return where the lab in ``directory`` keeps its truth."""
    return directory / _FILE


@contextmanager
def opened(directory: Path) -> Iterator[TruthFile]:
    """Open the truth of a lab to add to it; one call at a time."""
    fd = os.open(path_of(directory), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield TruthFile(fd)
    finally:
        os.close(fd)


def batches(directory: Path) -> list[Batch]:
    """Return what was spoilt in the lab of ``directory``, oldest first."""
    path = path_of(directory)
    return _read(path.read_text(encoding="utf-8")) if path.exists() else []


def in_force(every: Iterable[Batch]) -> list[Truth]:
    """Return what must be found now: a file that was replaced is not handed in any more."""
    every = list(every)
    last = {batch.replaces: batch.number for batch in every if batch.replaces}
    return [
        truth
        for batch in every
        if not batch.replaces or last[batch.replaces] == batch.number
        for truth in batch.truths
    ]


def now() -> str:
    """Return the moment, for the file."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _read(text: str) -> list[Batch]:
    """Return the batches of a file; a last line that was cut off is left out."""
    found: dict[int, Batch] = {}
    for raw in text[: text.rfind("\n") + 1].splitlines():
        line = json.loads(raw)
        number = line["batch"]
        if "begins" in line:
            found[number] = Batch(
                number, line["begins"], line["seed"], line["at"], (), line["replaces"]
            )
        elif line.get("ends") == "withdrawn":
            del found[number]
        elif "ends" in line:
            found[number] = replace(found[number], done=True)
        else:
            truths = (*found[number].truths, Truth.of(line))
            found[number] = replace(found[number], truths=truths)
    return list(found.values())
