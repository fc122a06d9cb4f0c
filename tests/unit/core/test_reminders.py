"""Whom a reminder goes to, and what stands in it."""

from __future__ import annotations

from datetime import UTC, datetime

from dr.engine.core.reminders import MOST_NAMED, round_of, words

DUE = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
INVENTORY = {
    "people_groups": {"leadership": {"members": ["ana", "bo"]}},
    "branches": {"b-7": {"responsible": "bo", "group": "leadership"}},
}


def test_a_long_list_names_fifty_branches_the_readers_own_first_and_counts_the_rest() -> None:
    late = [f"b-{number}" for number in range(MOST_NAMED + 2950)]
    told = round_of([*late[8:], "b-7"], DUE, INVENTORY, ["leadership"])
    bo = next(letter for letter in told.letters if letter.person == "bo")
    subject, text = words(bo, told, "R-1", INVENTORY)
    assert subject.en == "Overdue: the ledgers of 2993 branches"
    named = [line for line in text.en.splitlines() if line.startswith("  - ")]
    assert (len(named), named[0], named[1]) == (MOST_NAMED, "  - b-7", "  - b-8")
    assert "  and 2943 more" in text.en.splitlines()
    assert "  以及另外 2943 个网点" in text.zh.splitlines()


def test_a_branch_with_a_responsible_person_is_not_its_groups() -> None:
    told = round_of(["b-7"], DUE, INVENTORY, [])
    assert [letter.person for letter in told.letters] == ["bo"]


def test_a_branch_that_the_inventory_does_not_know_is_nobodys() -> None:
    told = round_of(["elsewhere"], DUE, INVENTORY, ["no such group"])
    assert (told.letters, told.nobodys) == ([], ["elsewhere"])
