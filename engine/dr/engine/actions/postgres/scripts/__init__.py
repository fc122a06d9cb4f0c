"""The shell scripts that act on hosts, as files so that a reviewer can read and run them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def script(name: str) -> str:
    """Return the text of ``NAME.sh``."""
    return files(__package__).joinpath(f"{name}.sh").read_text(encoding="utf-8")
