"""What a trace says about all sizes: loops rolled up to sums, numbers that are sizes found.

In: two traces of one function, at two sets of sizes.  Out: one expression that gives both.  A loop over the entries
of a vector is, in one trace, a sum of n alike terms that take entries 0 … n-1: it becomes a sum over an index.  A
number that differs between the traces is a function of the sizes (1/n, n - 1, √n); equal ones are literals.
Structures that still differ are refused: the function treats other sizes in another way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations

from .canonical import key
from .errors import TraceError
from .expr import (
    Basis,
    Elementwise,
    Node,
    Number,
    Power,
    Product,
    Sum,
    add,
    basis,
    delta,
    elementwise,
    multiply,
    number,
    power,
    product,
    size_of,
)
from .lengths import Size, length
from .trace import Trace
from .walk import children, ordered, rebuild, transform

HOLE = -1  # the position of a basis vector that a loop moves


def unified(first: Trace, second: Trace) -> Trace:
    """The trace for all sizes; TraceError where the two don't agree on one."""
    a, b = rolled(first), rolled(second)
    node = a if key(a) == key(b) else _with_sizes(a, b, first.sizes, second.sizes, {})
    if node is None or len(first.axes) != len(second.axes):
        raise TraceError(
            "the function computes something else at other sizes or values",
            'if sizes make the difference, fix them: --shapes "x=3"',
        )
    return replace(first, node=node)


# ---- loops --------------------------------------------------------------------------------------------------------


def rolled(trace: Trace) -> Node:
    """The expression with every sum over all entries of an axis, written out by a loop, rolled up."""
    if not any(isinstance(part, Basis) for part in ordered(trace.node)):
        return trace.node
    return transform(trace.node, lambda part: _rolled_sum(part, trace.sizes) if isinstance(part, Sum) else part)


def _rolled_sum(node: Sum, sizes: Mapping[str, int]) -> Node:
    groups: dict[tuple[Number, Node], list[tuple[Node, tuple[int, ...]]]] = {}
    for coefficient, term in node.terms:
        positions: list[int] = []
        skeleton = _skeleton(term, positions)
        groups.setdefault((coefficient, skeleton), []).append((term, tuple(positions)))
    terms: list[tuple[Number, Node]] = []
    for (coefficient, skeleton), members in groups.items():
        loop = _loop(skeleton, [at for _, at in members], sizes) if len(members) > 1 else None
        terms += [(coefficient, loop)] if loop is not None else [(coefficient, term) for term, _ in members]
    return add(terms, node.shape)


def _skeleton(node: Node, positions: list[int]) -> Node:
    """The term with its basis vectors' positions taken out, in the order in which they stand."""
    if isinstance(node, Basis) and isinstance(node.position, int):
        positions.append(node.position)
        return basis(node.shape[0], HOLE)
    match node:
        case Product(factors=factors):
            rank = len(node.shape)
            return product([(_skeleton(f, positions), labels) for f, labels in factors], node.sizes[:rank], range(rank))
        case Sum(terms=terms):
            return add([(c, _skeleton(t, positions)) for c, t in terms], node.shape)
        case Power(base=base, exponent=p):
            return power(_skeleton(base, positions), p)
        case Elementwise(function=function, args=args):
            return elementwise(function, *(_skeleton(a, positions) for a in args))
    return node


def _holes(node: Node) -> list[Size]:
    """The sizes of the holes, in the same order."""
    if isinstance(node, Basis):
        return [node.shape[0]] if node.position == HOLE else []
    return [size for child in children(node) for size in _holes(child)]


def _loop(skeleton: Node, positions: Sequence[tuple[int, ...]], sizes: Mapping[str, int]) -> Node | None:
    """Σ over loop indices of the skeleton, if the positions are all of a box: each index runs over its whole axis."""
    holes = _holes(skeleton)
    if len(holes) != len(positions[0]) or not holes:
        return None
    classes = _classes(positions)
    moving = [c for c in classes if len({at[c[0]] for at in positions}) > 1]
    lengths = {c: _loop_size([holes[h] for h in c], sizes) for c in moving}
    if None in lengths.values() or len(set(positions)) != len(positions):
        return None
    counts = [length(size, sizes) for size in lengths.values() if size is not None]
    if math.prod(counts) != len(positions):
        return None
    kinds: list[tuple[int | None, int, Size]] = [(None, positions[0][h], holes[h]) for h in range(len(holes))]
    for index, c in enumerate(moving):
        for h in c:
            kinds[h] = (index, 0, lengths[c])  # type: ignore[assignment]
    lifted, indices = _lifted(skeleton, iter(kinds))
    rank = len(lifted.shape) - len(indices)
    if list(indices) != sorted(indices) or len(indices) != len(moving):
        return None
    return product([(lifted, range(len(lifted.shape)))], lifted.shape[:rank], range(rank))


