"""Rows for losses and layers of torch.nn.functional."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F

from .table import NotTraced, Sizes, Traced, mean, minus, raised, row, summed


def reduction_of(terms: Traced, reduction: str) -> Traced:
    """The terms of a loss summed, averaged or left alone."""
    if reduction not in ("sum", "mean", "none"):
        raise NotTraced(f"reduction={reduction!r} is not traced")
    return summed(terms) if reduction == "sum" else mean(terms) if reduction == "mean" else terms


@row(F.mse_loss)
def _mse_loss(
    _: Sizes, a: Traced, b: Traced, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
    weight: Any = None,
) -> Traced:  # fmt: skip
    if weight is not None or len(a.axes) != len(b.axes):
        raise NotTraced("mse_loss with weights, or of tensors that broadcast, is not traced")
    return reduction_of(raised(minus(a, b), 2), reduction)
