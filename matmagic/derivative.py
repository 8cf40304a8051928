"""One derivative with all its forms: formula, code, SymPy, identity.

In: a Trace and the variable.  Out: its formula, its code and its identity; checking.py adds the verdict.  A Derivative is
what users and programs read: `d.latex`, `d.text`, `d.code`, `d.formula`, `d.identity`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .autograd import copies, relative_error
from .calling import float64
from .differentiate import differentiate
from .expr import Call, Node, add, basis, product
from .expr import transpose as turned
from .identified import ByEntries, Match
from .kronecker import laid_out, stacked
from .legend import legend
from .lengths import Size
from .matrix_functions import NoDerivative
from .naming import latex_where, text_where
from .notation import Indexed, Listed, Math, Plus, Times
from .places import namespace
from .printers.index_code import index_code
from .printers.numpy_code import numpy_code
from .printers.plans import plan
from .printers.sharing import function, one_expression
from .printers.sympy_form import sympy_form
from .printers.text import text
from .printers.torch_code import torch_code
from .printers.torch_forms import SCALAR, form_of
from .printers.torch_parts import PRODUCT, size_code
from .rendering import notation
from .simplify import simplify, with_names, written_out
from .sized import sized
from .state import leave_no_trace
from .tensor_forms import TOO_LONG, Equation
from .torch_rows import Axes
from .trace import Trace
from .verify import TOLERANCE, Verdict
from .walk import ordered, written_size

if TYPE_CHECKING:
    from .trees import Piece

MOST_PARTS = 100  # of a function whose derivative is written down
LONGEST = 1000  # nodes of an expression that is written out; nobody reads a longer formula
FUNCTION_NAMES = {"gradient": "grad", "jacobian": "jacobian", "hessian": "hessian", "derivative": "derivative"}
SYMMETRIC = frozenset({"symmetric", "positive-definite", "diagonal"})  # properties under which Aᵀ is A


@dataclass(frozen=True)
class Formula:
    """A derivative in notation, if it has one, and the code that computes it."""

    math: Math | None
    code: str

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The code's value; names are the inputs, torch and F."""
        return as_tensor(eval(self.code, {"torch": torch, "F": F}, namespace(inputs)))


def as_tensor(value: Any) -> Tensor:
    """What code gives, a Python number as a tensor."""
    return value if isinstance(value, Tensor) else torch.tensor(float(value), dtype=torch.float64)


