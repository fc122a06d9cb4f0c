"""Comparing after a recovery: two large tables where they lie, and the ledgers of many branches.

    python bench/reconcile_cost.py [ROWS [BRANCHES RECORDS [ROUNDS]]]      1000000 3000 500 3

No ROWS (0) or no BRANCHES (0) leaves that part out.  The ledgers come as CSV and as workbooks, and
as many records again in twice the branches: the cost is that of records, not of branches.

The floor of two tables is one scan of each that hashes every row, at the same time.  The floor of
branches is what a careful script does in one pass and one process, one thing after the other: count
and hash of every branch at the centre, the same of every file, and the rows of the unequal ones by
key; no window, no other way of writing, no column that moved, no serial numbers, no names.  A row
below it reads the files while the centre works.  What is found is checked first: a figure of a
comparison that misses a break is not printed.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import peers
from reconcile_data import ROOT, Truth, Wire, branches, two_tables
from samples import Measured, Row, SkippedError, Worker, in_turns, serve

from dr.reconcile.branch_type import Source
from dr.reconcile.branches import compare_branches
from dr.reconcile.first_look import Submission
from dr.reconcile.read_csv import text_of
from dr.reconcile.relation import Relation, snapshot
from dr.reconcile.row_hash import typed
from dr.reconcile.session import Session
from dr.reconcile.table_breaks import table_breaks
from dr.reconcile.tables import compare_tables
from tests.integration.postgres_server import PostgresServer, own_server
from tests.reconcile_corpus import QUERY, SHAPE, WINDOW

PEERS = Path(__file__).parent / "peers_reconcile.txt"
SESSION = Session("bench", WINDOW)
AIM_DIFFERENCE, AIM_NAMED, AIM_BRANCHES = 3.5, 6.0, 1.3


def rows(rounds: int, size: int = 1_000_000, count: int = 3000, records: int = 500) -> list[Row]:
    """Return the rows of both measures."""
    found: list[Row] = []
    if size:
        with own_server() as server:
            found = _tables(server, size, rounds)
    if not count:
        return found
    with own_server() as server, tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        found += _branches(server, Path(folder), count, records, rounds)
        found += _workbooks(server, Path(folder), count, records, rounds)
        return found + _more_branches(server, Path(folder), count * 2, records // 2, rounds)


def _new(server: PostgresServer) -> str:
    return server.database().partition("@/")[2].partition("?")[0]


def _tables(server: PostgresServer, size: int, rounds: int) -> list[Row]:
    names = [_new(server), _new(server)]
    with server.connect(names[0]) as old, server.connect(names[1]) as new:
        truth = two_tables(old, new, size, seed=size)
        login = {"host": str(server.folder), "names": names}
        with Worker([sys.executable, __file__, "--serve"]) as worker:
            moved = _through_a_counter(worker, server, names, truth)
            subjects: dict[str, Callable[[], float]] = {
                "floor": lambda: _floor((old, new)),
                "rows copied out": lambda: _copied((old, new)),
                "dr, difference": lambda: worker.ask(what="difference", **login)["seconds"],
                "dr, named, serials audited": lambda: _named(worker, login, truth)["seconds"],
            }
            subjects["pg_comparator"] = lambda: _pg_comparator(server, names)
            with ExitStack() as stack:
                _with_peer(stack, subjects, server, names)
                measured = in_turns(rounds, subjects)
            memory = worker.ask(what="memory")["mib"]
    notes = {
        "floor": "a typed 64-bit hash of every row and their xor, both sides at once",
        "rows copied out": "COPY of both sides to nowhere, at once: what shipping rows begins with",
        "dr, difference": f"{moved / 1e6:.2f} MB moved, {memory:.0f} MiB of memory with Python",
        "dr, named, serials audited": f"{len(truth)} of {len(truth)} breaks named, 0 false",
        "pg_comparator": "integer key; keys and what to do with them, no names; writes temp tables",
        "reladiff": f"integer key; signs and keys only; {_found(measured)}",
    }
    aims = {"dr, difference": AIM_DIFFERENCE, "dr, named, serials audited": AIM_NAMED}
    what = f"two tables of {size:,} rows, 200 breaks"
    return _rows(what, measured, subjects, notes, aims)


def _rows(
    what: str,
    measured: Measured,
    subjects: Mapping[str, Any],
    notes: Mapping[str, str],
    aims: Mapping[str, float],
) -> list[Row]:
    return [
        Row(
            what,
            name,
            measured.median(name),
            unit="s",
            ratio=None if name == "floor" else measured.ratio(name, "floor"),
            against="" if name == "floor" else "floor",
            aim=aims.get(name),
            note=f"skipped: {measured.skipped[name]}" if name in measured.skipped else notes[name],
            samples=measured.samples.get(name, ()),
        )
        for name in subjects
    ]


def _floor(wires: tuple[Wire, Wire]) -> float:
    def scan(wire: Wire) -> None:
        with snapshot(wire):
            relation = Relation.open(wire, QUERY, SHAPE, "id")
            hashed = typed(relation, SESSION.seed)
            relation.ask(f"SELECT count(*), bit_xor({hashed}) FROM {relation.source}", {})

    return _at_once(scan, wires)


def _copied(wires: tuple[Wire, Wire]) -> float:
    def copy(wire: Wire) -> None:
        statement = f"COPY ({QUERY}) TO STDOUT (FORMAT binary)"
        with wire.cursor().copy(statement.encode()) as out:
            for _ in out:
                pass

    return _at_once(copy, wires)


def _at_once(task: Callable[[Wire], None], wires: tuple[Wire, Wire]) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(task, wires))
    return time.perf_counter() - began


def _named(worker: Worker, login: Mapping[str, Any], truth: Truth) -> dict[str, Any]:
    answer = worker.ask(what="named", **login)
    found = {tuple(each) for each in answer["breaks"]}
    wanted = {(kind.value, branch, key) for kind, branch, key in truth}
    if found != wanted or len(found) != len(answer["breaks"]):
        extra, missed = sorted(found - wanted)[:3], sorted(wanted - found)[:3]
        raise SkippedError(f"not what was seeded: false {extra}, missed {missed}")
    return answer


def _pg_comparator(server: PostgresServer, names: Sequence[str]) -> float:
    """Ask the quickest peer, with its quickest options; Debian: postgresql-comparator."""
    program = shutil.which("pg_comparator")
    if program is None:
        raise SkippedError("pg_comparator is not installed")
    for name in names:
        with server.connect(name) as wire:
            wire.execute("SET default_transaction_read_only = off")
            wire.execute("CREATE EXTENSION IF NOT EXISTS pgcmp")
    columns = ",".join(("branch", *SHAPE.names))
    sides = [f"pgsql://postgres@/{name}/registration?id:{columns}" for name in names]
    options = ["--use-key", "--cf=fnv", "--cs=8", "--aggregate=xor"]
    began = time.perf_counter()
    done = subprocess.run(
        [program, *options, *sides],
        env={**os.environ, "PGHOST": str(server.folder)},
        capture_output=True,
        check=False,
    )
    took = time.perf_counter() - began
    if not done.stdout.strip():
        raise SkippedError(f"pg_comparator: {done.stderr.decode(errors='replace')[-200:]}")
    return took


_signs: list[int] = []


def _found(measured: Measured) -> str:
    return f"{_signs[-1]} signs" if _signs else measured.skipped.get("reladiff", "")


def _with_peer(
    stack: ExitStack,
    subjects: dict[str, Callable[[], float]],
    server: PostgresServer,
    names: list[str],
) -> None:
    def reladiff() -> float:
        answer = worker.ask(host=str(server.folder), names=names)
        _signs.append(int(answer["found"]))
        return float(answer["seconds"])

    def skipped() -> float:
        raise SkippedError(why)

    try:
        python = peers.python(PEERS)
    except SkippedError as error:
        why = str(error)
        subjects["reladiff"] = skipped
        return
    program = Path(__file__).parent / "peer_reladiff.py"
    worker = stack.enter_context(Worker([python, program]))
    subjects["reladiff"] = reladiff


def _through_a_counter(
    worker: Worker, server: PostgresServer, names: list[str], truth: Truth
) -> int:
    """Return how many bytes a named comparison moves; this one is not timed."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        with _counter(server.folder / ".s.PGSQL.5432", Path(folder) / ".s.PGSQL.5432") as moved:
            _named(worker, {"host": folder, "names": names}, truth)
        return sum(moved)


