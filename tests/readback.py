"""What is printed of a derivative, read back as a claim would be, and evaluated against autograd's derivative.

A form is a formula in text or LaTeX.  It says something else than it should where its value differs from the derivative's
at random arguments of distinct sizes; a differential is compared for a random increment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from matmagic.derivative import Derivative
from matmagic.errors import OptionError
from matmagic.reading import Known, Misfit, read
from matmagic.tensor_forms import Equation

TOLERANCE = 1e-8  # of the largest entry
FLOOR = 1e-11
LONGEST = 20_000  # characters of a printed formula
INDICES = "ijklpqrstuv"


@dataclass(frozen=True)
class Setting:
    """Arguments, the sizes by letter, and what is right there; rows are columns in formulas."""

    inputs: Mapping[str, Tensor]
    sizes: Mapping[str, int]
    right: Tensor
    increments: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # as they are written: {"dx": ("d", "x")}
    free: str = ""  # indices on the left

    def problem(self, line: str) -> str:
        """How a formula's value differs from what is right; nothing where it doesn't."""
        names = tuple(name for name in self.inputs if name not in self.increments)
        known = Known(names, tuple(self.sizes), self.increments, self.free)
        inputs = {name: upright(value) for name, value in self.inputs.items()}
        right = upright(self.right)
        try:
            value = read(line, known, LONGEST).value(inputs, self.sizes, lambda: tuple(right.shape))
        except (OptionError, Misfit, IndexError) as error:
            return f"can't be read: {error}"
        if value.shape != right.shape:
            return f"has shape {tuple(value.shape)} instead of {tuple(right.shape)}"
        error = float((value - right).abs().max()) if right.numel() else 0.0
        if error <= TOLERANCE * float(right.abs().max()) + FLOOR:
            return ""
        return f"is off by {error:.2g}, where the largest entry is {float(right.abs().max()):.2g}"


def upright(tensor: Tensor) -> Tensor:
    """A row as a column."""
    return tensor.T if tensor.ndim == 2 and tensor.shape[0] == 1 else tensor


def sizes_of(inputs: Mapping[str, Tensor], shapes: Mapping[str, str]) -> dict[str, int]:
    """The letters' numbers, from shapes such as "n,1"."""
    found = {}
    for name, shape in shapes.items():
        letters = [s.strip() for s in shape.strip("()").split(",") if s.strip()]
        for letter, size in zip(letters, inputs[name].shape, strict=True):
            if letter.isidentifier():
                found[letter] = size
    return found


def misprints(derivative: Derivative, setting: Setting) -> Iterator[tuple[str, str]]:
    """What is wrong with the forms of a derivative: the form's name, and the problem."""
    if derivative.math is None:
        return
    for line in derivative.lines or (derivative,):
        own = setting_of(line, derivative.variable, setting)
        for name, shown in (("text", line.text), ("latex", line.latex)):
            if problem := own.problem(str(shown)):
                yield name, f"{line.left_text} = {shown}\n    {problem}"


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
    letters = INDICES[: setting.right.ndim]
    shown = "".join(re.findall(r"_([ijklpqrstuv]+)", line.left_text))
    return replace(setting, free=letters if set(letters) <= set(shown) else "")