@dataclass(frozen=True)
class Derivative:
    """The derivative of f by one variable.

    `latex` and `text` are the right-hand side: a differential, where the derivative has more than two indices; then its
    vec form and its entries are further `lines`.  They and `code` are None where no closed form was found; `verdict` says
    what was compared with what.  `code` is one torch expression, `function_code` a small function of it, `numpy_code` the
    same in NumPy.
    """

    variable: str
    kind: str  # "gradient", "jacobian", "hessian", "derivative"
    left_latex: str
    left_text: str
    math: Math | None
    code: str | None
    identity: Match | ByEntries | None
    verdict: Verdict
    value: Tensor | None = None  # at the notebook's own tensors
    lines: tuple[Equation, ...] = ()  # all ways to write it, where there is more than one
    code_left: str = ""  # what the code is, where that is not what stands on the left
    names: tuple[str, ...] = field(default=(), repr=False)  # that made-up letters avoid
    draws: tuple[Mapping[str, Tensor], ...] = field(default=(), repr=False, compare=False)  # on which the code was run
    composed: Callable[[], Piece | None] = field(repr=False, compare=False, default=lambda: None)

    @cached_property
    def tree(self) -> Piece | None:
        """How identities combine to the derivative, where it is no single one; made when it is looked at."""
        with leave_no_trace():
            return None if self.identity else self.composed()

    @property
    def uses(self) -> tuple[Match | ByEntries, ...]:
        """Every identity that the derivative rests on."""
        if self.identity:
            return (self.identity,)
        return self.tree.matches if self.tree else ()

    @cached_property
    def latex(self) -> str | None:
        """The right-hand side in LaTeX."""
        return None if self.math is None else latex_where(self.math, self.names)

    @cached_property
    def text(self) -> str | None:
        """The right-hand side in Unicode."""
        return None if self.math is None else text_where(self.math, self.names)

    @cached_property
    def legend(self) -> tuple[str, ...]:
        """What the less usual symbols of the formula mean."""
        return () if self.math is None else legend(self.math)

    @cached_property
    def formula(self) -> Any:
        """The right-hand side as a SymPy expression, or None; SymPy is imported here."""
        with leave_no_trace():
            return None if self.math is None else sympy_form(self.math)

    @cached_property
    def function_code(self) -> str | None:
        """The code as a function `grad_x(x, A, b)`, a line for each part that it needs twice; None without code."""
        if self.code is None or not self.draws:
            return None
        arguments = list(namespace(self.draws[0]))
        name = FUNCTION_NAMES[self.kind] + "_" + re.sub(r"\W+", "_", self.variable).strip("_")
        try:
            own = function(name, arguments, self.code)
        except RecursionError:  # too long a sum
            return None

        def run(inputs: Mapping[str, Tensor]) -> Any:
            space: dict[str, Any] = {"torch": torch, "F": F}
            exec(own, space)
            return space[name](**namespace(inputs))

        return own if self._is_code(run) else None

    @cached_property
    def numpy_code(self) -> str | None:
        """The code over NumPy arrays and np; None without code, and where NumPy lacks a function.  NumPy is imported here."""
        if self.code is None or not self.draws or "np" in namespace(self.draws[0]):
            return None
        try:
            own = numpy_code(self.code)
        except RecursionError:  # too long a sum
            return None
        if own is None:
            return None
        own = one_expression(own, longest=0)

        def run(inputs: Mapping[str, Tensor]) -> Any:
            import numpy

            with numpy.errstate(all="ignore"):
                arrays = namespace({name: t.numpy() for name, t in inputs.items()})
                return torch.from_numpy(numpy.array(eval(own, {"np": numpy}, arrays), dtype=float))

        return own if self._is_code(run) else None

    def _is_code(self, run: Callable[[Mapping[str, Tensor]], Any]) -> bool:
        """Whether something has the value of the code, which is autograd's, on the draws of the verdict."""
        right = Formula(None, str(self.code))
        try:
            with leave_no_trace(quiet=True), float64():
                pairs = [(run(copies(own)), right(copies(own))) for own in self.draws]
        except Exception:  # whatever other code does wrong, it is not this one
            return False
        finite = [(as_tensor(one), other) for one, other in pairs if bool(torch.isfinite(other).all())]
        return bool(finite) and all(relative_error(one, other) <= TOLERANCE for one, other in finite)

    @property
    def answer_text(self) -> str | None:
        """What an answer should have been: the formula; of several lines the entries, with their left side."""
        plain = [(line.left_text, line.text) for line in self.lines if not line.increment]
        return " = ".join(plain[0] if plain else (self.left_text, self.text or "")) if self.lines else self.text

    @property
    def value_text(self) -> str:
        """The numbers at the notebook's tensors, "" if there are none."""
        if self.value is None:
            return ""
        line = _rounded(self.value.tolist())
        if self.value.ndim < 3 and len(line) <= 72:
            return line
        with torch._tensor_str.printoptions(precision=4, sci_mode=False, linewidth=100):
            return (
                str(self.value)
                .removeprefix("tensor(")
                .removesuffix(")")
                .replace(", dtype=torch.float64", "")
                .replace("\n       ", "\n")
            )

    def __str__(self) -> str:
        return f"{self.left_text} = {self.text or self.code or 'no closed form'}"


def _rounded(numbers: Any) -> str:
    """Nested lists of numbers to four places, or four digits of small ones, on one line."""
    if isinstance(numbers, list):
        return f"[{', '.join(map(_rounded, numbers))}]"
    return f"{numbers:.4g}" if 0 < abs(numbers) < 0.1 else f"{numbers:.4f}"


# ---- the formula --------------------------------------------------------------------------------------------------


def derived(
    trace: Trace, variable: str, order: int, symmetric: Sequence[str], assumed: Mapping[str, str] | None = None
) -> Node:
    """The derivative's expression, simplified, with the declared symmetric constants and other properties."""
    node = simplify(trace.node, symmetric) if _has_cholesky(trace.node) else with_names(trace.node)
    if len(ordered(node)) > MOST_PARTS:
        raise NoDerivative("f has too many parts for a formula")
    typed = node
    factored = not _has_cholesky(node)  # then its values at symmetric matrices are all that torch differentiates
    for _ in range(order):
        node = simplify(differentiate(node, trace.inputs[variable][0]), kept=typed)
    if factored and _has_cholesky(trace.node) and variable in symmetric and order == 1 and not trace.node.shape:
        node = add([(Fraction(1, 2), node), (Fraction(1, 2), turned(node))], node.shape)
    return simplify(node, symmetric, assumed=assumed, kept=typed)