@contextmanager
def _counter(real: Path, shown: Path) -> Iterator[list[int]]:
    """Pass connections on and count what goes through."""
    moved: list[int] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(shown))
    listener.listen()

    def carry(source: socket.socket, target: socket.socket) -> None:
        while data := source.recv(1 << 16):
            moved.append(len(data))
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            wire = socket.socket(socket.AF_UNIX)
            wire.connect(str(real))
            for one, other in ((client, wire), (wire, client)):
                threading.Thread(target=carry, args=(one, other), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield moved
    finally:
        listener.close()


def _answer(what: str, host: str = "", names: tuple[str, ...] = ()) -> dict[str, Any]:
    """Be the process whose memory is counted: it holds dr, psycopg and nothing of the test."""
    import psycopg

    if what == "memory":
        return {"mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    with ExitStack() as stack:
        wires = [
            stack.enter_context(
                psycopg.connect(
                    host=host, user="postgres", dbname=name, autocommit=True,
                    options="-c default_transaction_read_only=on",
                )
            )
            for name in names
        ]  # fmt: skip
        began = time.perf_counter()
        for wire in wires:
            stack.enter_context(snapshot(wire))
        left, right = (Relation.open(wire, QUERY, SHAPE, "id") for wire in wires)
        difference = compare_tables(SESSION, left, right, windowed=False)
        breaks = table_breaks(SESSION, right, difference, windowed=False) if what == "named" else ()
        took = time.perf_counter() - began
    return {"seconds": took, "breaks": [(b.kind.value, b.branch, b.key) for b in breaks]}


def _branches(
    server: PostgresServer, folder: Path, count: int, records: int, rounds: int
) -> list[Row]:
    with server.connect(_new(server)) as wire:
        ledgers, truth, register = branches(wire, folder, count, records, each=8)
        submissions = [Submission(name, kind, path) for name, kind, path in ledgers]
        paths = [path for _, _, path in ledgers]

        def read() -> float:
            began = time.perf_counter()
            for path in paths:
                list(csv.reader(io.StringIO(text_of("", path.read_bytes())[0], newline="")))
            return time.perf_counter() - began

        subjects: dict[str, Callable[[], float]] = {
            "floor": lambda: _one_pass(wire, ledgers),
            "floor, centre and files at once": lambda: _one_pass(wire, ledgers, at_once=True),
            "files read": read,
            "dr": lambda: _compared(wire, submissions, register, truth, audit=False),
            "dr, serials audited": lambda: _compared(wire, submissions, register, truth),
            "a loop over branches": lambda: _loop(wire, ledgers),
        }
        measured = in_turns(rounds, subjects)
    notes = {
        "floor": "one pass of a script over all: MD5 sums of both sides, unequal branches by key",
        "floor, centre and files at once": "the same, in two threads",
        "files read": "every file through csv.reader and nothing else",
        "dr": "without the audit of serial numbers",
        "dr, serials audited": f"{len(truth)} of {len(truth)} breaks named, 0 false",
        "a loop over branches": "a SELECT, a dict and a set a branch; finds keys only; no network",
    }
    what = f"{count:,} branches of {records} records"
    return _rows(what, measured, subjects, notes, {"dr, serials audited": AIM_BRANCHES})


def _workbooks(
    server: PostgresServer, folder: Path, count: int, records: int, rounds: int
) -> list[Row]:
    """Compare the same ledgers as workbooks, beside what reads them and does nothing else."""
    # here: the process whose memory is counted runs this file too
    from python_calamine import CalamineWorkbook

    from dr.lab.spoiling.xlsx import workbook

    place = folder / "workbooks"
    place.mkdir()
    with server.connect(_new(server)) as wire:
        ledgers, truth, register = branches(wire, place, count, records, each=8)
        for _, _, path in ledgers:
            with path.open(encoding="utf-8", newline="") as file:
                content = workbook(list(csv.reader(file)))
            path.write_bytes(content)
        submissions = [
            Submission(name, replace(kind, source=Source.XLSX), path)
            for name, kind, path in ledgers
        ]

        def read() -> float:
            began = time.perf_counter()
            for _, _, path in ledgers:
                with CalamineWorkbook.from_path(path) as book:
                    book.get_sheet_by_index(0).to_python(skip_empty_area=False)
            return time.perf_counter() - began

        what = f"{count:,} workbooks of {records} records"
        floor = read, "every workbook through calamine and nothing else, in one process"
        return _beside(what, floor, rounds, wire, (submissions, register, truth))


def _more_branches(
    server: PostgresServer, folder: Path, count: int, records: int, rounds: int
) -> list[Row]:
    place = folder / "more"
    place.mkdir()
    with server.connect(_new(server)) as wire:
        ledgers, truth, register = branches(wire, place, count, records, each=8)
        submissions = [Submission(name, kind, path) for name, kind, path in ledgers]
        what = f"{count:,} branches of {records:,} records"
        floor = (lambda: _one_pass(wire, ledgers)), "one pass of a script over all"
        return _beside(what, floor, rounds, wire, (submissions, register, truth))


def _beside(
    what: str,
    floor: tuple[Callable[[], float], str],
    rounds: int,
    wire: Wire,
    given: tuple[list[Submission], Any, Truth],
) -> list[Row]:
    """Measure a whole comparison beside a floor, of which the second part says what it does."""
    subjects: dict[str, Callable[[], float]] = {
        "floor": floor[0],
        "dr, serials audited": lambda: _compared(wire, *given),
    }
    found = f"{len(given[2])} of {len(given[2])} breaks named, 0 false"
    notes = {"floor": floor[1], "dr, serials audited": found}
    return _rows(what, in_turns(rounds, subjects), subjects, notes, {})


def _compared(
    wire: Wire, submissions: list[Submission], register: Any, truth: Truth, *, audit: bool = True
) -> float:
    """Return the seconds that a comparison takes; what it found is checked."""
    began = time.perf_counter()
    with snapshot(wire):
        relation = Relation.open(wire, QUERY, SHAPE, "id")
        found = compare_branches(SESSION, relation, submissions, register=register, audit=audit)
    took = time.perf_counter() - began
    if audit and {(b.kind, b.branch, b.key) for b in found.breaks} != truth:
        raise SkippedError("not what was seeded")
    return took


def _one_pass(wire: Wire, ledgers: list[tuple[str, Any, Path]], *, at_once: bool = False) -> float:
    """Compare all branches at once, as a careful script would."""
    line = " || chr(31) || ".join(f"coalesce({c}, '')" for c in _CENTRAL)
    sums = f"""SELECT branch, count(*), sum(('x' || left(md5({line}), 16))::bit(64)::bigint)
FROM registration GROUP BY 1"""
    began = time.perf_counter()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lambda: wire.execute(sums.encode()).fetchall())
        if not at_once:
            asked.result()
        ours = {name: _sum_of(path) for name, _, path in ledgers}
        centre = {name: (count, int(total)) for name, count, total in asked.result()}
    unequal = {name: path for name, _, path in ledgers if centre.get(name) != ours[name]}
    assert 0 < len(unequal) < len(ledgers)
    rows = f"SELECT branch, {', '.join(_CENTRAL)} FROM registration WHERE branch = ANY(%s)"
    by_branch: dict[str, dict[str, Any]] = {name: {} for name in unequal}
    for name, *values in wire.execute(rows.encode(), (list(unequal),)):
        by_branch[name][values[0]] = values
    found = [
        _different({row[0]: row for row in _lines(path)}, by_branch[name])
        for name, path in unequal.items()
    ]
    assert sum(map(bool, found)) > len(found) // 2  # doubles of a key it does not see
    return time.perf_counter() - began


_CENTRAL = (
    "slip", "receipt", "parcel", "holder", "amount::text", "status", "serial", "revision::text",
    "to_char(at AT TIME ZONE INTERVAL '+08:00', 'YYYY-MM-DD HH24:MI:SS')",
)  # fmt: skip


def _lines(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row[: len(_CENTRAL)] for row in csv.reader(file)][1:]


def _sum_of(path: Path) -> tuple[int, int]:
    md5, join = hashlib.md5, "\x1f".join
    digests = b"".join([md5(join(row).encode()).digest() for row in _lines(path)])
    halves = struct.unpack(f">{len(digests) // 8}q", digests)
    return len(halves) // 2, sum(halves[::2])


def _different(written: Mapping[str, Any], kept: Mapping[str, Any]) -> set[str]:
    both = written.keys() & kept.keys()
    return (written.keys() ^ kept.keys()) | {key for key in both if written[key] != kept[key]}


def _loop(wire: Wire, ledgers: list[tuple[str, Any, Path]]) -> float:
    """Compare branch by branch, as a script would."""
    asked = "SELECT slip, receipt, parcel, holder, amount::text, serial FROM registration"
    began = time.perf_counter()
    for name, _, path in ledgers:
        central = {r[0]: r for r in wire.execute(f"{asked} WHERE branch = %s".encode(), (name,))}
        with path.open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file):
                found = central.get(line["业务编号"])
                _ = found is None or found[2] != line["不动产单元号"] or found[4] != line["金额"]
    return time.perf_counter() - began


def main(arguments: list[str]) -> None:
    """Measure and print."""
    from results import table

    given = [int(a) for a in arguments]
    size, count, records, rounds = [*given, *(1_000_000, 3000, 500, 3)[len(given) :]]
    found = rows(rounds, size, count, records)
    sys.stdout.write(table(found))
    sys.stdout.write(json.dumps([r.samples for r in found]) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve(_answer)
    else:
        main(sys.argv[1:])
