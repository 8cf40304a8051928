"""Rows for layers of networks: linear maps, normalisations, attention, convolutions and pooling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F

from ..expr import permute, power, triangle
from ..functions import may_vanish
from .indexing import cut, getitem
from .reductions import variance
from .shaping import cat
from .table import (
    NotTraced,
    Row,
    Sizes,
    Traced,
    along,
    applied,
    contract,
    count_along,
    filled,
    matmul,
    mean,
    minus,
    over,
    plus,
    raised,
    row,
    shifted,
    times,
    transposed,
    vector,
)


@row(F.linear)
def _linear(_: Sizes, a: Traced, weight: Traced, bias: Traced | None = None) -> Traced:
    """A Wᵀ + b"""
    left = [*range(len(a.axes) - 1), "in"]
    right = ["out", "in"] if len(weight.axes) == 2 else ["in"]
    mapped = contract([(a, left), (weight, right)], [*left[:-1], *right[:-1]])
    return mapped if bias is None else plus([(1, mapped), (1, bias)])


# ---- normalisation ------------------------------------------------------------------------------------------------


def _standardized(a: Traced, dims: Sequence[int], eps: float) -> Traced:
    """(a - mean) / √(var + ε) along axes"""
    return over(minus(a, mean(a, dims, True)), _deviation(variance(a, dims, 0, True), eps))


def _deviation(squares: Traced, eps: float) -> Traced:
    """√(v + ε)"""
    return raised(shifted(squares, eps), Fraction(1, 2))


def _scaled(a: Traced, weight: Traced | None, bias: Traced | None) -> Traced:
    """a ⊙ w + b"""
    a = a if weight is None else times(a, weight)
    return a if bias is None else plus([(1, a), (1, bias)])


def _of_channels(a: Traced, value: Traced | None) -> Traced | None:
    """One number for each channel, axis 1 of the tensor, as a factor of it."""
    return None if value is None else Traced(value.node, ((), *value.axes, *[()] * (len(a.axes) - 2)))


@row("layer_norm")
def _layer_norm(
    _: Sizes, a: Traced, normalized_shape: Sequence[int], weight: Traced | None = None, bias: Traced | None = None,
    eps: float = 1e-5, cudnn_enable: bool = True,
) -> Traced:  # fmt: skip
    return _scaled(_standardized(a, range(-len(normalized_shape), 0), eps), weight, bias)


@row("rms_norm")
def _rms_norm(
    _: Sizes, a: Traced, normalized_shape: Sequence[int], weight: Traced | None = None, eps: float | None = None
) -> Traced:
    """a / √(mean a² + ε); torch's own ε of 2e-16 is left out where no row is likely to be of zeros."""
    squares = mean(raised(a, 2), range(-len(normalized_shape), 0), True)
    own = 0.0 if eps is None and not may_vanish(a.node) else torch.finfo(torch.float64).eps if eps is None else eps
    return _scaled(over(a, _deviation(squares, own)), weight, None)


@row(F.batch_norm)
def _batch_norm(
    _: Sizes, a: Traced, running_mean: Traced | None = None, running_var: Traced | None = None,
    weight: Traced | None = None, bias: Traced | None = None, training: bool = False, momentum: float = 0.1,
    eps: float = 1e-5,
) -> Traced:  # fmt: skip
    """Along all axes but the channels'; in eval mode with the running statistics, which are constants."""
    if training and (running_mean is not None or running_var is not None):
        raise NotTraced("batch_norm in training changes its running statistics: use .eval(), or track none")
    return _normalized(a, running_mean, running_var, weight, bias, [0, *range(2, len(a.axes))], eps)


@row(F.instance_norm)
def _instance_norm(
    _: Sizes, a: Traced, running_mean: Traced | None = None, running_var: Traced | None = None,
    weight: Traced | None = None, bias: Traced | None = None, use_input_stats: bool = True, momentum: float = 0.1,
    eps: float = 1e-5,
) -> Traced:  # fmt: skip
    """Along the axes after the channels'."""
    if use_input_stats and (running_mean is not None or running_var is not None):
        raise NotTraced("instance_norm in training changes its running statistics: use .eval(), or track none")
    return _normalized(a, running_mean, running_var, weight, bias, range(2, len(a.axes)), eps)


def _normalized(
    a: Traced, running_mean: Traced | None, running_var: Traced | None, weight: Traced | None, bias: Traced | None,
    dims: Sequence[int], eps: float,
) -> Traced:  # fmt: skip
    """With the given statistics of the channels, or with its own along these axes."""
    centre, squares = _of_channels(a, running_mean), _of_channels(a, running_var)
    centre = mean(a, dims, True) if centre is None else centre
    squares = variance(a, dims, 0, True) if squares is None else squares
    normal = over(minus(a, centre), _deviation(squares, eps))
    return _scaled(normal, _of_channels(a, weight), _of_channels(a, bias))


