"""Rows for losses, distances and similarities.

A loss is the formula of its entries, entered with `loss`, which sums or averages them.  Most formulas are those of
torch's own documentation; bounds that torch keeps for safety (a norm of at least 1e-8, a logarithm of at least -100)
are left out, so where one is reached the value differs and the call is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch.nn.functional as F

from ..expr import power
from ..functions import may_vanish
from ..lengths import Size
from .arithmetic import larger, rest
from .indexing import one_hot
from .reductions import log_softmax, vector_norm
from .table import (
    NotTraced,
    Sizes,
    Traced,
    applied,
    contract,
    count_along,
    filled,
    in_order,
    mean,
    minus,
    over,
    plus,
    raised,
    reduced,
    row,
    shifted,
    summed,
    times,
    together,
    traced,
    where,
)

IGNORED = -100  # the default of ignore_index, which no label is
Entries = Callable[..., "Traced | tuple[Traced, Traced]"]


def loss(*functions: Any) -> Callable[[Entries], Entries]:
    """Enter a row for a loss from the formula of its entries, or of weighted entries with their weights."""

    def enter(entries: Entries) -> Entries:
        def rule(
            _: Sizes, *args: Any, reduction: str = "mean", size_average: Any = None, reduce: Any = None, **options: Any
        ) -> Traced:
            if size_average is not None or reduce is not None:  # as torch did before it had `reduction`
                reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
            return _reduced(entries(*args, **options), reduction)

        row(*functions)(rule)
        return entries

    return enter


def _reduced(found: Traced | tuple[Traced, Traced], reduction: str) -> Traced:
    """The entries of a loss summed, averaged (by their weights) or left alone."""
    entries, weights = found if isinstance(found, tuple) else (found, None)
    match reduction:
        case "none":
            return entries
        case "sum":
            return summed(entries)
        case "mean":
            return mean(entries) if weights is None else over(summed(entries), summed(weights))
        case "batchmean":
            return mean(summed(entries, range(1, len(entries.axes))))
    raise NotTraced(f"reduction={reduction!r} is not traced")


# ---- of a difference ----------------------------------------------------------------------------------------------


@loss(F.mse_loss)
def _squared(a: Traced, b: Traced, weight: Traced | None = None) -> Traced | tuple[Traced, Traced]:
    """(a - b)²"""
    squares = raised(minus(a, b), 2)
    return squares if weight is None else (times(weight, squares), weight)


@loss(F.l1_loss)
def _absolute(a: Traced, b: Traced) -> Traced:
    """|a - b|"""
    return applied("abs", minus(a, b))


@loss(F.smooth_l1_loss)
def _smooth_absolute(a: Traced, b: Traced, beta: float = 1.0) -> Traced:
    """d²/2β where |d| < β, else |d| - β/2"""
    distance = applied("abs", minus(a, b))
    if beta == 0:
        return distance
    return where(larger(beta, distance), plus([(1 / (2 * beta), raised(minus(a, b), 2))]), shifted(distance, -beta / 2))


@loss(F.huber_loss)
def _huber(a: Traced, b: Traced, delta: float = 1.0, weight: Traced | None = None) -> Traced:
    """d²/2 where |d| < δ, else δ (|d| - δ/2)"""
    distance = applied("abs", minus(a, b))
    far = plus([(delta, distance), (-delta * delta / 2, traced(1))])
    entries = where(larger(delta, distance), plus([(0.5, raised(minus(a, b), 2))]), far)
    return entries if weight is None else times(weight, entries)


# ---- of labels ----------------------------------------------------------------------------------------------------


def _classes(scores: Traced) -> tuple[int, Size]:
    """The axis of the classes, and how many there are."""
    at = min(1, len(scores.axes) - 1)
    if len(scores.axes[at]) != 1:
        raise NotTraced("a single class, or classes on a flattened axis, are not traced")
    return at, scores.sizes(at)[0]


def _chosen(weights: Traced, at: int, *others: Traced) -> Traced:
    """The sum over the classes of class weights (a vector, or one an entry) times other factors."""
    rank = max(len(t.axes) for t in (weights, *others))
    operands = [(t, range(rank) if len(t.axes) == rank else [at]) for t in (weights, *others)]
    return contract(operands, [k for k in range(rank) if k != at])


def _hot(target: Traced, at: int, classes: Size) -> Traced:
    """One-hot rows for the labels, the classes on axis `at`."""
    rows = one_hot(in_order(target), classes)
    return Traced(rows.node, (*rows.axes[:at], rows.axes[-1], *rows.axes[at:-1]))


def _negative_log(
    logs: Traced, target: Traced, weight: Traced | None = None, ignore_index: int = IGNORED
) -> tuple[Traced, Traced]:
    """-w_y · logs_y with the weights w_y."""
    at, classes = _classes(logs)
    hot = _hot(target, at, classes)
    weights = _label_weights(hot, at, weight, target, ignore_index)
    return times(weights, plus([(-1, _chosen(logs, at, hot))])), weights


def _label_weights(hot: Traced, at: int, weight: Traced | None, target: Traced, ignore_index: int) -> Traced:
    """The weight of each label; 0 for the ignored one."""
    own = filled(1, target.groups) if weight is None else _chosen(hot, at, weight)
    if ignore_index == IGNORED:
        return own
    return times(own, applied("step", applied("abs", shifted(in_order(target), -ignore_index))))


loss(F.nll_loss)(_negative_log)


@loss(F.cross_entropy)
def _cross_entropy(
    scores: Traced, target: Traced, weight: Traced | None = None, ignore_index: int = IGNORED,
    label_smoothing: float = 0.0,
) -> Traced | tuple[Traced, Traced]:  # fmt: skip
    """logsumexp(z) - z_y; for probabilities p and for class weights -Σ p w log softmax(z)."""
    at, classes = _classes(scores)
    if len(target.axes) == len(scores.axes):
        logs = log_softmax(scores, at)
        share = _smoothed(target, at, label_smoothing)
        return plus([(-1, _chosen(share, at, logs, *([] if weight is None else [weight])))])
    hot = _hot(target, at, classes)
    weights = _label_weights(hot, at, weight, target, ignore_index)
    if weight is None:
        chosen = _chosen(_smoothed(hot, at, label_smoothing), at, scores)
        return times(weights, minus(reduced("logsumexp", scores, at), chosen)), weights
    logs = log_softmax(scores, at)
    own = times(weights, _chosen(hot, at, logs))
    if not label_smoothing:
        return plus([(-1, own)]), weights
    kept = _label_weights(hot, at, None, target, ignore_index)
    every = times(kept, mean(_weighted(logs, at, weight), at))
    return plus([(label_smoothing - 1, own), (-label_smoothing, every)]), weights


def _weighted(entries: Traced, at: int, weight: Traced) -> Traced:
    """Entries times class weights."""
    names = range(len(entries.axes))
    return contract([(entries, names), (weight, [at])], names)


def _smoothed(share: Traced, at: int, smoothing: float) -> Traced:
    """(1 - ε) p + ε/C"""
    if not smoothing:
        return share
    return plus([(1 - smoothing, share), (smoothing, Traced(power(count_along(share, at), -1), ()))])


@loss(F.multi_margin_loss)
def _multi_margin(
    scores: Traced, target: Traced, p: int = 1, margin: float = 1.0, weight: Traced | None = None
) -> Traced:
    """Σ over the other classes of w_y max(0, margin - z_y + z_c)^p, by their number."""
    at, classes = _classes(scores)
    hot = _hot(target, at, classes)
    own = _chosen(scores, at, hot)
    gaps = minus(scores, Traced(own.node, (*own.axes[:at], (), *own.axes[at:])))
    hinges = raised(applied("relu", shifted(gaps, margin)), p)
    others = mean(times(rest(hot), hinges), at)
    return others if weight is None else times(_chosen(hot, at, weight), others)


# ---- of probabilities ---------------------------------------------------------------------------------------------


@loss(F.binary_cross_entropy)
def _binary(p: Traced, y: Traced, weight: Traced | None = None) -> Traced:
    """-(y log p + (1 - y) log(1 - p))"""
    entries = plus([(-1, times(y, applied("log", p))), (-1, times(rest(y), applied("log", rest(p))))])
    return entries if weight is None else times(entries, weight)


@loss(F.binary_cross_entropy_with_logits)
def _binary_of_logits(z: Traced, y: Traced, weight: Traced | None = None, pos_weight: Traced | None = None) -> Traced:
    """softplus(z) - y z; with a weight c of the positive ones c y softplus(-z) + (1 - y) softplus(z)."""
    if pos_weight is None:
        entries = minus(applied("softplus", z), times(y, z))
    else:
        positive = times(times(pos_weight, y), applied("softplus", plus([(-1, z)])))
        entries = plus([(1, positive), (1, times(rest(y), applied("softplus", z)))])
    return entries if weight is None else times(entries, weight)


@loss(F.multilabel_soft_margin_loss)
def _multilabel_soft_margin(z: Traced, y: Traced, weight: Traced | None = None) -> Traced:
    """softplus(z) - y z, averaged over the classes"""
    entries = minus(applied("softplus", z), times(y, z))
    return mean(entries if weight is None else times(entries, weight), -1)


@loss(F.soft_margin_loss)
def _soft_margin(z: Traced, y: Traced) -> Traced:
    """log(1 + exp(-y z))"""
    return applied("softplus", plus([(-1, times(y, z))]))


@loss(F.kl_div)
def _kl_divergence(logs: Traced, target: Traced, *, log_target: bool = False) -> Traced:
    """p (log p - q) for log-probabilities q"""
    if log_target:
        return times(applied("exp", target), minus(target, logs))
    return times(target, minus(applied("log", target), logs))


@loss(F.poisson_nll_loss)
def _poisson(a: Traced, y: Traced, log_input: bool = True, full: bool = False, eps: float = 1e-8) -> Traced:
    """exp(a) - y a; for rates a - y log(a + ε); `full` adds Stirling's approximation of log y! where y > 1."""
    rate, log = (applied("exp", a), a) if log_input else (a, applied("log", shifted(a, eps)))
    entries = minus(rate, times(y, log))
    if not full:
        return entries
    logs = applied("log", y)
    stirling = plus([(1, times(y, logs)), (-1, y), (0.5, logs), (0.5 * math.log(2 * math.pi), traced(1))])
    return plus([(1, entries), (1, where(larger(y, 1), stirling, 0))])


