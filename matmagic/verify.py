"""A formula against autograd's derivative on every draw, and autograd against differences: a verdict.

In: a Subject, its draws, and a formula as a function of the inputs.  Out: a Verdict.
Every entry is compared, relative to the largest; NaN never agrees.  Where digits are lost, a difference has to be noise.
Autograd itself is checked against central differences along random directions, so that a wrong backward is caught.
Not known here: what the formula is, and why it might be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .autograd import copies, derivative_of, differences_agree, jumps, point, relative_error
from .calling import call, float64
from .capture import Subject
from .drawing import draws
from .errors import BackwardError
from .options import Options
from .patience import Patience
from .regularity import Evaluate, is_noise
from .shapes import Shapes

TOLERANCE = 1e-9  # relative, float64 formula against float64 autograd
LOST = 1e-6  # relative, differences of right forms that lose digits in their own ways
MUCH_NOISE = 100.0  # times autograd's rounding, that of other forms
VANISHED = 1e-13  # relative to f / x: what rounding leaves of a derivative that is zero
STEADY = 1e3  # of the spread of a difference, which noise doesn't reach at two points
NEARBY = 8  # points at which a difference is looked at
CHECKED = 2  # draws on which autograd is checked
SECONDS = 0.3  # for more of them, where there is no formula that agrees with it


@dataclass(frozen=True)
class Verdict:
    """Whether a formula equals autograd's derivative on every draw, and autograd the differences."""

    ok: bool
    max_error: float
    draws: int
    autograd_ok: bool
    text: str


@dataclass(frozen=True)
class Agreement:
    """Whether a formula has autograd's value on one draw, and the relative error, which may be rounding."""

    holds: bool
    error: float


def agreement(
    subject: Subject,
    found: Evaluate,
    truth: Evaluate,
    inputs: Mapping[str, Tensor],
    variable: str,
    true: Tensor,
    tolerance: float = TOLERANCE,
) -> Agreement:
    """Whether `found` is `true`, the derivative, at these inputs.

    Right forms of one function may differ by more than the tolerance where digits are lost, or where the derivative
    vanishes and rounding is all that is left of it.  Such a difference is bounded, and noise: see _differs_by_noise.
    """
    value = found(copies(inputs))
    error = relative_error(value, true)
    if error <= tolerance or not math.isfinite(error):
        return Agreement(error <= tolerance, error)
    difference = float((value - true).abs().max())
    if difference <= MUCH_NOISE * float(true.abs().max()) and _vanishes(subject, found, truth, inputs, variable):
        return Agreement(True, difference)
    size = float(call(subject, copies(inputs)).abs().max())
    natural = size / max(float(point(inputs, variable).abs().max()), 1e-300)
    if difference <= VANISHED * natural:
        error = min(error, difference / natural)
    elif error > LOST:
        return Agreement(False, error)
    return Agreement(_differs_by_noise(found, truth, inputs), error)


def _vanishes(subject: Subject, found: Evaluate, truth: Evaluate, inputs: Mapping[str, Tensor], variable: str) -> bool:
    """Whether a derivative and a value for it are rounding, or 0, and f doesn't change at all: ‖x‖² / xᵀx."""
    if any(bool(own(copies(inputs)).any()) and not is_noise(own, inputs) for own in (truth, found)):
        return False
    return not jumps(subject, inputs, variable)


def _differs_by_noise(found: Evaluate, truth: Evaluate, inputs: Mapping[str, Tensor]) -> bool:
    """Whether the difference jumps about zero when the inputs move by a little; a wrong formula's moves little."""
    apart = []
    for k in range(1, NEARBY + 1):
        moved = {n: t * (1 + k * 1e-7) if t.is_floating_point() else t for n, t in inputs.items()}
        apart.append(found(copies(moved)) - truth(moved))
        if k > 1:
            spread, mean = torch.std_mean(torch.stack(apart), dim=0)
            if bool((mean.abs() > STEADY * spread).any()):
                return False
    return bool((mean.abs() <= 2 * spread).all())


def verify(
    subject: Subject,
    shapes: Shapes,
    assume: Mapping[str, str],
    options: Options,
    variable: str,
    order: int,
    candidate: Evaluate | None,
    drawn: Iterable[Mapping[str, Tensor]] | None = None,
) -> Verdict:
    """Compare a formula with autograd on every draw, and autograd with differences on some (None: only the latter).

    `drawn` are the draws, where they are made already.
    """
    worst, agreed, count, problem = 0.0, True, 0, ""
    own, patience = False, Patience(SECONDS)
    for number, inputs in enumerate(draws(subject, shapes, assume, options) if drawn is None else drawn):
        try:
            truth = derivative_of(subject, inputs, variable, order)
        except BackwardError as error:
            return Verdict(False, math.inf, 0, False, error.message)
        if not bool(torch.isfinite(truth).all()):
            continue
        if number >= options.trials and candidate is not None and not defined(candidate, inputs):
            continue  # det(A) A⁻ᵀ, where the notebook's A is singular
        own = number >= options.trials
        count += 1
        if not problem and (count <= CHECKED or (candidate is None and patience.left)):
            with patience.trying():
                problem = differences_agree(subject, inputs, variable, truth, order)[2]
        if candidate is not None:
            compared = _compared(subject, inputs, variable, order, candidate, truth)
            worst, agreed = max(worst, compared.error), compared.holds
            if not agreed:
                break
    ok = count > 0 and agreed and not (problem and candidate is None)
    text = _text(ok, worst, count - own, own, problem, candidate is not None)
    return Verdict(ok, worst, count, not problem, text)


def defined(found: Evaluate, inputs: Mapping[str, Tensor]) -> bool:
    """Whether a formula has a value, and a finite one, at these inputs."""
    try:
        with float64():
            return bool(torch.isfinite(found(copies(inputs))).all())
    except Exception:
        return False


def holds_at(subject: Subject, variable: str, order: int, candidate: Evaluate, inputs: Mapping[str, Tensor]) -> bool:
    """Whether a formula agrees with autograd at these inputs, or autograd has no answer there."""
    truth = derivative_of(subject, inputs, variable, order)
    fine = bool(torch.isfinite(truth).all())
    return not fine or _compared(subject, inputs, variable, order, candidate, truth).holds


def _compared(
    subject: Subject,
    inputs: Mapping[str, Tensor],
    variable: str,
    order: int,
    candidate: Evaluate,
    true: Tensor,
) -> Agreement:
    """The formula on one draw; no agreement where it raises."""

    def truth(at: Mapping[str, Tensor]) -> Tensor:
        return derivative_of(subject, at, variable, order)

    try:
        with float64():
            return agreement(subject, candidate, truth, inputs, variable, true)
    except Exception:  # whatever a code does wrong, it is no derivative
        return Agreement(False, math.inf)


def _text(ok: bool, worst: float, count: int, own: bool, problem: str, compared: bool) -> str:
    """One line for the card; `own` says that the notebook's values were one more draw."""
    drawn = f"{count} random draw{'s' if count != 1 else ''}" + (" and the notebook's values" if own else "")
    error = f"largest error {worst:.0e}" if worst else "no error"
    if ok and worst > TOLERANCE:
        error += ", as rounding leaves of it"
    if count == 0:
        return "not checked: the derivative is not finite on any draw"
    if problem:
        return problem
    if not compared:
        return "autograd agrees with finite differences"
    if ok:
        return f"checked on {drawn}, {error}"
    return f"does not agree with autograd on {drawn}, largest error {worst:.0e}"
