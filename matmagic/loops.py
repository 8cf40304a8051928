"""Loops rolled up: what a loop over the entries of an axis wrote out becomes a sum, or a product, over an index.

In: the expression of one trace.  Out: an equal one.  In a trace, `for i in range(len(x))` is n alike terms that take the
entries 0 … n-1; runs such as 1 … n-1, pairs i < j, and coefficients that grow with i are seen too.  What is no such run
stays as it is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .canonical import linked
from .expr import (
    Basis,
    Call,
    Elementwise,
    Node,
    Number,
    OneHot,
    Power,
    Product,
    Sum,
    add,
    arange,
    basis,
    call,
    delta,
    elementwise,
    number,
    onehot,
    permute,
    power,
    product,
    selection,
    triangle,
)
from .lengths import Size, length
from .lengths import plus as size_plus
from .matrix_functions import of
from .walk import children, ordered, transform

FEW = 4  # as many alike factors, or numbers in line, are literal
NEAR = 1  # a run of n-1 … n entries is one over a size; others are literal
Positions = tuple[int, ...]


def rolled(node: Node, sizes: Mapping[str, int]) -> Node:
    """The expression with every loop over an axis rolled up; `sizes` are those of the trace."""
    if not any(isinstance(part, Basis) for part in ordered(node)):
        return node

    def roll(part: Node) -> Node:
        if isinstance(part, Sum):
            return _rolled_sum(part, sizes)
        return _rolled_product(part, sizes) if isinstance(part, Product) else part

    return transform(node, roll)


def _rolled_sum(node: Sum, sizes: Mapping[str, int]) -> Node:
    groups: dict[Node, list[tuple[Number, Node, Positions]]] = {}
    for coefficient, term in node.terms:
        positions: list[int] = []
        skeleton = _skeleton(term, positions)
        groups.setdefault(skeleton, []).append((coefficient, term, tuple(positions)))
    terms: list[tuple[Number, Node]] = []
    for skeleton, members in groups.items():
        loop = _summed(skeleton, members, sizes) if len(members) > 1 else None
        terms += [(1, loop)] if loop is not None else _by_coefficient(skeleton, members, sizes)
    return add(terms, node.shape)


def _by_coefficient(
    skeleton: Node, members: Sequence[tuple[Number, Node, Positions]], sizes: Mapping[str, int]
) -> list[tuple[Number, Node]]:
    """Members of one coefficient as a loop, where all of them together are none."""
    alike: dict[Number, list[tuple[Number, Node, Positions]]] = {}
    for member in members:
        alike.setdefault(member[0], []).append(member)
    terms: list[tuple[Number, Node]] = []
    for same in alike.values():
        loop = _summed(skeleton, same, sizes) if 1 < len(same) < len(members) else None
        terms += [(1, loop)] if loop is not None else [(c, term) for c, term, _ in same]
    return terms


def _summed(skeleton: Node, members: Sequence[tuple[Number, Node, Positions]], sizes: Mapping[str, int]) -> Node | None:
    run = _run(skeleton, [at for *_, at in members], sizes)
    if run is None:
        return None
    weights = _weights(run, {run.index(at): c for c, _, at in members})
    if weights is None:
        return None
    lifted, rank = run.lifted(skeleton)
    factors = [(lifted, range(len(lifted.shape))), *((node, [rank + k for k in at]) for node, at in run.masks)]
    shape = lifted.shape[:rank]
    return product([*factors, (weights, range(rank, rank + len(weights.shape)))], shape, range(rank))


def _weights(run: _Run, coefficients: Mapping[tuple[int, ...], Number]) -> Node | None:
    """The coefficients as a number, or a + b i where they grow with the index of a single loop."""
    values = list(coefficients.values())
    if len(set(values)) == 1:
        return number(values[0])
    if len(run.counts) != 1 or len(values) <= FEW or isinstance(run.counts[0], int):
        return None  # a few numbers are always in line
    at = {index[0]: c for index, c in coefficients.items()}
    first, step = at[0], at[1] - at[0]
    if any(c != first + step * i for i, c in at.items()):
        return None
    size = run.counts[0]
    return add([(first, number(1, (size,))), (step, arange(size))], (size,))


def _rolled_product(node: Product, sizes: Mapping[str, int]) -> Node:
    """Scalar factors that are alike but for the entry they take, as a product over an index."""
    rank = len(node.shape)
    groups: dict[Node, list[tuple[list[tuple[Node, tuple[int, ...]]], Positions]]] = {}
    kept: list[tuple[Node, tuple[int, ...]]] = []
    for part in linked(node.factors, lambda label: label >= rank):
        if any(label < rank for _, labels in part for label in labels):
            kept += part
            continue
        positions: list[int] = []
        skeleton = _skeleton(product(part, (), ()), positions)
        groups.setdefault(skeleton, []).append((part, tuple(positions)))
    if all(len(members) <= FEW for members in groups.values()):
        return node
    for skeleton, members in groups.items():
        visits = Counter(at for _, at in members)
        often = set(visits.values())
        run = _run(skeleton, list(visits), sizes) if len(visits) > FEW and len(often) == 1 else None
        if run is None or run.masks or len(run.counts) != 1:
            kept += [factor for part, _ in members for factor in part]
        else:
            kept.append((power(of("prod", run.lifted(skeleton)[0]), often.pop()), ()))
    return product(kept, node.shape, range(rank))


# ---- which entries ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Run:
    """How a loop moves: each hole is fixed, or follows the index of a loop with an offset."""

    holes: tuple[tuple[int | None, Size, Size], ...]  # loop (None: fixed), offset or position, size of the axis
    counts: tuple[Size, ...]  # how long each loop is
    starts: tuple[tuple[int, int], ...]  # for each loop, a hole that follows it and its first position
    masks: tuple[tuple[Node, tuple[int, int]], ...]  # which pairs of indices occur, where not all do

    def index(self, positions: Positions) -> tuple[int, ...]:
        """The loop indices of a member."""
        return tuple(positions[hole] - first for hole, first in self.starts)

    def lifted(self, skeleton: Node) -> tuple[Node, int]:
        """The skeleton for all indices at once, their axes last; and the number of its own axes."""
        node, indices = _lifted(skeleton, iter(self.holes), self.counts)
        rank = len(node.shape) - len(indices)
        missing = [k for k in range(len(self.counts)) if k not in indices]
        labels = [*range(rank), *(rank + k for k in indices)]
        shape = [*node.shape[:rank], *self.counts]
        return (product([(node, labels)], shape, range(len(shape))) if missing else node), rank


def _run(skeleton: Node, positions: Sequence[Positions], sizes: Mapping[str, int]) -> _Run | None:
    """The loop that visits these positions, each once; None if there is none."""
    holes = _holes(skeleton)
    if not holes or len(holes) != len(positions[0]) or len(set(positions)) != len(positions):
        return None
    columns = list(zip(*positions, strict=True))
    classes: dict[tuple[int, ...], list[int]] = {}
    for hole, column in enumerate(columns):
        classes.setdefault(tuple(at - column[0] for at in column), []).append(hole)
    moving = [members for shape, members in classes.items() if any(shape)]
    if not moving:
        return None
    spans = [(min(min(columns[h]) for h in members), members) for members in moving]
    counts = [len(set(columns[members[0]])) for members in moving]
    if math.prod(counts) != len(positions):
        return _pairs(holes, columns, moving, sizes)
    found: list[tuple[int | None, Size, Size]] = [(None, columns[h][0], holes[h]) for h in range(len(holes))]
    lengths: list[Size] = []
    for loop, (_, members) in enumerate(spans):
        first = columns[members[0]]
        if max(first) - min(first) != counts[loop] - 1:
            return None
        size = _run_length(counts[loop], [holes[h] for h in members], sizes)
        if size is None:
            return None
        lengths.append(size)
        for h in members:
            found[h] = (loop, min(columns[h]), holes[h])
    starts = tuple((members[0], min(columns[members[0]])) for members in moving)
    return _Run(tuple(found), tuple(lengths), starts, ())


def _run_length(count: int, holes: Sequence[Size], sizes: Mapping[str, int]) -> Size | None:
    """The size of a run: that of an axis which it covers, or nearly; a letter where one of the axes has it."""
    near = [h for h in holes if abs(length(h, sizes) - count) <= NEAR]
    letters = [size_plus(h, count - length(h, sizes)) for h in near if isinstance(h, str)]
    whole = [h for h in near if length(h, sizes) == count]
    return letters[0] if letters else whole[0] if whole else None


def _pairs(
    holes: Sequence[Size], columns: Sequence[tuple[int, ...]], moving: Sequence[list[int]], sizes: Mapping[str, int]
) -> _Run | None:
    """All pairs i < j, i <= j, or i ≠ j, of one axis."""
    if len(moving) != 2:
        return None
    size = next((holes[h] for members in moving for h in members if isinstance(holes[h], str)), holes[moving[0][0]])
    count = length(size, sizes)
    if any(
        length(holes[h], sizes) != count or columns[h] != columns[members[0]] for members in moving for h in members
    ):
        return None
    seen = set(zip(columns[moving[0][0]], columns[moving[1][0]], strict=True))
    every = [(i, j) for i in range(count) for j in range(count)]
    masks: dict[frozenset[tuple[int, int]], Node] = {}
    for offset in (0, 1):
        upper = triangle(size, size, offset)
        masks[frozenset((i, j) for i, j in every if j - i >= offset)] = upper
        masks[frozenset((i, j) for i, j in every if i - j >= offset)] = permute(upper, (1, 0))
    rest = add([(1, number(1, (size, size))), (-1, delta(size))], (size, size))
    masks[frozenset((i, j) for i, j in every if i != j)] = rest
    mask = masks.get(frozenset(seen))
    if mask is None:
        return None
    found: list[tuple[int | None, Size, Size]] = [(None, columns[h][0], holes[h]) for h in range(len(holes))]
    for loop, members in enumerate(moving):
        for h in members:
            found[h] = (loop, 0, holes[h])
    return _Run(tuple(found), (size, size), tuple((members[0], 0) for members in moving), ((mask, (0, 1)),))


# ---- skeletons ----------------------------------------------------------------------------------------------------


def _skeleton(node: Node, positions: list[int]) -> Node:
    """The term with its basis vectors' positions taken out, in the order in which they stand."""
    if isinstance(node, Basis) and isinstance(node.position, int):
        positions.append(node.position)
        return basis(node.shape[0], -len(positions))  # each its own, so that alike terms don't fall together
    return _remade(node, [_skeleton(child, positions) for child in children(node)])


