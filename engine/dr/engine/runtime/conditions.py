"""Say in words why a condition does not hold: the values of the names that it uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dr.engine.core.values import Text
from dr.engine.runtime.context import RunContext

_LONGEST = 60
_OUTPUT = 3  # where the output stands in steps.look.outputs.ok
_ZH = {"true": "是", "false": "否", "unknown": "未知", "not there": "未提供", "secret": "保密"}


def why_not(context: RunContext, condition: str) -> Text:
    """Return why ``condition`` is false, without the expression: what each of its names is now.

    A step is called by its title.  What a step itself says about its answers, in an output
    ``because``, comes first.  A condition without names, which is false for ever, is shown as it
    was written.
    """
    names = context.ports.expressions.names_in(condition)
    if not names:
        return Text(en=f"its condition is never true: {condition}", zh=f"条件恒不成立：{condition}")
    found = [(name, _value(context, name)) for name in names]
    en = "; ".join(f"{_title(context, name, 'en')} = {value}" for name, value in found)
    zh = "；".join(
        f"{_title(context, name, 'zh')} = {_ZH.get(value, value)}" for name, value in found
    )
    told = _told(context, names)
    if told:
        known = [(text.say("en"), text.say("zh")) for text in told]
        return Text(
            en=f"{'; '.join(k[0] for k in known)} ({en})",
            zh=f"{'；'.join(k[1] for k in known)}（{zh}）",
        )
    return Text(en=f"its condition does not hold: {en}", zh=f"条件不成立：{zh}")


def _told(context: RunContext, names: Sequence[Sequence[str | int]]) -> list[Text]:
    """Return what the steps that the names are of say about their answers."""
    steps = dict.fromkeys(str(name[1]) for name in names if name[0] == "steps" and len(name) > 1)
    seen = [context.view.steps.get(step) for step in steps]
    said = [s.outputs.get("because") for s in seen if s is not None]
    return [Text.of(value) for value in said if isinstance(value, Mapping) and "en" in value]


def why_skipped(context: RunContext, condition: str) -> str:
    """Return the same for the journal, which has one text: ``look.ok = false``."""
    names = context.ports.expressions.names_in(condition)
    found = (f"{'.'.join(_parts(name))} = {_value(context, name)}" for name in names)
    return f"its condition does not hold: {'; '.join(found) or condition}"


def _parts(name: Sequence[str | int]) -> Iterator[str]:
    """Yield the parts of a name without what every name of a step has."""
    for place, part in enumerate(name):
        if not (name[0] == "steps" and place in {0, 2} and part in {"steps", "outputs"}):
            yield str(part)


def _title(context: RunContext, name: Sequence[str | int], language: str) -> str:
    first, *rest = _parts(name)
    step = context.runbook.by_id.get(first) if name[0] == "steps" else None
    title = step.title.say(language) if step else ""
    if not title:
        return ".".join((first, *rest))
    return f"{title} ({'.'.join(rest)})" if language == "en" else f"{title}（{'.'.join(rest)}）"


def _value(context: RunContext, name: Sequence[str | int]) -> str:
    if (
        name[0] == "steps"
        and len(name) > _OUTPUT
        and name[_OUTPUT] in context.hidden.get(str(name[1]), {})
    ):
        return "secret"
    value: Any = context.scope()
    for part in name:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return "not there"
    return _worded(value)


def _worded(value: Any) -> str:
    if value is None:
        return "not there"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
