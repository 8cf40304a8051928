"""A notebook cell as a list of statements: parsing it, running it, and which names each one reads and writes.

In: the text of a cell.  Out: a Cell, and from running it an Outcome.  It runs statement by statement, as in
IPython, except that an `expected…` line that fails doesn't fail the cell unless something reads it later.
What goes wrong is the user's own exception, with a hint added where one is known.
Lines count from the first line below the magic, as in IPython's own tracebacks.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from .errors import CellError

EXAMPLE = "the shortest cell that works:  def f(x): return x @ x"
_CLAIM_FUNCTIONS = ("grad_{}", "{}_grad", "jacobian_{}", "hessian_{}")
_ASCII = dict(zip("−–—×·⋅∗÷“”„‘’", '---****/"""\'\'', strict=True))
_ASCII |= {"²": "**2", "³": "**3", "≤": "<=", "≥": ">=", "≠": "!="}
IMPORTS = {
    "torch": "import torch",
    "F": "import torch.nn.functional as F",
    "nn": "from torch import nn",
    "np": "import numpy as np",
    "math": "import math",
    "functools": "import functools",
    "partial": "from functools import partial",
}
_MUTATING = {"append", "extend", "insert", "update", "add"}


@dataclass(frozen=True)
class Cell:
    """A parsed cell: its statements, and the functions among them."""

    source: str
    filename: str
    tree: ast.Module
    functions: Mapping[str, ast.stmt]  # candidates, in order
    claim_functions: Mapping[str, ast.stmt]


@dataclass(frozen=True)
class Outcome:
    """What running a cell left, by statement: answers that failed, and the names before each answer."""

    failures: Mapping[int, Exception] = field(default_factory=dict)
    names: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)


def parse(cell: str, filename: str = "<cell>", transform: Callable[[ast.Module], ast.Module] | None = None) -> Cell:
    """The cell's statements and functions; SyntaxError as from Python, CellError if there is no function."""
    try:
        tree = ast.parse(cell, filename)
    except SyntaxError as error:
        for note in look_alikes(error):
            error.add_note(note)
        raise
    tree = transform(tree) if transform else tree
    functions = {name: node for node in tree.body if (name := _function_name(node))}
    beside = {pattern.format(name) for name in functions for pattern in _CLAIM_FUNCTIONS}
    beside |= {name for name in functions if name.startswith("expected")}
    candidates = {name: node for name, node in functions.items() if name not in beside}
    if not candidates:
        raise _no_function(tree.body)
    return Cell(cell, filename, tree, candidates, {n: d for n, d in functions.items() if n in beside})


def run(
    cell: Cell,
    namespace: MutableMapping[str, Any],
    compiler: Callable[..., CodeType] = compile,
    display: bool = False,
) -> Outcome:
    """Run the cell as an ordinary one; an `expected…` line that fails and is not read later is recorded.

    `display` shows the value of a last expression through sys.displayhook.
    """
    outcome = Outcome({}, {})
    body = cell.tree.body
    for index, statement in enumerate(body):
        shown = display and statement is body[-1] and isinstance(statement, ast.Expr)
        node = ast.Interactive([statement]) if shown else ast.Module([statement], [])
        code = compiler(node, cell.filename, "single" if shown else "exec")
        expected = bool(answer_lines(statement, cell.source))
        if expected:
            outcome.names[index] = dict(namespace)  # type: ignore[index]
        try:
            exec(code, namespace)  # type: ignore[arg-type]
        except Exception as error:
            hint(error, namespace, cell)
            if not expected or writes(statement) & all_reads(body[index + 1 :]):
                raise
            outcome.failures[index] = error  # type: ignore[index]
    return outcome


def hint(error: BaseException, namespace: Mapping[str, Any], cell: Cell | None = None) -> None:
    """Add 'did you mean zX?' to a NameError about a name that resembles one of the user's, tensors first."""
    name = getattr(error, "name", None)
    if type(error) is not NameError or not name or getattr(error, "__notes__", None):
        return
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    if where is not None and where.tb_frame.f_globals is not namespace:
        return
    here = all_writes(cell.tree.body) if cell else set()
    if name in IMPORTS:
        error.add_note(f"write above:  {IMPORTS[name]}")
        return
    rows = [(is_tensor(namespace[n]), n in here, s, n) for n in namespace if (s := _similarity(name, n, namespace))]
    modules = difflib.get_close_matches(name, [n for n, value in namespace.items() if inspect.ismodule(value)], 1, 0.8)
    functions = [s for s in cell.tree.body if isinstance(s, ast.FunctionDef)] if cell else []
    owner = next((f.name for f in functions if name in _arguments(f)), None)
    outside = where is not None and where.tb_frame.f_code.co_name == "<module>"
    if rows or modules:
        error.add_note(f"did you mean {max(rows)[3] if rows else modules[0]}?")
    elif owner and outside:
        error.add_note(f"{name} is an argument of {owner}; an answer to be checked is called expected_gradient_{name}")
    elif in_torch := _in_torch(name):
        error.add_note(f"did you mean {in_torch}?")
    else:
        error.add_note(
            f"{name} is neither in the cell nor in the notebook; a tensor of that name there would be a constant"
        )


def _arguments(function: ast.FunctionDef) -> list[str]:
    return [a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]


def _in_torch(name: str) -> str | None:
    """torch.softmax for softmax."""
    for place in ("torch", "torch.linalg", "torch.nn.functional"):
        if name in getattr(sys.modules.get(place), "__all__", ()) or inspect.isroutine(
            getattr(sys.modules.get(place), name, None)
        ):
            return f"{place}.{name}"
    return None


