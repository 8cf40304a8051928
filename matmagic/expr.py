"""The expression: a function of tensors in index notation, as a graph of frozen nodes.

A node stands for a tensor with numbered axes; a vector has one axis, whether the user's tensor was `n`, `n,1` or `1,n`.
Transposes, traces, dot, outer and Hadamard products and broadcasting are one node, `Product`, with different labels:

    A x     Product of A[0,1] x[1]          to [0]
    tr A    Product of A[0,0]               to []
    u v^T   Product of u[0] v[1]            to [0,1]
    1 v^T   Product of v[1]                 to [0,1]      a label that no factor has is broadcast

Nodes are made by `leaf`, `add`, `product`, `power`, … only, which keep them in normal form: sums and products are flat,
deltas with a summed index are carried out, number factors stand in sums, equal nodes are one object (so shared
subexpressions stay shared, unexpanded, and `is` compares).  Layout: the derivative of F by X has F's axes, then X's.
Nothing here knows torch, or how an expression is written; walk.py goes through an expression.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import isfinite

from .lengths import Size, parts, plus
from .nodes import (
    Basis,
    Call,
    Delta,
    Elementwise,
    Factor,
    Labels,
    Leaf,
    Node,
    Number,
    OneHot,
    Power,
    Product,
    Range,
    Selection,
    SizeOf,
    Sum,
    Triangle,
    made,
)

EXPANDED_POWER = 4  # x^2 .. x^4 are products of equal factors, so that x @ x, x * x and x ** 2 meet


# ---- making nodes -------------------------------------------------------------------------------------------------


def leaf(name: str, shape: Sequence[Size], symmetric: bool = False) -> Leaf:
    """The named tensor; `symmetric` (square ones only) makes its two axes interchangeable."""
    node: Leaf = made(Leaf, tuple(shape), name, symmetric)
    return node


def delta(size: Size) -> Node:
    """I of this size; shape: n n."""
    node: Node = made(Delta, (size, size))
    return node


def basis(size: Size, position: Size) -> Node:
    """e_k; shape: n."""
    node: Node = made(Basis, (size,), position)
    return node


def selection(count: Size, size: Size, start: Size, step: int = 1) -> Node:
    """`count` rows of I, from row `start` on, each `step` further; shape: count × size."""
    if (count, start, step) == (size, 0, 1):
        return delta(size)
    if count == 1:  # one entry
        return product([(basis(size, start), (1,))], (1, size), (0, 1))
    node: Node = made(Selection, (count, size), start, step)
    return node


def triangle(rows: Size, columns: Size, offset: int) -> Node:
    """1 on and above the diagonal that starts `offset` to the right, 0 below."""
    node: Node = made(Triangle, (rows, columns), offset)
    return node


def arange(size: Size) -> Node:
    """0 … n-1; shape: n."""
    node: Node = made(Range, (size,))
    return node


def onehot(labels: Node, classes: Size) -> Node:
    """Rows of I, one for each label; shape: that of the labels, then classes."""
    node: Node = made(OneHot, (*labels.shape, classes), labels)
    return node


def size_of(size: Size) -> Node:
    """A size as a scalar."""
    letters, count = parts(size)
    terms: list[tuple[Number, Node]] = [(Fraction(times), made(SizeOf, (), letter)) for letter, times in letters]
    return add([*terms, (count, product((), (), ()))], ())


def exact(value: float | Fraction) -> Number:
    """A short fraction where the number is one to the last bit (0.5, 0.1, 1/3), the float itself elsewhere.

    >>> exact(0.1), exact(2), exact(0.30000000000000004)
    (Fraction(1, 10), Fraction(2, 1), 0.30000000000000004)
    """
    if isinstance(value, Fraction):
        return value
    if isinstance(value, int):
        return Fraction(value)
    if not isfinite(value) or abs(value) >= 2**53:  # a limit of floating point, no whole number
        return float(value)
    short = Fraction(value).limit_denominator(10**6)
    return short if float(short) == value else float(value)


def number(value: float | Fraction, shape: Sequence[Size] = ()) -> Node:
    """The tensor whose entries are all this number."""
    return add([(value, product((), shape, range(len(shape))))], tuple(shape))


def zero(shape: Sequence[Size]) -> Node:
    """The zero tensor."""
    node: Node = made(Sum, tuple(shape), ())
    return node


def is_zero(node: Node) -> bool:
    """Whether it is the zero tensor, as it is written."""
    return isinstance(node, Sum) and not node.terms


def add(terms: Iterable[tuple[float | Fraction, Node]], shape: tuple[Size, ...]) -> Node:
    """Σ c·t, flat, equal terms collected; a sum inside stays whole unless its coefficient is 1 or -1."""
    kept = tuple(_collected(_opened(_collected(terms))))
    for _, term in kept:
        if term.shape != shape:
            raise ValueError(f"a term of shape {term.shape} in a sum of shape {shape}")
    if len(kept) == 1 and kept[0][0] == 1:
        return kept[0][1]
    node: Node = made(Sum, shape, kept)
    return node


def _collected(terms: Iterable[tuple[float | Fraction, Node]]) -> list[tuple[Number, Node]]:
    """Equal terms as one."""
    totals: dict[Node, Number] = {}
    for coefficient, term in terms:
        own = exact(coefficient)
        totals[term] = exact(totals[term] + own) if term in totals else own
    return [(c, t) for t, c in totals.items() if c]


def _opened(terms: Iterable[tuple[Number, Node]]) -> Iterable[tuple[Number, Node]]:
    """Inner sums opened, if that needs no distributing."""
    for c, term in terms:
        if isinstance(term, Sum) and (abs(c) == 1 or len(term.terms) < 2):
            yield from ((exact(c * inner), t) for inner, t in term.terms)
        else:
            yield c, term


def scale(coefficient: float | Fraction, node: Node) -> Node:
    """c · node"""
    return add([(coefficient, node)], node.shape)


def power(base: Node, exponent: float | Fraction) -> Node:
    """base ** exponent, entry by entry; small whole powers are products of equal factors."""
    p = exact(exponent)
    if p == 1:
        return base
    if p == 0:
        return number(1, base.shape)
    if isinstance(base, Sum) and len(base.terms) == 1 and _whole(p):
        ((c, inner),) = base.terms
        return scale(c**p, power(inner, p))
    if isinstance(base, Product) and not base.factors:
        return base
    if is_zero(base) and p > 0:
        return base
    if isinstance(base, Power) and _powers_multiply(base.exponent, p):
        return power(base.base, base.exponent * p)
    axes = tuple(range(len(base.shape)))
    if (
        isinstance(base, Product)
        and _entrywise(base)
        and (_whole(p) or all(isinstance(f, SizeOf) for f, _ in base.factors))
    ):
        return product([(power(f, p), labels) for f, labels in base.factors], base.shape, axes)
    if _whole(p) and 2 <= p <= EXPANDED_POWER:
        return product([(base, axes)] * int(p), base.shape, axes)
    node: Node = made(Power, base.shape, base, p)
    return node


def _entrywise(node: Product) -> bool:
    """Whether nothing is summed and each factor spans the output or nothing, so that (u v)^p = u^p v^p."""
    axes = tuple(range(len(node.shape)))
    return all(labels in ((), axes) for _, labels in node.factors)


def _whole(p: Number) -> bool:
    return isinstance(p, Fraction) and p.denominator == 1


def _powers_multiply(inner: Number, outer: Number) -> bool:
    """(x^p)^q = x^(pq): wherever x^p is real for fractional p (then x >= 0), and for whole q."""
    return not _whole(inner) or _whole(outer)


def elementwise(function: str, *args: Node) -> Node:
    """function(args), entry by entry."""
    node: Node = made(Elementwise, args[0].shape, function, args)
    return node


def call(function: str, shape: Sequence[Size], *args: Node) -> Node:
    """function(args) of the last axes; the shape is the batch's, then that of what the function gives."""
    node: Node = made(Call, tuple(shape), function, args)
    return node


