"""Evaluates ``${{ }}``; implements :class:`dr.engine.core.ports.Expressions`.

Names are looked up in mappings and lists, never as Python attributes.  ``and``, ``or`` and
``not`` know three values: a condition over something unknown is unknown, never true.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from simpleeval import InvalidExpression, SimpleEval  # type: ignore[import-untyped]

from dr.engine.core.errors import UserError
from dr.engine.core.values import UNKNOWN, Secret, Unknown, format_duration, utc_text
from dr.engine.loader.grammar import (
    LITERALS,
    ExpressionError,
    Name,
    has_expression,
    name_of,
    parse,
    pieces,
    spell,
    whole,
)
from dr.inventory.strictyaml.validation import did_you_mean

_ORDER: Final[dict[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class Grammar:
    """The closed grammar, evaluated."""

    def evaluate(self, text: str, scope: Mapping[str, Any]) -> Any:
        """Return the value of an expression, with or without its ``${{ }}``.

        Raises:
            ExpressionError: a name is unknown or the text is outside the grammar.
        """
        piece = whole(text) if has_expression(text) else None
        return _value(piece.text if piece else text, scope)

    def holds(self, text: str, scope: Mapping[str, Any]) -> bool | Unknown:
        """Return the value of a condition: true, false or unknown; null is false.

        Raises:
            ExpressionError: it is none of these, or can not be evaluated.
        """
        return _truth(self.evaluate(text, scope), text.strip())

    def render(self, value: Any, scope: Mapping[str, Any]) -> Any:
        """Return ``value`` with every ``${{ }}`` in it replaced.

        A text that is one expression and nothing else becomes the value, type and all.

        Raises:
            ExpressionError: an expression can not be evaluated, or its value can not stand
                inside a text.
        """
        if isinstance(value, str):
            return _render_text(value, scope) if has_expression(value) else value
        if isinstance(value, Mapping):
            return {key: self.render(inner, scope) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.render(inner, scope) for inner in value]
        return value

    def steps_in(self, value: Any) -> frozenset[str]:
        """Return the ids of the steps that the expressions in ``value`` refer to."""
        return frozenset(
            str(name[1]) for name in names_in(value) if name[0] == "steps" and len(name) > 1
        )

    def names_in(self, value: Any) -> tuple[Name, ...]:
        """Return the names that the expressions in ``value`` use, each once, in their order."""
        return tuple(dict.fromkeys(names_in(value)))


def names_in(value: Any) -> Iterator[Name]:
    """Yield every name that the expressions in ``value`` use."""
    if isinstance(value, str):
        for piece in pieces(value) if has_expression(value) else ():
            if piece.is_expression:
                yield from (reference.name for reference in parse(piece.text).references)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from names_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from names_in(inner)


def _render_text(text: str, scope: Mapping[str, Any]) -> Any:
    if piece := whole(text):
        return _value(piece.text, scope)
    return "".join(
        _as_text(_value(piece.text, scope), piece.text.strip())
        if piece.is_expression
        else piece.text
        for piece in pieces(text)
    )


def _as_text(value: Any, name: str) -> str:
    """Write a value inside a text; refuse what would only look like one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float | Unknown):
        return str(value)
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, datetime):
        return utc_text(value)
    hint = f"Let the whole value be ${{{{ {name} }}}}; then its type is kept."
    raise ExpressionError(f"'{name}' is {_kind(value)} and can not stand inside a text", hint=hint)


def _value(text: str, scope: Mapping[str, Any]) -> Any:
    expression = parse(text)
    try:
        return _Evaluator(scope).eval(text, previously_parsed=expression.tree)
    except UserError:
        raise
    except (InvalidExpression, TypeError, ValueError, RecursionError) as error:
        # the parser lets none of these through; should one come, it is an error and no value
        raise ExpressionError(f"'{text.strip()}' can not be evaluated: {error}") from error


class _Evaluator(SimpleEval):  # type: ignore[misc]
    """simpleeval with every node that is outside the grammar taken out."""

    def __init__(self, scope: Mapping[str, Any]) -> None:
        # super().__init__ would build a wider table of nodes, to be thrown away, and switches
        # warnings off and on for the whole process, which other threads would notice
        self.operators: dict[Any, Any] = {}
        self.functions: dict[str, Any] = {}
        self.names: dict[str, Any] = {}
        self.allowed_attrs = None
        self.scope = scope
        self.nodes = {
            ast.Constant: self._eval_constant,
            ast.List: lambda node: [self._eval(item) for item in node.elts],
            ast.Name: self._eval_chain,
            ast.Attribute: self._eval_chain,
            ast.Subscript: self._eval_chain,
            ast.BoolOp: self._eval_boolop,
            ast.UnaryOp: self._eval_unaryop,
            ast.BinOp: self._eval_binop,
            ast.Compare: self._eval_compare,
            ast.Call: self._eval_call,
        }

    def _eval_chain(self, node: ast.expr) -> Any:
        name = name_of(node)
        if name[0] in LITERALS:
            if len(name) > 1:
                raise ExpressionError(f"{name[0]} has no members")
            return LITERALS[str(name[0])]
        return look_up(name, self.scope)

    def _eval_boolop(self, node: ast.BoolOp) -> bool | Unknown:
        """Kleene's logic; stops at the first value that decides."""
        decides = isinstance(node.op, ast.Or)
        result: bool | Unknown = not decides
        for operand in node.values:
            truth = _truth(self._eval(operand), ast.unparse(operand))
            if truth is decides:
                return decides
            if truth is UNKNOWN:
                result = UNKNOWN
        return result

    def _eval_unaryop(self, node: ast.UnaryOp) -> Any:
        value = self._eval(node.operand)
        if isinstance(node.op, ast.Not):
            truth = _truth(value, ast.unparse(node.operand))
            return truth if truth is UNKNOWN else not truth
        if value is UNKNOWN:
            return value
        return -_number(value, ast.unparse(node.operand))

    def _eval_binop(self, node: ast.BinOp) -> Any:
        left, right = self._eval(node.left), self._eval(node.right)
        if left is UNKNOWN or right is UNKNOWN:
            return UNKNOWN
        first = _number(left, ast.unparse(node.left))
        second = _number(right, ast.unparse(node.right))
        return first + second if isinstance(node.op, ast.Add) else first - second

    def _eval_compare(self, node: ast.Compare) -> bool | Unknown:
        left = self._eval(node.left)
        result: bool | Unknown = True
        for kind, other in zip(node.ops, node.comparators, strict=True):
            right = self._eval(other)
            truth = _compare(type(kind), left, right)
            if truth is False:
                return False
            result = truth if truth is UNKNOWN else result
            left = right
        return result

    def _eval_call(self, node: ast.Call) -> Any:
        argument = node.args[0]
        if isinstance(node.func, ast.Name) and node.func.id == "defined":
            return is_defined(name_of(argument), self.scope)
        value = self._eval(argument)
        if value is UNKNOWN:
            return UNKNOWN
        if isinstance(value, str | Sequence | Mapping):
            return len(value)
        raise ExpressionError(f"'{ast.unparse(argument)}' is {_kind(value)} and has no length")