def _classes(positions: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Holes that move together."""
    columns: dict[tuple[int, ...], list[int]] = {}
    for hole, column in enumerate(zip(*positions, strict=True)):
        columns.setdefault(column, []).append(hole)
    return [tuple(members) for members in columns.values()]


def _loop_size(holes: Sequence[Size], sizes: Mapping[str, int]) -> Size | None:
    """The size that all holes of a class have; a stack of n entries has the number, the axis it came from the letter."""
    if len({length(h, sizes) for h in holes}) != 1:
        return None
    return next((h for h in holes if isinstance(h, str)), holes[0])


_Kinds = Iterator[tuple[int | None, int, Size]]


def _lifted(node: Node, kinds: _Kinds) -> tuple[Node, tuple[int, ...]]:
    """The skeleton for all loop indices at once: their axes, sorted, stand after the node's own."""
    if isinstance(node, Basis) and node.position == HOLE:
        index, position, size = next(kinds)
        return (basis(size, position), ()) if index is None else (delta(size), (index,))
    parts = [_lifted(child, kinds) for child in children(node)]
    indices = tuple(sorted({i for _, own in parts for i in own}))
    lengths = {i: p.shape[len(p.shape) - len(own) + k] for p, own in parts for k, i in enumerate(own)}
    match node:
        case Product(factors=factors):
            rank = len(node.shape)
            labels = {i: len(node.sizes) + i for i in indices}
            lifted = [(p, (*at, *(labels[i] for i in own))) for (p, own), (_, at) in zip(parts, factors, strict=True)]
            known = {at: s for p, ats in lifted for at, s in zip(ats, p.shape, strict=True)}
            shape = [known.get(k, node.sizes[k]) for k in range(rank)] + [lengths[i] for i in indices]
            return product(lifted, shape, [*range(rank), *labels.values()]), indices
        case Sum(terms=terms):
            wide = [_widened(p, own, indices, lengths) for p, own in parts]
            lifted_shape = wide[0].shape if wide else node.shape
            return add([(c, p) for (c, _), p in zip(terms, wide, strict=True)], lifted_shape), indices
        case Elementwise(function=function):
            return elementwise(function, *(_widened(p, own, indices, lengths) for p, own in parts)), indices
        case Power(exponent=p):
            return power(parts[0][0], p), indices
    return node, ()


def _widened(node: Node, own: tuple[int, ...], indices: tuple[int, ...], lengths: Mapping[int, Size]) -> Node:
    """A lifted part with the axes of all loop indices."""
    rank = len(node.shape) - len(own)
    axes = (*range(rank), *(rank + indices.index(i) for i in own))
    wide = (*node.shape[:rank], *(lengths[i] for i in indices))
    return product([(node, axes)], wide, range(len(wide)))


# ---- numbers ------------------------------------------------------------------------------------------------------


_Pairs = dict[tuple[Node, Node], Node | None]


def _with_sizes(a: Node, b: Node, first: Mapping[str, int], second: Mapping[str, int], done: _Pairs) -> Node | None:
    """The expression of which a and b are the values of its numbers at the two sets of sizes."""
    if (a, b) not in done:
        done[a, b] = _joined(a, b, first, second, done)
    return done[a, b]


def _joined(a: Node, b: Node, first: Mapping[str, int], second: Mapping[str, int], done: _Pairs) -> Node | None:
    if type(a) is not type(b) or len(children(a)) != len(children(b)) or a.shape != b.shape:
        return None
    parts: dict[Node, Node] = {}
    for x, y in zip(children(a), children(b), strict=True):
        both = _with_sizes(x, y, first, second, done)
        if both is None or parts.setdefault(x, both) is not both:
            return None
    if isinstance(a, Sum) and isinstance(b, Sum):
        terms = []
        for (c, x), (d, _) in zip(a.terms, b.terms, strict=True):
            factor = _size_number(c, d, first, second)
            if factor is None:
                return None
            terms.append((1, multiply(parts[x], factor)))
        return add(terms, a.shape)
    if not children(a):
        return a if a is b else None
    if isinstance(a, Product) and isinstance(b, Product):
        same = [labels for _, labels in a.factors] == [labels for _, labels in b.factors] and a.sizes == b.sizes
        return rebuild(a, parts) if same else None
    if isinstance(a, Elementwise) and isinstance(b, Elementwise):
        return rebuild(a, parts) if a.function == b.function else None
    return rebuild(a, parts) if isinstance(a, Power) and isinstance(b, Power) and a.exponent == b.exponent else None


def _size_number(c: Number, d: Number, first: Mapping[str, int], second: Mapping[str, int]) -> Node | None:
    """A scalar that is c at the first sizes and d at the second: a literal, or a simple fraction times sizes."""
    if c == d:
        return number(c)
    for node, value in _candidates(list(first)):
        ratios = [float(c) / value(first), float(d) / value(second)]
        if math.isclose(*ratios, rel_tol=1e-12):
            short = Fraction(ratios[0]).limit_denominator(24)
            if math.isclose(float(short), ratios[0], rel_tol=1e-12) and short != 0:
                return multiply(node, number(short))
    return None


_Value = Callable[[Mapping[str, int]], float]


def _candidates(letters: Sequence[str]) -> Iterator[tuple[Node, _Value]]:
    """Numbers made of sizes that code is likely to hold, simplest first."""
    exponents = (Fraction(1), Fraction(-1), Fraction(1, 2), Fraction(-1, 2), Fraction(2), Fraction(-2))
    for letter in letters:
        for p in exponents:
            yield power(size_of(letter), p), _power_of([letter], p)
    for letter in letters:
        less = add([(1, size_of(letter)), (-1, number(1))], ())
        for p in (Fraction(1), Fraction(-1)):
            yield power(less, p), _power_of([letter], p, less=1)
    for pair in combinations(letters, 2):
        for p in exponents[:4]:
            yield power(multiply(*map(size_of, pair)), p), _power_of(pair, p)


def _power_of(letters: Sequence[str], exponent: Fraction, less: int = 0) -> _Value:
    return lambda sizes: float((math.prod(sizes[letter] for letter in letters) - less) ** float(exponent))
