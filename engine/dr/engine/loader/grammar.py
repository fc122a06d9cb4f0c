"""The closed grammar of ``${{ }}``: cuts expressions out of text and parses them.

A text is first cut into the few tokens there are, so nothing else ever reaches the parser; the
tree is then checked node by node.  What passes can only look names up, compare and add.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from dr.engine.core.errors import UserError

LONGEST: Final = 500
DEEPEST: Final = 40
LITERALS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
FUNCTIONS: Final = frozenset({"len", "defined"})

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<number>[0-9]{1,15}(?:\.[0-9]{1,15})?(?![0-9A-Za-z_.]))
      | (?P<name>[A-Za-z][A-Za-z0-9_]*)
      | (?P<string>'[^'\\\r\n]*'|"[^"\\\r\n]*")
      | (?P<sign>==|!=|<=|>=|<|>|\+|-|\(|\)|\[|\]|,|\.)""",
    re.VERBOSE,
)
_WORDS = frozenset({"and", "or", "not", "in"})
_BINARY = (ast.Add, ast.Sub)
_UNARY = (ast.Not, ast.USub)
_COMPARE = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn)
_GRAMMAR_HINT = (
    "An expression has names (a.b), literals, == != < <= > >= in, and or not, + -, len() and "
    "defined()."
)

Name = tuple[str | int, ...]


