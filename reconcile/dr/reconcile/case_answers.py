"""The filled-in list of a branch, read back.  Only what the branch filled in is taken from it.

Every row is looked at and every problem named with its row, before anything is done with one.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from python_calamine import CalamineError, CalamineWorkbook, WorksheetNotFound

from dr.engine.core.case_words import RESOLUTIONS, resolution_of
from dr.engine.core.errors import Problem, RunbookError
from dr.engine.core.reconciliation import Resolution
from dr.reconcile.case_sheet import COLUMNS, FORMAT, HIDDEN, SHEET, VERSION

LARGEST_BYTES: Final = 16 << 20
_LARGEST_UNPACKED: Final = 128 << 20
_LARGEST_RATIO: Final = 200
_HEADER_WITHIN = 20
_LONGEST_ANSWER = 2_000
_EXACT = 2**53


class WorkListError(RunbookError):
    """A list that came back can not be taken; nothing of it was."""

    code = "worklist"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a branch filled in for a case; ``row`` as the spreadsheet counts, from 1."""

    row: int
    case: str
    resolution: Resolution
    reason: str
    reference: str = ""
    maker: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """A list that came back: what it was made from, and the rows that were filled in.

    ``cases`` maps each case that was on the list to the digest of its two versions then;
    ``empty`` counts the rows that nobody filled in.
    """

    run: str
    session: str
    branch: str
    digest: str
    cases: Mapping[str, str]
    answers: tuple[Answer, ...]
    empty: int = 0


def read_answers(name: str, content: bytes) -> Answers:
    """Read a list that came back.

    Args:
        name: of the file, for the messages.

    Raises:
        WorkListError: it is no list of dr, or rows of it can not be understood: all are named.
    """
    book = _book(name, content)
    origin = _origin(name, book)
    rows = book.get_sheet_by_name(SHEET).to_python(skip_empty_area=False)
    at, places = _header(name, rows)
    problems: list[Problem] = []
    answers: list[Answer] = []
    seen: dict[str, int] = {}
    empty = 0
    for row, cells in enumerate(rows[at + 1 :], at + 2):
        values = {key: cells[place] if place < len(cells) else "" for key, place in places.items()}
        found = _answer(f"{name}:{row}", row, values, origin.cases, seen)
        if isinstance(found, Answer):
            answers.append(found)
        elif isinstance(found, Problem):
            problems.append(found)
        elif str(values["id"]).strip():
            empty += 1
    if problems:
        raise bad_rows(name, problems)
    return Answers(
        origin.run, origin.session, origin.branch, origin.digest, origin.cases,
        tuple(answers), empty,
    )  # fmt: skip


def bad_rows(name: str, problems: Sequence[Problem]) -> WorkListError:
    """Return the refusal of a list some of whose rows can not be taken."""
    return WorkListError(
        f"{name} can not be taken: {len(problems)} of its rows are wrong; nothing was written",
        problems,
        hint="Correct these rows in the list and hand it in again.",
    )


# -- the book


def _book(name: str, content: bytes) -> CalamineWorkbook:
    _require_small(name, content)
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(content))
        names = set(book.sheet_names)
    except (CalamineError, OSError, ValueError) as error:
        raise _no_list(name, f"it is no spreadsheet: {error}") from None
    if not {SHEET, HIDDEN} <= names:
        raise _no_list(name, "its sheets are not those of a work-list")
    return book


def _require_small(name: str, content: bytes) -> None:
    """Refuse what would fill the memory when it is unpacked."""
    if len(content) > LARGEST_BYTES:
        raise _no_list(name, f"it is larger than {LARGEST_BYTES >> 20} MiB")
    try:
        with zipfile.ZipFile(BytesIO(content)) as packed:
            parts = packed.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise _no_list(name, "it is no XLSX file") from None
    whole = sum(part.file_size for part in parts)
    if whole > _LARGEST_UNPACKED or whole > _LARGEST_RATIO * max(len(content), 1):
        raise _no_list(name, "it would unpack to far more than a list")


def _no_list(name: str, because: str) -> WorkListError:
    return WorkListError(
        f"{name} is no work-list of dr: {because}",
        hint="Write one with 'dr reconcile worklist', and fill that in as XLSX.",
    )


@dataclass(frozen=True, slots=True)
class _Origin:
    run: str
    session: str
    branch: str
    digest: str
    cases: Mapping[str, str]