def _remade(node: Node, parts: Sequence[Node]) -> Node:
    """The node with other children, in order; equal ones may now differ."""
    match node:
        case Product(factors=factors):
            rank = len(node.shape)
            made = zip(parts, (labels for _, labels in factors), strict=True)
            return product(made, node.sizes[:rank], range(rank))
        case Sum(terms=terms):
            return add([(c, p) for (c, _), p in zip(terms, parts, strict=True)], node.shape)
        case Power(exponent=p):
            return power(parts[0], p)
        case Elementwise(function=function):
            return elementwise(function, *parts)
        case Call(function=function):
            return call(function, node.shape, *parts)
        case OneHot():
            return onehot(parts[0], node.shape[-1])
    return node


def _is_hole(node: Node) -> bool:
    """A basis vector whose position was taken out."""
    return isinstance(node, Basis) and isinstance(node.position, int) and node.position < 0


def _holes(node: Node) -> list[Size]:
    """The sizes of the holes, in the same order."""
    if isinstance(node, Basis):
        return [node.shape[0]] if _is_hole(node) else []
    return [size for child in children(node) for size in _holes(child)]


_Kinds = Iterator[tuple[int | None, Size, Size]]


def _lifted(node: Node, kinds: _Kinds, counts: Sequence[Size]) -> tuple[Node, tuple[int, ...]]:
    """The skeleton for all loop indices at once: their axes, sorted, stand after the node's own."""
    if _is_hole(node):
        loop, position, size = next(kinds)
        if loop is None:
            return basis(size, position), ()
        return permute(selection(counts[loop], size, position), (1, 0)), (loop,)
    parts = [_lifted(child, kinds, counts) for child in children(node)]
    indices = tuple(sorted({i for _, own in parts for i in own}))
    match node:
        case Product(factors=factors):
            return _lifted_product(node, [at for _, at in factors], parts, indices), indices
        case Call(function=function) if indices:
            wide = [_in_front(p, own, indices, counts) for p, own in parts]
            made = of(function, *wide)
            rank = len(made.shape) - len(indices)
            return permute(
                made, [*range(len(indices), len(made.shape)), *range(len(indices))]
            ) if rank else made, indices
        case OneHot() if indices:
            made = onehot(parts[0][0], node.shape[-1])
            rank = len(made.shape)
            return permute(
                made, [*range(rank - 1 - len(indices)), rank - 1, *range(rank - 1 - len(indices), rank - 1)]
            ), indices
        case Sum() | Elementwise():
            wide = [_widened(p, own, indices, counts) for p, own in parts]
            if isinstance(node, Sum):
                shape = wide[0].shape if wide else node.shape
                return add([(c, p) for (c, _), p in zip(node.terms, wide, strict=True)], shape), indices
            return elementwise(node.function, *wide), indices
    return _remade(node, [p for p, _ in parts]), indices


