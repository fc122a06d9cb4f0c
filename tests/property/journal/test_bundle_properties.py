"""A bundle verifies, and nothing done to one afterwards escapes the check.

The forger of these tests knows the format: every change is followed by a fresh digest in the end
line, so it is the chain and the signed head that have to find it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dr.engine.core.canonical import canonical_bytes, digest, plain
from dr.engine.core.errors import JournalError
from dr.engine.core.events import Draft, Kind
from dr.engine.core.questions import Answer
from dr.engine.journal.bundle import NAMESPACE, body, end_line
from dr.engine.journal.bundle_check import BundleVerdict, check
from dr.engine.journal.database import Row
from dr.engine.journal.records import stamped
from dr.engine.journal.rows import event_values
from dr.engine.journal.sealing import Head, seal
from dr.engine.journal.withholding import NAMES
from tests.contract.journal.sample import NOON, asked, created, finished, intent, note, record

RECORD = record(locks=("x",))
ANSWER = Answer(
    by="ana",
    verdict="approve",
    at="2026-11-01T12:00:01.000000Z",
    reason="the reason of ana",
    evidence={"barcode": "tape-barcode-0042", "count": 42},
    statement='{"reason":"the reason of ana"}',
)
DRAFTS: Sequence[Draft] = (
    *created(),
    intent("look", "db-a", 1),
    Draft(Kind.FINISHED, "look", "db-a", 1, {"state": "succeeded", "outputs": {"k": "output-77"}}),
    note("a note of ben"),
    asked(),
    Draft(
        Kind.QUESTION_ANSWERED, "promote", data={"question": "promote#1", "answer": plain(ANSWER)}
    ),
    Draft(Kind.STEP_FINISHED, "promote", data={"outputs": {"count": 42}}),
    Draft(Kind.RUN_STATE, data={"state": "running", "because": "got tape-barcode-0042"}),
    Draft(Kind.INTENT, "promote", "db-b", 1, {"describes": ["promote with output-77"]}),
    finished("promote", "db-b", 1),
    Draft(Kind.OP_ABORT, data={"by": "ben", "because": "ok"}),
    Draft(Kind.RUN_STATE, data={"state": "failed", "because": "ben said: ok"}),
    Draft(Kind.STEP_CANCELLED, "look", data={"because": "ok"}),
    Draft(Kind.RUN_FACTS, data={"name": "roles", "facts": {"lsn": 123456789}}),
    Draft(Kind.RUN_CLOSED),
)
COUNT = len(DRAFTS)
Lines = list[bytes]
patient = settings(deadline=None)
"""A busy machine is no failure."""
seqs = st.integers(1, COUNT)
names = st.sets(st.sampled_from(NAMES))


@cache
def rows() -> tuple[Row, ...]:
    """Return the rows of a run of every kind of field that can be withheld."""
    sealed = seal(RECORD.id, stamped(RECORD, DRAFTS), head=Head(), epoch=0, at=NOON)
    return tuple(tuple(event_values(one).values()) for one in sealed)


@cache
def bundle(withhold: frozenset[str] = frozenset(), *, signed: bool = False) -> tuple[bytes, ...]:
    """Return the lines of a bundle; the text of its signature is made up, as it is not checked."""
    written = body(RECORD, rows(), withhold)
    sha256 = _sha256(written.lines)
    statement = written.statement(sha256, NOON, NAMESPACE + "lab") if signed else None
    return (*written.lines, end_line(sha256, statement, "made up" if signed else None))


def _sha256(lines: Sequence[bytes]) -> str:
    return hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()


def checked(lines: Sequence[bytes], *, fresh_digest: bool = True) -> BundleVerdict:
    """Return the verdict on lines whose digest was computed anew, as a forger would."""
    *most, last = lines
    if fresh_digest:
        last = canonical_bytes({**json.loads(last), "end": _sha256(most)})
    return check(line + b"\n" for line in (*most, last))


def edited(line: bytes, **changes: Any) -> bytes:
    return canonical_bytes({**json.loads(line), **changes})


def refused(verdict: BundleVerdict, seq: int | None = None) -> None:
    assert not verdict.ok
    assert verdict.because
    assert verdict.record is None
    assert verdict.statement is None
    if seq is not None:
        assert (verdict.first_bad, verdict.rows) == (seq, seq - 1)


@patient
@given(names, st.booleans())
def test_what_was_written_verifies(withhold: set[str], signed: bool) -> None:
    verdict = checked(bundle(frozenset(withhold), signed=signed), fresh_digest=False)

    assert (verdict.ok, verdict.because, verdict.first_bad) == (True, "", None)
    assert (verdict.run, verdict.rows, verdict.head) == (RECORD.id, COUNT, rows()[-1][9])
    assert set(verdict.withheld) == withhold
    assert (verdict.statement is not None) == signed
    assert (verdict.record is None) == bool(withhold & {"inputs", "inventory"})


@patient
@given(
    seqs,
    st.sampled_from(["at", "kind", "step", "host", "attempt", "epoch", "data", "hash", "run"]),
    st.none() | st.text(max_size=4) | st.integers(-2, 9) | st.floats() | st.just({"a": "b"}),
)
def test_any_edited_row_is_found(seq: int, column: str, value: Any) -> None:
    lines = list(bundle())
    changed = edited(lines[seq], **{column: value})
    if changed == lines[seq]:
        return
    lines[seq] = changed
    refused(checked(lines), seq)


@patient
@given(st.sets(seqs, min_size=1))
def test_any_removed_row_is_found_by_what_line_1_counts(gone: set[int]) -> None:
    lines = [line for n, line in enumerate(bundle()) if n not in gone]
    refused(checked(lines), min(gone))


@patient
@given(st.permutations(range(1, COUNT + 1)))
def test_any_new_order_is_found(order: Sequence[int]) -> None:
    first, *_, end = lines = list(bundle())
    moved = [n for n, o in enumerate(order, 1) if n != o]
    verdict = checked([first, *(lines[o] for o in order), end])
    assert verdict.ok == (not moved)
    if moved:
        refused(verdict, None)
        assert verdict.rows == moved[0] - 1


@patient
@given(seqs, st.integers(1, COUNT + 1), st.booleans())
def test_any_row_put_in_is_found(which: int, before: int, counted: bool) -> None:
    lines = list(bundle())
    # as it is, or with the number of the place, and line 1 made to count it
    extra = edited(lines[which], seq=before) if counted else lines[which]
    lines.insert(before, extra)
    lines[0] = edited(lines[0], rows=COUNT + 1)
    refused(checked(lines))


@patient
@given(
    st.sampled_from(["bundle", "head", "record", "rows", "run"]),
    st.text(max_size=4) | st.integers(-2, 40) | st.just({}) | st.none() | st.just("a" * 64),
)
def test_any_changed_value_of_line_1_is_found(name: str, value: Any) -> None:
    lines = list(bundle())
    changed = edited(lines[0], **{name: value})
    if changed == lines[0]:
        return
    lines[0] = changed
    refused(checked(lines))


@patient
@given(st.sampled_from(sorted(plain(RECORD))), st.text(max_size=4) | st.integers())
def test_any_changed_value_of_the_record_is_found(name: str, value: Any) -> None:
    lines = list(bundle())
    shown = json.loads(lines[0])["record"]
    lines[0] = edited(lines[0], record={**shown, name: value})
    verdict = checked(lines)
    assert verdict.ok == (shown[name] == value)


@patient
@given(st.integers(1, COUNT))
def test_a_tail_that_is_cut_off_with_care_is_found_by_the_signed_head_alone(kept: int) -> None:
    def cut(lines: Sequence[bytes]) -> Lines:
        last = json.loads(lines[kept])
        first = edited(lines[0], rows=kept, head=last["hash"])
        return [first, *lines[1 : kept + 1], lines[-1]]

    assert checked(cut(bundle())).ok  # which is why an unsigned bundle is said to be unsigned
    verdict = checked(cut(bundle(signed=True)))
    assert verdict.ok == (kept == COUNT)
    if kept < COUNT:
        assert "signed head" in verdict.because


Change = Callable[[Lines], Any]
changes = st.one_of(
    st.builds(lambda n: lambda ls: ls.pop(n), seqs),
    st.builds(lambda n, m: lambda ls: ls.insert(m, ls[n]), seqs, seqs),
    st.builds(
        lambda n, c, v: lambda ls: ls.__setitem__(n, edited(ls[n], **{c: v})),
        seqs,
        st.sampled_from(["at", "kind", "step", "withheld", "hash", "data"]),
        st.sampled_from(["a", 1, None, ["outputs"], {}]),
    ),
    st.builds(
        lambda c, v: lambda ls: ls.__setitem__(0, edited(ls[0], **{c: v})),
        st.sampled_from(["withheld", "head", "rows", "record"]),
        st.sampled_from([None, [], ["outputs", "reasons"], 3]),
    ),
)


@patient
@given(names, changes)
def test_any_change_of_a_signed_bundle_is_found_the_withheld_rows_too(
    withhold: set[str], change: Change
) -> None:
    lines = list(bundle(frozenset(withhold), signed=True))
    change(lines)
    if lines == list(bundle(frozenset(withhold), signed=True)):
        return
    refused(checked(lines))


@patient
@given(names, st.integers(0), st.integers(1, 255), st.booleans())
def test_any_changed_byte_and_any_cut_is_found(
    withhold: set[str], place: int, flip: int, cut: bool
) -> None:
    raw = bytearray(b"".join(line + b"\n" for line in bundle(frozenset(withhold))))
    place %= len(raw)
    if cut:
        del raw[place:]
    else:
        raw[place] ^= flip
    refused(check(bytes(raw).splitlines(keepends=True)))


PLANTED = {
    "outputs": ["output-77", "123456789"],
    "evidence": ["tape-barcode-0042", '"count":42'],
    "reasons": ["the reason of ana", "a note of ben", '"ok"'],
    "inputs": ["promote with output-77"],
    "inventory": ["198.18.1.11", "主库"],
}


@patient
@given(names)
def test_what_is_withheld_is_nowhere_in_the_file(withhold: set[str]) -> None:
    text = b"\n".join(bundle(frozenset(withhold))).decode()
    for name, values in PLANTED.items():
        if name in withhold:
            assert [v for v in values if v in text] == []
    if not withhold:
        assert [v for values in PLANTED.values() for v in values if v not in text] == []


@patient
@given(st.sets(st.sampled_from(NAMES), min_size=1), seqs)
def test_the_hash_of_a_withheld_row_is_held_by_the_next_row_that_is_shown(
    withhold: set[str], seq: int
) -> None:
    lines = list(bundle(frozenset(withhold)))
    shown = [n for n in range(1, COUNT + 1) if "data" in json.loads(lines[n])]
    if seq in shown or seq + 1 not in shown:
        return
    lines[seq] = edited(lines[seq], hash="a" * 64)
    refused(checked(lines), seq + 1)


@pytest.mark.parametrize("column", ["kind", "at", "step"])
def test_a_column_of_a_withheld_row_is_vouched_for_by_the_signature_and_by_nothing_else(
    column: str,
) -> None:
    for signed in (False, True):
        lines = list(bundle(frozenset({"outputs"}), signed=signed))
        seq = next(n for n, line in enumerate(lines) if n and "withheld" in json.loads(line))
        lines[seq] = edited(lines[seq], **{column: "changed"})
        assert checked(lines).ok == (not signed)


def test_a_column_of_a_withheld_row_that_was_changed_by_chance_is_found_by_the_digest() -> None:
    lines = list(bundle(frozenset({"outputs"})))
    seq = next(n for n, line in enumerate(lines) if n and "withheld" in json.loads(line))
    lines[seq] = edited(lines[seq], kind="changed")
    refused(checked(lines, fresh_digest=False))


@pytest.mark.parametrize("counted", [COUNT, COUNT + 1])
@pytest.mark.parametrize("seq", range(1, COUNT + 1))
def test_a_row_that_is_there_twice_is_found_the_withheld_ones_too(seq: int, counted: int) -> None:
    lines = list(bundle(frozenset(NAMES)))
    lines.insert(seq, lines[seq])
    lines[0] = edited(lines[0], rows=counted)
    refused(checked(lines))


@pytest.mark.parametrize("found", [b'"attempt":null', b'"epoch":0'])
def test_a_row_that_two_programs_could_read_differently_is_refused(found: bytes) -> None:
    lines = list(bundle())
    assert found in lines[1]
    for other in (found + b" ", b'"data":{},' + found):  # white space; a key that is there twice
        changed = [*lines[:1], lines[1].replace(found, other, 1), *lines[2:]]
        verdict = checked(changed)
        refused(verdict, 1)


def test_a_row_may_not_be_withheld_for_a_reason_that_line_1_does_not_name() -> None:
    lines = list(bundle())
    row = json.loads(lines[5])
    del row["data"]
    lines[5] = canonical_bytes({**row, "withheld": ["outputs"]})
    refused(checked(lines), 5)


@patient
@given(st.lists(st.binary(max_size=30), max_size=4), st.booleans())
def test_rubbish_is_refused_in_words(rubbish: list[bytes], begun: bool) -> None:
    lines = [*(bundle()[:2] if begun else ()), *rubbish]
    refused(check(line + b"\n" for line in lines))


@pytest.mark.parametrize(
    "line",
    [
        b'{"seq":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"end":NaN}',
        rb'{"end":"\ud800","signature":null,"statement":null}',
        edited(bundle()[2], data={"a": 1}).replace(b'{"a":1}', b'{"a":1,"a":1}'),
        edited(bundle()[2], data={"a": 1}).replace(b'{"a":1}', rb'{"a":"\ud800"}'),
    ],
    ids=["digits", "brackets", "deep", "nan", "surrogate", "twice", "surrogate-in-a-row"],
)
def test_a_line_that_no_journal_writes_is_refused_in_words(line: bytes) -> None:
    refused(check(line + b"\n" for line in (*bundle()[:2], line, bundle()[-1])), 2)


def test_a_journal_that_does_not_verify_is_not_exported() -> None:
    torn = [*rows()[:3], *rows()[4:]]
    with pytest.raises(JournalError, match="is not intact: event 4 is missing") as refusal:
        body(RECORD, torn)
    assert refusal.value.code == "journal_damaged"


def test_the_record_that_is_shown_is_the_one_whose_digest_event_1_has() -> None:
    shown = json.loads(bundle()[0])["record"]
    assert shown == plain(replace(RECORD, state="", epoch=0))
    assert digest(shown) == json.loads(bundle()[1])["data"]["record_sha256"]
