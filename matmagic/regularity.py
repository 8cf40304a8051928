"""Whether a function can be differentiated by numbers at given inputs, or rounding is what there is of it.

In: a Subject and its inputs.  Out: why not, in words, or yes and no.  Of a function that is smooth there, the last digits of
the inputs change the last digits of its value and of its derivative.
Not known here: how inputs are drawn, and what is compared at them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from .autograd import copies, derivative_of, differences_agree, repeats, value_and_slopes
from .calling import call
from .capture import Subject
from .errors import ResultError

Evaluate = Callable[[Mapping[str, Tensor]], Tensor]

DIGITS = 1e-3  # relative, the change of a derivative by the last digits of the inputs from which it is noise
MOVES = 3  # of the last digits of the inputs, to see whether f is noise
KINKS = 2  # directions along which one is looked for
SINGULAR = "has a derivative without a right digit, as with the inverse of a singular matrix,"


def singular(subject: Subject, inputs: Mapping[str, Tensor]) -> str:
    """Why f can't be differentiated by numbers at these inputs: "" where it can."""
    value, slopes = value_and_slopes(subject, inputs)
    if not bool(torch.isfinite(value).all()):
        return "is not finite (NaN or infinite)"
    try:
        _, moved = value_and_slopes(subject, _nudged(inputs))
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # cholesky(XᵀX) of a wide X, definite by rounding
        return SINGULAR
    except (RuntimeError, ValueError, IndexError):  # f refuses what is beside, as labels between 0 and 1
        return ""
    for slope, other in zip(slopes, moved, strict=False):
        size = max(float(slope.abs().max()), 1e-6 * float(value.abs().max()), 1e-12) if slope.numel() else math.inf
        if float((other - slope).abs().max()) > DIGITS * size and repeats(subject, inputs):
            return SINGULAR
    return ""


def is_noise(found: Evaluate, inputs: Mapping[str, Tensor]) -> bool:
    """Whether rounding is all there is of a value at these inputs: of det(Xᵀ X) for a wide X, of Σ (x − mean x)."""
    try:
        value = found(copies(inputs))
        least = DIGITS * float(value.abs().max())
        for k in range(1, MOVES + 1):
            if not float((found(_nudged(inputs, k, spread=1.0)) - value).abs().max()) <= least:
                return True
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        return True
    except (RuntimeError, ValueError, IndexError):  # sizes that an expression isn't for, labels between 0 and 1
        return False
    return False


def is_rounded(subject: Subject, inputs: Mapping[str, Tensor]) -> bool:
    """Whether a number f is so far out that autograd's gradient is none: of log σ(x), where σ(x) is 0 or 1."""
    if call(subject, copies(inputs)).numel() != 1:
        return False
    try:
        floats = [name for name, value in inputs.items() if value.is_floating_point()]
        return not all(differences_agree(subject, inputs, n, derivative_of(subject, inputs, n))[0] for n in floats)
    except (ResultError, RuntimeError, ValueError, IndexError):
        return False


def roughness(subject: Subject, inputs: Mapping[str, Tensor]) -> str:
    """Why nothing can be compared at these inputs: f is not finite, or has a kink; "" where something can."""
    if any(not t.numel() for t in inputs.values()):
        return "has nothing to differentiate"
    if not bool(torch.isfinite(call(subject, copies(inputs))).all()):
        return "is NaN or infinite"
    generator = torch.Generator().manual_seed(0)
    for _ in range(KINKS):
        along = {n: _direction(t, generator) for n, t in inputs.items() if t.is_floating_point()}
        wide, narrow = (_bend(subject, inputs, along, step) for step in (1e-5, 1e-6))
        if narrow > 0.3 * wide:  # of a smooth function it is a tenth
            return "has a kink"
    return ""


def _direction(value: Tensor, generator: torch.Generator) -> Tensor:
    """A random direction, of the size of the value."""
    return torch.randn(value.shape, dtype=torch.float64, generator=generator) * (1 + value.abs().max())


def _bend(subject: Subject, inputs: Mapping[str, Tensor], along: Mapping[str, Tensor], step: float) -> float:
    """By how much the slope of f changes at these inputs; 0 where that is rounding, or f fails beside them."""
    values = []
    for way in (-step, 0.0, step):
        moved = {n: t + way * along[n] if n in along else t for n, t in copies(inputs).items()}
        try:
            values.append(call(subject, moved))
        except (RuntimeError, ValueError, IndexError):
            return 0.0
    before, at, after = values
    if not bool(torch.isfinite(before).all() and torch.isfinite(after).all()):
        return math.inf
    bend = float((after - 2 * at + before).abs().max())
    return bend / step if bend > 1e-10 * float(at.abs().max()) else 0.0


def _nudged(inputs: Mapping[str, Tensor], times: int = 1, spread: float = 0.0) -> dict[str, Tensor]:
    """The inputs with their last digits changed, by amounts that differ from entry to entry by a spread; labels stay."""

    def nudged(value: Tensor) -> Tensor:
        amounts = 1 + spread * torch.linspace(-0.5, 0.5, value.numel(), dtype=value.dtype).reshape(value.shape)
        return value * (1 + times * 1e-12 * amounts)

    return {n: t.clone() if _is_whole(t) else nudged(t) for n, t in inputs.items()}


def _is_whole(tensor: Tensor) -> bool:
    """Whether all entries are whole numbers, which may be labels that f compares."""
    return not tensor.is_floating_point() or torch.equal(tensor, tensor.round())
