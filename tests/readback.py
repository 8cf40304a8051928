"""What is printed of a derivative, read back as a claim would be, and evaluated against autograd's derivative.

A form is a formula in text or LaTeX.  It says something else than it should where its value differs from the derivative's
at random arguments of distinct sizes; a differential is compared for a random increment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from matmagic.derivative import Derivative
from matmagic.errors import OptionError
from matmagic.reading import Known, Misfit, read
from matmagic.tensor_forms import Equation

TOLERANCE = 1e-8  # of the largest entry
FLOOR = 1e-11
LONGEST = 20_000  # characters of a printed formula
UNREAD = "can't be read"
INDICES = "ijklpqrstuv"


@dataclass(frozen=True)
class Setting:
    """Arguments, the sizes by letter, and what is right there; rows are columns in formulas."""

    inputs: Mapping[str, Tensor]
    sizes: Mapping[str, int]
    right: Tensor
    increments: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # as they are written: {"dx": ("d", "x")}
    free: str = ""  # indices on the left
    allowed: float = FLOOR  # error of an entry, beside that relative to the largest one

    def problem(self, line: str) -> str:
        """How a formula's value differs from what is right; nothing where it doesn't."""
        names = tuple(name for name in self.inputs if name not in self.increments)
        known = Known(names, tuple(self.sizes), self.increments, self.free)
        inputs = {name: upright(value) for name, value in self.inputs.items()}
        right = upright(self.right)
        try:
            value = read(line, known, LONGEST).value(inputs, self.sizes, lambda: tuple(right.shape))
        except (OptionError, Misfit, IndexError) as error:
            return f"{UNREAD}: {error}"
        if value.shape != right.shape:
            return f"has shape {tuple(value.shape)} instead of {tuple(right.shape)}"
        error = float((value - right).abs().max()) if right.numel() else 0.0
        if error <= TOLERANCE * float(right.abs().max()) + self.allowed:
            return ""
        return f"is off by {error:.2g}, where the largest entry is {float(right.abs().max()):.2g}"


def upright(tensor: Tensor) -> Tensor:
    """A row as a column; with more axes those of size 1 are left out."""
    if tensor.ndim == 2:
        return tensor.T if tensor.shape[0] == 1 else tensor
    return tensor.reshape([s for s in tensor.shape if s != 1]) if tensor.ndim > 2 else tensor


def sizes_of(inputs: Mapping[str, Tensor], shapes: Mapping[str, str]) -> dict[str, int]:
    """The letters' numbers, from shapes such as "n,1"."""
    found = {}
    for name, shape in shapes.items():
        letters = [s.strip() for s in shape.strip("()").split(",") if s.strip()]
        for letter, size in zip(letters, inputs[name].shape, strict=True):
            if letter.isidentifier():
                found[letter] = size
    return found


def forms(derivative: Derivative, setting: Setting) -> Iterator[tuple[str, str]]:
    """Each form in text and LaTeX of each line of a derivative, and what is wrong with it."""
    if derivative.math is None:
        return
    for line in derivative.lines or (derivative,):
        own = setting_of(line, derivative.variable, setting)
        for shown in (str(line.text), str(line.latex)):
            yield f"{line.left_text} = {shown}", own.problem(shown)


def setting_of(line: Derivative | Equation, variable: str, setting: Setting) -> Setting:
    """What the line says something about: the derivative, one entry of it, or what it makes of an increment."""
    if isinstance(line, Equation) and line.increment:
        step = torch.randn(
            setting.inputs[variable].shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
        )
        outer = setting.right.ndim - len([s for s in step.shape if s != 1])
        whole = setting.right.reshape(*setting.right.shape[:outer], -1) @ step.reshape(-1)
        if line.left_text.startswith("vec("):
            whole = whole.permute(*range(whole.ndim)[::-1]).reshape(-1)
        mark = next(mark for mark in "dδΔ" if mark in line.left_text)
        return Setting(
            {**setting.inputs, line.increment: step}, setting.sizes, whole, {line.increment: (mark, variable)}
        )
    wide = setting.right.squeeze()  # an axis of size 1 has no index
    letters = INDICES[: wide.ndim]
    shown = "".join(re.findall(r"_([ijklpqrstuv]+)(?![a-z])", line.left_text))
    return replace(setting, free=letters, right=wide) if letters and shown == letters else replace(setting, free="")


# ---- SymPy --------------------------------------------------------------------------------------------------------


def explicit(form: Any, setting: Setting) -> Tensor:
    """The value of a SymPy form, its symbols replaced by explicit matrices; computed from the inside out."""
    import sympy
    from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

    sized = sympy.sympify(form).subs(
        {sympy.Symbol(k, integer=True, positive=True): v for k, v in setting.sizes.items()}
    )
    values = {}
    for symbol in sized.atoms(sympy.MatrixSymbol) | sized.free_symbols:
        value = upright(setting.inputs[str(symbol)]) if str(symbol) in setting.inputs else None
        if isinstance(symbol, sympy.MatrixSymbol):
            values[symbol] = sympy.ImmutableMatrix(value.reshape(symbol.shape).tolist())
        elif value is not None:
            values[symbol] = sympy.Float(float(value))

    def of(node: Any) -> Any:
        if node in values:
            return values[node]
        match node:
            case sympy.Identity() | sympy.OneMatrix() | sympy.ZeroMatrix() | sympy.FunctionMatrix():
                found = node.as_explicit()
            case ElementwiseApplyFunction():
                inner = of(node.expr)
                found = inner.applyfunc(node.function) if getattr(inner, "is_Matrix", False) else node.function(inner)
            case sympy.Sum() | sympy.Product():
                found = node.xreplace(values).doit()
            case _ if not node.args:
                return node
            case _:
                found = node.func(*map(of, node.args)).doit()
        values[node] = found.as_explicit() if isinstance(found, sympy.MatrixExpr) else found
        return values[node]

    found = of(sized)
    if not getattr(found, "is_Matrix", False):
        return torch.tensor([[float(found.evalf())]], dtype=torch.float64)
    rows = [[float(found[i, j].doit().evalf()) for j in range(found.shape[1])] for i in range(found.shape[0])]
    return torch.tensor(rows, dtype=torch.float64)
