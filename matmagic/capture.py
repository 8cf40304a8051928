"""From a notebook cell, or a function, to what is checked: the function, its arguments, the answers to grade.

In: a cell that has run and the notebook's names, or a function.  Out: a Subject with its Claims.
The function is the last one defined that no other calls.  Its signature tells arguments and shapes, its
bytecode the tensors, modules and objects of the notebook that it reads, its syntax tree the gradients that
it returns.  A tensor in a module or an object is read under Python text that evaluates to it: lin.weight.
Not known here: shapes, values to try, and whether the function works.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import CellType, FunctionType
from typing import Any

from .answers import PLAIN, Claim, Context, claims_of_cell, globals_read
from .cells import EXAMPLE, Cell, Outcome, hint, is_tensor, parse, reads, run
from .errors import CellError, OptionError
from .options import nearest
from .places import held, is_inside, is_module, methods, spelled
from .runs import Runs

__all__ = [
    "Cell",
    "Claim",
    "Outcome",
    "Subject",
    "hint",
    "parse",
    "run",
    "subject",
    "subject_of",
]


# --------------------------------------------------------------------------- what comes out


@dataclass(frozen=True)
class Subject:
    """What to check: a function and the answers beside it."""

    function: Callable[..., Any]
    name: str
    parameters: tuple[str, ...]  # those that need a value
    defaults: Mapping[str, Any]  # those that have one
    annotations: Mapping[str, str]  # shape texts, "n n"
    returned_grads: tuple[str, ...]  # backward style: arguments whose .grad is returned
    reads: Mapping[str, Any]  # tensors it may read without taking them as arguments: A, lin.weight
    source: str
    line: int
    claims: tuple[Claim, ...]
    namespace: Mapping[str, Any] = field(repr=False)
    signature: inspect.Signature = field(repr=False)
    others: tuple[str, ...] = ()  # functions that could have been meant as well
    objects: Mapping[str, Any] = field(repr=False, default_factory=dict)  # modules, lists, variables, … that it reads
    runs: Runs = field(repr=False, compare=False, default_factory=Runs)

    @property
    def symbol(self) -> str:
        """What the function is called in a formula; in backward style the tensor whose .backward() is called."""
        called = re.search(r"\b([^\W\d]\w*)\.backward\(", self.source) if self.returned_grads else None
        return called[1] if called else self.name

    @property
    def inside(self) -> tuple[str, ...]:
        """Those of the tensors that modules, containers and objects hold."""
        return tuple(name for name in self.reads if is_inside(name))

    @property
    def borrowed(self) -> tuple[str, ...]:
        """Arguments without a default that are objects of the notebook: a module, say."""
        return tuple(n for n in self.defaults if self.signature.parameters[n].default is inspect.Parameter.empty)

    @property
    def context(self) -> Context:
        """What an answer to this subject may refer to."""
        called, arguments = (self.name, self.symbol), tuple(self.signature.parameters)
        return Context(called, self.namespace, arguments, self.defaults, tuple(self.reads))

    def bind(self, inputs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """args and kwargs for calling the function; names that are not its arguments are left out."""
        missing = [name for name in self.parameters if name not in inputs]
        if missing:
            raise TypeError(f"{self.name} needs a value for {', '.join(missing)}")
        given = {**self.defaults, **inputs}
        kinds = {name: parameter.kind for name, parameter in self.signature.parameters.items() if name in given}
        needed = {*inputs, *self.borrowed}
        last = max((i for i, name in enumerate(kinds) if name in needed and kinds[name] in PLAIN), default=-1)
        args = tuple(given[name] for i, name in enumerate(kinds) if i <= last and kinds[name] in PLAIN)
        return args, {name: given[name] for name in kinds if name in needed and kinds[name] not in PLAIN}


# --------------------------------------------------------------------------- reading the function


def subject(
    cell: Cell, namespace: Mapping[str, Any], function_name: str | None = None, outcome: Outcome | None = None
) -> Subject:
    """The function of a cell that has run, and the answers beside it."""
    functions = {**cell.functions, **dict(_made(cell, namespace))}
    name, others = _chosen(functions, function_name)
    if not callable(function := namespace.get(name)):
        raise CellError(
            f"{name} is no function any more when the cell has run",
            f"line {functions[name].lineno} defines it",
        )
    node = functions[name]
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    source = "\n".join(cell.source.splitlines()[first - 1 : node.end_lineno])
    found = _subject(function, name, node, source, node.lineno, namespace)
    claims = claims_of_cell(cell, outcome or Outcome(), found.context)
    return replace(found, claims=claims, others=others)


def _made(cell: Cell, namespace: Mapping[str, Any]) -> Iterator[tuple[str, ast.stmt]]:
    """Functions that others of the cell return: `f = make(3)`."""
    for node in cell.tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=maker))) if (
                maker in cell.functions and isinstance(namespace.get(name), FunctionType)
            ):
                yield name, node


def subject_of(function: Any, namespace: Mapping[str, Any] | None = None) -> Subject:
    """A function that exists already, or a module; a name for a lambda or a module is looked up in the namespace."""
    function = _without_report(function)
    inner = inspect.unwrap(function) if callable(function) else function
    if namespace is None:
        namespace = getattr(inner, "__globals__", vars(sys.modules["__main__"]))
    name = getattr(inner, "__name__", "<lambda>")
    if name == "<lambda>":
        name = _name_of(function, namespace) or ("f" if hasattr(inner, "__code__") else type(inner).__name__)
    try:
        lines, first = inspect.getsourcelines(_code_of(inner))
        source = textwrap.dedent("".join(lines)).rstrip()
        node = ast.parse(source).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        source, first, node = "", 1, ast.Pass(lineno=1)
    return _subject(function, name, node, source, first + node.lineno - 1, namespace)


def _subject(function: Any, name: str, node: ast.stmt, source: str, line: int, namespace: Mapping[str, Any]) -> Subject:
    """The subject without answers; `node` is the function's syntax tree, or any other statement."""
    function = _without_report(function)
    signature = _signature(function, name, node)
    named = {n: p for n, p in signature.parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    shapes = {n: _shape_text(p.annotation, namespace) for n, p in named.items()}
    defaults = {n: p.default for n, p in named.items() if p.default is not p.empty}
    defaults |= {n: namespace[n] for n in named if n not in defaults and _holds_tensors(namespace.get(n))}
    outside = {n: v for n, v in _outside(function, namespace).items() if n not in signature.parameters}
    reached = list(held({**outside, **defaults}))
    constants = {text: value for text, value in reached if is_tensor(value)}
    if not named and len(signature.parameters) > 0:
        raise CellError(
            f"the arguments of {name} have no names: {name}{signature}", f"name them:  def {name}(x, y): ..."
        )
    if not named and not constants:
        raise CellError(
            f"{name} takes no argument", f"so there is nothing to differentiate by; write  def {name}(x): ..."
        )
    return Subject(
        function=function,
        name=name,
        parameters=tuple(n for n in named if n not in defaults),
        defaults=defaults,
        annotations={n: text for n, text in shapes.items() if text is not None},
        returned_grads=_returned_grads(node, (*named, *constants)),
        reads=constants,
        source=source,
        line=line,
        claims=(),
        namespace=namespace,
        signature=signature,
        objects={text: value for text, value in reached if not is_tensor(value)} | _variables(function),
    )


def _holds_tensors(value: Any) -> bool:
    """Whether it is a module, a dict or an object with tensors in it: an argument of this name is meant as that."""
    if is_tensor(value) or isinstance(value, FunctionType) or type(value).__module__.startswith("matmagic"):
        return False
    if isinstance(value, list | tuple):
        return bool(value) and all(map(is_tensor, value))
    return any(is_tensor(inner) for _, inner in held({"_": value}))


def _name_of(value: Any, namespace: Mapping[str, Any]) -> str | None:
    """What the notebook calls an object."""
    return next((n for n, v in namespace.items() if v is value and not n.startswith("_")), None)


def _code_of(function: Any) -> Any:
    """The function that holds the code: of a module its forward, of another object its __call__."""
    if is_module(function):
        return type(function).forward
    call = next((vars(kind)["__call__"] for kind in type(function).__mro__ if "__call__" in vars(kind)), None)
    return call if isinstance(call, FunctionType) and not hasattr(function, "__wrapped__") else function


def _chosen(functions: Mapping[str, ast.stmt], wanted: str | None) -> tuple[str, tuple[str, ...]]:
    """The function asked for, else the last that no other one calls; and the others that none calls."""
    if wanted is not None:
        if wanted not in functions:
            raise OptionError(
                f"no function {wanted} in this cell{nearest(wanted, functions)}",
                f"it has: {', '.join(functions)}",
            )
        return wanted, ()
    free = [n for n in functions if not any(n in reads(node) for m, node in functions.items() if m != n)]
    *others, name = free or list(functions)
    return name, tuple(others) if free else ()


def _signature(function: Any, name: str, node: ast.stmt) -> inspect.Signature:
    """The signature of something that can be checked; a CellError that says what it is, otherwise.

    Where a decorator or a compiler hides the arguments, they are those that were written.
    """
    wrap = f"wrap it:  def f(x): return {name}(x)"
    function = function.forward if is_module(function) else function
    inner = inspect.unwrap(function) if callable(function) else function
    if not callable(function):
        raise CellError(f"{name} is {type(function).__name__}, not a function", EXAMPLE)
    if inspect.isclass(function):
        raise CellError(f"{name} is a class, not a function", f"wrap it:  def f(x): return {name}(...)(x)")
    if inspect.iscoroutinefunction(inner):
        raise CellError(f"{name} is an async function, which can't be checked", f"write: def {name}(...)")
    if inspect.isgeneratorfunction(inner):
        raise CellError(f"{name} is a generator: calling it gives no tensor", "write return in place of yield")
    if inspect.isfunction(inner) and _is_method(inner):
        kind, _, method = inner.__qualname__.rpartition(".")
        raise CellError(
            f"{inner.__qualname__} is a method without its object",
            f"make one:  m = {kind.rpartition('.')[2]}(...), then %gradcheck m.{method}",
        )
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):
        signature = None
    hidden = signature is None or {p.kind for p in signature.parameters.values()} <= _VARIABLE
    if hidden and isinstance(node, ast.FunctionDef) and node.decorator_list:
        return _written(node.args)
    if hidden and isinstance(node, ast.FunctionDef) and (parts := _unpacked(node)):
        return inspect.Signature([inspect.Parameter(part, inspect.Parameter.POSITIONAL_ONLY) for part in parts])
    if signature is None:
        raise CellError(f"the arguments of {name} can't be read", wrap) from None
    return signature


