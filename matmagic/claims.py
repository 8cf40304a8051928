"""A claim given as text, such as the option --claim "2Aᵀ(Ax − b)": in torch code, as on paper, or in LaTeX.

In: text and the names it may use.  Out: a function of the inputs.  What is torch code is read as such: there A * x is taken
entry by entry, as torch does, and only what is none is read as a formula, where A x is a matrix product.
Not known here: whether the claim is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from .capture import Subject
from .errors import OptionError
from .lengths import Size, letters_of, solved
from .reading import Formula, Known, read
from .reading.code import is_code, read_code
from .reading.tree import Misfit

__all__ = ["OptionClaim", "claim_of_option", "parse_claim"]

_LEFT = re.compile(
    r"^\s*(?:vec|\\operatorname\{vec\})?\s*\(?\s*(?:d|δ|\\mathrm\{d\})\s*[fF]\s*\)?\s*=(?!=)"
)  # df =, vec(df) =
MOST_ENTRIES = 1000  # of an increment

Shape = Callable[[], Sequence[int]]  # of the derivative, asked for only by a claim that leaves its own open
Evaluate = Callable[..., Any]  # of values by name, and of a Shape
Shapes = Mapping[str, Sequence[Size]]


@dataclass(frozen=True)
class OptionClaim:
    """An answer given as an option; evaluates like a claim of the cell."""

    text: str
    of: Evaluate
    own: Mapping[str, Any]
    variable: str | None = None
    kind: str | None = None
    line: int | None = None
    name: str = "--claim"

    def evaluate(self, inputs: Mapping[str, Any], shape: Shape = tuple) -> Any:
        """The answer for these arguments; raises what torch raises."""
        return self.of({**self.own, **inputs}, shape)

    def value(self, shape: Shape = tuple) -> Any:
        """The answer for the notebook's own tensors; raises KeyError where there are none."""
        return self.of(self.own, shape)


def claim_of_option(text: str, subject: Subject, shapes: Shapes | None = None) -> OptionClaim:
    """The claim in an option, over the arguments of f, the tensors it reads and, in a formula, the letters of sizes;
    OptionError for anything else."""
    names = (*subject.parameters, *subject.defaults, *subject.reads)
    notebook = {n: subject.namespace[n] for n in names if isinstance(subject.namespace.get(n), Tensor)}
    own = {**notebook, **{n: t.detach() for n, t in subject.reads.items()}, **subject.defaults}
    return OptionClaim(text, parse_claim(text, names, shapes or {}), own)


def parse_claim(text: str, names: Sequence[str], shapes: Shapes | None = None) -> Evaluate:
    """A claim over the names as a function of their values.

    >>> import torch
    >>> values = {"A": torch.eye(2), "x": torch.ones(2)}
    >>> parse_claim("2 * x + 1", ("x",))(values)
    tensor([3., 3.])
    >>> parse_claim("(A + A')x", ("A", "x"))(values, lambda: (2,))
    tensor([2., 2.], dtype=torch.float64)
    """
    try:
        code = read_code(text, names)
    except OptionError as refused:
        if ":=" in text and is_code(text):  # a name given in code is no equation
            raise
        try:
            return _formula(text, names, shapes or {})
        except OptionError:
            if is_code(text):
                raise refused from None
            raise
    return lambda values, shape=tuple: code(values)


def _formula(text: str, names: Sequence[str], shapes: Shapes) -> Evaluate:
    """A claim in written mathematics; one with dX in it says what the derivative makes of an increment.

    Of a matrix by a matrix it may be the matrix of vec(df) = J vec(dX), which stacks columns, or that equation.
    """
    text = _LEFT.sub("", text)
    letters = {*letters_of(shapes)} - {*names}
    taken = {*names, *letters}
    increments = {f"d{n}": ("d", n) for n in names if n.isidentifier() and not taken & {"d", f"d{n}"}}
    formula = read(text, Known(tuple(names), tuple(sorted(letters)), increments))
    moved = sorted(formula.names & increments.keys())
    if len(moved) > 1:
        raise OptionError(f"the claim has increments of several arguments: {', '.join(moved)}", text)

    def evaluate(values: Mapping[str, Any], shape: Shape = tuple) -> Any:
        sizes = _sizes(values, shapes)
        if not moved:
            whole = tuple(shape())
            return _stacked(
                formula, values, sizes, whole, *((2, 1) if len(whole) == 3 else (2,) if len(whole) == 4 else ())
            )
        return _by_increments(formula, moved[0], values[increments[moved[0]][1]], values, sizes, tuple(shape()))

    return evaluate


def _by_increments(
    formula: Formula,
    name: str,
    variable: Tensor,
    values: Mapping[str, Any],
    sizes: Mapping[str, int],
    shape: tuple[int, ...],
) -> Tensor:
    """The derivative, of this shape, from what a formula makes of each entry of an increment."""
    count = variable.numel()
    if count > MOST_ENTRIES:
        raise OptionError(f"an increment with {count} entries is too large, at most {MOST_ENTRIES}")
    inner = [s for s in variable.shape if s != 1] if variable.ndim == 2 else list(variable.shape)
    outer = () if prod(shape) == count else shape[: len(shape) - len(inner)]
    steps = torch.eye(count, dtype=torch.float64).reshape(count, *variable.shape)
    splits = (2,) if len(outer) == 2 else ()
    columns = [_stacked(formula, {**values, name: step}, sizes, outer, *splits) for step in steps]
    whole = torch.stack(columns, -1)
    return whole.reshape(shape) if whole.numel() == prod(shape) else whole.reshape(*whole.shape[:-1], *inner)


def _stacked(
    formula: Formula, values: Mapping[str, Any], sizes: Mapping[str, int], shape: Sequence[int], *splits: int
) -> Any:
    """The value in this shape; in that of its vec, or of the matrix before vec(dX), which stack columns, where that fits.

    `splits` are how many of the axes may run along the rows.
    """
    first: Tensor | Misfit | IndexError
    try:
        first = formula.value(values, sizes, lambda: shape)
    except (Misfit, IndexError) as error:
        first = error
    if isinstance(first, Tensor) and (tuple(first.shape) == tuple(shape) or not splits):
        return first
    for k in splits:
        outer, inner = shape[:k], shape[k:]
        with suppress(Misfit, IndexError):
            flat = (prod(outer), prod(inner)) if inner else (prod(outer),)
            found = formula.value(values, sizes, lambda flat=flat: flat)  # type: ignore[misc]
            if found.numel() == prod(shape) and found.shape[0] == flat[0]:
                axes = (*range(k)[::-1], *range(k, len(shape))[::-1])
                return found.reshape(*outer[::-1], *inner[::-1]).permute(axes)
    if isinstance(first, Tensor):
        return first
    raise first


def _sizes(values: Mapping[str, Any], shapes: Shapes) -> dict[str, int]:
    """The letters as numbers."""
    tensors = {name: values[name].shape for name in shapes if isinstance(values.get(name), Tensor)}
    return solved({name: shapes[name] for name in tensors}, tensors)