def _lifted_product(
    node: Product,
    labels: Sequence[tuple[int, ...]],
    parts: Sequence[tuple[Node, tuple[int, ...]]],
    indices: Sequence[int],
) -> Node:
    rank = len(node.shape)
    names = {i: len(node.sizes) + i for i in indices}
    lifted = [(p, (*at, *(names[i] for i in own))) for (p, own), at in zip(parts, labels, strict=True)]
    known = {at: s for p, ats in lifted for at, s in zip(ats, p.shape, strict=True)}
    shape = [known.get(k, node.sizes[k]) for k in range(rank)] + [known[names[i]] for i in indices]
    return product(lifted, shape, [*range(rank), *(names[i] for i in indices)])


def _widened(node: Node, own: Sequence[int], indices: Sequence[int], counts: Sequence[Size]) -> Node:
    """A lifted part with the axes of all loop indices."""
    rank = len(node.shape) - len(own)
    axes = (*range(rank), *(rank + indices.index(i) for i in own))
    wide = (*node.shape[:rank], *(counts[i] for i in indices))
    return product([(node, axes)], wide, range(len(wide)))


def _in_front(node: Node, own: Sequence[int], indices: Sequence[int], counts: Sequence[Size]) -> Node:
    """The same with the axes of the loop indices first, as a batch."""
    wide = _widened(node, own, indices, counts)
    rank = len(wide.shape) - len(indices)
    return permute(wide, [*range(rank, len(wide.shape)), *range(rank)])