def _origin(name: str, book: CalamineWorkbook) -> _Origin:
    try:
        rows = book.get_sheet_by_name(HIDDEN).to_python(skip_empty_area=False)
    except (CalamineError, WorksheetNotFound) as error:
        raise _no_list(name, f"its hidden sheet can not be read: {error}") from None
    said: dict[str, str] = {}
    cases: dict[str, str] = {}
    for row in rows:
        words = [_text(cell) for cell in row]
        if len(words) >= 3 and words[0] == "case":  # noqa: PLR2004 - case, id, digest
            cases[words[1]] = words[2]
        elif len(words) > 1:
            said[words[0]] = words[1]
    if said.get("format") != FORMAT:
        raise _no_list(name, "its hidden sheet does not say what it was made from")
    version = str(said.get("v"))
    if version != VERSION:
        raise _no_list(name, f"it is of version '{version}', not {VERSION}")
    missing = [key for key in ("run", "session", "branch", "digest") if not said.get(key)]
    if missing:
        raise _no_list(name, f"its hidden sheet does not say its {missing[0]}")
    return _Origin(said["run"], said["session"], said["branch"], said["digest"], cases)


def _header(name: str, rows: Sequence[Sequence[Any]]) -> tuple[int, dict[str, int]]:
    """Return the row of the header, from 0, and the place of each column that is read."""
    wanted = {_flat(c.header): c.key for c in COLUMNS if c.asked or c.key == "id"}
    for at, row in enumerate(rows[:_HEADER_WITHIN]):
        places = {wanted[_flat(cell)]: i for i, cell in enumerate(row) if _flat(cell) in wanted}
        if "id" not in places:
            continue
        lost = [c.title.en for c in COLUMNS if c.key in wanted.values() and c.key not in places]
        if lost:
            raise _no_list(name, f"its column '{lost[0]}' is missing")
        return at, places
    raise _no_list(name, "it has no row with the names of the columns")


def _flat(cell: object) -> str:
    return "".join(str(cell).split())


# -- a row


def _answer(
    where: str, row: int, values: Mapping[str, Any], cases: Mapping[str, str], seen: dict[str, int]
) -> Answer | Problem | None:
    """Return what a row says, what is wrong with it, or None when nobody filled it in."""
    told: dict[str, str] = {}
    for key in ("id", "resolution", "reason", "reference", "maker"):
        text = _typed(values[key])
        if text is None:
            column = "case" if key == "id" else key
            return Problem(
                f"the {column} was made a number by the spreadsheet; its digits are lost",
                where=where,
                hint="Format the cell as text and type it again.",
            )
        told[key] = text
    if not any(told[key] for key in ("resolution", "reason", "reference")):
        return None
    wrong = next(_wrongs(where, row, told, cases, seen), None)
    if wrong is not None:
        return wrong
    resolution = resolution_of(told["resolution"])
    assert resolution is not None  # noqa: S101 - looked up among the wrongs
    return Answer(row, told["id"], resolution, told["reason"], told["reference"], told["maker"])


def _wrongs(
    where: str, row: int, told: Mapping[str, str], cases: Mapping[str, str], seen: dict[str, int]
) -> Iterator[Problem]:
    case = told["id"]
    if not case:
        yield Problem("the case is missing", where=where)
        return
    if case not in cases:
        yield Problem(f"case '{case[:40]}' was not on this list", where=where)
        return
    if case in seen:
        yield Problem(f"case {case} stands in row {seen[case]} already", where=where)
    seen.setdefault(case, row)
    if not told["resolution"]:
        yield Problem("the resolution is missing", where=where)
    elif resolution_of(told["resolution"]) is None:
        allowed = ", ".join(str(each) for each in RESOLUTIONS)
        yield Problem(
            f"'{told['resolution'][:40]}' is no resolution of a case",
            where=where,
            hint=f"Choose one of: {allowed}.",
        )
    if not told["reason"]:
        yield Problem("the reason is missing", where=where)
    for column in ("reason", "reference", "maker"):
        if len(told[column]) > _LONGEST_ANSWER:
            yield Problem(f"the {column} is longer than {_LONGEST_ANSWER} characters", where=where)


def _typed(cell: object) -> str | None:
    """Return a cell as text; None for a number that has lost digits."""
    if isinstance(cell, float):
        if abs(cell) >= _EXACT or not cell.is_integer():
            return None
        return str(int(cell))
    return _text(cell)


def _text(cell: object) -> str:
    return str(cell).strip()
