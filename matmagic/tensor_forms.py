"""A derivative with more than two indices as it is written: df = A dX B, and vec(df) = (Bᵀ ⊗ A) vec(dX).

In: a Trace, its derivative by a variable, and the names around.  Out: the equations that have a notation, with torch
code by which each is compared with autograd before it is shown.  vec stacks columns; the code says X.T.reshape(-1).
Not known here: the derivative entry by entry (entries.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from .autograd import squeezed
from .calling import float64
from .differential import differential
from .differentiate import differentiate
from .expr import Leaf, Node, SizeOf, leaf
from .kronecker import laid_out, stacked
from .notation import (
    Called,
    Chain,
    Commutation,
    Identity,
    Increment,
    Indexed,
    Kronecker,
    Math,
    Quotient,
    Symbol,
    Times,
    Transpose,
    Vec,
    mapped,
    pieces,
    rank,
)
from .notation import Trace as TraceOf
from .places import namespace
from .printers.latex import latex
from .printers.names import latex_increment, text_name
from .printers.text import text
from .printers.torch_code import torch_code
from .printers.torch_parts import Shapes
from .rendering import NoNotation
from .simplify import simplify
from .sized import sized
from .torch_rows import Axes
from .trace import Trace
from .walk import ordered, written_size
from .writing import chain, transpose

TOLERANCE = 1e-9  # relative to what the derivative could make of the increment at most
LONGEST, TOO_LONG = 1000, 240  # nodes of an expression, characters of a line
FRECHET = "L_exp(X, E) is the Fréchet derivative of expm at X in the direction E"
MARKS = "dδΔ"  # of increments; the first one that is free


@dataclass(frozen=True)
class Equation:
    """What stands on the left, the right-hand side, and torch code of the right-hand side for an increment of this name."""

    left_latex: str
    left_text: str
    math: Math
    code: str
    increment: str
    matrix: str = ""  # code of the matrix before vec(dX)
    where: str = ""  # what a letter means

    @cached_property
    def latex(self) -> str:
        """The right-hand side in LaTeX."""
        return latex(self.math)

    @cached_property
    def text(self) -> str:
        """The right-hand side in Unicode."""
        return text(self.math)

    def agrees(self, inputs: Mapping[str, Tensor], variable: str, derivative: Tensor) -> bool:
        """Whether the code does what autograd's derivative does, whose axes are f's and then the variable's."""
        step = torch.randn(inputs[variable].shape, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
        inner = len(squeezed(tuple(step.shape)))
        outer = derivative.ndim - inner
        out, columns = derivative.shape[:outer], step.numel()
        right = (derivative.reshape(-1, columns) @ step.reshape(-1)).reshape(out)
        most = float((derivative.abs().reshape(-1, columns) @ step.abs().reshape(-1)).max())
        if not self.matrix:
            return _near(_value(self.code, {**inputs, self.increment: step}), right, most)
        turned = derivative.permute(*range(outer)[::-1], *range(outer, derivative.ndim)[::-1]).reshape(-1, columns)
        return _near(_value(self.matrix, inputs), turned, float(turned.abs().max())) and _near(
            _value(self.code, {**inputs, self.increment: step}), right.permute(*range(outer)[::-1]).reshape(-1), most
        )


def _value(code: str, inputs: Mapping[str, Tensor]) -> Tensor | None:
    """The value of code; None where it fails."""
    try:
        with float64():
            value = eval(code, {"torch": torch, "F": F}, namespace(inputs))
    except Exception:  # whatever a code does wrong, it is no derivative
        return None
    return value if isinstance(value, Tensor) else None


def _near(value: Tensor | None, right: Tensor, most: float) -> bool:
    """Whether two tensors of one shape, axes of size 1 aside, differ by rounding."""
    if value is None or [s for s in value.shape if s != 1] != [s for s in right.shape if s != 1]:
        return False
    return float((value.reshape(-1) - right.reshape(-1)).abs().max()) <= TOLERANCE * most


# ---- the equations ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TensorForms:
    """The lines for one derivative; `of` is what was differentiated, in LaTeX and text: f, or, for order 2, its gradient."""

    trace: Trace
    variable: str
    derivative: Node
    of: tuple[str, str]
    shapes: Shapes
    order: int = 1
    symmetric: Sequence[str] = ()

    def equations(self) -> Iterator[Equation]:
        """The differential and the vec form, as far as they have notation."""
        if len(self.derivative.shape) > 2 and self.leaf.shape and all(len(group) < 2 for group in self.axes):
            for line in (self.differential, self.stacked):
                with suppress(ValueError):  # no notation, or no code
                    yield line()

    @cached_property
    def leaf(self) -> Leaf:
        return self.trace.inputs[self.variable][0]

    @cached_property
    def axes(self) -> Axes:
        """Those of the variable."""
        return self.trace.inputs[self.variable][1]

    @cached_property
    def node(self) -> Node:
        """What was differentiated."""
        return self.trace.node if self.order == 1 else simplify(differentiate(self.trace.node, self.leaf))

    @cached_property
    def out(self) -> Axes:
        """Its axes."""
        return self.trace.axes if self.order == 1 else self.axes

    @cached_property
    def increment(self) -> Increment:
        """dX, under a name that is free; the mark is d, unless d or dX is something else in these formulas."""
        name = f"d{self.variable}" if self.variable.isidentifier() else "dX"
        while name in self.shapes:
            name += "_"
        sizes = {part.letter for part in ordered(self.trace.node) if isinstance(part, SizeOf)}
        taken = {*map(text_name, self.shapes), *sizes}
        free = (mark for mark in MARKS if not taken.intersection((mark, mark + text_name(self.variable))))
        return Increment(name, self.leaf.shape, of=self.variable, mark=next(free, MARKS[-1]))

    def code(self, math: Math, form: str) -> str:
        name = self.increment.name
        known = {n: own for n, (_, own) in self.trace.inputs.items()} | {name: self.axes}
        return torch_code(math, known, {**self.shapes, name: self.shapes[self.variable]}, form)

    def differential(self) -> Equation:
        """df, linear in dX."""
        step = leaf(self.increment.name, self.leaf.shape)
        moved = simplify(differential(self.node, self.leaf, step), self.symmetric)
        if written_size(moved) > LONGEST:
            raise NoNotation("too long")
        math = mapped(laid_out(moved, self.out), self.marked)
        frechet = any(isinstance(piece, Called) and piece.function == "expm_frechet" for piece in pieces(math))
        return self.line(*self.left(), math, where=FRECHET if frechet else "")

    def stacked(self) -> Equation:
        """df or vec(df) = J vec(dX)"""
        groups = [group for group in self.out if group]
        outer = len(self.node.shape)
        flat = any(len(group) > 1 for group in groups)
        if (
            outer > 2
            or len(self.leaf.shape) > 2
            or (flat and len(groups) > 1)
            or written_size(self.derivative) > LONGEST
        ):
            raise NoNotation("more than two axes")
        rows = groups[0] if flat else tuple(range(outer))[::-1]
        matrix = stacked(self.derivative, rows, tuple(range(outer, len(self.derivative.shape)))[::-1])
        if isinstance(matrix, Kronecker) and isinstance(matrix.left, Identity) and isinstance(matrix.right, Identity):
            raise NoNotation("nothing to say")
        by = Vec(self.increment) if len(self.leaf.shape) == 2 else self.increment
        left, words = self.left()
        if len(rows) == 2 and not flat:
            left, words = rf"\operatorname{{vec}}({left})", f"vec({words})"
        swaps = [piece for piece in pieces(matrix) if isinstance(piece, Commutation)]
        if swaps and "K" in self.shapes:
            raise NoNotation("a letter with two meanings")
        name = text_name(self.variable)
        where = f"{text(swaps[0])} vec({name}) = vec({name}ᵀ)" if swaps else ""
        code = self.code(matrix, "m,n")
        return self.line(left, words, _applied(matrix, by), code, where)

    def line(self, left: str, words: str, math: Math, matrix: str = "", where: str = "") -> Equation:
        inside = list(pieces(math))
        if rank(math) > 2 or any(isinstance(piece, Indexed) for piece in inside):
            raise NoNotation("needs indices")
        if self.increment not in inside or len(text(math)) > TOO_LONG:
            raise NoNotation("zero, or too long")
        code = self.code(math, ("()", "n", "m,n")[rank(math)])
        return Equation(left, words, sized(math), code, self.increment.name, matrix, where)

    def left(self) -> tuple[str, str]:
        """df in LaTeX and text, "d loss" for a function with a long name."""
        name, words = self.of
        space = " " if words[:2].isalpha() and len(words) > 1 else ""
        mark = latex_increment("x", self.increment.mark).removesuffix("x")
        mark = mark.rstrip() + r"\," if name.startswith(r"\mathrm") else mark
        return f"{mark}{name}", f"{self.increment.mark}{space}{words}"

    def marked(self, piece: Math) -> Math:
        """The symbol of the increment as one; tr(M dX) with the increment last."""
        if isinstance(piece, Symbol) and piece.name == self.increment.name:
            return self.increment
        if isinstance(piece, TraceOf) and isinstance(piece.of, Chain):
            parts = piece.of.parts
            if Transpose(self.increment) in parts:
                parts = tuple(map(transpose, reversed(parts)))
            if parts.count(self.increment) == 1:
                last = parts.index(self.increment) + 1
                return TraceOf(chain([*parts[last:], *parts[:last]]))
        return piece


def _applied(matrix: Math, vector: Math) -> Math:
    """The matrix times the vector, scalars outside."""
    match matrix:
        case Times(parts=(*scalars, body)):
            return Times((*scalars, _applied(body, vector)))
        case Quotient(top=top, bottom=bottom, entrywise=False):
            return Quotient(_applied(top, vector), bottom)
    return chain([matrix, vector])
