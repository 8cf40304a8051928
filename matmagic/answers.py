"""The student's answers: what each says it is, and its value for arguments other than the notebook's.

In: a cell that has run, the notebook's names, and the arguments of the function.  Out: Claims.
An answer is evaluated by running its backward slice, the statements on which it depends, over a private copy
of the notebook's names, in which what it reads is copied and lifted to the dtype of the arguments.
Not known here: whether an answer is right, and what its text means when it is not Python.
"""

from __future__ import annotations

import ast
import copy
import dis
import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import CodeType, FunctionType
from typing import Any

from .cells import Cell, Outcome, all_reads, answer_lines, backward, depending, is_tensor
from .errors import CellError
from .options import nearest
from .places import roots

_CLAIM = re.compile(r"expected(?:_(gradient|grad|jacobian|jac|hessian|hess)s?)?(?:_(?:wrt_)?(\w+))?")
_KINDS = {"grad": "gradient", "jac": "jacobian", "hess": "hessian"}
PLAIN = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class Context:
    """What an answer may refer to: the notebook, and the function beside it."""

    called: tuple[str, ...]  # the function, and in backward style what it differentiates
    namespace: Mapping[str, Any]
    arguments: tuple[str, ...]
    defaults: Mapping[str, Any]
    constants: tuple[str, ...]  # tensors that the function reads


@dataclass(frozen=True)
class Slice:
    """The statements on which one name depends, and where their other names come from."""

    target: str
    statements: tuple[ast.stmt, ...]
    namespace: Mapping[str, Any]  # the notebook's names, as they are now
    before: Mapping[str, Any]  # those the slice reads, as they were when the answer was written
    defaults: Mapping[str, Any]  # of the function's arguments
    failure: Exception | None = None

    def run(self, inputs: Mapping[str, Any]) -> Any:
        """The target's value for these arguments; what doesn't depend on them keeps the notebook's value.

        Objects that hold some of the inputs (lin, for lin.weight) stay themselves: the caller replaces what they hold.
        """
        fixed = {**self.defaults, **inputs}
        names = {**self.namespace, **self.before, **fixed}
        scope = _private(names, {self.target} | all_reads(self.statements), self.namespace, inputs)
        kept = {name: scope[name] for name in fixed}
        for statement in depending(self.statements, set(fixed) | roots(fixed)):
            exec(compile(ast.Module([statement], []), "<answer>", "exec"), scope)
            scope.update(kept)
        return _settled(scope[self.target], scope)


@dataclass(frozen=True)
class Claim:
    """An answer to grade."""

    text: str  # the right-hand side as typed; "grad_f(x, A)" for a function
    variable: str | None
    kind: str | None  # "gradient", "jacobian", "hessian"
    line: int | None  # None for an option
    name: str
    slice: Slice = field(repr=False, compare=False)

    def evaluate(self, inputs: Mapping[str, Any], shape: Any = None) -> Any:
        """The answer for these arguments; raises what its code raises.  Nothing in the notebook changes.

        Code has a shape of its own, whatever that of the derivative.
        """
        if self.line is None and self.slice.failure is not None:
            raise self.slice.failure
        return self.slice.run(inputs)

    def value(self, shape: Any = None) -> Any:
        """The answer that the notebook holds now; a CellError when there is none."""
        failure = self.slice.failure
        if failure is not None:
            raise CellError(f"{self.name} has no value", f"{type(failure).__name__}: {failure}") from failure
        if self.name not in self.slice.namespace:
            raise CellError(f"{self.name} has no value", f"it is not defined after line {self.line} has run")
        return _settled(self.slice.namespace[self.name], self.slice.namespace)


def claims_of_cell(cell: Cell, outcome: Outcome, about: Context) -> tuple[Claim, ...]:
    """The answers in the cell, in order; a name that is assigned twice counts with its last value."""
    body = cell.tree.body
    found: dict[str, Claim] = {}
    for index, statement in enumerate(body):
        for name, text in answer_lines(statement, cell.source).items():
            statements = backward(body[: index + 1], name, about.arguments)
            then = outcome.names.get(index, {})
            before = {n: then[n] for n in all_reads(statements) if n in then}
            code = Slice(name, statements, about.namespace, before, about.defaults, outcome.failures.get(index))
            found[name] = _claim(name, text, statement.lineno, about, code)
    for name, node in cell.claim_functions.items():
        given = next(n.args for n in ast.walk(node) if isinstance(n, ast.FunctionDef | ast.Lambda))
        names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        code = Slice(name, (), about.namespace, {}, about.defaults)
        found[name] = _claim(name, f"{name}({', '.join(names)})", node.lineno, about, code)
    return tuple(sorted(found.values(), key=lambda claim: claim.line or 0))


