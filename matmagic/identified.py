"""The identity that a derivative rests on, in the user's names: its statement, bindings, conditions and simpler cases.

In: a Trace and a variable.  Out: a Match, or ByEntries, the definition written out.  How a row is found is match.py's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

from .bound import Bound, has
from .canonical import is_symmetric
from .clashes import distinct
from .compositions import standard
from .definite import DEFINITE, is_definite
from .expr import Node
from .left_sides import index_of
from .lengths import Size
from .match import match
from .notation import Math, Plus, Quotient, Symbol, Transpose, rank
from .printers.index_code import index_code
from .printers.latex import latex
from .printers.names import latex_name, text_name
from .printers.text import text
from .printers.torch_code import torch_code
from .rendering import NoNotation, notation
from .simplify import simplify, written_out
from .torch_rows import Axes
from .trace import Trace
from .walk import substitute


@dataclass(frozen=True)
class Writer:
    """Writes notation and expressions as torch code in the user's names."""

    axes: Mapping[str, Axes]
    shapes: Mapping[str, Sequence[Size]]

    def __call__(self, math: Math) -> str:
        """Notation; ValueError where it has no code in these shapes."""
        return torch_code(math, self.axes, self.shapes, ("()", "n", "m,n")[rank(math)])

    def of(self, node: Node) -> str:
        """An expression by its notation, or by its indices where that has no code."""
        try:
            return self(notation(node, collect=False))
        except (ValueError, IndexError):
            return index_code(node, self.axes, self.shapes)


@dataclass(frozen=True)
class Match:
    """A known identity and what its symbols stand for in the user's function.

    The formulas of the identity are made when they are looked at.
    """

    name: str
    source: str
    conditions: tuple[str, ...]
    bound: Bound = field(repr=False)
    code: Writer = field(repr=False)
    symmetric: tuple[str, ...] = field(repr=False, default=())  # of the user's constants
    assumed: Mapping[str, str] = field(repr=False, default_factory=dict)  # properties that were declared

    @cached_property
    def bindings(self) -> dict[str, str]:
        """What each constant stands for, as torch code: {"A": "B.T @ B"}."""
        whole = {name: substitute(part, self.bound.held) for name, part in self.bound.bindings.items()}
        return {name: self.code.of(simplify(part, self.symmetric)) for name, part in whole.items()}

    @cached_property
    def statement(self) -> str:
        """Torch code of the identity's function with the bindings put in: equals f."""
        return self.code.of(self.bound.statement)

    @cached_property
    def factor_text(self) -> str:
        """What the identity is multiplied by: "½", "" for 1."""
        try:
            shown = text(notation(self.bound.factor))
        except NoNotation:
            return "a constant"
        return "" if shown == "1" else shown

    @cached_property
    def bindings_text(self) -> str:
        """ "A := Bᵀ B"; "" where only names differ."""
        if self._renamed_only:
            return ""
        wrt, variable = self.bound.identity.wrt, self.bound.variable
        said = {wrt: Symbol(variable.name, variable.shape), **self._parts}
        return ", ".join(f"{text_name(n)} := {text(m)}" for n, m in said.items() if text(m) != text_name(n))

    @cached_property
    def pattern_latex(self) -> str:
        r"""The identity, "\nabla_x\, a^{\top} x = a", in the user's letters where only names differ."""
        function, right, wrt = self._rule
        left = rf"\left({latex(function)}\right)" if isinstance(function, Plus | Quotient) else latex(function)
        wrt = latex_name(wrt)
        mark = rf"\nabla_{{{wrt}}}^2" if self.bound.identity.order == 2 else rf"\nabla_{{{wrt}}}"
        mark = mark if self._gradient else rf"\frac{{\partial}}{{\partial {wrt}}}"
        return rf"{mark}\, {left} = {latex(right)}"

    @cached_property
    def pattern_text(self) -> str:
        """The same in Unicode: "∇ₓ xᵀ A x = (A + Aᵀ) x"."""
        left, right, wrt = self._rule
        shown = f"({text(left)})" if isinstance(left, Plus | Quotient) or not self._gradient else text(left)
        nabla = "∇²" if self.bound.identity.order == 2 else "∇"
        mark = f"{nabla}{index_of(text_name(wrt))} {shown}" if self._gradient else f"∂{shown}/∂{text_name(wrt)}"
        return f"{mark} = {text(right)}"

    @cached_property
    def simpler(self) -> tuple[tuple[str, str, str], ...]:
        """What the derivative becomes under a further condition: ("A symmetric", LaTeX, text)."""
        row = self.bound.identity
        shorter = {condition: notation(written_out(row.read(code))) for condition, code in row.simpler.items()}
        return tuple((self._said(condition), latex(math), text(math)) for condition, math in shorter.items())

    @property
    def conditions_said(self) -> tuple[str, ...]:
        """The conditions, each with what here is known to fulfil it."""
        return tuple(map(self._said, self.conditions))

    def _said(self, condition: str) -> str:
        """ "A symmetric", and that what stands for A is, where its structure or a declared property says so."""
        names, _, prop = condition.rpartition(" ")
        asked = names.split(", ")
        if not all(name in self._parts and self._is(name, prop) for name in asked):
            return condition
        shown = [text(self._parts[name]) for name in asked]
        listed = " and ".join([*([", ".join(shown[:-1])] if shown[1:] else []), shown[-1]])
        return f"{condition}, which {listed} {'is' if len(shown) == 1 else 'are'}"

    def _is(self, name: str, prop: str) -> bool:
        """Whether what stands for a symbol has a property, by its structure or because it was declared."""
        part = simplify(self.bound.bindings[name], self.symmetric)
        alike = (prop == "symmetric" and is_symmetric(part)) or (prop == DEFINITE and is_definite(part, self.assumed))
        return alike or all(has(self.assumed, *one) for one in self.bound.properties([f"{name} {prop}"]))

    @cached_property
    def _parts(self) -> dict[str, Math]:
        """What the constants stand for; without those that have no notation."""
        found: dict[str, Math] = {}
        for name, part in self.bound.bindings.items():
            with suppress(NoNotation):
                math = distinct(notation(simplify(part, self.symmetric), collect=False), self.code.shapes)
                found |= {} if math is None else {name: math}
        return found

    @cached_property
    def _renamed_only(self) -> bool:
        bare = [m.of if isinstance(m, Transpose) else m for m in self._parts.values()]
        return len(bare) == len(self.bound.bindings) and all(isinstance(m, Symbol) for m in bare)

    @property
    def _gradient(self) -> bool:
        return not self.bound.identity.node.shape

    @cached_property
    def _rule(self) -> tuple[Math, Math, str]:
        """Function, gradient and variable, as they are shown."""
        row = self.bound.identity
        function, gradient, wrt = row.node, row.gradient_node, row.wrt
        if self._renamed_only:
            function, gradient = self.bound.put_in(function), self.bound.put_in(gradient)
            wrt = self.bound.variable.name
            math = [distinct(m, self.code.shapes) for m in self._notations(function, gradient)]
            if math[0] is not None and math[1] is not None:
                return math[0], math[1], wrt
            function, gradient, wrt = row.node, row.gradient_node, row.wrt
        return *self._notations(function, gradient), wrt

    @staticmethod
    def _notations(function: Node, gradient: Node) -> tuple[Math, Math]:
        return notation(function, collect=False), notation(written_out(gradient))


