"""Random draws that honour the declared properties, autograd's derivative on them, and a verdict on a formula.

In: a Subject, Shapes, properties by argument, and a formula as a function of the inputs.  Out: a Verdict.
Sizes differ from each other and from draw to draw, since equal ones hide a transposed answer; some draws are large
and some small, since a branch hides in between.  Every entry is compared, relative to the largest; NaN never agrees.
Autograd itself is checked against central differences along random directions, so that a wrong backward is caught.
Not known here: what the formula is, and why it might be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .calling import call, float64
from .capture import Subject
from .errors import ResultError
from .inference import fatal
from .options import Options
from .sampling import holds, sample
from .shapes import Shapes, sizes_for

__all__ = [
    "Evaluate",
    "Verdict",
    "derivative_of",
    "differences_agree",
    "domain_of",
    "draws",
    "holds",
    "inputs_at",
    "relative_error",
    "sample",
    "verify",
]

Evaluate = Callable[[Mapping[str, Tensor]], Tensor]

TOLERANCE = 1e-9  # relative, float64 formula against float64 autograd
DIFFERENCES = 1e-6  # relative, central differences against autograd
EPS = torch.finfo(torch.float64).eps
SCALES = (1.0, 1.0, 3.0, 0.3)  # of draws without a property
REPLACED = 12  # draws tried for one where f is finite
DIRECTIONS = 2
CHECKED = 2  # draws on which autograd is checked


@dataclass(frozen=True)
class Verdict:
    """Whether a formula equals autograd's derivative on every draw, and autograd the differences."""

    ok: bool
    max_error: float
    draws: int
    autograd_ok: bool
    text: str


# --------------------------------------------------------------------------- draws


def inputs_at(
    shapes: Shapes, sizes: Mapping[str, int], assume: Mapping[str, str], seed: int, scale: float = 1.0
) -> dict[str, Tensor]:
    """A random tensor for each argument and each tensor read, at these sizes."""
    generator = torch.Generator().manual_seed(seed)
    inputs = {}
    for name, shape in shapes.of.items():
        kept = shapes.values.get(name)
        if kept is not None and not kept.is_floating_point():
            inputs[name] = kept.clone()
            continue
        prop = assume.get(name)
        if prop and prop.startswith("index<"):
            bound = prop.removeprefix("index<")
            prop = f"index<{sizes.get(bound, bound)}"
        size = tuple(sizes[t] if isinstance(t, str) else t for t in shape)
        inputs[name] = sample(size, prop, generator) * (1.0 if prop else scale)
    return inputs


def draws(
    subject: Subject, shapes: Shapes, assume: Mapping[str, str], options: Options
) -> Iterator[dict[str, Tensor]]:
    """options.trials random inputs on which f is finite; the notebook's own values are one more draw.

    A draw where f is NaN, infinite or raises is replaced by another, within a bound.
    """
    for draw in range(options.trials):
        yield _finite_draw(subject, shapes, assume, options.seed, draw)
    own = shapes.values
    if set(own) == set(shapes.of) and all(holds(own[n], p) for n, p in assume.items() if n in own):
        yield {n: t.clone() for n, t in own.items()}


