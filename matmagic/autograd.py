"""Autograd's derivative of the user's function, and whether central differences agree with it.

In: a Subject, tensors for its inputs, the name of one of them.  Out: the derivative in the layout of
gradients and Jacobians, or a ResultError that says that the graph is cut. A derivative is compared with
differences along random directions; where they disagree, entry by entry, so that the place can be named.
Not known here: any formula, and where the inputs come from.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from .calling import call
from .capture import Subject
from .errors import BackwardError, ResultError, first_line

DIFFERENCES = 1e-6  # relative, central differences against autograd
EPS = torch.finfo(torch.float64).eps
DIRECTIONS = 2
STEPS = (1e-3, -0.37)  # relative: a small one, and one that crosses conditions
FAR = (-2.0, -0.37, 2.0)  # relative, across the jumps of most functions that have some
FACTORS = (1.0, 0.1, 10.0)  # of the step of the differences, in the order tried
REPEATED = (
    1e-9  # relative: a factorisation of a matrix near to a singular one may differ by as much when it is repeated
)
RANDOM = "gives different results on the same inputs: it is random or keeps state"
UNDERFLOW = 1e-30  # a derivative below it may be right where f doesn't change at all: −log softmax, far from the others
ROUNDING = 1e-13  # relative: two runs of one factorisation may differ by as much


def copies(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same values in tensors of their own, so that a function that changes its arguments
    changes these."""
    return {name: tensor.clone() for name, tensor in inputs.items()}


def point(inputs: Mapping[str, Tensor], variable: str) -> Tensor:
    """The value of the variable; "x, y" names several scalars, which then are one vector."""
    names = variable.split(", ")
    return inputs[variable] if len(names) == 1 else torch.stack([inputs[name].reshape(()) for name in names])


def moved_to(inputs: Mapping[str, Tensor], variable: str, value: Tensor) -> dict[str, Tensor]:
    """The inputs with another value of the variable."""
    names = variable.split(", ")
    own = {variable: value} if len(names) == 1 else dict(zip(names, value, strict=True))
    return {**inputs, **own}


def _grad(value: Tensor, variable: Tensor, **options: Any) -> tuple[Tensor | None, ...]:
    """torch.autograd.grad; where autograd refuses, its reason as a message."""
    try:
        return torch.autograd.grad(value, variable, **options)
    except RuntimeError as error:
        reason = first_line(error).split(". ")[0]
        found = re.search(r"[Ff]unction (\w+)Backward returned an (?:invalid|incorrect)(.*)", reason)
        if found and (shapes := re.search(r"index (\d+) - got (\[.*?\]) but expected .*?(\[.*?\])", found[2])):
            place = f"its {_nth(int(shapes[1]))} input, which has shape {shapes[3]}"
            raise BackwardError(f"the backward of {found[1]} returns shape {shapes[2]} for {place}") from None
        if found:
            raise BackwardError(f"the backward of {found[1]} returns an incorrect{found[2]}") from None
        raise ResultError("autograd can't differentiate the function", reason) from None


def _nth(index: int) -> str:
    """The place of an input: 0 is the first."""
    return ("first", "second", "third")[index] if index < 3 else f"{index + 1}th"


def own_backwards(value: Tensor) -> dict[Any, str]:
    """The user's own autograd.Functions in the graph of a tensor, with their names."""
    todo: list[Any] = [value.grad_fn]
    seen, found = set(), {}
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(node, BackwardCFunction):
            found[node] = type(node).__name__.removesuffix("Backward")
        todo += [inner for inner, _ in node.next_functions]
    return found


def narrow_backwards(value: Tensor, variables: Sequence[Tensor]) -> list[str]:
    """The names of the user's own autograd.Functions that give gradients with no more digits than float32 has."""
    narrow: list[str] = []
    own = own_backwards(value)

    def look(name: str) -> Callable[[Sequence[Any], Sequence[Any]], None]:
        def hook(given: Sequence[Any], _: Sequence[Any]) -> None:
            gradients = [g for g in given if g is not None]
            if gradients and all(map(_is_single, gradients)):
                narrow.append(name)

        return hook

    handles = [node.register_hook(look(name)) for node, name in own.items()]
    if own:
        torch.autograd.grad(value.sum(), list(variables), allow_unused=True)
    for handle in handles:
        handle.remove()
    return list(dict.fromkeys(narrow))