@loss(F.gaussian_nll_loss)
def _gaussian(a: Traced, y: Traced, var: Any, full: bool = False, eps: float = 1e-6) -> Traced:
    """(log v + (a - y)²/v)/2"""
    v = traced(var)
    if len(v.axes) == len(a.axes) - 1 and v.axes:  # one variance for all entries of a row
        v = Traced(v.node, (*v.axes, ()))
    v = at_least(v, eps)
    entries = plus([(0.5, applied("log", v)), (0.5, over(raised(minus(a, y), 2), v))])
    return shifted(entries, 0.5 * math.log(2 * math.pi)) if full else entries


NEGLIGIBLE = 1e-6  # bounds up to this are reached at single points only

# ---- distances and similarities -----------------------------------------------------------------------------------


def at_least(a: Traced, eps: float) -> Traced:
    """The bound that torch keeps, where it is large enough to be meant: the usual ones keep off single points."""
    return applied("maximum", a, eps) if eps > NEGLIGIBLE else a


def similarity(a: Traced, b: Traced, dim: int, eps: float = 0.0) -> Traced:
    """a·b / (‖a‖ ‖b‖) along an axis"""
    a, b = together(a, b)
    lengths = times(at_least(vector_norm(a, 2, dim), eps), at_least(vector_norm(b, 2, dim), eps))
    return over(summed(times(a, b), dim), lengths)


