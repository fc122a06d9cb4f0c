"""Checks a document against a pydantic model and says every mistake at its place."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dr.engine.core.errors import Problem
from dr.inventory.strictyaml.document import MAX_PROBLEMS, Document, Node, Path

M = TypeVar("M", bound=BaseModel)

_LONGEST_WORD: Final = 100
_MOST_WORDS: Final = 2000
_MOST_SHOWN: Final = 60
"""A list longer than this helps nobody; a runbook of 10,000 steps has one."""

_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "date_type": "a day such as 2026-11-01",
    "date_from_datetime_parsing": "a day such as 2026-11-01",
    "date_parsing": "a day such as 2026-11-01",
}


def validate(model: type[M], document: Document) -> tuple[M | None, list[Problem]]:
    """Return the model made of the document, or None and every problem, in file order."""
    if document.data is None:
        return None, [document.problem("the file is empty", hint=_top_keys(model))]
    try:
        return model.model_validate(document.data), []
    except ValidationError as error:
        told = islice(error.errors(), MAX_PROBLEMS)
        problems = [_problem(model, document, details) for details in told]
    unique = {(p.where, p.message): p for p in problems}.values()
    return None, sorted(unique, key=_place)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that ``word`` was probably meant to be."""
    words = list(known)
    if len(word) > _LONGEST_WORD or len(words) > _MOST_WORDS:
        return None
    close = get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return close[0]
    folded = {_fold(k): k for k in words}
    return folded.get(_fold(word))


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "Known are") -> str:
    """Return a sentence with the nearest word, or with all of them when none is near."""
    words = sorted(known)
    near = nearest(word, words)
    if near:
        return f"Did you mean '{near}'?"
    if len(words) > _MOST_SHOWN:
        return f"{otherwise}: {', '.join(words[:_MOST_SHOWN])} and {len(words) - _MOST_SHOWN} more."
    return f"{otherwise}: {', '.join(words)}." if words else ""


def _fold(word: str) -> str:
    return word.replace("-", "").replace("_", "").lower()


def _place(problem: Problem) -> tuple[int, int]:
    _, line, column = problem.where.rsplit(":", 2)
    return int(line), int(column)


def _top_keys(model: type[BaseModel]) -> str:
    return f"Keys that must be there: {', '.join(_required(model))}."


def _required(model: type[BaseModel]) -> list[str]:
    return [
        field.alias or name for name, field in model.model_fields.items() if field.is_required()
    ]


def _problem(model: type[BaseModel], document: Document, details: ErrorDetails) -> Problem:
    path = _real_path(document.root, details["loc"])
    kind, value = details["type"], details["input"]
    context: Mapping[str, Any] = details.get("ctx") or {}
    if kind == "extra_forbidden":
        key = str(path[-1])
        known = _known_keys(model, path[:-1])
        hint = did_you_mean(key, known, otherwise="Known keys")
        return document.problem(f"unknown key '{key}'", path, key=True, hint=hint)
    if kind == "missing":
        key = str(details["loc"][-1])
        return document.problem(f"the key '{key}' is missing", path, hint=f"Add '{key}: …' here.")
    if kind == "dr":
        return document.problem(str(context["message"]), path, hint=str(context.get("hint", "")))
    if kind in {"enum", "literal_error"}:
        words = _expected_words(str(context.get("expected", "")))
        shown = _shown(value)
        hint = (
            did_you_mean(value, words, otherwise="Write one of")
            if isinstance(value, str)
            else f"Write one of: {', '.join(words)}."
        )
        return document.problem(f"{shown} is not one of {', '.join(words)}", path, hint=hint)
    if kind in _KINDS:
        message = f"this should be {_KINDS[kind]}, not {_shown(value)}"
        return document.problem(message, path, hint=_how_to_write(kind, value))
    message = details["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return document.problem(message[:1].lower() + message[1:], path)


def _real_path(root: Node, loc: Path) -> Path:
    """Keep the parts of a pydantic location that lead through the file.

    Others name a branch of a union or a validator.
    """
    node, path = root, []
    for part in loc:
        below = node.child(part)
        if below is not None:
            node = below
            path.append(part)
    return tuple(path)


def _expected_words(expected: str) -> list[str]:
    return [word.strip().strip("'") for word in expected.replace(" or ", ", ").split(",")]


def _shown(value: object) -> str:
    """Return a value as the writer of the file would recognise it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= 40 else f"'{value[:37]}…'"  # noqa: PLR2004
    return str(value)


def _how_to_write(kind: str, value: object) -> str:
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f'Write "{_shown(value)}" in quotes.'
    if kind == "bool_type" and isinstance(value, str):
        meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(value.lower())
        return f"Write {meant}." if meant else "Write true or false, without quotes."
    if kind == "list_type" and not isinstance(value, Mapping):
        return f"Write [{'' if value is None else value}]." if not isinstance(value, list) else ""
    if kind in {"int_type", "float_type"} and isinstance(value, str):
        return "Write it in digits, without quotes."
    if kind in {"dict_type", "model_type"}:
        return "Write 'key: value' lines, indented below, or { key: value }."
    return ""


def _known_keys(model: type[BaseModel], path: Path) -> list[str]:
    """Return the keys that may stand in the mapping at ``path``."""
    found: Any = model
    for part in path:
        found = _below(found, part)
    keys: list[str] = []
    for kind in _models_in(found):
        keys.extend(field.alias or name for name, field in kind.model_fields.items())
    return keys


def _below(annotation: Any, part: str | int) -> Any:
    """Return the annotation of a member: of a field, an item or a value of a mapping."""
    for kind in _models_in(annotation):
        for name, field in kind.model_fields.items():
            if part in (field.alias, name):
                return field.annotation
    for option in _options(annotation):
        arguments = get_args(option)
        if get_origin(option) in (list, tuple) and isinstance(part, int):
            return arguments[0]
        if get_origin(option) in (dict, typing.get_origin(Mapping[str, str])) and arguments:
            return arguments[-1]
    return None


def _options(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _options(get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [inner for option in get_args(annotation) for inner in _options(option)]
    return [annotation]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    return [
        option
        for option in _options(annotation)
        if isinstance(option, type) and issubclass(option, BaseModel)
    ]