def _is_single(gradient: Tensor) -> bool:
    """Whether all entries are float32 numbers, and not so simple ones that they would be anyway."""
    alike = [torch.equal(gradient.to(dtype).to(gradient.dtype), gradient) for dtype in (torch.float32, torch.float16)]
    return alike == [True, False] or gradient.dtype is torch.float32


def derivative_of(subject: Subject, inputs: Mapping[str, Tensor], variable: str, order: int = 1) -> Tensor:
    """Autograd's derivative.  One output entry: the shape of the variable.  Otherwise out_shape + in_shape.

    A column or row counts as a vector there.  Order 2, the Hessian: in_shape + in_shape, the same way.
    """
    value, variable_leaf = recorded(subject, inputs, variable)
    shape = tuple(variable_leaf.shape)
    if not value.requires_grad:
        return _cut_or_zero(subject, inputs, variable, value, order)
    if order == 2:
        if value.numel() != 1:
            raise ResultError(
                f"{subject.name} has {value.numel()} entries; a Hessian needs one",
                "sum them, or leave order at 1",
            )
        (first,) = _grad(value.reshape(()), variable_leaf, create_graph=True, allow_unused=True)
        if first is None:
            return _cut_or_zero(subject, inputs, variable, value, order)
        return _rows(first, variable_leaf).reshape(squeezed(shape) * 2)
    rows = _rows(value, variable_leaf)
    if not rows.any() and not _reaches(value, variable_leaf):
        return _cut_or_zero(subject, inputs, variable, value, order)
    return rows.reshape(shape if value.numel() == 1 else squeezed(tuple(value.shape)) + squeezed(shape))


def recorded(subject: Subject, inputs: Mapping[str, Tensor], variable: str) -> tuple[Tensor, Tensor]:
    """f's value, and the leaf it depends on; f gets a copy of the leaf, which it may change in place."""
    start = point(inputs, variable)
    if not start.is_floating_point():
        raise ResultError(
            f"{variable} is an integer tensor, which has no derivative", "make it a floating-point tensor"
        )
    leaf = start.detach().clone().requires_grad_()
    return call(subject, moved_to(copies(inputs), variable, leaf.clone())), leaf


def value_and_slopes(subject: Subject, inputs: Mapping[str, Tensor]) -> tuple[Tensor, list[Tensor]]:
    """f's value, and the derivatives of one mixture of its entries by every floating-point input; [] where autograd
    has none."""
    leaves = {n: t.clone().requires_grad_() for n, t in inputs.items() if t.is_floating_point()}
    try:
        value = call(subject, {**copies(inputs), **{n: leaf.clone() for n, leaf in leaves.items()}})
    except RuntimeError:  # numpy, which autograd refuses
        return call(subject, copies(inputs)), []
    found: Sequence[Tensor | None] = []
    with suppress(RuntimeError):  # no graph
        mixture = torch.linspace(0.5, 1.5, value.numel(), dtype=value.dtype).reshape(value.shape)
        total = (value * mixture).sum()  # torch imports a great deal for a gradient that starts from a tensor
        found = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
    return value.detach(), [g.to_dense() for g in found if g is not None]


def _rows(value: Tensor, variable: Tensor) -> Tensor:
    """One row for each entry of the value: its derivatives by the entries of the variable."""
    if not value.requires_grad:
        return torch.zeros(value.numel(), variable.numel(), dtype=torch.float64)
    flat = value.reshape(-1)
    rows = []
    for i in range(flat.numel()):
        (row,) = _grad(flat[i], variable, retain_graph=True, allow_unused=True)
        rows.append(
            torch.zeros(variable.numel(), dtype=torch.float64) if row is None else row.to_dense().reshape(-1).double()
        )
    return torch.stack(rows) if rows else torch.zeros(0, variable.numel(), dtype=torch.float64)


