"""A tree of identities as it is shown: each rule with its equation, each leaf with its identity, checked at one draw.

In: a Use, values of f's inputs, and how the user's names are written.  Out: a Piece, or None where a number does not
agree: the derivative of every piece is compared with what differentiate.py gives for the piece alone, that of the whole
with autograd's, and a formula is printed only if its code has the value.
Not known here: where a tree comes from, and where it is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .calling import float64
from .clashes import distinct
from .compositions import Use
from .derivative import Formula
from .differential import differential
from .differentiate import differentiate
from .evaluate import evaluate
from .expr import Leaf, Node, leaf, number
from .identified import Match, Writer
from .left_sides import index_of
from .lengths import Size
from .notation import Apply, Called, Increment, Math, Plus, Quotient, Symbol, mapped, rank
from .printers.latex import latex
from .printers.names import latex_name, text_name
from .printers.text import text
from .rendering import notation
from .simplify import simplify, written_out
from .torch_rows import Axes
from .walk import leaves, written_size

TOLERANCE = 1e-8
LONGEST, TOO_LONG = 300, 120  # nodes of an expression, characters of a formula that a line of the tree shows


@dataclass(frozen=True)
class Piece:
    """A rule or an identity at work.

    `text` is its line, "chain rule, u = xᵀ A x: ∇ₓ exp(u) = …"; `latex` the equation alone, "" where it has none.
    """

    rule: str  # "identity", or "linearity", "chain rule", …
    match: Match | None
    weight: Math | None  # what the rule above multiplies its derivative with
    letters: tuple[tuple[str, Math], ...]  # of an inner function
    held: tuple[tuple[str, Math], ...]  # of what the product rule holds
    equation: tuple[tuple[str, str], tuple[str, str]] | None  # left and right side, each in LaTeX and text
    parts: tuple[Piece, ...] = ()

    @property
    def name(self) -> str:
        """The identity or the rule."""
        return self.rule if self.match is None else self.match.name

    @property
    def matches(self) -> tuple[Match, ...]:
        """The identities at the leaves, in order."""
        own = () if self.match is None else (self.match,)
        return own + tuple(m for part in self.parts for m in part.matches)

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Piece]]:
        """This piece and those below it, with how deep they are."""
        yield depth, self
        for part in self.parts:
            yield from part.walk(depth + 1)

    @cached_property
    def heading(self) -> str:
        """What is at work and on what, in words: "exp(bᵀ x) times quadratic form, Matrix Cookbook (81)"."""
        times = "" if self.weight is None else f"{text(self.weight)} times "
        factor = f"{self.match.factor_text} × " if self.match and self.match.factor_text else ""
        source = f", {self.match.source}" if self.match and self.match.source else ""
        bound = f", with {self.match.bindings_text}" if self.match and self.match.bindings_text else ""
        inner = "".join(f", {text_name(name)} = {text(math)}" for name, math in self.letters)
        held = "".join(f", {text_name(name)} = {text(math)} held" for name, math in self.held)
        return f"{times}{factor}{self.name}{source}{bound}{inner}{held}"

    @cached_property
    def text(self) -> str:
        """The line of the tree."""
        return self.heading if self.equation is None else f"{self.heading}: {self.equation_text}"

    @property
    def equation_text(self) -> str:
        """ "∇ₓ xᵀ A x = (A + Aᵀ) x" """
        return "" if self.equation is None else " = ".join(side[1] for side in self.equation)

    @property
    def equation_latex(self) -> str:
        """The same in LaTeX."""
        return "" if self.equation is None else " = ".join(side[0] for side in self.equation)


@dataclass(frozen=True)
class Names:
    """How the names of f are laid out in torch, and one draw of their values."""

    axes: Mapping[str, Axes]
    shapes: Mapping[str, Sequence[Size]]
    inputs: Mapping[str, Tensor]  # as f takes them
    values: Mapping[str, Tensor]  # as their leaves
    sizes: Mapping[str, int]
    symmetric: tuple[str, ...] = ()


def piece(use: Use, names: Names, truth: Tensor) -> Piece | None:
    """The tree, if every number in it agrees; `truth` is the derivative's value, with the axes of its expression."""
    with float64(), torch.no_grad():
        try:
            shown = _Shown(names, use).of(use)
            whole = evaluate(use.derivative, names.values, names.sizes)
        except (_Hidden, RuntimeError, IndexError):
            return None
    return shown if _near(whole, truth) else None


class _Hidden(Exception):
    """Why a tree is not shown: a piece has another value than it should, or a letter stands for what has no notation."""


def _near(value: Tensor, right: Tensor) -> bool:
    if value.shape != right.shape or not bool(value.isfinite().all()):
        return False
    return bool((value - right).abs().max() <= TOLERANCE * (1 + right.abs().max())) if right.numel() else True