_VARIABLE = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


def _is_method(function: FunctionType) -> bool:
    """Whether it is what a class defines, with an argument for the object."""
    inside = "." in function.__qualname__ and not function.__qualname__.rpartition(".")[0].endswith("<locals>")
    return inside and function.__code__.co_varnames[:1] == ("self",) and function.__code__.co_argcount > 0


def _unpacked(node: ast.FunctionDef) -> list[str]:
    """x and A, of a function of *args that begins with x, A = args."""
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Tuple(elts=parts)], value=ast.Name(id=name)) if (
                node.args.vararg and name == node.args.vararg.arg
            ):
                names = [part.id for part in parts if isinstance(part, ast.Name)]
                return names if len(names) == len(parts) else []
    return []


def _written(arguments: ast.arguments) -> inspect.Signature:
    """The arguments without a default, as they are written; the others keep theirs."""
    positional = [*arguments.posonlyargs, *arguments.args]
    positional = positional[: len(positional) - len(arguments.defaults)]
    named = [a for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None]
    parameters = [inspect.Parameter(a.arg, inspect.Parameter.POSITIONAL_ONLY) for a in positional]
    return inspect.Signature([*parameters, *(inspect.Parameter(a.arg, inspect.Parameter.KEYWORD_ONLY) for a in named)])