def _finite_draw(
    subject: Subject, shapes: Shapes, assume: Mapping[str, str], seed: int, draw: int
) -> dict[str, Tensor]:
    """A draw on which f is finite; a ResultError with the input where there is none."""
    error: Exception | None = None
    for attempt in range(REPLACED):
        sizes = sizes_for(shapes, draw + (attempt // 3) * 7)
        scale = SCALES[draw % len(SCALES)] if attempt == 0 else 1.0
        inputs = inputs_at(shapes, sizes, assume, seed * 7919 + draw * 101 + attempt, scale)
        try:
            if bool(torch.isfinite(call(subject, copies(inputs))).all()):
                return inputs
        except ResultError:
            raise
        except Exception as raised:
            if fatal(raised):
                raise
            error = raised
    shown = ", ".join(f"{n}: {t.dtype}".replace("torch.", "") + str(list(t.shape)) for n, t in inputs.items())
    if error is not None:
        raise error
    raise ResultError(
        f"{subject.name} is not finite (NaN or infinite) on {REPLACED} random inputs",
        f"inputs: {shown}",
        'say what it needs: --assume "x=positive", for example',
    )


def copies(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same values in tensors of their own, so that a function that changes its arguments changes these."""
    return {name: tensor.clone() for name, tensor in inputs.items()}


def domain_of(subject: Subject, shapes: Shapes, assume: Mapping[str, str], options: Options) -> dict[str, str]:
    """The property of one argument that f needs to be finite (sqrt(x): x positive), {} where it needs none.

    A function that reads one triangle of a matrix (eigvalsh, cholesky) is given a symmetric one.
    """
    if _runs(subject, shapes, assume, options):
        return {n: "symmetric" for n in shapes.of if n not in assume and _reads_one_triangle(subject, shapes, assume, n)}
    for name, shape in shapes.of.items():
        square = len(shape) == 2 and shape[0] == shape[1]
        candidates = ("positive-det", "positive-definite") if square else ()
        for prop in (*candidates, "positive", "unit-interval"):
            if name not in assume and _runs(subject, shapes, {**assume, name: prop}, options):
                return {name: prop}
    return {}


def _runs(subject: Subject, shapes: Shapes, assume: Mapping[str, str], options: Options) -> bool:
    """Whether f is finite on three draws, none of them replaced."""
    for draw in range(3):
        inputs = inputs_at(shapes, sizes_for(shapes, draw), assume, options.seed + 31 * draw + 5)
        try:
            if not bool(torch.isfinite(call(subject, inputs)).all()):
                return False
        except (RuntimeError, ValueError, IndexError):
            return False
    return True


def _reads_one_triangle(subject: Subject, shapes: Shapes, assume: Mapping[str, str], name: str) -> bool:
    """Whether f does not see the entries on one side of the diagonal, but those on the other."""
    shape = shapes.of[name]
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 1:
        return False
    inputs = inputs_at(shapes, sizes_for(shapes, 0), assume, 3)
    return _sees(subject, inputs, name, -1) != _sees(subject, inputs, name, 1)


def _sees(subject: Subject, inputs: Mapping[str, Tensor], name: str, side: int) -> bool:
    """Whether f changes with the entries below (-1) or above (1) the diagonal."""
    whole = inputs[name]
    moved = whole + (torch.tril(whole, -1) if side < 0 else torch.triu(whole, 1))
    before, after = call(subject, copies(inputs)), call(subject, copies({**inputs, name: moved}))
    return not torch.equal(before, after)


# --------------------------------------------------------------------------- autograd


def derivative_of(subject: Subject, inputs: Mapping[str, Tensor], variable: str, order: int = 1) -> Tensor:
    """Autograd's derivative.  One output entry: the shape of the variable.  Otherwise out_shape + in_shape, where a
    column or row counts as a vector.  Order 2, the Hessian: in_shape + in_shape, the same way."""
    value, variable_leaf = recorded(subject, inputs, variable)
    shape = tuple(variable_leaf.shape)
    if not value.requires_grad:
        return _cut_or_zero(subject, inputs, variable, value, order)
    if order == 2:
        if value.numel() != 1:
            raise ResultError(f"{subject.name} has {value.numel()} entries; a Hessian needs one", "sum them, or leave order at 1")
        (first,) = torch.autograd.grad(value.reshape(()), variable_leaf, create_graph=True, allow_unused=True)
        if first is None:
            return _cut_or_zero(subject, inputs, variable, value, order)
        return _rows(first, variable_leaf).reshape(squeezed(shape) * 2)
    rows = _rows(value, variable_leaf)
    if not rows.any() and not _reaches(value, variable_leaf):
        return _cut_or_zero(subject, inputs, variable, value, order)
    return rows.reshape(shape if value.numel() == 1 else squeezed(tuple(value.shape)) + squeezed(shape))


def recorded(subject: Subject, inputs: Mapping[str, Tensor], variable: str) -> tuple[Tensor, Tensor]:
    """f's value, and the leaf it depends on; f itself gets a copy of the leaf, which it may change in place."""
    own = copies(inputs)
    if not own[variable].is_floating_point():
        raise ResultError(f"{variable} is an integer tensor, which has no derivative", "make it a floating-point tensor")
    leaf = own[variable].detach().requires_grad_()
    own[variable] = leaf.clone()
    return call(subject, own), leaf


def _rows(value: Tensor, variable: Tensor) -> Tensor:
    """One row for each entry of the value: its derivatives by the entries of the variable."""
    if not value.requires_grad:
        return torch.zeros(value.numel(), variable.numel(), dtype=torch.float64)
    flat = value.reshape(-1)
    rows = []
    for i in range(flat.numel()):
        (row,) = torch.autograd.grad(flat[i], variable, retain_graph=True, allow_unused=True)
        rows.append(torch.zeros(variable.numel(), dtype=torch.float64) if row is None else row.to_dense().reshape(-1).double())
    return torch.stack(rows) if rows else torch.zeros(0, variable.numel(), dtype=torch.float64)


def _reaches(value: Tensor, variable: Tensor) -> bool:
    """Whether the graph of the value leads to the variable."""
    (gradient,) = torch.autograd.grad(value.sum(), variable, allow_unused=True)
    return gradient is not None


def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A column or row counts as a vector: (n, 1) -> (n,)."""
    return tuple(s for s in shape if s != 1) if len(shape) == 2 and 1 in shape else shape


def _cut_or_zero(
    subject: Subject, inputs: Mapping[str, Tensor], variable: str, value: Tensor, order: int
) -> Tensor:
    """Zeros where f truly doesn't depend on the variable; where autograd has lost it, a ResultError."""
    start = inputs[variable]
    for step in (1e-3, -0.37):
        moved = start + step * (1 + start.abs())
        if not torch.equal(call(subject, copies(inputs)), call(subject, copies({**inputs, variable: moved}))):
            raise ResultError(
                f"{subject.name} changes with {variable}, but autograd can't see it: the graph is cut",
                "look for .detach(), .data, .item(), torch.no_grad(), numpy, or torch.tensor([...]) around computed values",
                "torch.stack([...]) keeps the graph where torch.tensor([...]) cuts it",
            )
    shape = tuple(start.shape)
    if order == 2:
        shape = squeezed(shape) * 2
    elif value.numel() != 1:
        shape = squeezed(tuple(value.shape)) + squeezed(shape)
    return torch.zeros(shape, dtype=torch.float64)


# --------------------------------------------------------------------------- differences


def differences_agree(
    subject: Subject, inputs: Mapping[str, Tensor], variable: str, gradient: Tensor, order: int = 1
) -> tuple[bool, float, str]:
    """Whether central differences along random directions agree with autograd; the relative error, and where not.

    Order 2 compares a Hessian with the differences of the gradient.
    """

    def f(x: Tensor) -> Tensor:
        moved = {**inputs, variable: x}
        value = derivative_of(subject, moved, variable) if order == 2 else call(subject, copies(moved))
        return value.detach().reshape(-1)

    start = inputs[variable]
    base = f(start)
    if not torch.equal(base, f(start)):
        return False, math.inf, f"{subject.name} gives different results on the same inputs: it is random or keeps state"
    jacobian = gradient.reshape(base.numel(), start.numel())
    generator = torch.Generator().manual_seed(start.numel())
    worst = 0.0
    for direction in _directions(f, start, generator):
        worst = max(worst, _difference_error(f, start, direction, jacobian @ direction.reshape(-1), base))
    if worst <= DIFFERENCES:
        return True, worst, ""
    return False, worst, _worst_entry(f, start, jacobian, gradient)


def _directions(f: Callable[[Tensor], Tensor], start: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
    """Random unit directions; symmetric ones at a symmetric matrix of which f reads one triangle."""
    symmetric = start.ndim == 2 and start.shape[0] == start.shape[1] > 1 and torch.allclose(start, start.T, rtol=1e-12)
    if symmetric:
        noise = torch.triu(torch.ones_like(start), 1)
        symmetric = torch.equal(f(start), f(start + noise)) != torch.equal(f(start), f(start + noise.T))
    for _ in range(DIRECTIONS):
        direction = torch.randn(start.shape, dtype=torch.float64, generator=generator)
        if symmetric:
            direction = direction + direction.T
        yield direction / direction.norm().clamp_min(1e-300)


def _difference_error(
    f: Callable[[Tensor], Tensor], start: Tensor, direction: Tensor, expected: Tensor, base: Tensor
) -> float:
    """Error of the slope along a direction, relative to the slope and to what rounding of f leaves of it.

    A step of cbrt(eps) balances rounding and curvature; a smaller and a larger one are tried before it counts.
    """
    errors = []
    for factor in (1.0, 0.1, 10.0):
        step = factor * EPS ** (1 / 3) * max(1.0, float(start.norm()) / max(1.0, math.sqrt(start.numel())))
        slope = (f(start + step * direction) - f(start - step * direction)) / (2 * step)
        if not bool(torch.isfinite(slope).all()) or not bool(torch.isfinite(expected).all()):
            errors.append(math.inf)
            continue
        noise = 100 * EPS * float(base.abs().max()) / step / DIFFERENCES
        errors.append(float((slope - expected).abs().max()) / max(float(expected.abs().max()), noise, 1e-300))
        if errors[-1] <= DIFFERENCES:
            break
    return min(errors)


def _worst_entry(f: Callable[[Tensor], Tensor], start: Tensor, jacobian: Tensor, gradient: Tensor) -> str:
    """ "entry (3, 0): backward gives 1.98, differences give 2.00"."""
    step = EPS ** (1 / 3) * max(1.0, float(start.abs().max()))
    worst, where, pair = -1.0, 0, (0.0, 0.0)
    for column in range(min(start.numel(), 200)):
        unit = torch.zeros(start.numel(), dtype=torch.float64)
        unit[column] = step
        slope = (f(start + unit.reshape(start.shape)) - f(start - unit.reshape(start.shape))) / (2 * step)
        error = (slope - jacobian[:, column]).abs().nan_to_num(nan=math.inf)
        row = int(error.argmax())
        if float(error[row]) > worst:
            worst, where = float(error[row]), row * start.numel() + column
            pair = float(jacobian[row, column]), float(slope[row])
    place = ", ".join(map(str, torch.unravel_index(torch.tensor(where), gradient.shape))) if gradient.ndim else ""
    place = ", ".join(str(int(i)) for i in torch.unravel_index(torch.tensor(where), gradient.shape)) if place else ""
    named = f"entry ({place}): " if place else ""
    return f"{named}backward gives {pair[0]:.4g}, differences give {pair[1]:.4g}"


# --------------------------------------------------------------------------- verdict


def relative_error(found: Tensor, truth: Tensor) -> float:
    """Largest difference of an entry, relative to the largest entry; infinite for other shapes, NaN, no entries."""
    if found.shape != truth.shape or truth.numel() == 0:
        return math.inf
    if not bool(torch.isfinite(found).all()) or not bool(torch.isfinite(truth).all()):
        return math.inf
    difference = float((found - truth).abs().max())
    return difference / max(float(truth.abs().max()), 1e-300) if difference else 0.0


def agreement(found: Evaluate, truth: Evaluate, inputs: Mapping[str, Tensor], variable: str, size: float) -> float:
    """The relative error of `found` at these inputs, where `size` is the largest entry of f.

    Where the derivative vanishes, rounding is all that is left of it, and relative errors mean nothing.  A difference
    counts as rounding if it is tiny beside f / x and jumps when the inputs move by a little: a real one moves little.
    """
    value, true = found(copies(inputs)), truth(inputs)
    error = relative_error(value, true)
    if error <= TOLERANCE or not math.isfinite(error):
        return error
    difference = value - true
    natural = size / max(float(inputs[variable].abs().max()), 1e-300)
    if float(difference.abs().max()) > 1e-13 * natural:
        return error
    for step in (1e-7, 3e-7, -2e-7):
        moved = {n: t * (1 + step) if t.is_floating_point() else t for n, t in inputs.items()}
        other = found(copies(moved)) - truth(moved)
        if float((other - difference).abs().max()) > 0.1 * float(difference.abs().max()):
            return float(difference.abs().max()) / natural
    return error


def verify(
    subject: Subject,
    shapes: Shapes,
    assume: Mapping[str, str],
    options: Options,
    variable: str,
    order: int,
    candidate: Evaluate | None,
) -> Verdict:
    """Compare a formula with autograd on every draw, and autograd with differences on some (None: only the latter)."""
    worst, count, problem = 0.0, 0, ""
    for inputs in draws(subject, shapes, assume, options):
        truth = derivative_of(subject, inputs, variable, order)
        if not bool(torch.isfinite(truth).all()):
            continue
        count += 1
        if count <= CHECKED and not problem:
            problem = differences_agree(subject, inputs, variable, truth, order)[2]
        if candidate is not None:
            worst = max(worst, _candidate_error(subject, inputs, variable, order, candidate))
    ok = count > 0 and (candidate is None or worst <= TOLERANCE)
    return Verdict(ok, worst, count, not problem, _text(ok, worst, count, problem, candidate is not None))


def _candidate_error(
    subject: Subject, inputs: Mapping[str, Tensor], variable: str, order: int, candidate: Evaluate
) -> float:
    """The formula's error on one draw; infinite where it raises."""
    size = float(call(subject, copies(inputs)).abs().max())

    def truth(at: Mapping[str, Tensor]) -> Tensor:
        return derivative_of(subject, at, variable, order)

    try:
        with float64():
            return agreement(candidate, truth, inputs, variable, size)
    except (RuntimeError, IndexError, ValueError, TypeError, KeyError):
        return math.inf


def _text(ok: bool, worst: float, count: int, problem: str, compared: bool) -> str:
    """One line for the card."""
    drawn = f"{count} random draw{'s' if count != 1 else ''}"
    if count == 0:
        return "not checked: the derivative is not finite on any draw"
    if problem:
        return f"autograd and finite differences disagree: {problem}"
    if not compared:
        return "autograd agrees with finite differences"
    if ok:
        return f"checked on {drawn}, largest error {worst:.0e}"
    return f"does not agree with autograd on {drawn}, largest error {worst:.0e}"
