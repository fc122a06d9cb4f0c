"""Evidence that a person gives, typed or as a file; files are hashed and kept."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from dr.engine.core.errors import UserError
from dr.engine.core.values import Text, parse_duration, parse_utc, utc_text
from dr.inventory.ordinary import open_ordinary
from dr.inventory.strictyaml.validation import did_you_mean

CHECKLIST = "checklist"
"""The name under which the ticks of a task's checklist are given: a list of true and false."""

_CHUNK_BYTES = 1_048_576


def read_evidence(
    wanted: Sequence[Mapping[str, Any]],
    given: Mapping[str, Any],
    *,
    checklist: Sequence[Text] = (),
    complete: bool,
    keep: Path | None,
) -> dict[str, Any]:
    """Return the evidence as JSON data.

    Args:
        wanted: fields with ``id``, ``type`` (string, integer, number, boolean, moment, date,
            duration, choice, file), ``required`` and for choices ``choices``.
        given: values by id, as typed: text, or already of the type.
        complete: whether what is required must be there; a failed task may lack it.
        keep: folder into which files are copied under their SHA-256.

    Raises:
        UserError: a value is missing, unknown or not of its type.
    """
    fields = {str(field["id"]): field for field in wanted}
    for name in given:
        if name not in fields and name != CHECKLIST:
            raise UserError(
                f"no evidence called '{name}' is wanted",
                hint=did_you_mean(name, [*fields, *([CHECKLIST] if checklist else [])]),
            )
    found: dict[str, Any] = {}
    for name, field in fields.items():
        value = given.get(name)
        if value is None or value == "":
            if complete and field.get("required"):
                raise UserError(
                    f"the evidence '{name}' is missing",
                    hint=f"Add --evidence {name}={_example(field)}.",
                )
            continue
        found[name] = _typed(name, field, value, keep)
    if checklist:
        found[CHECKLIST] = _ticks(given.get(CHECKLIST), checklist, complete=complete)
    return found


def _typed(name: str, field: Mapping[str, Any], value: Any, keep: Path | None) -> Any:
    kind = str(field.get("type", "string"))
    if kind == "choice":
        choices = [str(c) for c in field.get("choices") or ()]
        if str(value) not in choices:
            hint = did_you_mean(str(value), choices, otherwise="Choose one of")
            raise UserError(f"'{value}' is no choice of '{name}'", hint=hint)
        return str(value)
    if kind == "file":
        return keep_file(Path(str(value)), keep)
    reader = _READERS.get(kind)
    if reader is None:
        raise UserError(f"the evidence '{name}' has the unknown type '{kind}'")
    try:
        return reader(value)
    except (ValueError, TypeError):
        raise UserError(
            f"'{value}' is not a {kind}, which '{name}' wants",
            hint=f"Write it as {_example(field)}.",
        ) from None


def _integer(value: object) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d{1,18}", str(value).strip()):
        raise ValueError
    return int(str(value))


def _number(value: object) -> float:
    number = float(str(value))
    if isinstance(value, bool) or number != number or abs(number) == float("inf"):  # noqa: PLR0124
        raise ValueError
    return number


def _boolean(value: object) -> bool:
    words = {"true": True, "yes": True, "false": False, "no": False}
    found = words.get(str(value).lower())
    if found is None:
        raise ValueError
    return found


def _duration(value: object) -> str:
    parse_duration(str(value))
    return str(value)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "string": str,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "moment": lambda value: utc_text(parse_utc(str(value))),
    "date": lambda value: date.fromisoformat(str(value)).isoformat(),
    "duration": _duration,
}

_EXAMPLES = {
    "string": "TEXT",
    "integer": "42",
    "number": "1.5",
    "boolean": "true",
    "moment": "2026-11-22T10:30:00+08:00",
    "date": "2026-11-22",
    "duration": "1h30m",
    "file": "PATH",
}


def _example(field: Mapping[str, Any]) -> str:
    if field.get("choices"):
        return str(field["choices"][0])
    return _EXAMPLES.get(str(field.get("type", "string")), "TEXT")


def _ticks(given: Any, checklist: Sequence[Text], *, complete: bool) -> list[bool]:
    ticks = [bool(t) for t in given] if isinstance(given, list | tuple) else []
    ticks += [False] * (len(checklist) - len(ticks))
    if len(ticks) > len(checklist):
        raise UserError(f"the checklist has {len(checklist)} items, not {len(ticks)}")
    if complete and not all(ticks):
        open_item = checklist[ticks.index(False)]
        raise UserError(
            f"the checklist is not finished: '{open_item.say('en')}'",
            hint="Do it and tick it, or answer 'failed' with a reason.",
        )
    return ticks


def keep_file(path: Path, keep: Path | None) -> dict[str, Any]:
    """Copy a file into ``keep`` under its SHA-256; return its name, size and digest.

    Raises:
        UserError: it can not be read.
    """
    try:
        with open_ordinary(path) as stream:
            mark, size = hashlib.sha256(), 0
            while chunk := stream.read(_CHUNK_BYTES):
                mark.update(chunk)
                size += len(chunk)
            told = {"file": path.name, "sha256": mark.hexdigest(), "size_bytes": size}
            if keep is not None:
                stream.seek(0)
                told["kept"] = _copied(stream.read, keep, mark.hexdigest())
    except OSError as error:
        raise _unreadable(path, error) from None
    return told


def read_given(path: Path, most_bytes: int) -> bytes:
    """Return the bytes of a file that a person names; of a larger one as many as tell that it is.

    Raises:
        UserError: it can not be read, or is a pipe, a device, a socket or a folder.
    """
    try:
        with open_ordinary(path) as stream:
            return stream.read(most_bytes + 1)
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"the file {path} cannot be read: {(error.strerror or '').lower()}",
        hint=f"Type 'ls -l {path}' to see why.",
    )


def _copied(read: Callable[[int], bytes], keep: Path, sha256: str) -> str:
    """Copy durably; the name is the content, so a second copy changes nothing."""
    keep.mkdir(parents=True, exist_ok=True)
    target = keep / sha256
    draft = keep / f".{sha256}.{os.getpid()}"
    check = hashlib.sha256()
    with draft.open("wb") as out:
        while chunk := read(_CHUNK_BYTES):
            check.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    if check.hexdigest() != sha256:
        draft.unlink()
        raise UserError("the file changed while it was read", hint="Try again when it is quiet.")
    draft.replace(target)
    return str(target)