class ExpressionError(UserError):
    """An expression is outside the grammar, or names what is not there.

    ``offset`` counts characters from the start of the text that was given.
    """

    code = "expression"

    def __init__(self, message: str, *, hint: str = "", offset: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Reference:
    """A name used in an expression; ``asked`` when only ``defined()`` asks for it."""

    name: Name
    offset: int
    asked: bool = False


@dataclass(frozen=True)
class Expression:
    """A parsed expression."""

    text: str
    tree: ast.expr
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text: words as they are, or the inside of ``${{ }}`` at ``offset``."""

    text: str
    offset: int
    is_expression: bool


def has_expression(text: str) -> bool:
    """Tell whether a text holds a ``${{``."""
    return "${{" in text


def pieces(text: str) -> list[Piece]:
    """Cut a text into words and expressions.

    Raises:
        ExpressionError: a ``${{`` is never closed.
    """
    found: list[Piece] = []
    at = 0
    while (start := text.find("${{", at)) >= 0:
        if start > at:
            found.append(Piece(text[at:start], at, is_expression=False))
        end = _closing(text, start + 3)
        found.append(Piece(text[start + 3 : end], start + 3, is_expression=True))
        at = end + 2
    if at < len(text) or not found:
        found.append(Piece(text[at:], at, is_expression=False))
    return found


def whole(text: str) -> Piece | None:
    """Return the expression when the text is nothing else, white space aside."""
    if not text.lstrip().startswith("${{") or not text.rstrip().endswith("}}"):
        return None
    parts = [part for part in pieces(text) if part.is_expression or part.text.strip()]
    return parts[0] if len(parts) == 1 and parts[0].is_expression else None


def _closing(text: str, start: int) -> int:
    """Return where the ``}}`` is that closes an expression; one inside quotes does not."""
    quote = ""
    for index in range(start, min(len(text), start + LONGEST + 2)):
        character = text[index]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif text.startswith("}}", index):
            return index
    if len(text) > start + LONGEST:
        message = f"an expression is longer than {LONGEST} characters or never closed"
        raise ExpressionError(message, hint="Close it with '}}'.", offset=start - 3)
    what = f"the quote {quote} is never closed" if quote else "'${{' is never closed with '}}'"
    raise ExpressionError(what, hint="Write ${{ name }}.", offset=start - 3)


@lru_cache(maxsize=16384)
def parse(text: str) -> Expression:
    """Parse the inside of one ``${{ }}``.

    Raises:
        ExpressionError: it is empty, too long or outside the grammar.
    """
    if len(text) > LONGEST:
        raise ExpressionError(
            f"the expression has {len(text)} characters; {LONGEST} are allowed",
            hint="Cut it in two, in two steps' 'if'.",
        )
    source = "".join(_tokens(text))
    if not source.strip():
        raise ExpressionError("the expression is empty", hint=_GRAMMAR_HINT)
    lead = len(source) - len(source.lstrip())
    try:
        tree = ast.parse(source.lstrip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        offset = lead + max(0, (getattr(error, "offset", None) or 1) - 1)
        raise ExpressionError(
            "the expression can not be read", hint=_GRAMMAR_HINT, offset=min(offset, len(text))
        ) from None
    references: list[Reference] = []
    _check(tree, lead, references, 0)
    return Expression(text, tree, tuple(references))


def _tokens(text: str) -> Iterator[str]:
    """Yield the tokens as they are, white space as blanks; refuse whatever is none."""
    at, before = 0, ""
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _no_token(text, at)
        kind, token = match.lastgroup, match.group()
        if kind == "name":
            _check_word(token, at, is_member=before == ".")
        if kind == "string" and text[at - 1 : at].isalnum():
            # r'' or f'' would be a different literal to the parser
            raise ExpressionError("a quote can not follow a name", hint=_GRAMMAR_HINT, offset=at)
        yield " " * len(token) if kind == "space" else token
        before = before if kind == "space" else token
        at = match.end()


def _no_token(text: str, at: int) -> ExpressionError:
    character = text[at]
    hints = {
        "=": "Write '==' to compare.",
        "&": "Write 'and'.",
        "|": "Write 'or'.",
        "!": "Write 'not', or '!='.",
        "_": "A name begins with a letter.",
        "'": "Close the quote; a backslash or a line break can not stand in it.",
        '"': "Close the quote; a backslash or a line break can not stand in it.",
    }
    return ExpressionError(
        f"'{character}' is not part of the expression language",
        hint=hints.get(character, _GRAMMAR_HINT),
        offset=at,
    )


def _check_word(word: str, at: int, *, is_member: bool) -> None:
    if not keyword.iskeyword(word) or (word in _WORDS and not is_member):
        return
    if word in {"True", "False", "None"}:
        meant = {"True": "true", "False": "false", "None": "null"}[word]
        raise ExpressionError(f"'{word}' is not known", hint=f"Write {meant}.", offset=at)
    hint = f'Write ["{word}"] in place of .{word}.' if is_member else _GRAMMAR_HINT
    raise ExpressionError(f"'{word}' can not be used as a name here", hint=hint, offset=at)


def _check(node: ast.expr, lead: int, found: list[Reference], depth: int) -> None:
    """Refuse what is outside the grammar; note the names."""
    at = lead + node.col_offset
    if depth > DEEPEST:
        raise ExpressionError("the expression is nested too deeply", offset=at)
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        name = name_of(node, lead)
        if name[0] not in LITERALS or len(name) > 1:
            found.append(Reference(name, at))
        return
    if isinstance(node, ast.Call):
        _check_call(node, lead, found, depth)
        return
    for below in _operands(node, at):
        _check(below, lead, found, depth + 1)


def _operands(node: ast.expr, at: int) -> list[ast.expr]:
    match node:
        case ast.Constant(value=str() | int() | float()):
            return []
        case ast.List(elts=elements):
            return elements
        case ast.BoolOp(values=values):
            return values
        case ast.UnaryOp(op=op, operand=operand) if isinstance(op, _UNARY):
            return [operand]
        case ast.BinOp(op=op, left=left, right=right) if isinstance(op, _BINARY):
            return [left, right]
        case ast.Compare(left=left, ops=ops, comparators=others) if all(
            isinstance(op, _COMPARE) for op in ops
        ):
            return [left, *others]
    what = "a list in round brackets" if isinstance(node, ast.Tuple) else "this"
    raise ExpressionError(f"{what} is outside the grammar", hint=_GRAMMAR_HINT, offset=at)


def _check_call(node: ast.Call, lead: int, found: list[Reference], depth: int) -> None:
    at = lead + node.col_offset
    called = node.func.id if isinstance(node.func, ast.Name) else ""
    if called not in FUNCTIONS:
        raise ExpressionError(
            "only len() and defined() can be called", hint=_GRAMMAR_HINT, offset=at
        )
    if len(node.args) != 1 or node.keywords:
        raise ExpressionError(f"{called}() takes one value", offset=at)
    argument = node.args[0]
    if called == "len":
        _check(argument, lead, found, depth + 1)
        return
    if not isinstance(argument, ast.Name | ast.Attribute | ast.Subscript):
        raise ExpressionError("defined() takes a name such as a.b", offset=at)
    found.append(Reference(name_of(argument, lead), lead + argument.col_offset, asked=True))


def name_of(node: ast.expr, lead: int = 0) -> Name:
    """Return ``("a", "b", 0)`` for ``a.b[0]``.

    Raises:
        ExpressionError: it is no chain of names and literal subscripts.
    """
    parts: list[str | int] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
        elif isinstance(node, ast.Subscript):
            parts.append(_subscript(node.slice, lead))
        else:
            raise ExpressionError(
                "only a name can have members",
                hint=_GRAMMAR_HINT,
                offset=lead + node.col_offset,
            )
        node = node.value
    return (node.id, *reversed(parts))


def _subscript(node: ast.expr, lead: int) -> str | int:
    value: Any = node.value if isinstance(node, ast.Constant) else None
    if type(value) in (str, int):
        return value  # type: ignore[no-any-return]
    raise ExpressionError(
        'only a literal can stand in [ ], such as ["db-a"] or [0]',
        offset=lead + node.col_offset,
    )


def spell(name: Name) -> str:
    """Write a name as it stands in an expression."""
    text = str(name[0])
    for part in name[1:]:
        plain = isinstance(part, str) and part.isidentifier() and not keyword.iskeyword(part)
        text += f".{part}" if plain else f"[{part!r}]"
    return text