def _claim(name: str, text: str, line: int, about: Context, code: Slice) -> Claim:
    """The claim with what its name says: expected_grad_x is a gradient with respect to x."""
    if not name.startswith("expected"):
        beginning = next((k for k in ("jacobian", "hessian") if name.startswith(k)), "gradient")
        return Claim(text, None, beginning, line, name, code)
    said = _CLAIM.fullmatch(name)
    word, ending = (said[1], said[2]) if said else (None, None)
    kind = _KINDS.get(word, word) if word else None
    variable = _variable(ending, name, bool(word), about) if ending else None
    return Claim(text, variable, kind, line, name, code)


def _variable(said: str, name: str, is_derivative: bool, about: Context) -> str | None:
    """The argument that an answer's name ends with; None for a general ending, a CellError where one is missing.

    lin_weight and weight stand for lin.weight; expected_gradient_2, expected_gradient_f and expected_result are general.
    """
    known = [*about.arguments, *about.constants]
    inside = [k for k in known if not k.isidentifier() and _flat(k).endswith(f"_{_flat(said)}")]
    for alike in ([k for k in known if k == said], [k for k in known if _flat(k) == _flat(said)], inside):
        if len(alike) == 1:
            return alike[0]
    if said.isdigit() or said in about.called or not (is_derivative or len(said) == 1):
        return None
    raise CellError(
        f"{name}: {about.called[0]} has no argument {said}{nearest(said, known)}",
        f"it has {', '.join(known)}; expected_gradient is an answer for any of them",
    )


def _flat(name: str) -> str:
    """A name as part of another: lin_weight for lin.weight, capitals or not."""
    return re.sub(r"\W+", "_", name).strip("_").lower()


def _private(
    names: Mapping[str, Any], wanted: Iterable[str], home: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """The names, with what the wanted ones reach copied and lifted to the inputs' dtype.

    Code may do there as it likes; helper functions of the notebook are bound to the copy.
    """
    scope = dict(names)
    dtype = next((v.dtype for v in inputs.values() if is_tensor(v) and v.is_floating_point()), None)
    todo, seen = list(wanted), roots(inputs)
    while todo:
        name = todo.pop()
        if name in seen or name not in names:
            continue
        seen.add(name)
        value = names[name]
        if isinstance(value, FunctionType) and value.__globals__ is home:
            todo += globals_read(value.__code__)
            scope[name] = _rebound(value, scope)
        elif is_tensor(value):
            needs_grad = value.requires_grad or getattr(home.get(name), "requires_grad", False) is True
            scope[name] = _own(value, None if name in inputs else dtype, needs_grad)
        elif hasattr(value, "named_parameters") and not isinstance(value, type):
            scope[name] = copy.deepcopy(value).to(dtype) if dtype else copy.deepcopy(value)
        elif isinstance(value, list | dict | set) or type(value).__module__ == "numpy":
            scope[name] = copy.copy(value)
    return scope


def _own(tensor: Any, dtype: Any, needs_grad: bool) -> Any:
    """A leaf with the tensor's values; floating-point ones in the dtype, if one is given."""
    if not tensor.is_floating_point():
        return tensor.detach().clone()
    return tensor.detach().clone().to(dtype or tensor.dtype).requires_grad_(needs_grad)


def globals_read(code: CodeType) -> set[str]:
    """Global names that the code loads, inner functions included."""
    names = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return names.union(*(globals_read(c) for c in code.co_consts if isinstance(c, CodeType)))


def _rebound(function: FunctionType, scope: dict[str, Any]) -> FunctionType:
    """The same function, with its globals looked up in the scope."""
    bound = FunctionType(function.__code__, scope, function.__name__, function.__defaults__, function.__closure__)
    bound.__kwdefaults__ = function.__kwdefaults__
    bound.__dict__.update(function.__dict__)
    return bound


def _settled(value: Any, names: Mapping[str, Any]) -> Any:
    """The value behind an answer: a function is called with arguments by name; a tensor leaves its graph."""
    if isinstance(value, FunctionType):
        needed = [
            p for p in inspect.signature(value).parameters.values() if p.default is p.empty and "VAR" not in p.kind.name
        ]
        missing = [p.name for p in needed if p.name not in names]
        if missing:
            raise CellError(
                f"{value.__name__} needs a value for {', '.join(missing)}",
                "give it the arguments of the function",
            )
        args = [names[p.name] for p in needed if p.kind in PLAIN]
        value = value(*args, **{p.name: names[p.name] for p in needed if p.kind not in PLAIN})
    return value.detach() if is_tensor(value) else value
