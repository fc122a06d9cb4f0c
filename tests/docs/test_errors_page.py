"""Every code that dr can give stands in the reference, and none that it can not."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("engine", "inventory", "backups", "reconcile", "incidents", "cli", "lab")
CODE = re.compile(r"""^\s+code(?:: str)? ?= ?"([a-z_]+)",?$|\bcode="([a-z_]+)\"""", re.MULTILINE)


def _given() -> set[str]:
    found: set[str] = set()
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            for match in CODE.finditer(path.read_text(encoding="utf-8")):
                found.add(match.group(1) or match.group(2))
    return found


def _explained() -> list[str]:
    text = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE)


def test_every_error_code_is_explained() -> None:
    assert sorted(_given() - set(_explained())) == []


def test_no_error_code_is_explained_that_is_never_given() -> None:
    assert sorted(set(_explained()) - _given()) == []


def test_no_error_code_is_explained_twice() -> None:
    explained = _explained()
    assert sorted(explained) == sorted(set(explained))


def test_a_code_in_the_source_is_found_in_each_of_its_forms() -> None:
    source = '    code = "one"\n    code: str = "two"\n    raise X("m", code="three")\n'
    assert ["".join(m.groups("")) for m in CODE.finditer(source)] == ["one", "two", "three"]