def permute(node: Node, axes: Sequence[int]) -> Node:
    """The node with its axes in another order; axis k of the result is axis axes[k] of the node."""
    labels = tuple(list(axes).index(k) for k in range(len(axes)))
    return product([(node, labels)], tuple(node.shape[a] for a in axes), tuple(range(len(axes))))


def transpose(node: Node) -> Node:
    """Shape n m -> m n."""
    return permute(node, (1, 0))


def broadcast(scalar: Node, shape: Sequence[Size]) -> Node:
    """The tensor whose entries are all this scalar."""
    return product([(scalar, ())], shape, range(len(shape)))


# ---- products -----------------------------------------------------------------------------------------------------


def product(factors: Iterable[tuple[Node, Sequence[int]]], shape: Sequence[Size], out: Sequence[int]) -> Node:
    """Σ Π factor[labels], to the axes `out` (distinct labels), of sizes `shape`.

    Labels are any integers.  An output label that no factor has is broadcast; a label of a factor that is not in
    the output is summed.
    """
    work = _Contraction(tuple(shape), tuple(out))
    for node, labels in factors:
        work.take(node, tuple(labels))
    return work.result()


class _Contraction:
    """One product on its way to normal form."""

    def __init__(self, shape: tuple[Size, ...], out: Labels) -> None:
        self.shape, self.out = shape, out
        self.sizes: dict[int, Size] = dict(zip(out, shape, strict=True))
        self.coefficient: Number = Fraction(1)
        self.factors: list[Factor] = []
        self.same: dict[int, int] = {}  # labels made equal by deltas
        self.counted: set[int] = set()  # labels whose sum is carried out
        self.fresh = -1

    def take(self, node: Node, labels: Labels) -> None:
        """Add a factor, opening products and numbers."""
        for label, size in zip(labels, node.shape, strict=True):
            known = self.sizes.setdefault(label, size)
            if known != size:
                raise ValueError(f"label {label} has sizes {known} and {size}")
        if isinstance(node, Sum) and len(node.terms) < 2:
            coefficient, inner = node.terms[0] if node.terms else (Fraction(0), number(1, node.shape))
            self.coefficient = exact(self.coefficient * coefficient)
            self.take(inner, labels)
        elif isinstance(node, Product):
            self.open(node, labels)
        else:
            self.factors.append((node, labels))

    def open(self, node: Product, labels: Labels) -> None:
        """Put an inner product's factors in place of it, its summed labels renamed."""
        names = dict(enumerate(labels))
        for inner in range(len(labels), len(node.sizes)):
            while self.fresh in self.sizes:
                self.fresh -= 1
            names[inner] = self.fresh
            self.sizes[self.fresh] = node.sizes[inner]
        for factor, inner_labels in node.factors:
            self.take(factor, tuple(names[i] for i in inner_labels))

    def find(self, label: int) -> int:
        while label in self.same:
            label = self.same[label]
        return label

    def contract_deltas(self) -> None:
        """δ_ij with a summed index renames it; δ_ii is 1 wherever i is counted."""
        kept: list[Factor] = []
        alike: dict[int, int] = {}  # output labels joined by a delta that stays: the others use the first
        for node, labels in self.factors:
            if isinstance(node, Delta):
                i, j = (self.find(label) for label in labels)
                if i == j:
                    continue
                if i in self.out and j in self.out:
                    i, j = sorted((i, j), key=self.out.index)
                    kept.append((node, (i, j)))
                    alike[j] = i
                    continue
                gone, stays = (i, j) if j in self.out else (j, i)
                self.same[gone] = stays
            else:
                kept.append((node, labels))
        self.factors = []
        for node, labels in kept:
            found = tuple(self.find(label) for label in labels)
            self.factors.append((node, found if isinstance(node, Delta) else tuple(_first(alike, i) for i in found)))

    def disjoint(self) -> bool:
        """e_k ⊙ e_l with k ≠ l"""
        positions: dict[Labels, list[Size]] = {}
        for node, labels in self.factors:
            if isinstance(node, Basis):
                positions.setdefault(labels, []).append(node.position)
        return any(_apart(at[0], k) for at in positions.values() for k in at[1:])

    def drop_lone_units(self) -> None:
        """Σ_i (e_k)_i is 1."""
        uses = [label for _, labels in self.factors for label in labels]
        lone = {
            f for f in self.factors if isinstance(f[0], Basis) and f[1][0] not in self.out and uses.count(f[1][0]) == 1
        }
        self.factors = [f for f in self.factors if f not in lone]
        self.counted = {label for _, (label,) in lone}

    def count_free_sums(self) -> None:
        """A summed label that no factor has counts its size."""
        used = {label for _, labels in self.factors for label in labels} | set(self.out) | self.counted
        for label in {self.find(label) for label in self.sizes} - used:
            size = self.sizes[label]
            if isinstance(size, int):
                self.coefficient = exact(self.coefficient * size)
            else:
                self.take(size_of(size), ())

    def join_powers(self) -> None:
        """Equal factors with equal labels: exponents add."""
        for k, (node, labels) in enumerate(self.factors):
            if isinstance(node, Delta) or (isinstance(node, Leaf) and node.symmetric):
                self.factors[k] = (node, tuple(sorted(labels)))
        if len(set(self.factors)) == len(self.factors) and not any(isinstance(n, Power) for n, _ in self.factors):
            return
        exponents: dict[Factor, Number] = {}
        for node, labels in self.factors:
            base, p = (node.base, node.exponent) if isinstance(node, Power) else (node, Fraction(1))
            exponents[base, labels] = exact(exponents.get((base, labels), Fraction(0)) + p)
        self.factors = []
        for (base, labels), p in exponents.items():
            if p == 1 or _is_truth(base, p):
                self.factors.append((base, labels))
            elif _whole(p) and 2 <= p <= EXPANDED_POWER:
                self.factors += [(base, labels)] * int(p)
            elif p != 0:
                self.factors.append((made(Power, base.shape, base, p), labels))

    def result(self) -> Node:
        if self.coefficient == 0:
            return zero(self.shape)
        self.contract_deltas()
        self.join_powers()
        if self.disjoint():
            return zero(self.shape)
        self.drop_lone_units()
        self.count_free_sums()
        self.join_powers()  # n · n⁻¹
        node = self.distributed() or self.numbered()
        return node if self.coefficient == 1 else scale(self.coefficient, node)

    def distributed(self) -> Node | None:
        """A lone factor with its axes in some order: the order goes inside, and an order that changes nothing vanishes."""
        if len(self.factors) != 1:
            return None
        node, labels = self.factors[0]
        if sorted(labels) != sorted(self.out):
            return None
        if labels == self.out or isinstance(node, Delta):
            return node
        axes = [labels.index(label) for label in self.out]
        if isinstance(node, Sum):
            return add([(c, permute(t, axes)) for c, t in node.terms], self.shape)
        if isinstance(node, Power):
            return power(permute(node.base, axes), node.exponent)
        if isinstance(node, Elementwise):
            return elementwise(node.function, *(permute(a, axes) for a in node.args))
        return None

    def numbered(self) -> Node:
        names = {label: k for k, label in enumerate(self.out)}
        for _, labels in self.factors:
            for label in labels:
                names.setdefault(label, len(names))
        sizes = tuple(self.sizes[label] for label in names)
        factors = tuple((node, tuple(names[label] for label in labels)) for node, labels in self.factors)
        node: Node = made(Product, self.shape, factors, sizes)
        return node