def _reaches(value: Tensor, variable: Tensor) -> bool:
    """Whether the graph of the value leads to the variable."""
    (gradient,) = _grad(value.sum(), variable, allow_unused=True)
    return gradient is not None


def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A column or row counts as a vector: (n, 1) -> (n,)."""
    return tuple(s for s in shape if s != 1) if len(shape) == 2 and 1 in shape else shape


def _cut_or_zero(subject: Subject, inputs: Mapping[str, Tensor], variable: str, value: Tensor, order: int) -> Tensor:
    """Zeros where f truly doesn't depend on the variable; where autograd has lost it, a ResultError.

    A variable that is only compared with something makes f jump: zeros, if f depends on another one smoothly.
    """
    start = point(inputs, variable)
    if changes(subject, inputs, variable) and (
        _changes_smoothly(subject, inputs, variable) or not _recorded_at_all(subject, inputs)
    ):
        if own := own_backwards(value):
            none = f"the backward of {' or '.join(dict.fromkeys(own.values()))} returns None for it"
            raise BackwardError(f"{subject.name} changes with {variable}, but {none}")
        raise ResultError(
            f"{subject.name} changes with {variable}, but autograd can't see it: the graph is cut",
            "look for .detach(), .data, .item(), torch.no_grad(), numpy and torch.tensor([...])",
            "torch.stack([...]) keeps the graph where torch.tensor([...]) cuts it",
        )
    shape = tuple(start.shape)
    if order == 2:
        shape = squeezed(shape) * 2
    elif value.numel() != 1:
        shape = squeezed(tuple(value.shape)) + squeezed(shape)
    return torch.zeros(shape, dtype=torch.float64)


def changes(subject: Subject, inputs: Mapping[str, Tensor], variable: str, steps: tuple[float, ...] = STEPS) -> bool:
    """Whether f has another value, not by rounding alone, where the variable is moved by one of these steps."""
    value = call(subject, copies(inputs))
    return any(_differ(value, other) for other in _values(subject, inputs, variable, steps))


def jumps(subject: Subject, inputs: Mapping[str, Tensor], variable: str) -> bool:
    """Whether f changes, far beyond rounding, where the variable is moved far; rounding shows where it moves by next to
    nothing: that of Σ (xᵢ − x̄) is all that f is."""
    value = call(subject, copies(inputs))
    rounding = ROUNDING * float(value.abs().max())
    near = 1e3 * _noise_at(subject, inputs, variable, 0.0) + rounding
    for step in FAR:
        for other in _values(subject, inputs, variable, (step,)):
            if other.shape != value.shape:
                return True
            apart = (other - value).abs()
            if not bool((apart > near).any()):
                continue
            if bool((apart > max(near, 1e3 * _noise_at(subject, inputs, variable, step) + rounding)).any()):
                return True
    return False


def _noise_at(subject: Subject, inputs: Mapping[str, Tensor], variable: str, step: float) -> float:
    """By how much f differs about a step where the last digits of the variable do."""
    value, *near = _values(subject, inputs, variable, (step, *(step + k * EPS for k in range(-9, 10, 2))))
    return max((float((other - value).abs().max()) for other in near if other.shape == value.shape), default=0.0)


def _changes_smoothly(subject: Subject, inputs: Mapping[str, Tensor], variable: str) -> bool:
    """Whether f changes from one tiny step to the next on one side: it doesn't where it jumps at the start."""
    return any(
        len(values) == 2 and _differ(*values)
        for values in (_values(subject, inputs, variable, (sign * 1e-8, sign * 3e-8)) for sign in (1, -1))
    )


def _values(subject: Subject, inputs: Mapping[str, Tensor], variable: str, steps: tuple[float, ...]) -> list[Tensor]:
    """f where the variable is moved by each of these steps, relative to its entries; without those where f fails."""
    start, found = point(inputs, variable), []
    for step in steps:
        with suppress(RuntimeError, ValueError, IndexError):
            found.append(call(subject, copies(moved_to(inputs, variable, start + step * (1 + start.abs())))))
    return found


