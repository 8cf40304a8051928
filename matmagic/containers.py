"""Arguments that are dicts or tuples of tensors: a function takes them, a variable is one of their parts.

In: a Subject.  Out: the message that asks which part is meant, and how to write it, where the code takes an argument
apart.  Not known here: whether the function runs.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from contextlib import suppress

from .capture import Subject
from .errors import CellError


def dict_asked(subject: Subject) -> CellError | None:
    """The message for an argument whose entries are read by name: params["W"]."""
    for name in subject.parameters:
        keys = dict.fromkeys(_keys(subject, name))
        if keys:
            made = "{" + ", ".join(f'"{key}": {_argument(key)}' for key in keys) + "}"
            return _asked(subject, name, "a dict", [_argument(key) for key in keys], made, f'"{next(iter(keys))}"')
    return None


def tuple_asked(subject: Subject) -> CellError | None:
    """The message for an argument that is unpacked: x, A = pair."""
    for name in subject.parameters:
        parts = _unpacked(subject, name)
        if parts:
            return _asked(subject, name, "unpacked", parts, f"({', '.join(parts)})", "0")
    return None


def _asked(subject: Subject, name: str, what: str, parts: list[str], made: str, place: str) -> CellError:
    """The message, with a function that takes the parts as arguments and puts them together."""
    others = [other for other in subject.parameters if other != name]
    passed = [made if other == name else other for other in subject.parameters]
    taken = ", ".join([*parts, *(other for other in others if other not in parts)])
    return CellError(
        f"{name} is {what}, not one tensor: by which of its parts, {', '.join(parts)}?",
        f"take them as arguments:  def g({taken}): return {subject.name}({', '.join(passed)})",
        f"or keep them in the notebook as {name}, and say which:  --wrt '{name}[{place}]'",
    )


def _argument(key: str) -> str:
    """A key as the name of an argument."""
    return key if key.isidentifier() else "".join(c if c.isalnum() else "_" for c in f"x_{key}")


def _tree(subject: Subject) -> ast.AST:
    with suppress(SyntaxError):
        return ast.parse(textwrap.dedent(subject.source))
    return ast.Module([], [])


def _keys(subject: Subject, name: str) -> Iterator[str]:
    """Texts in square brackets behind the name."""
    items = [node for node in ast.walk(_tree(subject)) if isinstance(node, ast.Subscript)]
    for node in sorted(items, key=lambda item: (item.lineno, item.col_offset)):
        match node:
            case ast.Subscript(value=ast.Name(id=found), slice=ast.Constant(value=str(key))) if found == name:
                yield key


def _unpacked(subject: Subject, name: str) -> list[str]:
    """The names that the argument is unpacked into."""
    for node in ast.walk(_tree(subject)):
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=parts)], value=ast.Name(id=found)) if found == name:
                names = [part.id for part in parts if isinstance(part, ast.Name)]
                return names if len(names) == len(parts) else []
    return []