def _without_report(function: Any) -> Any:
    """The function inside a Report of ours, or one that torch would compile; other wrappers stay, since they may
    change what is computed."""
    while type(function).__module__.partition(".")[0] == __name__.partition(".")[0] and hasattr(
        function, "__wrapped__"
    ):
        function = function.__wrapped__
    return getattr(function, "_torchdynamo_orig_callable", function)


def _shape_text(annotation: Any, namespace: Mapping[str, Any]) -> str | None:
    """ "n n" of `Float[Tensor, "n n"]`, as an object or as text, and of a plain "n n"; None for others."""
    if hasattr(annotation, "dim_str"):
        return str(annotation.dim_str)
    if not isinstance(annotation, str):
        return None
    annotation = annotation.strip()
    if found := re.fullmatch(r"""[\w.]+\[.*,\s*(["'])([^"']*)\1\s*\]""", annotation):
        return found[2].strip()
    text = annotation.strip("\"'")
    sizes = text.replace(",", " ").split()
    known = [namespace.get(size, getattr(builtins, size, None)) for size in sizes]
    is_type = any(isinstance(value, type) for value in known) or "Tensor" in sizes
    return None if is_type or not all(size.isalnum() or size.isidentifier() for size in sizes) else text


def _returned_grads(function: ast.stmt, parameters: tuple[str, ...]) -> tuple[str, ...]:
    """Arguments and tensors read whose .grad is returned, in order, where the body asks autograd for it; else ()."""
    calls = {_last_name(n.func) for n in ast.walk(function) if isinstance(n, ast.Call)}
    if not isinstance(function, ast.FunctionDef) or not calls & {"backward", "grad"}:
        return ()
    known: dict[str, list[str]] = {}

    def grads(value: ast.AST | None) -> list[str]:
        match value:
            case ast.Attribute(value=inner, attr="grad") if (name := _place(inner)) in parameters:
                return [name]
            case ast.Name(id=name):
                return known.get(name, [])
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return [name for item in items for name in grads(item)]
            case ast.Subscript(value=inner, slice=ast.Constant(value=int(i))):
                return grads(inner)[i:][:1]
            case ast.Call(func=ast.Attribute(value=inner, attr="clone" | "detach" | "contiguous")):
                return grads(inner)
            case ast.Call(func=func, args=[_, inputs, *_]) if _last_name(func) == "grad":
                return [name for n in ast.walk(inputs) if (name := _place(n)) in parameters]
        return []

    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for names, found in _pairs(node.targets[0], node.value, grads):
                known[names] = found
    returned = [n for node in ast.walk(function) if isinstance(node, ast.Return) for n in grads(node.value)]
    return tuple(dict.fromkeys(returned))