@dataclass(frozen=True)
class ByEntries:
    """The definition as an identity: a derivative written out entry by entry."""

    name: str
    statement: str
    pattern_latex: str
    pattern_text: str
    source: str = "definition"
    conditions: tuple[str, ...] = ()
    conditions_said: tuple[str, ...] = ()
    bindings: Mapping[str, str] = field(default_factory=dict)
    bindings_text: str = ""
    factor_text: str = ""
    simpler: tuple[tuple[str, str, str], ...] = ()


def matched(trace: Trace, variable: str, code: Writer, symmetric: Sequence[str], order: int = 1,
            assumed: Mapping[str, str] | None = None) -> Match | None:  # fmt: skip
    """The identity that a function is, by its derivative of this order, in the user's names, or None."""
    node, (own, axes) = trace.node, trace.inputs[variable]
    bound = match(node, own, order, assumed or {}) or (standard(node, own) if order == 1 else None)
    if bound is None:
        return None
    row = bound.identity
    stacked = len(trace.axes) == len(axes) == 1 and len(node.shape) == len(own.shape) == 2  # matrices, as vectors
    name = f"vec of {row.name}" if stacked else row.name
    return Match(name, row.source, row.conditions, bound, code, tuple(symmetric), assumed or {})


def by_entries(kind: str, statement: str) -> ByEntries:
    """What a list of partial derivatives rests on."""
    if kind == "jacobian":
        return ByEntries(
            "Jacobian, entry by entry", statement, r"J_{ij} = \frac{\partial f_i}{\partial x_j}", "Jᵢⱼ = ∂fᵢ/∂xⱼ"
        )
    return ByEntries(
        "gradient, entry by entry", statement, r"(\nabla f)_i = \frac{\partial f}{\partial x_i}", "(∇f)ᵢ = ∂f/∂xᵢ"
    )
