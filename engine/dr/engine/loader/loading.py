"""Loads a runbook: reads, checks everything, tells every mistake at once, compiles."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from dr.engine.core.errors import Problem, RunbookError
from dr.engine.core.model import Runbook
from dr.engine.core.ports import Actions
from dr.engine.loader.actionspecs import Specs
from dr.engine.loader.compiling import compile_runbook
from dr.engine.loader.fileformat import RunbookFile
from dr.engine.loader.layout import Layout, lay_out
from dr.engine.loader.references import reference_problems
from dr.engine.loader.salvage import salvage
from dr.engine.loader.structure import structure_problems
from dr.engine.loader.usage import usage_problems
from dr.inventory.strictyaml.document import MAX_PROBLEMS, Document
from dr.inventory.strictyaml.reading import counted, read_yaml
from dr.inventory.strictyaml.validation import validate


def load(source: Path | str, *, actions: Actions | None, file: str = "") -> Runbook:
    """Return the runbook in a file (``Path``) or a text (``str``).

    Args:
        actions: what ``uses`` may name; None checks only what can be checked without them.
        file: what the file is called in messages; the path itself when not given.

    Raises:
        RunbookError: it can not be read or is wrong; carries every problem, in file order.
    """
    document = read_yaml(source, file or None)
    layout, specs = check(document, actions)
    return compile_runbook(layout, document, specs)


def check(document: Document, actions: Actions | None) -> tuple[Layout, Specs]:
    """Return the layout of a right document.

    Raises:
        RunbookError: it is wrong.
    """
    specs = Specs(actions)
    file, problems = validate(RunbookFile, document)
    layout: Layout | None = None
    if file is not None:
        layout = lay_out(file)
        problems = list(islice(_all(layout, document, specs), MAX_PROBLEMS))
    elif document.data is not None:
        problems = [*problems, *_rest(document, specs)]
    if problems or layout is None:
        raise runbook_error(document.name, problems)
    return layout, specs


def runbook_error(name: str, problems: list[Problem]) -> RunbookError:
    """Return the error that carries ``problems``, in file order, each once."""
    unique = list({(p.where, p.message): p for p in problems}.values())[:MAX_PROBLEMS]
    return RunbookError(f"{name} has {counted(unique)}", sorted(unique, key=_place))


def _all(layout: Layout, document: Document, specs: Specs) -> Iterator[Problem]:
    yield from structure_problems(layout, document)
    yield from reference_problems(layout, document, specs)
    yield from usage_problems(layout, document, specs)


def _rest(document: Document, specs: Specs) -> Iterator[Problem]:
    """Yield what else is wrong with a file that has wrong keys or types in some places."""
    saved = salvage(document)
    if saved is None:
        return
    for problem in islice(_all(lay_out(saved.file), document, specs), MAX_PROBLEMS):
        if not saved.is_affected(problem):
            yield problem


def _place(problem: Problem) -> tuple[int, int]:
    parts = problem.where.rsplit(":", 2)
    return (int(parts[1]), int(parts[2])) if len(parts) == 3 else (0, 0)  # noqa: PLR2004
