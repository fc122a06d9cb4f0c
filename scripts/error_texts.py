"""The sentences that errors are made of, read from the source: messages and hints of all floors.

Only the command line speaks Chinese; the floors below it raise errors in English.  So the
catalogue of errors is made from the code that raises them: every message and hint of a
``DrError``, a ``Problem`` or a ``ValueError`` is followed back, through local names, parameters
and the functions that return it, to the literals it is made of.  An f-string becomes a text
with named places: ``f"no run is called '{wanted}'"`` is ``no run is called '{wanted}'``.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

FLOORS = ("engine", "inventory", "backups", "reconcile", "incidents", "lab", "web", "cli")
_ROOT_CLASS = "DrError"
_SENTENCE = ("message", "hint")
_VALUES = ("dr.engine.core.values",)
"""What these return is a value: a duration, a moment."""
_MOST_FORMS = 4
"""A name that can hold more texts than this stays a place in the text."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Place:
    """A value inside a text; ``parameter`` when it is one of the enclosing function's."""

    name: str
    parameter: str = ""


Form = tuple[str | Place, ...]


@dataclass(eq=False)
class Room:
    """A function, or a module outside its functions, with what its names were given."""

    module: Module
    function: Function | None = None
    given: dict[str, list[ast.expr]] = field(default_factory=lambda: defaultdict(list))

    @property
    def parameters(self) -> list[str]:
        if self.function is None:
            return []
        arguments = self.function.args
        return [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


@dataclass(eq=False)
class Module:
    """A file of the source."""

    name: str
    tree: ast.Module
    rooms: dict[str, list[Room]] = field(default_factory=lambda: defaultdict(list))
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)
    top: Room = field(init=False)

    def __post_init__(self) -> None:
        self.top = Room(self)