@row("group_norm")
def _group_norm(
    sizes: Sizes, a: Traced, num_groups: int, weight: Traced | None = None, bias: Traced | None = None,
    eps: float = 1e-5, cudnn_enabled: bool = True,
) -> Traced:  # fmt: skip
    """Along the axes after the first, the channels in groups."""
    channels = sizes.count(a.sizes(1))
    if num_groups == channels:
        return _normalized(a, None, None, weight, bias, range(2, len(a.axes)), eps)
    inner = channels // num_groups
    groups = [a] if num_groups == 1 else [cut(sizes, a, 1, k * inner, (k + 1) * inner) for k in range(num_groups)]
    normal = cat(sizes, [_standardized(g, range(1, len(a.axes)), eps) for g in groups], 1)
    return _scaled(normal, _of_channels(a, weight), _of_channels(a, bias))


# ---- attention ----------------------------------------------------------------------------------------------------


@row(F.scaled_dot_product_attention)
def _attention(
    sizes: Sizes, query: Traced, key: Traced, value: Traced, attn_mask: Traced | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, *, scale: float | None = None, enable_gqa: bool = False,
) -> Traced:  # fmt: skip
    """softmax(Q Kᵀ / √d + M) V; a mask of truth values T is M = log T, 0 or -∞."""
    if dropout_p or enable_gqa:
        raise NotTraced("attention is traced without dropout and grouped queries")
    scores = matmul(query, transposed(key))
    if scale is None:
        scores = times(scores, Traced(power(count_along(query, -1), Fraction(-1, 2)), ()))
    else:
        scores = plus([(scale, scores)])
    if is_causal:
        (rows,), (columns,) = scores.sizes(-2), scores.sizes(-1)
        scores = plus([(1, scores), (1, applied("log", vector(permute(triangle(columns, rows, 0), (1, 0)))))])
    if attn_mask is not None:
        scores = plus([(1, scores), (1, applied("log", attn_mask) if attn_mask.node in sizes.truths else attn_mask)])
    return matmul(along("softmax", scores, -1), value)


# ---- sliding windows ----------------------------------------------------------------------------------------------


def _each(value: Any, count: int) -> Sequence[int]:
    """One number for each axis: 2, (2,) and (2, 3)."""
    numbers = [value] if isinstance(value, int) else list(value)
    return numbers * count if len(numbers) == 1 else numbers


def _windows(
    sizes: Sizes, a: Traced, lengths: Sequence[int], strides: Sequence[int], gaps: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], Traced]]:
    """For each place in a window of the last axes, the entries that stand there as the window slides."""
    for place in product(*map(range, lengths)):
        slices = []
        for k, length, stride, gap in zip(place, lengths, strides, gaps, strict=True):
            after = (length - 1 - k) * gap
            slices.append(slice(k * gap or None, -after if after else None, stride))
        yield place, getitem(sizes, a, (Ellipsis, *slices))


def _padded(sizes: Sizes, a: Traced, widths: Sequence[int]) -> Traced:
    """Zeros on both sides of the last axes."""
    for dim, width in zip(range(-len(widths), 0), widths, strict=True):
        groups = [*a.groups[:dim], sizes.group(width), *a.groups[len(a.axes) + dim + 1 :]]
        a = cat(sizes, [filled(0, groups), a, filled(0, groups)], dim) if width else a
    return a


@row("conv1d", "conv2d", "conv3d")
def _convolution(
    sizes: Sizes, a: Traced, weight: Traced, bias: Traced | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Traced:  # fmt: skip
    """Σ over the places k of the kernel and the channels c of w_ock a_c(l+k)"""
    count = len(weight.axes) - 2
    if groups != 1 or padding == "same":
        raise NotTraced("a convolution is traced without groups, and with its padding in numbers")
    padded = _padded(sizes, a, _each(0 if padding == "valid" else padding, count))
    lengths = [sizes.count(group) for group in weight.groups[2:]]
    batch, place = range(len(a.axes) - count - 1), [("at", k) for k in range(count)]
    taps = []
    for at, window in _windows(sizes, padded, lengths, _each(stride, count), _each(dilation, count)):
        tap = getitem(sizes, weight, (slice(None), slice(None), *at))
        taps.append(contract([(window, [*batch, "in", *place]), (tap, ["out", "in"])], [*batch, "out", *place]))
    if bias is not None:
        taps.append(Traced(bias.node, (*bias.axes, *[()] * count)))
    return plus([(1, tap) for tap in taps])


def _pooled(count: int) -> Row:
    """The mean over each window."""

    def rule(
        sizes: Sizes, a: Traced, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> Traced:  # fmt: skip
        if any(_each(padding, count)) or ceil_mode or divisor_override:
            raise NotTraced("pooling is traced without padding and rounding up")
        lengths = _each(kernel_size, count)
        strides = lengths if stride in (None, [], ()) else _each(stride, count)
        parts = [window for _, window in _windows(sizes, a, lengths, strides, [1] * count)]
        return plus([(Fraction(1, len(parts)), part) for part in parts])

    return rule


def _pooled_to_one(count: int) -> Row:
    """The mean over whole axes."""

    def rule(_: Sizes, a: Traced, output_size: Any) -> Traced:
        if any(size != 1 for size in _each(output_size, count)):
            raise NotTraced("adaptive pooling is traced down to one entry")
        return mean(a, range(-count, 0), True)

    return rule


for _count in (1, 2):
    row(f"avg_pool{_count}d")(_pooled(_count))
    row(f"adaptive_avg_pool{_count}d")(_pooled_to_one(_count))
