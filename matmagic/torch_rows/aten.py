"""Rows one level down: aten operations, for calls that the table does not know, such as scripted functions.

Most aten operations take what the torch function of their name takes, and share its row.  The others are entered here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .indexing import cut, getitem, written
from .linear_algebra import applied_inverse, inverse
from .reductions import log_softmax
from .table import ROWS, NotTraced, Row, Sizes, Traced, along, applied, on_matrices, row

aten = torch.ops.aten
IGNORED = frozenset({"dtype", "layout", "device", "pin_memory", "memory_format", "non_blocking"})
_PLACES: tuple[Any, ...] = (torch, Tensor, F, torch.special)


def row_below(operation: Any) -> Row | None:
    """The row of an aten operation: its own, else that of the torch function of its name."""
    packet = operation.overloadpacket
    if packet in ROWS:
        return ROWS[packet]
    name = packet.__name__.removeprefix("linalg_").removeprefix("special_")
    places = (torch.linalg, *_PLACES) if name != packet.__name__ else _PLACES
    found = (getattr(place, own, None) for place in places for own in (name, name.removesuffix("_")))
    return next((ROWS[f] for f in found if f in ROWS), None)


@row(aten.alias, aten.lift_fresh, aten._to_copy, aten.lift)
def _same(_: Sizes, a: Traced) -> Traced:
    return a


@row(aten.detach, "detach", Tensor.data.__get__)  # type: ignore[attr-defined]
def _detach(_: Sizes, a: Traced) -> Traced:
    return applied("detach", a)


@row(aten._unsafe_view, aten._reshape_alias)
def _view(sizes: Sizes, a: Traced, shape: Sequence[int], *_strides: Any) -> Traced:
    return ROWS[torch.reshape](sizes, a, shape)  # type: ignore[return-value]


@row(aten.slice)
def _slice(
    sizes: Sizes, a: Traced, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Traced:
    stop = None if end is None or end >= sizes.count(a.sizes(dim)) else end
    if step == 1:
        return cut(sizes, a, dim, start or 0, stop)
    return getitem(sizes, a, (slice(None),) * (dim % len(a.axes)) + (slice(start, stop, step),))


def _index(indices: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(slice(None) if i is None else i for i in indices)


@row(aten.index)
def _indexed(sizes: Sizes, a: Traced, indices: Sequence[Any]) -> Traced:
    return getitem(sizes, a, _index(indices))


@row("index_put", aten.index_put, aten.index_put_)
def _index_put(sizes: Sizes, a: Traced, indices: Sequence[Any], value: Traced, accumulate: bool = False) -> Traced:
    if accumulate:
        raise NotTraced("adding into a tensor by index is not traced")
    own = _index(indices)
    return written(sizes, a, own[0] if len(own) == 1 else own, value)


@row(aten._softmax)
def _softmax(_: Sizes, a: Traced, dim: int, half_to_float: bool) -> Traced:
    return along("softmax", a, dim)


@row(aten._log_softmax)
def _log_softmax(_: Sizes, a: Traced, dim: int, half_to_float: bool) -> Traced:
    return log_softmax(a, dim)


@row(aten.linalg_inv_ex)
def _inv(_: Sizes, a: Traced, check_errors: bool = False) -> list[Traced | None]:
    return [inverse(a), None]


@row(aten._linalg_det)
def _det(_: Sizes, a: Traced) -> list[Traced | None]:
    return [on_matrices("det", a, gives=0), None, None]


@row(aten._linalg_slogdet)
def _slogdet(_: Sizes, a: Traced) -> list[Traced | None]:
    return [on_matrices("signdet", a, gives=0), on_matrices("logabsdet", a, gives=0), None, None]


@row(aten._linalg_solve_ex)
def _solve(_: Sizes, a: Traced, b: Traced, *, left: bool = True, check_errors: bool = False) -> list[Traced | None]:
    if not left:
        raise NotTraced("a solve from the right is not traced here")
    return [applied_inverse(a, b), None, None, None]


@row(aten._linalg_eigh)
def _eigh(_: Sizes, a: Traced, UPLO: str = "L", compute_v: bool = True) -> list[Traced | None]:
    return [on_matrices("eigenvalues", a, gives=1), on_matrices("eigenvectors", a) if compute_v else None]