def _place(node: ast.AST) -> str:
    """x, or lin.weight."""
    return spelled(ast.unparse(node)) if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) else ""


def _pairs(target: ast.expr, value: ast.expr, grads: Callable[[ast.AST], list[str]]) -> Iterator[tuple[str, list[str]]]:
    """Each name that an assignment sets, with the gradients it then holds."""
    if isinstance(target, ast.Name):
        yield target.id, grads(value)
    elif isinstance(target, ast.Tuple | ast.List):
        found = grads(value)
        for i, item in enumerate(target.elts):
            if isinstance(item, ast.Name):
                yield item.id, found[i : i + 1]


def _last_name(function: ast.expr) -> str:
    """grad, of torch.autograd.grad."""
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _outside(function: Any, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """What the function reads without taking it as an argument: globals and closure, its helpers' too.

    A method reads its object, under the name that the notebook has for it.
    """
    code = _code_of(function)
    home = getattr(inspect.unwrap(code), "__globals__", None)
    owner = getattr(function, "__self__", function if code is not function else None)
    held_by = _bound(function) if isinstance(function, functools.partial) else {}
    found: dict[str, Any] = held_by if owner is None else {_name_of(owner, namespace) or "self": owner}
    todo, seen = [code, *methods(owner, home)], set()
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        todo += [getattr(one, a) for a in ("__wrapped__", "__func__") if hasattr(one, a)]
        todo += [one.func] if isinstance(one, functools.partial) else []
        if not isinstance(one, FunctionType):
            continue
        closed = {
            n: c.cell_contents
            for n, c in zip(one.__code__.co_freevars, one.__closure__ or (), strict=True)
            if _filled(c)
        }
        outer = {n: one.__globals__[n] for n in globals_read(one.__code__) if n in one.__globals__}
        todo += [*closed.values(), *(one.__defaults__ or ()), *(one.__kwdefaults__ or {}).values()]
        todo += [
            v for v in outer.values() if getattr(inspect.unwrap(v) if callable(v) else v, "__globals__", None) is home
        ]
        todo += [f for v in (*outer.values(), *closed.values()) if id(v) not in seen for f in methods(v, home)]
        found = {**outer, **closed, **found}
    return found


def _variables(function: Any) -> dict[str, CellType]:
    """The variables of outer functions that the function reads or sets."""
    code = _code_of(inspect.unwrap(function) if callable(function) else function)
    closed = getattr(code, "__closure__", None) or ()
    return dict(zip(code.__code__.co_freevars, closed, strict=True)) if closed else {}


def _bound(function: functools.partial[Any]) -> dict[str, Any]:
    """The arguments that a partial function has already, by place; those by name are defaults in its signature."""
    try:
        return dict(zip(inspect.signature(function.func).parameters, function.args, strict=False))
    except (ValueError, TypeError):
        return {}


def _filled(cell: Any) -> bool:
    """A closure cell has no value before its variable is assigned."""
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