def _similarity(missing: str, known: str, namespace: Mapping[str, Any]) -> float:
    """0 for names that can't be meant; one is part of the other, or they differ by little."""
    if known.startswith("_") or inspect.ismodule(namespace[known]) or known in {"In", "Out", "exit", "quit", "open"}:
        return 0.0
    a, b = sorted((missing.lower(), known.lower()), key=len)
    if a in b and len(b) <= len(a) + 3:
        return len(a) / len(b)
    return 0.5 if difflib.get_close_matches(a, [b]) else 0.0


def look_alikes(error: SyntaxError) -> list[str]:
    """A sentence for a character that only looks like one of Python's: its Unicode name and what to type."""
    found = re.search(r"U\+([0-9A-F]{4,6})", error.msg or "")
    if not found:
        return []
    character = chr(int(found[1], 16))
    name = unicodedata.name(character, "an unnamed character")
    plain = _ASCII.get(character) or unicodedata.normalize("NFKC", character)
    typed = ", type a plain space" if plain == " " else f", type {plain}" if plain.isascii() else ""
    return [f"{character} is U+{found[1]} {name}, not Python{typed}"]


def _function_name(statement: ast.stmt) -> str | None:
    """f, for `def f`, `f = lambda …` and `f = functools.partial(…)`."""
    match statement:
        case ast.FunctionDef(name=name):
            return name
        case (
            ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda())
            | ast.AnnAssign(target=ast.Name(id=name), value=ast.Lambda())
            | ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id="partial")))
            | ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Attribute(attr="partial")))
        ):
            return name
    return None


def _no_function(body: Sequence[ast.stmt]) -> CellError:
    """What was found in place of a function, and what to write."""
    for statement in body:
        if isinstance(statement, ast.AsyncFunctionDef):
            return CellError(
                f"{statement.name} is an async function, which can't be checked",
                f"write: def {statement.name}(...)",
            )
        if isinstance(statement, ast.ClassDef):
            return CellError(
                f"no function in this cell: {statement.name} is a class",
                f"write a function beside it that uses it:  def f(x): return {statement.name}(...)...",
            )
    if not body:
        return CellError("no function in this cell: it is empty", EXAMPLE)
    seen = ", ".join(dict.fromkeys(ast.unparse(s).splitlines()[0][:40] for s in body[:3]))
    value = getattr(body[-1], "value", None)
    names = sorted(reads(value) & all_writes(body[:-1])) if isinstance(value, ast.expr) else []
    if not isinstance(value, ast.expr) or not names:
        return CellError("no function in this cell", f"it has: {seen}", EXAMPLE)
    return CellError(
        "no function in this cell",
        f"it has: {seen}",
        f"write:  def f({', '.join(names)}): return {ast.unparse(value)}",
    )


# --------------------------------------------------------------------------- names


def is_tensor(value: Any) -> bool:
    """Whether it is a torch tensor; torch is not imported for that."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def reads(node: ast.AST) -> set[str]:
    """Names that the code uses, inner functions included."""
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    augmented = {n.target.id for n in ast.walk(node) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)}
    return names | augmented


def writes(statement: ast.stmt) -> set[str]:
    """Names that the statement assigns or changes: `B = …`, `B[0] = …`, `B.mul_(2)`, loops and withs."""
    changed = set()
    for node in ast.walk(statement):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                changed.add(name)
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store()):
                changed.add(name)
            case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store()):
                changed.add(name)
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method))):
                if method.endswith("_") or method in _MUTATING:
                    changed.add(name)
    return changed


def all_reads(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that any of them uses."""
    return set().union(*map(reads, nodes))


def all_writes(statements: Iterable[ast.stmt]) -> set[str]:
    """Names that any of them assigns or changes."""
    return set().union(*map(writes, statements))


def answer_lines(statement: ast.stmt, source: str) -> dict[str, str]:
    """The names `expected…` that a top-level assignment gives a value, each with its right-hand side."""
    match statement:
        case ast.Assign():
            targets, value = statement.targets, statement.value
        case ast.AnnAssign(value=ast.expr() as value) | ast.AugAssign(value=value):
            targets = [statement.target]
        case _:
            return {}
    found = {}
    for target in targets:
        items = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
        split = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(items) and items != [target]
        for i, item in enumerate(items):
            if isinstance(item, ast.Name) and item.id.startswith("expected"):
                text = _typed(value.elts[i] if split else value, source)  # type: ignore[attr-defined]
                found[item.id] = text if split or items == [target] else f"{text}[{i}]"
    return found


def _typed(value: ast.expr, source: str) -> str:
    """The expression as typed, if it is on one line."""
    text = ast.get_source_segment(source, value)
    return text if text and "\n" not in text else ast.unparse(value)


def backward(statements: Sequence[ast.stmt], target: str, given: Iterable[str]) -> tuple[ast.stmt, ...]:
    """The backward slice: the statements on which the target depends, in order.

    Names that are given are not looked for; functions, classes and imports are the notebook's.
    """
    given, needed, kept = set(given), {target}, []
    for statement in reversed(statements):
        if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom | ast.Assert):
            continue
        written = writes(statement) & needed
        if written:
            if isinstance(statement, ast.Assign) and all(isinstance(t, ast.Name) for t in statement.targets):
                needed -= written
            needed |= reads(statement) - given
            kept.append(statement)
    return tuple(reversed(kept))


def depending(statements: Sequence[ast.stmt], given: set[str]) -> list[ast.stmt]:
    """Those of a slice that depend on what is given, and its last one; a name is computed by all or none."""
    changing = set(given)
    while True:
        kept = [s for s in statements if reads(s) & changing or (writes(s) & changing) - given]
        grown = changing | all_writes(kept)
        if grown == changing:
            return [s for s in statements if s in kept or s is statements[-1]]
        changing = grown
