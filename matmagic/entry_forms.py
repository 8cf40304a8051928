"""The formula of one entry of a derivative, for what has no matrix notation: ∂f_i/∂x_j = Σ_k T_ijk x_k.

In: a Trace and the derivative's expression.  Out: an Equation, if the formula is short; and whether what it says is right:
it is read as it is written (entry_values.py) and compared with the derivative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .calling import float64
from .clashes import distinct
from .entries import entrywise
from .entry_values import entry_values
from .expr import Node
from .notation import INDICES, Math, rank
from .places import namespace
from .printers.text import text
from .printers.torch_code import torch_code
from .printers.torch_parts import Shapes
from .sized import sized
from .trace import Trace, leaf_values

TOLERANCE = 1e-9  # relative to the largest entry
TOO_LONG = 300  # characters; code reads better then


@dataclass(frozen=True)
class Entries:
    """A derivative and its formula entry by entry."""

    trace: Trace
    variable: str
    derivative: Node
    shapes: Shapes

    def formula(self) -> Math | None:
        """The entry at i, j, k, …; None where there is no short one."""
        axes = (*self.trace.axes, *self.trace.inputs[self.variable][1])
        if any(len(group) > 1 for group in axes):
            return None
        try:
            math = sized(entrywise(self.derivative), self.derivative.shape)
        except ValueError:
            return None
        return None if len(text(math)) > TOO_LONG else distinct(math, self.shapes)

    def agree(self, math: Math, inputs: Mapping[str, Tensor], sizes: Mapping[str, int], derivative: Tensor) -> bool:
        """Whether the formula, read at each index, is the derivative."""
        known = {name: axes for name, (_, axes) in self.trace.inputs.items()}

        def plain(part: Math) -> Tensor:
            code = torch_code(part, known, self.shapes, ("()", "n", "m,n")[rank(part)])
            value = eval(code, {"torch": torch, "F": F}, namespace(inputs))
            return value if isinstance(value, Tensor) else torch.tensor(float(value), dtype=torch.float64)

        leaves = leaf_values(self.trace, inputs, sizes)
        shape = self.derivative.shape
        try:
            with float64():
                found = entry_values(math, INDICES[: len(shape)], shape, sizes, leaves, plain)
        except Exception:  # what can't be read is not shown
            return False
        if found.numel() != derivative.numel():
            return False
        error = float((found.reshape(-1) - derivative.reshape(-1)).abs().max())
        return error <= TOLERANCE * float(derivative.abs().max())
