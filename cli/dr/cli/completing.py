"""What Tab offers: runs, gates, steps, runbooks, people.  Reads quickly and never complains."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from dr.cli.session import Session
from dr.engine.core.questions import SIGNED, QuestionKind
from dr.engine.core.view import RunView
from dr.engine.service import glance

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
_ENDED = frozenset({"succeeded", "failed", "aborted"})


def _quiet(offer: Callable[[Session, list[str], str], Iterable[CompletionItem]]) -> Complete:
    """Make a completion that offers nothing when anything goes wrong."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        session = ctx.find_object(Session) or Session()
        session.workspace = session.workspace or _workspace_of(ctx)
        given = ctx.params.get(param.name or "") or ()
        words = [str(given)] if isinstance(given, str) else [str(word) for word in given]
        try:
            items = list(offer(session, words, incomplete))
        except Exception:  # noqa: BLE001 (a traceback at the prompt would help nobody)
            return []
        return [item for item in items if str(item.value).startswith(incomplete)]

    return complete


def _workspace_of(ctx: click.Context) -> Path | None:
    where = ctx.find_root().params.get("workspace")
    return Path(where) if where else None


def _lines(session: Session) -> list[glance.RunLine]:
    place = glance.find_workplace(session.workspace)
    journal = glance.quick_journal(place) if place else None
    return glance.runs(journal) if journal else []


def _view(session: Session, named: str | None) -> RunView | None:
    place = glance.find_workplace(session.workspace)
    journal = glance.quick_journal(place) if place else None
    if journal is None:
        return None
    lines = glance.runs(journal)
    open_ones = [one for one in lines if one.state not in _ENDED]
    if named:
        return glance.view(journal, glance.resolve(lines, named).id)
    return glance.view(journal, open_ones[0].id) if len(open_ones) == 1 else None


def _runs(session: Session, _words: list[str], _incomplete: str) -> Iterable[CompletionItem]:
    for one in _lines(session):
        yield CompletionItem(one.id, help=f"{one.runbook} {one.state}")


def _questions(
    session: Session, words: list[str], kinds: frozenset[QuestionKind]
) -> Iterable[CompletionItem]:
    if not words:
        yield from _runs(session, words, "")
    view = _view(session, words[0] if words else None)
    for asked in view.open_questions() if view else ():
        if asked.question.kind in kinds:
            yield CompletionItem(asked.question.step, help=asked.question.asks.en)


def _gates(session: Session, words: list[str], _incomplete: str) -> Iterable[CompletionItem]:
    return _questions(session, words, SIGNED)


def _tasks(session: Session, words: list[str], _incomplete: str) -> Iterable[CompletionItem]:
    kinds = frozenset({QuestionKind.TASK, QuestionKind.FAILURE, QuestionKind.FALLBACK})
    return _questions(session, words, kinds)


def _doubts(session: Session, words: list[str], _incomplete: str) -> Iterable[CompletionItem]:
    return _questions(session, words, frozenset({QuestionKind.DOUBT}))


def _steps(session: Session, words: list[str], _incomplete: str) -> Iterable[CompletionItem]:
    if not words:
        yield from _runs(session, words, "")
    view = _view(session, words[0] if words else None)
    if view is not None:
        names = [str(entry["id"]) for entry in view.created.get("outline") or ()]
        for name in dict.fromkeys([*names, *view.steps]):
            yield CompletionItem(name)


def _runbooks(session: Session, _words: list[str], incomplete: str) -> Iterable[CompletionItem]:
    """Runbooks by name: the file names, without reading the files."""
    place = glance.find_workplace(session.workspace)
    folders = [place.directory / "runbooks"] if place else []
    # the shipped ones: beside the service in a wheel, at the top of a checkout
    here = Path(glance.__file__).parent
    folders += [here / "shipped_runbooks", here.parents[3] / "runbooks"]
    names = {path.stem for folder in folders if folder.is_dir() for path in folder.glob("*.yaml")}
    yield from (CompletionItem(name) for name in sorted(names))
    if "/" in incomplete or "." in incomplete:
        yield CompletionItem(incomplete, type="file")


def _people(session: Session, _words: list[str], _incomplete: str) -> Iterable[CompletionItem]:
    import yaml

    from dr.inventory.ordinary import read_ordinary

    place = glance.find_workplace(session.workspace)
    environment = session.environment or (place.default_environment if place else "")
    if place is None:
        return
    path = place.directory / "inventory" / environment / "people.yaml"
    data = yaml.safe_load(read_ordinary(path))
    yield from (CompletionItem(str(name)) for name in data["people"])


runs = _quiet(_runs)
runs_then_gates = _quiet(_gates)
runs_then_tasks = _quiet(_tasks)
runs_then_doubts = _quiet(_doubts)
runs_then_steps = _quiet(_steps)
runbooks = _quiet(_runbooks)
runbook_files = _quiet(_runbooks)
people = _quiet(_people)