def _differ(value: Tensor, other: Tensor) -> bool:
    """Whether two values of f differ by more than rounding."""
    return value.shape != other.shape or not torch.allclose(value, other, ROUNDING, 0, equal_nan=True)


def repeats(subject: Subject, inputs: Mapping[str, Tensor]) -> bool:
    """Whether f gives the same every time; one that throws coins may do so twice."""
    once, *others = (call(subject, copies(inputs)) for _ in range(4))
    return all(o.shape == once.shape and torch.allclose(once, o, REPEATED, 0, equal_nan=True) for o in others)


def _recorded_at_all(subject: Subject, inputs: Mapping[str, Tensor]) -> bool:
    """Whether autograd follows f from any of its inputs."""
    leaves = {n: t.clone().requires_grad_().clone() if t.is_floating_point() else t for n, t in inputs.items()}
    return call(subject, leaves).requires_grad


# --------------------------------------------------------------------------- differences


def differences_agree(
    subject: Subject, inputs: Mapping[str, Tensor], variable: str, gradient: Tensor, order: int = 1
) -> tuple[bool, float, str]:
    """Whether central differences along random directions agree with autograd; the relative error, and
    where not.

    Order 2 compares a Hessian with the differences of the gradient.
    """

    def f(x: Tensor) -> Tensor:
        moved = moved_to(inputs, variable, x)
        value = derivative_of(subject, moved, variable) if order == 2 else call(subject, copies(moved))
        return value.detach().reshape(-1)

    start = point(inputs, variable)
    base = f(start)
    size = float(base.abs().max())
    if order == 2:  # a gradient that nearly vanishes is rounded as f is
        value = float(call(subject, copies(inputs)).abs().max())
        size = max(size, value / max(float(start.abs().max()), 1e-300))
    jacobian = gradient.reshape(base.numel(), start.numel())
    generator = torch.Generator().manual_seed(start.numel())
    directions = list(_directions(f, start, jacobian, generator))

    def error(direction: Tensor, factors: tuple[float, ...] = FACTORS) -> float:
        return _difference_error(f, start, direction, jacobian @ direction.reshape(-1), size, factors)

    worst = max(map(error, directions))
    if worst > DIFFERENCES and not repeats(subject, inputs):
        return False, math.inf, f"{subject.name} {RANDOM}"
    if worst > DIFFERENCES:  # f may lose digits, as log(1 - p) does for p near 1: a large step minds least
        size = max(size, max(_rounding(f, start, d) for d in directions) / (30 * EPS))
        worst = min(worst, max(error(direction, FACTORS[-1:]) for direction in directions))
    if worst > DIFFERENCES and symmetric_point(start):  # f may be one of symmetric matrices only
        worst = min(worst, max(error(direction + direction.T) for direction in directions))
    if worst <= DIFFERENCES:
        return True, worst, ""
    return False, worst, _worst_entry(f, start, jacobian, gradient)


def _rounding(f: Callable[[Tensor], Tensor], start: Tensor, direction: Tensor) -> float:
    """How far f is from smooth along a direction: third differences, of which a smooth function has next to nothing."""
    rough = []
    for factor in (FACTORS[-1] * k for k in (0.4, 0.7, 1.0, 1.3)):  # one alone may be small by chance
        step = factor * _step(start)
        far, near = (f(start + k * step * direction) - f(start - k * step * direction) for k in (2, 1))
        rough.append(float((far - 2 * near).abs().max()))
    return max((r for r in rough if math.isfinite(r)), default=0.0) / 3


def _step(start: Tensor) -> float:
    """The length that balances rounding and curvature of a difference."""
    return float(EPS ** (1 / 3) * max(1.0, float(start.norm()) / max(1.0, math.sqrt(start.numel()))))


