"""What a mask chooses: x[x > 0] has as many entries as the condition holds for, so it is kept as x and the condition.

`Chosen` is a tensor beside its mask.  What works on each entry by itself works on the whole tensor, and what is chosen
stays so; that this is what the call did is checked by its value.  A sum, a norm, a maximum over what was chosen is
taken over the whole tensor, with 0 or another number where the mask is 0; a mean is such a sum by the number of trues.
The entries above or below a diagonal, taken by their row and column numbers, are chosen by a triangle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from .. import walk
from ..expr import Elementwise, Node, Power, permute, triangle
from ..functions import FUNCTIONS
from .table import ROWS, NotTraced, Row, Sizes, Traced, count_along, in_order, over, summed, times, vector, where

FILLED = {  # calls along what was chosen, with the number that makes no difference to them
    **dict.fromkeys("sum nansum norm vector_norm".split(), 0.0),
    **dict.fromkeys("max amax logsumexp".split(), -math.inf),
    **dict.fromkeys("min amin".split(), math.inf),
    "prod": 1.0,
}
PRODUCTS = frozenset("dot vdot inner matmul __matmul__ __rmatmul__".split())
ENTRYWISE = frozenset(FUNCTIONS) | frozenset(
    "add sub mul div true_divide neg pow square sqrt rsqrt reciprocal clamp clone contiguous double float to "
    "__add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __truediv__ __rtruediv__ __pow__ __rpow__ __neg__ rsub mse_loss "
    "l1_loss smooth_l1_loss huber_loss binary_cross_entropy binary_cross_entropy_with_logits".split()
)
PARTIAL = frozenset("log log1p asin acos acosh atanh xlogy pow lgamma digamma erfinv root".split())
OFFSETS = (0, 1, -1, 2, -2)


@dataclass(frozen=True)
class Chosen:
    """The entries of `whole` where `mask` is 1, along one axis: the mask has the first axes of the tensor."""

    whole: Traced
    mask: Traced
    shows: bool = True  # whether it chooses some entries here, and not all

    @property
    def flat(self) -> Traced:
        """All entries, along one axis."""
        rank = len(self.mask.axes)
        return Traced(self.whole.node, (sum(self.whole.axes[:rank], ()), *self.whole.axes[rank:]))

    def with_entries(self, flat: Traced) -> Chosen:
        """Other entries at the same places."""
        rank = len(self.mask.axes)
        lengths = [len(group) for group in self.whole.axes[:rank]]
        if not flat.axes or len(flat.axes[0]) != sum(lengths) or flat.sizes(0) != self.flat.sizes(0):
            raise NotTraced("this is not traced of what a mask chooses")
        ends = [sum(lengths[: k + 1]) for k in range(rank)]
        first = tuple(flat.axes[0][end - own : end] for end, own in zip(ends, lengths, strict=True))
        return Chosen(Traced(flat.node, (*first, *flat.axes[1:])), self.mask, self.shows)

    @property
    def spread_mask(self) -> Traced:
        """The mask with the rank of the tensor."""
        rest = [()] * (len(self.whole.axes) - len(self.mask.axes))
        return Traced(self.mask.node, (*self.mask.axes, *rest))

    def beside(self, value: float) -> Traced:
        """All entries along one axis, this number where the mask is 0."""
        if value == 0 and _is_finite(self.whole.node):
            return Chosen(times(self.spread_mask, self.whole), self.mask).flat
        return Chosen(where(self.spread_mask, self.whole, value), self.mask).flat


def _is_finite(node: Node) -> bool:
    """Whether no part is infinite or undefined at some numbers, so that 0 times it is 0."""
    for part in walk.ordered(node):
        if isinstance(part, Power) and not (part.exponent > 0 and part.exponent == int(part.exponent)):
            return False
        if isinstance(part, Elementwise) and part.function in PARTIAL:
            return False
    return True


def choose(_: Sizes, whole: Traced, mask: Traced, shows: bool = True) -> Chosen:
    """whole[mask]"""
    own = in_order(mask)
    if [whole.sizes(k) for k in range(len(own.axes))] != own.groups:
        raise NotTraced("a mask of another shape is not traced")
    return Chosen(whole, own, shows)


for _call in (torch.masked_select, Tensor.masked_select):
    ROWS[_call] = choose  # type: ignore[assignment]


def mask_of(whole: Traced, index: Any, found: Any, shape: Sequence[int]) -> Traced | None:
    """The mask in an index: one of truth values (`found` is its expression), or the numbers of a triangle's entries."""
    if isinstance(index, tuple) and len(index) == 1:
        index, found = index[0], found[0]
    if isinstance(index, Tensor) and index.dtype is torch.bool and isinstance(found, Traced):
        return found
    pairs = isinstance(index, tuple) and len(index) == 2 and all(isinstance(part, Tensor) for part in index)
    if not pairs or len(shape) < 2 or any(part.dtype is not torch.long or part.dim() != 1 for part in index):
        return None
    rows, columns = whole.sizes(0), whole.sizes(1)
    whole_axes = len(rows) == len(columns) == 1
    if not whole_axes or all(isinstance(size, int) for size in (*rows, *columns)):  # those are written out
        return None
    for offset in OFFSETS:
        if _same(index, torch.triu_indices(shape[0], shape[1], offset)):
            return vector(triangle(rows[0], columns[0], offset))
        if _same(index, torch.tril_indices(shape[0], shape[1], offset)):
            return vector(permute(triangle(columns[0], rows[0], -offset), (1, 0)))
    return None