@row("cosine_similarity")
def _cosine_similarity(_: Sizes, a: Traced, b: Traced, dim: int = 1, eps: float = 1e-8) -> Traced:
    return similarity(a, b, dim, eps)


@row(F.normalize)
def _normalize(_: Sizes, a: Traced, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Traced:
    """a / ‖a‖ along an axis; the bound stays where rows of zeros are no single points"""
    norm = vector_norm(a, p, dim, keepdim=True)
    return over(a, applied("maximum", norm, eps) if norm.node.shape and may_vanish(a.node) else at_least(norm, eps))


def distance(a: Traced, b: Traced, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Traced:
    """‖a - b + ε‖ along the last axis"""
    return vector_norm(plus([(1, a), (-1, b), (eps, traced(1))]), p, -1, keepdim)


@row("pairwise_distance")
def _pairwise_distance(
    _: Sizes, a: Traced, b: Traced, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Traced:
    return distance(a, b, p, eps, keepdim)


def _triplet(near: Traced, far: Traced, margin: float) -> Traced:
    """max(0, near - far + margin)"""
    return applied("relu", shifted(minus(near, far), margin))


@loss(F.triplet_margin_loss)
def _triplet_margin(
    anchor: Traced, positive: Traced, negative: Traced, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6,
    swap: bool = False,
) -> Traced:  # fmt: skip
    """max(0, d(anchor, positive) - d(anchor, negative) + margin)"""
    far = distance(anchor, negative, p, eps)
    if swap:
        far = applied("minimum", far, distance(positive, negative, p, eps))
    return _triplet(distance(anchor, positive, p, eps), far, margin)


@loss(F.triplet_margin_with_distance_loss)
def _triplet_with_distance(
    anchor: Traced, positive: Traced, negative: Traced, *, distance_function: Any = None, margin: float = 1.0,
    swap: bool = False,
) -> Any:  # fmt: skip
    if distance_function is not None:
        raise NotTraced("the triplet loss with a distance function of its own is not traced")
    return _triplet_margin(anchor, positive, negative, margin=margin, swap=swap)


# ---- of labels 1 and -1 -------------------------------------------------------------------------------------------


@loss(F.cosine_embedding_loss)
def _cosine_embedding(a: Traced, b: Traced, y: Traced, margin: float = 0.0) -> Traced:
    """1 - cos where y = 1, max(0, cos - margin) where y = -1"""
    cosine = similarity(a, b, -1)
    return where(applied("step", y), rest(cosine), applied("relu", shifted(cosine, -margin)))


@loss(F.hinge_embedding_loss)
def _hinge_embedding(a: Traced, y: Traced, margin: float = 1.0) -> Traced:
    """a where y = 1, max(0, margin - a) where y = -1"""
    return where(applied("step", y), a, applied("relu", shifted(plus([(-1, a)]), margin)))


@loss(F.margin_ranking_loss)
def _margin_ranking(a: Traced, b: Traced, y: Traced, margin: float = 0.0) -> Traced:
    """max(0, -y (a - b) + margin)"""
    return applied("relu", shifted(plus([(-1, times(y, minus(a, b)))]), margin))