def is_symmetric(jacobian: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether every row is a symmetric matrix with entries beside the diagonal, for a square variable."""
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 2:
        return False
    matrices = jacobian.reshape(-1, *shape)
    return relative_error(matrices, matrices.mT) <= 1e-9 and bool(torch.triu(matrices, 1).any())


def symmetric_point(start: Tensor) -> bool:
    """Whether the variable is a symmetric matrix."""
    square = start.ndim == 2 and start.shape[0] == start.shape[1] > 1
    return square and torch.allclose(start, start.T, rtol=1e-12)


def _directions(
    f: Callable[[Tensor], Tensor], start: Tensor, jacobian: Tensor, generator: torch.Generator
) -> Iterator[Tensor]:
    """Random unit directions; symmetric ones where f reads one triangle and its gradient is symmetric all the
    same, as torch has it for eigvalsh, eigh and cholesky."""
    symmetric = symmetric_point(start) and is_symmetric(jacobian, tuple(start.shape))
    if symmetric:
        noise = torch.triu(torch.full_like(start, 1e-4 * float(start.abs().max())), 1)
        symmetric = _one_sided(f, start, noise)
    for _ in range(DIRECTIONS):
        direction = torch.randn(start.shape, dtype=torch.float64, generator=generator)
        if symmetric:
            direction = direction + direction.T
        yield direction / direction.norm().clamp_min(1e-300)


def _one_sided(f: Callable[[Tensor], Tensor], start: Tensor, noise: Tensor) -> bool:
    """Whether f sees one side of the diagonal only, or takes no matrix that isn't symmetric."""
    try:
        return torch.equal(f(start), f(start + noise)) != torch.equal(f(start), f(start + noise.T))
    except (ValueError, RuntimeError):
        return True


def _difference_error(
    f: Callable[[Tensor], Tensor],
    start: Tensor,
    direction: Tensor,
    expected: Tensor,
    size: float,
    factors: tuple[float, ...],
) -> float:
    """Error of the slope along a direction, relative to the slope and to what rounding of f, of this size, leaves of it.

    A step of cbrt(eps) balances rounding and curvature; a smaller and a larger one are tried before it
    counts.
    """
    errors = []
    for factor in factors:
        step = factor * _step(start)
        slope = (f(start + step * direction) - f(start - step * direction)) / (2 * step)
        if not bool(torch.isfinite(slope).all()) or not bool(torch.isfinite(expected).all()):
            errors.append(math.inf)
            continue
        noise = 100 * EPS * size / step / DIFFERENCES
        least = max(noise, 1e-300 if bool(slope.any()) else UNDERFLOW / DIFFERENCES)
        errors.append(float((slope - expected).abs().max()) / max(float(expected.abs().max()), least))
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
    at = torch.unravel_index(torch.tensor(where), gradient.shape) if gradient.ndim else ()
    place = ", ".join(str(int(i)) for i in at)
    named = f"entry ({place}): " if place else ""
    if not math.isfinite(pair[1]):
        return f"{named}f is not finite beside this point, where differences are taken"
    backward, differences = _told_apart(*pair)
    return f"autograd and finite differences disagree: {named}backward gives {backward}, differences give {differences}"


def _told_apart(a: float, b: float) -> tuple[str, str]:
    """Two numbers with four digits, or as many as it takes to tell them apart."""
    shown = ((f"{a:.{digits}g}", f"{b:.{digits}g}") for digits in range(4, 16))
    return next((pair for pair in shown if pair[0] != pair[1]), (f"{a:.4g}", f"{b:.4g}"))


def relative_error(found: Tensor, truth: Tensor) -> float:
    """Largest difference of an entry, relative to the largest entry; infinite for other shapes, NaN, no
    entries."""
    if found.shape != truth.shape or truth.numel() == 0:
        return math.inf
    if not bool(torch.isfinite(found).all()) or not bool(torch.isfinite(truth).all()):
        return math.inf
    difference = float((found - truth).abs().max())
    return difference / max(float(truth.abs().max()), 1e-300) if difference else 0.0