class _Shown:
    """Makes pieces of uses, and asks for each number."""

    def __init__(self, names: Names, root: Use) -> None:
        self.names = names
        self.values = dict(names.values)
        self.inputs = dict(names.inputs)
        self.axes = dict(names.axes)
        self.shapes = dict(names.shapes)
        self.taken = {name for use in root.walk() for name in (*leaves(use.function), use.variable.name)}

    def of(self, use: Use) -> Piece:
        for name, stands in (*use.held.items(), *use.inner.items()):
            self.enter(name, stands)
        right = evaluate(differentiate(use.function, use.variable), self.values, self.names.sizes)
        if not _near(evaluate(use.derivative, self.values, self.names.sizes), right):
            raise _Hidden("differs")
        weight = None if use.weight is None or use.weight is number(1) else self.math(use.weight, True)
        if use.weight is not None and use.weight is not number(1) and weight is None:
            raise _Hidden("a weight without notation")
        inner, held = (
            tuple((name, math) for name, own in some.items() if (math := self.math(own, False)) is not None)
            for some in (use.inner, use.held)
        )
        if len(inner) < len(use.inner) or len(held) < len(use.held):
            raise _Hidden("a letter without notation")
        match = self.match(use)
        parts = tuple(map(self.of, use.parts))
        return Piece(use.rule, match, weight, inner, held, self.equation(use), parts)

    def enter(self, name: str, stands: Node) -> None:
        """A letter with what it stands for."""
        if name not in self.values:
            value = evaluate(stands, self.values, self.names.sizes)
            self.values[name] = self.inputs[name] = value
            self.axes[name] = tuple((k,) for k in range(value.ndim))
            self.shapes[name] = stands.shape

    def match(self, use: Use) -> Match | None:
        if use.bound is None:
            return None
        row = use.bound.identity
        own = Writer(self.axes, self.shapes)
        return Match(row.name, row.source, row.conditions, use.bound, own, self.names.symmetric)

    def math(self, node: Node, collect: bool) -> Math | None:
        """An expression's notation, if that has its value."""
        if written_size(node) > LONGEST:
            return None
        try:
            own = simplify(node, self.names.symmetric)
            math = distinct(notation(written_out(own) if collect else own, collect=collect), self.shapes)
            if math is None or rank(math) > 2 or len(text(math)) > TOO_LONG:
                return None
            found = Formula(math, Writer(self.axes, self.shapes)(math))(self.inputs)
        except Exception:  # whatever goes wrong in writing it, it is not shown
            return None
        value = evaluate(node, self.values, self.names.sizes)
        return math if _near(found.reshape(-1), value.reshape(-1)) else None

    def equation(self, use: Use) -> tuple[tuple[str, str], tuple[str, str]] | None:
        """∇ₓ f = …; of more than two indices the differential, d(A X) = A dX."""
        function = self.math(use.function, False)
        if function is None:
            return None
        if len(use.derivative.shape) > 2:
            return self.increment(use, function)
        right = self.math(use.derivative, True)
        if right is None:
            return None
        x = use.variable
        if not use.function.shape and x.shape:
            shown = _bracketed(function, Plus | Quotient)
            left = rf"\nabla_{{{latex_name(x.name)}}}\, {shown[0]}", f"∇{index_of(text_name(x.name))} {shown[1]}"
        else:
            shown = _bracketed(function)
            below = rf"\frac{{\partial}}{{\partial {latex_name(x.name)}}}"
            left = rf"{below}\, {shown[0]}", f"∂{shown[1]}/∂{text_name(x.name)}"
        return left, (latex(right), text(right))

    def increment(self, use: Use, function: Math) -> tuple[tuple[str, str], tuple[str, str]] | None:
        """d(A X B) = A dX B"""
        name = f"d{use.variable.name}"
        if {"d", name} & self.taken or len(use.variable.shape) > 2 or len(use.function.shape) > 2:
            return None
        step = torch.randn(self.values[use.variable.name].shape, generator=torch.Generator().manual_seed(3))
        mark: Leaf = leaf(name, use.variable.shape)
        self.values[name] = self.inputs[name] = step.double()
        self.axes[name] = tuple((k,) for k in range(step.ndim))
        self.shapes[name] = use.variable.shape
        right = self.math(differential(use.function, use.variable, mark), True)
        if right is None:
            return None
        step_of = Increment(name, use.variable.shape, of=use.variable.name)
        right = mapped(right, lambda one: step_of if isinstance(one, Symbol) and one.name == name else one)
        shown = _bracketed(function)
        return (f"d{shown[0]}", f"d{shown[1]}"), (latex(right), text(right))


def _bracketed(math: Math, wide: Any = Math) -> tuple[str, str]:
    """A function after an operator, in brackets where it is one of these or begins with a sign; a symbol or call is bare."""
    plain = isinstance(math, Symbol | Called | Apply) or not isinstance(math, wide)
    if plain and not text(math).startswith("−"):
        return latex(math), text(math)
    return rf"\left({latex(math)}\right)", f"({text(math)})"
