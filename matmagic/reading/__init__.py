"""Formulas as people write them, read and evaluated: `2 Aᵀ(A x − b)`, `2 A^T (A x - b)`, `2 A^{\\top} (A x - b)`.

    tokens   Unicode, ASCII and LaTeX in the same pieces
    symbols  which words are names, sizes and functions
    grammar  pieces -> all the trees that mathematics allows
    fitting, table, shaped  shapes: which tree fits the arguments, and how long 𝟏 and I are
    values   the value, with bounds

Nothing is ever run as code: a text reaches the arguments and the functions of table.py.  Vectors are columns; a product
side by side is a matrix product and binds tighter than ⊙; functions such as exp are taken entry by entry, e^X and expm(X)
are the matrix exponential; indices count from 1.  Readings that fit and differ in value are an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..calling import float64
from ..errors import OptionError
from .grammar import Reading, readings
from .shaped import Shaped
from .symbols import Known
from .tree import Misfit, Unread, pieces
from .values import Values, laid_out

__all__ = ["Formula", "Known", "Misfit", "read"]

MOST_CHARACTERS = 2000
ALIKE = 1e-9  # relative, two readings that mean the same


@dataclass(frozen=True)
class Formula:
    """A text and its readings."""

    text: str
    readings: tuple[Reading, ...] = field(repr=False)

    def value(
        self,
        values: Mapping[str, Tensor],
        sizes: Mapping[str, int] | None = None,
        shape: Callable[[], Sequence[int]] = tuple,
    ) -> Tensor:
        """The value for these arguments, vectors as columns; `shape` is that of the result, asked for only where the text
        leaves lengths open or a column may be a 1-D vector.

        Arguments that are rows are taken as they are, and, where nothing of the right shape comes of that, as the columns
        that printed formulas have in their place.  Raises Misfit where shapes don't fit, OptionError where several readings
        do and differ.
        """
        wanted = tuple(shape())
        rows = {name: value.T for name, value in values.items() if isinstance(value, Tensor) and _is_row(value.shape)}
        found: Tensor | Misfit | IndexError
        try:
            found = self._valued(values, sizes or {}, wanted)
            if not rows or found.shape == wanted:
                return found
        except (Misfit, IndexError) as error:
            found = error
        with suppress(Misfit, IndexError):
            if rows:
                turned = self._valued({**values, **rows}, sizes or {}, wanted[::-1] if _is_row(wanted) else wanted)
                return turned.T if _is_row(wanted) else turned
        if isinstance(found, Tensor):
            return found
        raise found

    def _valued(self, values: Mapping[str, Tensor], sizes: Mapping[str, int], shape: Sequence[int]) -> Tensor:
        """The value that all readings share which fit; 1/x and x² entry by entry only where there is no other."""
        found: list[tuple[Reading, Tensor]] = []
        loose: list[tuple[Reading, Tensor]] = []
        failed: list[Misfit | IndexError] = []
        for reading in self.readings:
            fit = Shaped(values=values, sizes=sizes)
            try:
                value = _valued(reading, fit, shape)
                (loose if fit.loose else found).append((reading, value))
            except (Misfit, IndexError) as error:
                failed.append(error)
        found = found or loose
        if not found:
            raise failed[0]
        for reading, value in found[1:]:
            if not _alike(found[0][1], value):
                either = _apart(found[0][0], reading)
                raise OptionError(
                    "the claim can be read in two ways", self.text, *either, "write parentheses or spaces"
                )
        return found[0][1]

    @property
    def names(self) -> frozenset[str]:
        """The arguments that it has in any of its readings."""
        return frozenset(p.value for reading in self.readings for p in pieces(reading.tree) if p.kind == "name")


def _is_row(shape: Sequence[int]) -> bool:
    return len(shape) == 2 and shape[0] == 1 != shape[1]


def read(text: str, known: Known, longest: int = MOST_CHARACTERS) -> Formula:
    """The formula in a text; OptionError with the place for what is none, or is longer than so many characters.

    >>> A, x = torch.eye(2) * 3, torch.ones(2)
    >>> read("2Aᵀx", Known(("A", "x"))).value({"A": A, "x": x}, shape=lambda: (2,))
    tensor([6., 6.], dtype=torch.float64)
    """
    if len(text) > longest:
        raise OptionError(f"the claim has {len(text)} characters, at most {longest} are read")
    try:
        return Formula(text, tuple(readings(text, known)))
    except Unread as error:
        line = text.replace("\n", " ")
        raise OptionError(f"can't read the claim: {error.reason}", line, " " * error.place + "^", *error.more) from None


def _valued(reading: Reading, fit: Shaped, shape: Sequence[int]) -> Tensor:
    """The value of one reading, laid out as the shape says."""
    tree, free = reading.tree, [axis for _, axis in reading.free]
    if tree.kind == "number" and tree.value == 0:
        return torch.zeros(tuple(shape), dtype=torch.float64)
    own = fit.shape(tree)
    if free:
        inner = [s for s in shape if s != 1]
        for axis, length in zip(free, inner if len(inner) == len(free) else (), strict=False):
            fit.bounds.setdefault(axis, []).append((1, length))
    elif len(shape) in (1, 2):
        for dim, length in zip(own, (*shape, 1)[:2], strict=True):
            fit.unify(dim, length)
    values_of = Values(fit, fit.ranges(reading.axes))
    with float64():
        return _as(laid_out(values_of.filled(values_of.value(tree), free), free), shape)


def _as(tensor: Tensor, shape: Sequence[int]) -> Tensor:
    """A column as a 1-D vector where one is asked for, a number in any of its shapes."""
    if tensor.numel() == 1 and all(s == 1 for s in shape):
        return tensor.reshape(tuple(shape))
    if tensor.ndim == 2 and tensor.shape[1] == 1 and len(shape) != 2:
        return tensor[:, 0] if tensor.shape[0] != 1 else tensor[0, 0]
    if tensor.ndim == 1 and len(shape) == 2 and shape[1] == 1:
        return tensor[:, None]
    return tensor


def _alike(a: Tensor, b: Tensor) -> bool:
    """Whether two readings mean the same."""
    if a.shape != b.shape:
        return False
    return bool(torch.allclose(a, b, ALIKE, ALIKE * (float(a.abs().max()) if a.numel() else 1.0), equal_nan=True))


def _apart(one: Reading, other: Reading) -> tuple[str, str]:
    """Where two readings part, in words."""
    for a, b in zip(one.choices, other.choices, strict=False):
        if a != b:
            return f"either {a}", f"or {b}"
    return "", ""