def _same(index: tuple[Tensor, Tensor], numbers: Tensor) -> bool:
    return all(map(torch.equal, index, numbers))


def chosen_in(value: Any) -> list[Chosen]:
    """Those among the arguments of a call."""
    if isinstance(value, Chosen):
        return [value]
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple | list) else ()
    return [found for part in parts for found in chosen_in(part)]


def on_chosen(func: Any, row: Row, sizes: Sizes, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The call's expression where some arguments are Chosen, all by one mask."""
    parts = chosen_in([args, kwargs])
    if any(part.mask != parts[0].mask for part in parts):
        raise NotTraced("what two masks choose is not traced in one call")
    if func is Tensor.__setitem__:
        return _put_back(args[0], args[1], parts[0])
    name = func.__name__ if func.__name__.endswith("__") else func.__name__.removesuffix("_")
    given = signature(row).bind(sizes, *args, **kwargs).arguments
    if "reduction" in signature(row).parameters:
        each = _one_by_one(name, row, sizes, args, {**kwargs, "reduction": "none"})
        asked = given.get("reduction", "mean")
        return each if asked == "none" else _mean(each) if asked == "mean" else summed(each.beside(0.0))
    if name == "mean" and given.get("dim") in (None, 0) and not given.get("keepdim"):
        along = given.get("dim") == 0 and len(parts[0].flat.axes) > 1
        return over(summed(parts[0].beside(0.0), 0), summed(parts[0].mask)) if along else _mean(parts[0])
    if name in PRODUCTS and len(parts) == 2 and all(len(part.flat.axes) == 1 for part in parts):
        return row(
            sizes, parts[0].beside(0.0), parts[1].flat if _is_finite(parts[1].whole.node) else parts[1].beside(0.0)
        )
    if name in FILLED:
        fill = FILLED[name]
        return row(sizes, *(a.beside(fill) if isinstance(a, Chosen) else a for a in args), **kwargs)
    return _one_by_one(name, row, sizes, args, kwargs)


def _one_by_one(name: str, row: Row, sizes: Sizes, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Chosen:
    """The call on the whole tensor, as if it worked on each entry by itself; its value will show whether it does."""
    first = chosen_in([args, kwargs])[0]
    if not first.shows and name not in ENTRYWISE:
        raise NotTraced("the mask chooses all entries here, or none")
    flat = row(sizes, *map(_flat, args), **{k: _flat(v) for k, v in kwargs.items()})
    if not isinstance(flat, Traced):
        raise NotTraced("this is not traced of what a mask chooses")
    return first.with_entries(flat)


def _flat(value: Any) -> Any:
    return value.flat if isinstance(value, Chosen) else value


def _mean(own: Chosen) -> Traced:
    """Over all entries: their sum by the number of trues, and by the lengths of the axes that have no mask."""
    rest = range(len(own.mask.axes), len(own.whole.axes))
    mean = over(summed(own.beside(0.0)), summed(own.mask))
    return over(mean, Traced(count_along(own.whole, rest), ())) if rest else mean


def _put_back(whole: Traced, index: Any, new: Chosen) -> Traced:
    """whole[mask] = what was chosen by the same mask"""
    if not isinstance(index, Traced) or in_order(index) != new.mask:
        raise NotTraced("what a mask chooses is put back by that mask only")
    return where(new.spread_mask, new.whole, whole)
