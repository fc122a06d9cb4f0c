"""Values for Ansible that it takes as they are.

Ansible reads ``{{ }}`` in every variable as a template, and a template may run a program on the
engine's own machine.  A value of a runbook may come from a host: what it put out must stay text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


class _Unsafe(str):
    """A text with the tag ``!unsafe``, which Ansible never reads as a template."""


class _Dumper(yaml.SafeDumper):
    """Writes such texts."""


_Dumper.add_representer(
    _Unsafe,
    lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"'),
)


def never_templated(values: Mapping[str, Any]) -> str:
    """Return a file of variables in which no text is a template."""
    text: str = yaml.dump(_marked(dict(values)), Dumper=_Dumper, allow_unicode=True)
    return text


def _marked(value: Any) -> Any:
    if isinstance(value, str):
        return _Unsafe(value) if value else value  # Ansible reads an empty one as null
    if isinstance(value, Mapping):
        return {str(key): _marked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(inner) for inner in value]
    return value
