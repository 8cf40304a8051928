"""The expression: a function of tensors in index notation, as a graph of eight node types.

A node stands for a tensor with numbered axes; a vector has one axis, whether the user's tensor was `n`, `n,1` or `1,n`.
Transposes, traces, dot, outer and Hadamard products and broadcasting are one node, `Product`, with different labels:

    A x     Product of A[0,1] x[1]          to [0]
    tr A    Product of A[0,0]               to []
    u v^T   Product of u[0] v[1]            to [0,1]
    1 v^T   Product of v[1]                 to [0,1]      a label that no factor has is broadcast

Nodes are made by `leaf`, `add`, `product`, `power`, … only, which keep them in normal form: sums and products are flat,
deltas with a summed index are carried out, number factors stand in sums, equal nodes are one object (so shared
subexpressions stay shared, unexpanded, and `is` compares).  Layout: the derivative of F by X has F's axes, then X's.
Nothing here knows torch, or how an expression is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any
from weakref import WeakValueDictionary

Size = str | int  # a letter, or a fixed size
Number = Fraction | float
Labels = tuple[int, ...]
Factor = tuple["Node", Labels]

EXPANDED_POWER = 4  # x^2 .. x^4 are products of equal factors, so that x @ x, x * x and x ** 2 meet


@dataclass(frozen=True, eq=False)
class Node:
    """A tensor-valued expression; `shape` has one size an axis."""

    shape: tuple[Size, ...]


@dataclass(frozen=True, eq=False)
class Leaf(Node):
    """A named tensor: an argument, or one read from the notebook."""

    name: str
    symmetric: bool = False


@dataclass(frozen=True, eq=False)
class SizeOf(Node):
    """The number n for a size letter n."""

    letter: str


@dataclass(frozen=True, eq=False)
class Basis(Node):
    """e_k: 1 at position k (from 0), else 0; indexing by a constant is a product with it."""

    position: int


@dataclass(frozen=True, eq=False)
class Delta(Node):
    """The identity matrix."""


@dataclass(frozen=True, eq=False)
class Sum(Node):
    """Σ coefficient · term; no terms is zero, one term is a number times a node."""

    terms: tuple[tuple[Number, Node], ...]


@dataclass(frozen=True, eq=False)
class Product(Node):
    """Σ over the labels that are not in the output of the product of the factors' entries.

    Output labels are 0 … rank-1; `sizes[l]` is the size of label l.
    """

    factors: tuple[Factor, ...]
    sizes: tuple[Size, ...]


@dataclass(frozen=True, eq=False)
class Power(Node):
    """Each entry of the base to a fixed power."""

    base: Node
    exponent: Number


@dataclass(frozen=True, eq=False)
class Elementwise(Node):
    """A function of the table in functions.py, applied entry by entry to arguments of one shape."""

    function: str
    args: tuple[Node, ...]


_nodes: WeakValueDictionary[tuple[Any, ...], Node] = WeakValueDictionary()


def _make(kind: type[Node], *values: Any) -> Any:
    """The one node of this kind with these fields."""
    key = (kind, *values, *(type(v) for v in values))
    node = _nodes.get(key)
    if node is None:
        node = _nodes[key] = kind(*values)
    return node


# ---- making nodes -------------------------------------------------------------------------------------------------


def leaf(name: str, shape: Sequence[Size], symmetric: bool = False) -> Leaf:
    """The named tensor; `symmetric` (square ones only) makes its two axes interchangeable."""
    node: Leaf = _make(Leaf, tuple(shape), name, symmetric)
    return node


def delta(size: Size) -> Node:
    """I of this size; shape: n n."""
    node: Node = _make(Delta, (size, size))
    return node


def basis(size: Size, position: int) -> Node:
    """e_k; shape: n."""
    node: Node = _make(Basis, (size,), position)
    return node


def size_of(size: Size) -> Node:
    """A size as a scalar."""
    if isinstance(size, int):
        return number(size)
    node: Node = _make(SizeOf, (), size)
    return node


def exact(value: float | Fraction) -> Number:
    """A short fraction where the number is one to the last bit (0.5, 0.1, 1/3), the float itself elsewhere.

    >>> exact(0.1), exact(2), exact(0.30000000000000004)
    (Fraction(1, 10), Fraction(2, 1), 0.30000000000000004)
    """
    if isinstance(value, Fraction):
        return value
    if isinstance(value, int) or float(value).is_integer():
        return Fraction(int(value))
    short = Fraction(value).limit_denominator(10**6)
    return short if float(short) == value else float(value)


def number(value: float | Fraction, shape: Sequence[Size] = ()) -> Node:
    """The tensor whose entries are all this number."""
    return add([(value, product((), shape, range(len(shape))))], tuple(shape))


def zero(shape: Sequence[Size]) -> Node:
    """The zero tensor."""
    node: Node = _make(Sum, tuple(shape), ())
    return node


def add(terms: Iterable[tuple[float | Fraction, Node]], shape: tuple[Size, ...]) -> Node:
    """Σ c·t, flat, equal terms collected; a sum inside stays whole unless its coefficient is 1 or -1."""
    kept = tuple(_collected(_opened(_collected(terms))))
    for _, term in kept:
        if term.shape != shape:
            raise ValueError(f"a term of shape {term.shape} in a sum of shape {shape}")
    if len(kept) == 1 and kept[0][0] == 1:
        return kept[0][1]
    node: Node = _make(Sum, shape, kept)
    return node


def _collected(terms: Iterable[tuple[float | Fraction, Node]]) -> list[tuple[Number, Node]]:
    """Equal terms as one."""
    totals: dict[Node, Number] = {}
    for coefficient, term in terms:
        totals[term] = exact(totals.get(term, Fraction(0)) + exact(coefficient))
    return [(c, t) for t, c in totals.items() if c != 0]


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
    if isinstance(base, Sum) and not base.terms and p > 0:
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
    node: Node = _make(Power, base.shape, base, p)
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
    node: Node = _make(Elementwise, args[0].shape, function, args)
    return node


def permute(node: Node, axes: Sequence[int]) -> Node:
    """The node with its axes in another order; axis k of the result is axis axes[k] of the node."""
    labels = tuple(list(axes).index(k) for k in range(len(axes)))
    return product([(node, labels)], tuple(node.shape[a] for a in axes), tuple(range(len(axes))))


def transpose(node: Node) -> Node:
    """Shape n m -> m n."""
    return permute(node, (1, 0))


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

    def count_free_sums(self) -> None:
        """A summed label that no factor has counts its size."""
        used = {label for _, labels in self.factors for label in labels} | set(self.out)
        for label in {self.find(label) for label in self.sizes} - used:
            size = self.sizes[label]
            if isinstance(size, int):
                self.coefficient = exact(self.coefficient * size)
            else:
                self.factors.append((size_of(size), ()))

    def join_powers(self) -> None:
        """Equal factors with equal labels: exponents add."""
        exponents: dict[Factor, Number] = {}
        for node, labels in self.factors:
            if (isinstance(node, Leaf) and node.symmetric) or isinstance(node, Delta):
                labels = tuple(sorted(labels))
            base, p = (node.base, node.exponent) if isinstance(node, Power) else (node, Fraction(1))
            exponents[base, labels] = exact(exponents.get((base, labels), Fraction(0)) + p)
        self.factors = []
        for (base, labels), p in exponents.items():
            if isinstance(base, Basis | Delta) or p == 1:
                self.factors.append((base, labels))
            elif _whole(p) and 2 <= p <= EXPANDED_POWER:
                self.factors += [(base, labels)] * int(p)
            elif p != 0:
                self.factors.append((_make(Power, base.shape, base, p), labels))

    def result(self) -> Node:
        if self.coefficient == 0:
            return zero(self.shape)
        self.contract_deltas()
        self.join_powers()
        positions = {(labels, node) for node, labels in self.factors if isinstance(node, Basis)}
        if len({labels for labels, _ in positions}) < len(positions):
            return zero(self.shape)  # e_k ⊙ e_l with k ≠ l
        self.count_free_sums()
        node = self.distributed() or self.numbered()
        return scale(self.coefficient, node)

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
        node: Node = _make(Product, self.shape, factors, sizes)
        return node


def _first(alike: Mapping[int, int], label: int) -> int:
    while label in alike:
        label = alike[label]
    return label


def multiply(*nodes: Node) -> Node:
    """Entrywise product of nodes of one shape, or scalars with them."""
    shape = max((n.shape for n in nodes), key=len)
    axes = tuple(range(len(shape)))
    return product([(n, axes if n.shape else ()) for n in nodes], shape, axes)


# ---- walking ------------------------------------------------------------------------------------------------------


def children(node: Node) -> tuple[Node, ...]:
    """The nodes that this one is made of."""
    match node:
        case Sum(terms=terms):
            return tuple(t for _, t in terms)
        case Product(factors=factors):
            return tuple(f for f, _ in factors)
        case Power(base=base):
            return (base,)
        case Elementwise(args=args):
            return args
    return ()


def ordered(node: Node, last_first: bool = False) -> list[Node]:
    """Every node below and this one, each once, children first; the last child first, if asked for."""
    seen: dict[Node, None] = {}
    stack: list[tuple[Node, bool]] = [(node, False)]
    while stack:
        top, done = stack.pop()
        if done:
            seen[top] = None
        elif top not in seen:
            stack.append((top, True))
            below = children(top) if last_first else reversed(children(top))
            stack += [(child, False) for child in below if child not in seen]
    return list(seen)


def rebuild(node: Node, parts: Mapping[Node, Node]) -> Node:
    """The node again with its children exchanged."""
    match node:
        case Sum(terms=terms):
            return add([(c, parts[t]) for c, t in terms], node.shape if not terms else parts[terms[0][1]].shape)
        case Product(factors=factors):
            sizes = list(node.sizes)
            for factor, labels in factors:
                for label, size in zip(labels, parts[factor].shape, strict=True):
                    sizes[label] = size
            rank = len(node.shape)
            return product([(parts[f], labels) for f, labels in factors], sizes[:rank], range(rank))
        case Power(base=base, exponent=p):
            return power(parts[base], p)
        case Elementwise(function=function, args=args):
            return elementwise(function, *(parts[a] for a in args))
    return node


def transform(node: Node, change: Callable[[Node], Node]) -> Node:
    """Apply `change` to every node, children first, shared nodes once."""
    done: dict[Node, Node] = {}
    for part in ordered(node):
        done[part] = change(rebuild(part, done))
    return done[node]


def substitute(node: Node, replacements: Mapping[str, Node]) -> Node:
    """Put expressions in place of the leaves of these names, all at once: A may stand for an expression in A."""
    done: dict[Node, Node] = {}
    for part in ordered(node):
        done[part] = replacements.get(part.name, part) if isinstance(part, Leaf) else rebuild(part, done)
    return done[node]


def leaves(node: Node) -> dict[str, Leaf]:
    """The named tensors in an expression, by name, in order of appearance."""
    return {n.name: n for n in ordered(node) if isinstance(n, Leaf)}


def size_letters(node: Node) -> list[str]:
    """The size letters in an expression, in order of appearance."""
    letters: dict[str, None] = {}
    for part in ordered(node):
        for size in (*part.shape, *(part.sizes if isinstance(part, Product) else ())):
            if isinstance(size, str):
                letters[size] = None
        if isinstance(part, SizeOf):
            letters[part.letter] = None
    return list(letters)


def with_fields(node: Node, **changes: Any) -> Node:
    """The node with some fields exchanged (sizes renamed, a leaf marked symmetric)."""
    return _make(type(node), *(changes.get(f.name, getattr(node, f.name)) for f in fields(node)))  # type: ignore[no-any-return]


def resized(node: Node, sizes: Mapping[str, Size]) -> Node:
    """The expression with its size letters renamed, all at once (n and m may change places)."""
    marks = {letter: f"{letter}'" for letter in sizes}
    return _renamed(_renamed(node, marks), {marks[letter]: size for letter, size in sizes.items()})


def _renamed(node: Node, sizes: Mapping[str, Size]) -> Node:
    """As resized, where no new size is also an old one: parts above a renamed part have its new sizes already."""

    def new(shape: tuple[Size, ...]) -> tuple[Size, ...]:
        return tuple(sizes.get(s, s) if isinstance(s, str) else s for s in shape)

    def rename(part: Node) -> Node:
        if isinstance(part, SizeOf):
            return size_of(sizes.get(part.letter, part.letter))
        if isinstance(part, Product):
            return with_fields(part, shape=new(part.shape), sizes=new(part.sizes))
        return with_fields(part, shape=new(part.shape)) if not children(part) else part

    return transform(node, rename)