def _apart(k: Size, other: Size) -> bool:
    """Whether two positions are surely different."""
    if isinstance(k, int) and isinstance(other, int):
        return k != other
    gap = plus(k, other, -1)
    return isinstance(gap, int) and gap != 0


def _is_truth(base: Node, p: Number) -> bool:
    """Whether every entry is 0 or 1, so that its power is the same."""
    holds = isinstance(base, Elementwise) and base.function in ("step", "equals") and p > 0
    return holds or isinstance(base, Basis | Delta | Selection | Triangle | OneHot)


def _first(alike: Mapping[int, int], label: int) -> int:
    while label in alike:
        label = alike[label]
    return label


def multiply(*nodes: Node) -> Node:
    """Entrywise product of nodes of one shape, or scalars with them."""
    shape = max((n.shape for n in nodes), key=len)
    axes = tuple(range(len(shape)))
    return product([(n, axes if n.shape else ()) for n in nodes], shape, axes)


def entry(node: Node, axis: int, position: Size) -> Node:
    """The node at one position of an axis, which goes; taken inside sums and functions: (x + y)_k is x_k + y_k."""
    rest = node.shape[:axis] + node.shape[axis + 1 :]
    match node:
        case Sum(terms=terms):
            taken_terms = ((c, entry(t, axis, position)) for c, t in terms)
            return add([(c, t) for c, t in taken_terms if not isinstance(t, Sum) or t.terms], rest)
        case Power(base=base, exponent=p):
            return power(entry(base, axis, position), p)
        case Elementwise(function=function, args=args):
            return elementwise(function, *(entry(a, axis, position) for a in args))
        case Call(function="singular_values", args=(matrix,)) if position == 0 and rest == ():
            return call("spectral", (), matrix)
        case Product(factors=factors, sizes=sizes):
            taken: list[Factor] = []
            for factor, labels in factors:
                if isinstance(factor, Basis) and labels == (axis,) and _apart(factor.position, position):
                    return zero(rest)
                if labels.count(axis) == 1 and isinstance(factor, Sum | Power | Elementwise):
                    at = labels.index(axis)
                    taken.append((entry(factor, at, position), labels[:at] + labels[at + 1 :]))
                else:
                    taken.append((factor, labels))
            if any(axis in labels for _, labels in taken):
                taken.append((basis(sizes[axis], position), (axis,)))
            return product(taken, rest, [k for k in range(len(node.shape)) if k != axis])
    axes = range(len(node.shape))
    return product([(node, axes), (basis(node.shape[axis], position), (axis,))], rest, [k for k in axes if k != axis])


__all__ = [
    "EXPANDED_POWER",
    "Basis",
    "Call",
    "Delta",
    "Elementwise",
    "Factor",
    "Labels",
    "Leaf",
    "Node",
    "Number",
    "OneHot",
    "Power",
    "Product",
    "Range",
    "Selection",
    "SizeOf",
    "Sum",
    "Triangle",
    "add",
    "arange",
    "basis",
    "broadcast",
    "call",
    "delta",
    "elementwise",
    "entry",
    "exact",
    "is_zero",
    "leaf",
    "made",
    "multiply",
    "number",
    "onehot",
    "permute",
    "power",
    "product",
    "scale",
    "selection",
    "size_of",
    "transpose",
    "triangle",
    "zero",
]
