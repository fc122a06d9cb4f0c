"""What is spoilt is decided by the lab at rest, the wish and the seed, and by nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dr.lab.errors import LabUsageError
from dr.lab.spoiling import KINDS, NOTHING, find_kind
from dr.lab.spoiling.faults import as_found
from dr.lab.spoiling.plans import Book, order
from tests.unit.lab.spoiling.stand import BRANCHES, stand, wish

_SMALL = {name: min(kind.count, 3) for name, kind in KINDS.items()}
_CHOOSING = [
    name
    for name in KINDS
    # these take what is newest, or all of it, or nothing
    if name not in {"lost-tail", "answers-twice", "faults"}
    and not name.startswith(("file-", "xlsx-", "answers-"))
]


@pytest.mark.parametrize("what", KINDS)
def test_the_same_seed_plans_the_same(what: str) -> None:
    asked = wish(what, _SMALL[what])
    assert KINDS[what].plan(stand(), asked) == KINDS[what].plan(stand(), asked)


@pytest.mark.parametrize("what", _CHOOSING)
def test_another_seed_plans_something_else(what: str) -> None:
    kind = KINDS[what]
    plans = {repr(kind.plan(stand(), wish(what, _SMALL[what], seed)).truths) for seed in range(6)}
    assert len(plans) > 1


def test_business_that_comes_in_meanwhile_changes_no_others_place() -> None:
    asked = wish("lost-holes")
    before, after = [str(n) for n in range(50)], [str(n) for n in range(60)]
    kept = [key for key in order(after, asked) if key in before]
    assert kept == order(before, asked)


@pytest.mark.parametrize("what", KINDS)
def test_every_truth_names_its_kind_its_class_and_a_branch(what: str) -> None:
    plan = KINDS[what].plan(stand(), wish(what, _SMALL[what]))
    for truth in plan.truths:
        assert truth.what == what
        assert truth.break_class == truth.break_class.lower() != ""
        assert truth.branch in BRANCHES
        assert truth.where in {"central", "ledger", "both", "file"}
    assert bool(plan.truths) == (what not in {"answers-truly", "faults"})


@pytest.mark.parametrize("what", KINDS)
def test_a_branch_that_was_named_is_the_one_that_is_spoilt(what: str) -> None:
    plan = KINDS[what].plan(stand(), wish(what, _SMALL[what], branch="branch-02"))
    assert {truth.branch for truth in plan.truths} <= {"branch-02"}
    assert {file.branch for file in plan.files} <= {"branch-02"}
    assert plan.edits.keys() <= {"branch-02"}


@pytest.mark.parametrize(
    "what", [name for name in KINDS if not name.startswith(("file-", "xlsx-", "answers-"))]
)
def test_a_key_is_spoilt_once_in_a_plan(what: str) -> None:
    plan = KINDS[what].plan(stand(), wish(what, _SMALL[what]))
    keys = [truth.key for truth in plan.truths if not truth.break_class.startswith("serial_")]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    "what", [name for name, kind in KINDS.items() if kind.register and name != "faults"]
)
def test_too_little_business_is_said_and_nothing_is_planned(what: str) -> None:
    with pytest.raises(LabUsageError, match="cases that can be spoilt so"):
        KINDS[what].plan(stand(1), wish(what, 100))


def test_a_differing_field_really_differs() -> None:
    for what in [name for name in KINDS if name.startswith(("field-", "ledger-amount"))]:
        for truth in KINDS[what].plan(stand(), wish(what, 9)).truths:
            assert all(central != ledger for central, ledger in truth.fields.values()), what


def test_what_must_not_be_reported_is_said_to_be_nothing() -> None:
    plan = find_kind("rare-names").plan(stand(), wish("rare-names", 3))
    alike = [t for t in plan.truths if t.fields["holder"][0] == t.fields["holder"][1]]
    assert [truth.break_class for truth in alike] == [NOTHING, NOTHING]
    [other] = [truth for truth in plan.truths if truth not in alike]
    assert (other.break_class, other.fields["holder"]) == ("format_only", ("王䶮", "王\ue863"))


def test_an_unknown_kind_is_told_the_nearest_one() -> None:
    with pytest.raises(LabUsageError) as refused:
        find_kind("lost-tale")
    assert "lost-tail" in refused.value.hint


def test_what_faults_did_is_written_down_and_what_was_spoilt_is_not() -> None:
    made = stand(5)
    lost, open_, arrived, spoilt = (case.key for case in made.cases[:4])
    outcomes = {open_: "unknown", arrived: "unknown"}
    books = {
        name: Book(
            name,
            tuple({**b, "outcome": outcomes.get(b["slip"], b["outcome"])} for b in book.lines),
        )
        for name, book in made.books.items()
    }
    central = {k: v for k, v in made.central.items() if k not in {lost, open_, spoilt}}
    strange = {**central[arrived], "key": "3200010000"}
    after = replace(
        made, books=books, central={**central, "3200010000": strange}, touched=frozenset({spoilt})
    )
    told = {t.key: (t.break_class, t.subclass) for t in as_found(after, wish("faults")).truths}
    assert told == {
        lost: ("missing_central", "fault"),
        open_: ("in_flight", "not_arrived"),
        arrived: ("in_flight", "arrived"),
        "3200010000": ("extra_central", "unknown"),
    }