class Source:
    """All modules; finds who is meant by a name."""

    def __init__(self, root: Path, floors: Sequence[str] = FLOORS) -> None:
        self.modules: dict[str, Module] = {}
        for floor in floors:
            for path in sorted((root / floor / "dr").rglob("*.py")):
                name = ".".join(path.relative_to(root / floor).with_suffix("").parts)
                self.add(name.removesuffix(".__init__"), path.read_text(encoding="utf-8"))
        self.errors = self._errors()

    def add(self, name: str, text: str) -> None:
        """Read one module."""
        module = Module(name, ast.parse(text))
        _fill(module.top, module.tree)
        for node in ast.walk(module.tree):
            if isinstance(node, Function):
                room = Room(module, node)
                _fill(room, node)
                module.rooms[node.name].append(room)
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    module.imported[alias.asname or alias.name] = (node.module, alias.name)
        self.modules[name] = module

    def _errors(self) -> dict[str, list[str]]:
        """Return the error classes, each with the parameters of its constructor."""
        classes = [n for m in self.modules.values() for n in ast.walk(m.tree)
                   if isinstance(n, ast.ClassDef)]  # fmt: skip
        found = {_ROOT_CLASS: ["message"], "Problem": ["message", "path", "where", "excerpt",
                 "hint"], "ValueError": ["message"], "TypeError": ["message"]}  # fmt: skip
        grown = True
        while grown:
            grown = False
            for node in classes:
                bases = [_last(base) for base in node.bases]
                known = next((found[base] for base in bases if base in found), None)
                if known is not None and node.name not in found:
                    found[node.name] = _constructor(node) or known
                    grown = True
        return found

    def called(self, call: ast.Call, room: Room) -> list[Room]:
        """Return the functions of the project that a call may mean."""
        name, module = _last(call.func), room.module
        if isinstance(call.func, ast.Name):
            if name in module.rooms:
                return module.rooms[name]
            home, original = module.imported.get(name, ("", ""))
            return self._of(home, original)
        owner = _last(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        if owner in {"self", "cls"} and name in module.rooms:
            return module.rooms[name]
        if owner in module.imported:
            return self._of(".".join(module.imported[owner]), name)
        return []

    def _of(self, module: str, name: str) -> list[Room]:
        found = self.modules.get(module)
        if found is None:
            return []
        if name in found.rooms:
            return found.rooms[name]
        return self._of(*found.imported[name]) if name in found.imported else []

    def all_rooms(self) -> Iterator[Room]:
        """Yield every function, and every module outside its functions."""
        for module in self.modules.values():
            yield module.top
            for rooms in module.rooms.values():
                yield from rooms


def _constructor(node: ast.ClassDef) -> list[str]:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return [a.arg for a in item.args.args[1:]]
    return []


def _last(node: ast.expr) -> str:
    """Return the last word of a dotted name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """Walk a function or module without the functions inside it."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, Function):
            yield from _own(child)


def _fill(room: Room, tree: ast.AST) -> None:
    for node in _own(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                _give(room, target, node.value)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            _give(room, node.target, node.value)
        elif isinstance(node, ast.AugAssign):
            _give(room, node.target, ast.BinOp(node.target, ast.Add(), node.value))
        elif isinstance(node, ast.For | ast.comprehension):
            items = node.iter.elts if isinstance(node.iter, ast.Tuple | ast.List) else []
            for item in items:
                _give(room, node.target, item)


def _give(room: Room, target: ast.expr, value: ast.expr) -> None:
    if isinstance(target, ast.Name):
        room.given[target.id].append(value)
    elif isinstance(target, ast.Tuple):
        for index, part in enumerate(target.elts):
            inner = value.elts[index] if isinstance(value, ast.Tuple) else _item(value, index)
            _give(room, part, inner)


def _item(value: ast.expr, index: int) -> ast.expr:
    return ast.Subscript(value=value, slice=ast.Constant(index), ctx=ast.Load())


class Reader:
    """Follows expressions back to the texts they can be."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.texts: set[str] = set()
        self._wanted: dict[tuple[int, str], tuple[Room, str]] = {}
        self._parts: dict[tuple[int, str], tuple[Room, str]] = {}
        self._busy: set[tuple[int, int | None]] = set()

    def read(self) -> set[str]:
        """Return the texts of all errors, with named places for their values."""
        rooms = list(self.source.all_rooms())
        before = -1
        while before != len(self._wanted) + len(self._parts):
            before = len(self._wanted) + len(self._parts)
            for room in rooms:
                for node in _own(room.function or room.module.tree):
                    if isinstance(node, ast.Call):
                        self._call(node, room)
        return self.texts

    def _call(self, call: ast.Call, room: Room) -> None:
        for argument in self._sentences(call, room):
            self._keep(argument, room)
        for called in self.source.called(call, room):
            names = _names(called)
            takes = [p for p in names if (id(called), p) in self._parts]
            for _name, argument in _bound(call, names, takes):
                self._keep_part(argument, room)
        if _last(call.func) == "PydanticCustomError":
            for node in ast.walk(call):
                for key, value in (
                    zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ()
                ):
                    if isinstance(key, ast.Constant) and key.value in _SENTENCE:
                        self._keep(value, room)

    def _sentences(self, call: ast.Call, room: Room) -> Iterator[ast.expr]:
        """Yield the arguments of a call that end as a message or a hint."""
        name = _last(call.func)
        found: list[tuple[str, ast.expr]] = []
        if name == "__init__" and room.function and room.function.name == "__init__":
            found += _bound(call, ["message"], _SENTENCE)
        elif name in self.source.errors:
            found += _bound(call, self.source.errors[name], _SENTENCE)
        for called in self._methods(call, room):
            names = _names(called)
            takes = [p for p in names if (id(called), p) in self._wanted]
            found += _bound(call, names, takes)
        for _name, argument in found:
            yield argument

    def _methods(self, call: ast.Call, room: Room) -> list[Room]:
        found = self.source.called(call, room)
        if found or not isinstance(call.func, ast.Attribute):
            return found
        # a method of some object: whichever method of that name ends in an error
        return [r for r, _p in self._wanted.values()
                if r.function and r.function.name == call.func.attr and "self" in r.parameters
                and not r.function.name.startswith("_")]  # fmt: skip

    def _keep(self, expression: ast.expr, room: Room) -> None:
        for form in self.forms(expression, room):
            for part in form:
                if isinstance(part, Place) and part.parameter:
                    slots = self._wanted if len(form) == 1 else self._parts
                    slots[id(room), part.parameter] = (room, part.parameter)
            self._add(form)

    def _keep_part(self, expression: ast.expr, room: Room) -> None:
        """Keep words that a caller puts into a text, unless they are a name or a value."""
        for form in self.forms(expression, room):
            if " " in "".join(piece for piece in form if isinstance(piece, str)).strip():
                self._add(form)

    def _add(self, form: Form) -> None:
        text = text_of(form).strip()
        if says_something(text) and not text.endswith((":", " ()")):
            self.texts.add(text)

    def forms(self, node: ast.expr, room: Room, index: int | None = None) -> list[Form]:
        """Return the texts that an expression can be; item ``index`` when it is a tuple."""
        key = (id(node), index)
        if key in self._busy:
            return []
        self._busy.add(key)
        try:
            return list(dict.fromkeys(self._forms(node, room, index)))
        finally:
            self._busy.discard(key)

    def _forms(self, node: ast.expr, room: Room, index: int | None) -> Iterable[Form]:
        match node:
            case ast.IfExp():
                return [*self.forms(node.body, room, index), *self.forms(node.orelse, room, index)]
            case ast.BoolOp():
                return [f for value in node.values for f in self.forms(value, room, index)]
            case ast.NamedExpr():
                return self.forms(node.value, room, index)
            case ast.Name():
                return self._name(node, room, index)
            case ast.Call():
                return self._result(node, room, index)
        return self._text(node, room) if index is None else self._items(node, room, index)

    def _items(self, node: ast.expr, room: Room, index: int) -> Iterable[Form]:
        if isinstance(node, ast.Tuple):
            return self.forms(node.elts[index], room) if index < len(node.elts) else []
        return [(Place(_place_name(node)),)]

    def _text(self, node: ast.expr, room: Room) -> Iterable[Form]:
        match node:
            case ast.Constant():
                return [(node.value,)] if isinstance(node.value, str) else []
            case ast.JoinedStr():
                return self._joined(node.values, room)
            case ast.BinOp(op=ast.Add()):
                return self._joined([node.left, node.right], room)
            case ast.Subscript():
                return self._subscript(node, room)
        return [(Place(_place_name(node)),)]

    def _joined(self, parts: Sequence[ast.expr], room: Room) -> Iterator[Form]:
        choices = [self._part(part, room) for part in parts]
        for combination in product(*choices):
            yield tuple(piece for form in combination for piece in form)

    def _part(self, part: ast.expr, room: Room) -> list[Form]:
        if not isinstance(part, ast.FormattedValue):
            return self.forms(part, room)
        forms = [f for f in self.forms(part.value, room) if f] or [()]
        worded = any(isinstance(piece, str) for form in forms for piece in form)
        if worded and len(forms) <= _MOST_FORMS:
            return forms
        for form in forms:
            # too many to write out: a place in this text, and texts of their own
            if any(isinstance(piece, str) and " " in piece for piece in form):
                self._add(form)
        name = _place_name(part.value)
        owned = isinstance(part.value, ast.Name) and part.value.id in room.parameters
        return [(Place(name, name if owned else ""),)]

    def _name(self, node: ast.Name, room: Room, index: int | None) -> Iterable[Form]:
        if node.id in room.given:
            found = [f for value in room.given[node.id] for f in self.forms(value, room, index)]
            return found or [(Place(node.id),)]
        if node.id in room.parameters:
            return [(Place(node.id, node.id),)] if index is None else []
        top = room.module.top
        if node.id in top.given and room is not top:
            return self._name(node, top, index)
        home, original = room.module.imported.get(node.id, ("", ""))
        other = self.source.modules.get(home)
        if other is not None and original in other.top.given:
            return self._name(ast.Name(original, ast.Load()), other.top, index)
        return [(Place(node.id),)]

    def _subscript(self, node: ast.Subscript, room: Room) -> Iterable[Form]:
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
            return self.forms(node.value, room, node.slice.value)
        return self._values_of(node.value, room) or [(Place(_place_name(node)),)]

    def _values_of(self, node: ast.expr, room: Room) -> list[Form]:
        """Return what a mapping that is written out can give."""
        if isinstance(node, ast.Name):
            given = [*room.given.get(node.id, []), *room.module.top.given.get(node.id, [])]
            return [form for value in given for form in self._values_of(value, room)]
        values = node.values if isinstance(node, ast.Dict) else []
        return [form for value in values for form in self.forms(value, room)]

    def _result(self, call: ast.Call, room: Room, index: int | None) -> Iterable[Form]:
        name = _last(call.func)
        called = self.source.called(call, room)
        if any(one.module.name in _VALUES for one in called):
            return [(Place(_place_name(call)),)]
        if called:
            return [f for one in called for f in self._returned(one, call, room, index)]
        if isinstance(call.func, ast.Attribute):
            if name in {"strip", "rstrip", "removesuffix", "capitalize", "lower"}:
                return self.forms(call.func.value, room, index)
            if name == "get":
                found = self._values_of(call.func.value, room)
                for other in call.args[1:]:
                    found += self.forms(other, room, index)
                return found or [(Place(_place_name(call)),)]
        return [(Place(_place_name(call)),)]

    def _returned(
        self, called: Room, call: ast.Call, room: Room, index: int | None
    ) -> Iterator[Form]:
        names = _names(called)
        arguments = _defaults(called) | dict(_bound(call, names, names))
        for node in _own(called.function or called.module.tree):
            if isinstance(node, ast.Return) and node.value is not None:
                for form in self.forms(node.value, called, index):
                    yield from self._filled(form, arguments, room)

    def _filled(self, form: Form, arguments: dict[str, ast.expr], room: Room) -> Iterator[Form]:
        """Put what a call was given into the text that the function returns."""
        choices: list[list[Form]] = []
        for part in form:
            if isinstance(part, Place) and part.parameter in arguments:
                choices.append(self.forms(arguments[part.parameter], room) or [()])
            else:
                plain = replace(part, parameter="") if isinstance(part, Place) else part
                choices.append([(plain,)])
        for combination in product(*choices):
            yield tuple(piece for one in combination for piece in one)


def _defaults(room: Room) -> dict[str, ast.expr]:
    """Return the texts that parameters have when a call does not give them."""
    if room.function is None:
        return {}
    said = room.function.args
    late = dict(zip(reversed(said.args), reversed(said.defaults), strict=False))
    named = zip(said.kwonlyargs, said.kw_defaults, strict=True)
    found = {a.arg: value for a, value in (*late.items(), *named) if value is not None}
    return {n: v for n, v in found.items() if isinstance(v, ast.Constant) and v.value}


def _names(room: Room) -> list[str]:
    """Return the parameters that a call gives."""
    return [name for name in room.parameters if name not in {"self", "cls"}]


def _bound(
    call: ast.Call, names: Sequence[str], wanted: Iterable[str]
) -> Iterator[tuple[str, ast.expr]]:
    """Yield the arguments that a call gives to the ``wanted`` ones of the parameters."""
    wanted = set(wanted)
    for name, argument in zip(names, call.args, strict=False):
        if name in wanted and not isinstance(argument, ast.Starred):
            yield name, argument
    for keyword in call.keywords:
        if keyword.arg in wanted:
            yield str(keyword.arg), keyword.value


def _place_name(node: ast.expr) -> str:
    """Return a word that tells a translator what stands in the place."""
    if isinstance(node, ast.Name | ast.Attribute):
        return _last(node).strip("_") or "value"
    if isinstance(node, ast.Subscript):
        return _place_name(node.value)
    if isinstance(node, ast.Call):
        inner = [a for a in node.args if not isinstance(a, ast.Constant | ast.GeneratorExp)]
        return _place_name(inner[0]) if inner else _place_name(node.func)
    return "value"


def text_of(form: Form) -> str:
    """Return a form as a text; a second place of the same name is numbered."""
    seen: dict[str, int] = defaultdict(int)
    text = ""
    for part in form:
        if isinstance(part, str):
            text += part.replace("{", "{{").replace("}", "}}")
            continue
        seen[part.name] += 1
        text += f"{{{part.name}{seen[part.name] if seen[part.name] > 1 else ''}}}"
    return text


def says_something(text: str) -> bool:
    """Whether there are words in a text besides its places."""
    words = re.sub(r"\{\w+\}", "\0", text.replace("{{", "").replace("}}", ""))
    return bool(re.search(r"[A-Za-z]{2}", words)) and (" " in words or "\0" in words)


def error_texts(root: Path) -> set[str]:
    """Return the texts of all errors of the source under ``root``."""
    return Reader(Source(root)).read()


if __name__ == "__main__":
    print("\n".join(sorted(error_texts(Path(__file__).resolve().parents[1]))))