def look_up(name: Name, scope: Mapping[str, Any]) -> Any:
    """Return what ``name`` means; a member of something unknown is unknown.

    Raises:
        ExpressionError: there is no such name; never an empty or false value instead.
    """
    value: Any = scope
    for depth, part in enumerate(name):
        if value is UNKNOWN:
            return UNKNOWN
        value = _member(value, part, name[:depth])
    return value


def is_defined(name: Name, scope: Mapping[str, Any]) -> bool:
    """Tell whether ``name`` is there and not null; something unknown is there."""
    try:
        return look_up(name, scope) is not None
    except ExpressionError:
        return False


def _member(value: Any, part: str | int, above: Name) -> Any:
    if isinstance(value, Mapping) and isinstance(part, str):
        if part in value:
            return value[part]
        known = [key for key in value if isinstance(key, str)]
        where = f" in '{spell(above)}'" if above else ""
        raise ExpressionError(
            f"there is no '{part}'{where}", hint=did_you_mean(part, known, otherwise="There are")
        )
    if isinstance(value, list | tuple) and isinstance(part, int):
        if part < len(value):
            return value[part]
        raise ExpressionError(f"'{spell(above)}' has {len(value)} items, no [{part}]")
    raise ExpressionError(
        f"'{spell(above)}' is {_kind(value)}, so there is no '{part}' in it",
        hint=f"Ask with defined({spell((*above, part))}) before.",
    )


def _truth(value: Any, name: str) -> bool | Unknown:
    """Read a value as a condition.  A text such as ``absent`` is none: it would always hold."""
    if isinstance(value, bool | Unknown):
        return value
    if value is None:
        return False
    if value == UNKNOWN.value:
        return UNKNOWN
    raise ExpressionError(
        f"'{name}' is {_kind(value)}, neither true nor false",
        hint="Compare it, for example == 'present', or take len() of it.",
    )


def _number(value: Any, name: str) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ExpressionError(f"'{name}' is {_kind(value)}, and + and - take numbers")


def _compare(kind: type[ast.cmpop], left: Any, right: Any) -> bool | Unknown:
    if kind in (ast.Eq, ast.NotEq):
        equal = _equal(left, right)
        if isinstance(equal, Unknown) or kind is ast.Eq:
            return equal
        return not equal
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return UNKNOWN
    if kind in (ast.In, ast.NotIn):
        return _contains(left, right) is (kind is ast.In)
    if _comparable(left, right):
        return bool(_ORDER[kind](left, right))
    raise ExpressionError(f"{_kind(left)} and {_kind(right)} can not be compared in size")


def _equal(left: Any, right: Any) -> bool | Unknown:
    """Compare; what is unknown is equal to the word for it, and to nothing else for sure."""
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        other = right if isinstance(left, Unknown) else left
        same = isinstance(other, Unknown) or other == UNKNOWN.value
        return True if same else UNKNOWN
    if isinstance(left, bool) != isinstance(right, bool):
        return False  # Python takes true for 1
    return bool(left == right)


def _comparable(left: Any, right: Any) -> bool:
    kinds: tuple[Any, ...] = (str, timedelta, datetime)
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (left, right))
    return numbers or any(isinstance(left, k) and isinstance(right, k) for k in kinds)


def _contains(item: Any, holder: Any) -> bool:
    if isinstance(holder, Mapping):
        return isinstance(item, str) and item in holder
    if isinstance(holder, list | tuple | frozenset):
        return any(_equal(item, other) is True for other in holder)
    if isinstance(holder, str) and isinstance(item, str):
        return item in holder
    raise ExpressionError(f"{_kind(item)} can not be looked for in {_kind(holder)}")


def _kind(value: Any) -> str:
    names: tuple[tuple[Any, str], ...] = (
        (type(None), "null"),
        (bool, "true or false"),
        (str, "text"),
        (int | float, "a number"),
        (Mapping, "a mapping"),
        (list | tuple, "a list"),
        (Secret, "a secret"),
        (timedelta, "a duration"),
        (datetime, "a moment"),
        (Unknown, "unknown"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), type(value).__name__)