def _has_cholesky(node: Node) -> bool:
    return any(isinstance(part, Call) and part.function == "cholesky" for part in ordered(node))


def joined(trace: Trace, variables: Sequence[str], symmetric: Sequence[str]) -> Node:
    """The derivatives by several scalars side by side: a gradient, or the columns of a Jacobian."""
    rank = len(trace.node.shape)
    columns = [
        product([(derived(trace, v, 1, symmetric), range(rank)), (basis(len(variables), k), (rank,))],
                (*trace.node.shape, len(variables)), range(rank + 1))
        for k, v in enumerate(variables)
    ]  # fmt: skip
    return add([(1, c) for c in columns], columns[0].shape)


def formulas(
    node: Node, trace: Trace, shapes: Mapping[str, Sequence[Size]], variables: Sequence[str], order: int
) -> Iterator[Formula]:
    """The expression's notation with its code; then code from the indices, for what has no notation or a wrong one."""
    axes = {name: own for name, (_, own) in trace.inputs.items()}
    gradient = not trace.node.shape and order == 1 and len(variables) == 1
    like = axes[variables[0]] if gradient else None
    flat = any(len(group) > 1 for own in (*axes.values(), trace.axes) for group in own)
    with suppress(ValueError):
        if not flat and written_size(node) < LONGEST:
            math = notation(written_out(node))
            form = form_of(like) if like is not None else {0: SCALAR, 1: "n", 2: "m,n"}.get(len(node.shape), "tensor")
            for way in (plan(math), math):
                yield Formula(sized(math), torch_code(way, axes, shapes, form, variables[0]))
    outer = _counted(trace.axes) if order == 1 else _counted(axes[variables[0]])
    inner = _counted(axes[variables[0]]) if len(variables) == 1 else [(0,)]
    start = sum(map(len, outer))
    groups = [*outer, *(tuple(start + axis for axis in group) for group in inner)]
    with suppress(ValueError):
        if flat and like is None and len(groups) == 2 and written_size(node) < LONGEST:
            math = stacked(node, groups[0], groups[1])
            if len(text(math)) < TOO_LONG:
                yield Formula(sized(math), torch_code(math, axes, shapes, "m,n"))
    with suppress(ValueError):
        code = index_code(node, axes, shapes, variables[0])
        if like is not None:
            plain = all(len(group) == 1 for group in like)
            yield Formula(None, code if plain else f"({code}).reshape({variables[0]}.shape)")
            return
        if any(len(group) != 1 for group in groups):
            sizes = [" * ".join(size_code(node.shape[a], shapes).at_least(PRODUCT) for a in g) or "1" for g in groups]
            code = f"({code}).reshape({', '.join(sizes)})"
        yield Formula(None, code)


def _counted(axes: Axes) -> Axes:
    """The axes of a tensor in a Jacobian: a column or row counts as a vector."""
    return tuple(group for group in axes if group) if len(axes) == 2 else axes


def statement(trace: Trace) -> Math | None:
    """What f is, as typed; None where it has no notation."""
    if written_size(trace.node) > LONGEST:
        return None
    try:
        return sized(laid_out(trace.node, trace.axes, collect=False))
    except ValueError:
        return None


def one_entry(trace: Trace) -> bool:
    """Whether f has a single entry: (), (1,), (1, 1)."""
    return not trace.node.shape


def kind_of(outputs: Sequence[int], inputs: Sequence[int], order: int) -> str:
    """What the derivative is called, by the shapes of f's result and of the variable."""
    if order == 2:
        return "hessian"
    wide = [sum(s != 1 for s in shape) for shape in (outputs, inputs)]
    if wide[0] == 0:
        return "gradient"
    return "jacobian" if wide[0] == 1 and wide[1] <= 1 else "derivative"


def has_indices(math: Math) -> bool:
    """Whether the formula is written with indices."""
    match math:
        case Indexed():
            return True
        case Plus(parts=parts) | Times(parts=parts) | Listed(parts=parts):
            return any(has_indices(p) for p in parts)
    return False
