"""Which identity a function is: a dictionary lookup, then a proof by numbers.

In: an expression and the variable.  Out: a Match, the identity with its symbols bound to the user's expressions, or
None.  The keys tried, in order: the function as it is; multiplied out; with its constant parts each as one constant,
so that xᵀBᵀBx is the quadratic form with A := BᵀB; both.  Every candidate is evaluated with its bindings at two sets
of sizes before it is named.  Not known here: how a match is shown, and compositions of several identities.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor

from .canonical import key, linked, pattern
from .differentiate import depending, differentiate
from .evaluate import evaluate
from .expr import (
    Basis,
    Call,
    Elementwise,
    Leaf,
    Node,
    Number,
    Power,
    Product,
    Sum,
    add,
    leaf,
    product,
    transpose,
)
from .identities import Identity, by_key
from .lengths import Size
from .simplify import expand
from .walk import leaves, ordered, resized, size_letters, substitute, transform

TOLERANCE = 1e-9
_SIZE_SETS = ((3, 5, 4, 7, 6, 8, 9), (5, 4, 6, 3, 8, 7, 10))  # distinct, so that a transposed binding can't pass


@dataclass(frozen=True)
class Bound:
    """An identity whose symbols stand for parts of the user's function."""

    identity: Identity
    bindings: Mapping[str, Node]  # the row's constants
    variable: Leaf  # the user's variable

    @property
    def statement(self) -> Node:
        """The row's function with the bindings put in; equals the user's f."""
        return self.put_in(self.identity.node)

    def put_in(self, node: Node) -> Node:
        """An expression of the row in the user's names and sizes."""
        values = {**self.bindings, self.identity.wrt: self.variable}
        sizes: dict[str, Size] = {}
        for name, own in leaves(node).items():
            sizes.update(
                (old, new) for old, new in zip(own.shape, values[name].shape, strict=True) if isinstance(old, str)
            )
        return substitute(resized(node, sizes), values)


def match(node: Node, variable: Leaf, order: int = 1) -> Bound | None:
    """The identity that this function of the variable is, or None; by its Hessian where the order is 2."""
    rows = by_key(order)
    known = {_functions_in(row.node) for row in rows.values()}
    needed = _functions_in(node, depending(node, variable.name))
    if not any(needed <= own for own in known):  # no form of it can be a row's
        return None
    for form, constants in _forms(node, variable):
        if _functions_in(form) not in known:  # a key takes time, and this form can have no row's
            continue
        found = pattern(form, variable.name)
        row = rows.get(found.key) if found else None
        if found is None or row is None:
            continue
        bound = Bound(
            row, _bindings(row.pattern.constants, [substitute(c, constants) for c in found.constants]), variable
        )
        if _proved(bound, node):
            return bound
    return None


def _functions_in(node: Node, among: Collection[Node] | None = None) -> frozenset[object]:
    """The functions and powers that an expression is made of; `among` these parts only."""
    found: set[object] = set()
    for part in ordered(node):
        if among is not None and part not in among:
            continue
        if isinstance(part, Elementwise | Call):
            found.add(part.function)
        elif isinstance(part, Power):
            found.add(part.exponent)
    return frozenset(found)


def _bindings(own: Sequence[Node], users: Sequence[Node]) -> dict[str, Node]:
    """What each constant of a row stands for; sizes need no binding."""
    found = {}
    for constant, user in zip(own, users, strict=True):
        for name in leaves(constant):
            found[name] = user if isinstance(constant, Leaf) else transpose(user)
    return found


def _forms(node: Node, variable: Leaf) -> Iterator[tuple[Node, Mapping[str, Node]]]:
    """The function in the forms that are looked up, each with what its made-up constants stand for."""
    node = _signed(node, variable)
    expanded = expand(node)
    forms = [node] if expanded is None or key(expanded) == key(node) else [node, expanded]
    for form in forms:
        yield form, {}
    for form in forms:
        for sign in (-1, 1):  # constant terms are written A x - b in some rows, A x + b in others
            abstraction = _Abstraction(variable, sign)
            yield abstraction.of(form), abstraction.constants
            if not abstraction.signs_matter:
                break


def _signed(node: Node, variable: Leaf) -> Node:
    """Sums inside products with the sign in which the variable is positive: (b - A x)² as (A x - b)²."""

    def flip(part: Node) -> Node:
        if not isinstance(part, Product):
            return part
        rank = len(part.shape)
        factors = []
        sign = 1
        for factor, at in part.factors:
            if isinstance(factor, Sum) and _negative(factor, variable):
                sign, factor = -sign, add([(-c, t) for c, t in factor.terms], factor.shape)
            factors.append((factor, at))
        return add([(sign, product(factors, part.sizes[:rank], range(rank)))], part.shape)

    return transform(node, flip)


def _negative(node: Sum, variable: Leaf) -> bool:
    return sum(1 if c > 0 else -1 for c, t in node.terms if variable.name in leaves(t)) < 0


def _proved(bound: Bound, node: Node) -> bool:
    """The row's function with its bindings equals f, and its gradient f's, at two sets of sizes."""
    derived = node
    for _ in range(bound.identity.order):
        derived = differentiate(derived, bound.variable)
    pairs = ((node, bound.statement), (derived, bound.put_in(bound.identity.gradient_node)))
    letters = list(dict.fromkeys(letter for pair in pairs for part in pair for letter in size_letters(part)))
    positions = [part.position for part in ordered(node) if isinstance(part, Basis)]
    least = max((at for at in positions if isinstance(at, int)), default=0)
    for numbers in _SIZE_SETS:
        if len(letters) > len(numbers):
            return False
        sizes = {letter: least + n for letter, n in zip(letters, numbers, strict=False)}
        generator = torch.Generator().manual_seed(numbers[0])
        named = {name: own for pair in pairs for part in pair for name, own in leaves(part).items()}
        values = {name: _sample(own, sizes, generator) for name, own in named.items()}
        try:
            if not all(_equal(evaluate(f, values, sizes), evaluate(g, values, sizes)) for f, g in pairs):
                return False
        except RuntimeError:  # a factorisation that these values don't have
            return False
    return True


def _equal(ours: Tensor, theirs: Tensor) -> bool:
    """Finite, of one shape, and equal up to rounding."""
    if ours.shape != theirs.shape or not bool(ours.isfinite().all()):
        return False
    return torch.allclose(ours, theirs, TOLERANCE, TOLERANCE)


def _sample(own: Leaf, sizes: Mapping[str, int], generator: torch.Generator) -> Tensor:
    shape = [s if isinstance(s, int) else sizes[s] for s in own.shape]
    value = torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5
    if len(shape) == 2 and shape[0] == shape[1]:  # of full rank; positive-definite where symmetric
        value = value / shape[0] + 2 * torch.eye(shape[0], dtype=torch.float64)
    return value + value.mT if own.symmetric else value


class _Abstraction:
    """Replaces the parts of a function that don't contain the variable by made-up constants, equal parts by one."""

    def __init__(self, variable: Leaf, sign: int) -> None:
        self.variable = variable
        self.sign = sign
        self.signs_matter = False
        self.constants: dict[str, Node] = {}
        self.names: dict[bytes, str] = {}
        self.numbers = count(1)

    def of(self, node: Node) -> Node:
        return transform(node, self.abstracted)

    def varies(self, node: Node) -> bool:
        return self.variable.name in leaves(node)

    def placeholder(self, node: Node) -> Node:
        """The constant that stands for this part: one for a part and its transpose."""
        if key(node) in self.names:
            return leaf(self.names[key(node)], node.shape)
        if len(node.shape) == 2 and key(transpose(node)) in self.names:
            return transpose(leaf(self.names[key(transpose(node))], (node.shape[1], node.shape[0])))
        name = f"?c{next(self.numbers)}"
        self.names[key(node)] = name
        self.constants[name] = node
        return leaf(name, node.shape)

    def abstracted(self, node: Node) -> Node:
        if not self.varies(node):
            return node
        if isinstance(node, Sum):
            return self.sum(node)
        return self.product(node, 1) if isinstance(node, Product) else node

    def sum(self, node: Sum) -> Node:
        """Constant terms as one; a coefficient goes into the constants of its term."""
        fixed = [(c, t) for c, t in node.terms if not self.varies(t)]
        terms: list[tuple[Number, Node]] = []
        for c, t in node.terms:
            if self.varies(t):
                inner = self.product(t, c) if isinstance(t, Product) and c != 1 else None
                terms.append((1, inner) if inner is not None else (c, t))
        if fixed:
            self.signs_matter = True
            part = add([(self.sign * c, t) for c, t in fixed], node.shape)
            terms.append((self.sign, self.placeholder(self.restored(part))))
        return add(terms, node.shape)

    def restored(self, node: Node) -> Node:
        """A part with the made-up constants in it put back."""
        return substitute(node, self.constants)

    def product(self, node: Product, coefficient: Number) -> Node:
        """Constant factors that hang together as one constant; scalars and the coefficient go into the first."""
        rank = len(node.shape)
        varying = [(f, at) for f, at in node.factors if self.varies(f)]
        fixed = [(f, at) for f, at in node.factors if not self.varies(f)]
        outside = {label for _, at in varying for label in at} | set(range(rank))
        groups = linked(fixed, lambda label: label not in outside)
        scalars = [
            pair for group in groups for pair in group if not any(label in outside for _, at in group for label in at)
        ]
        open_groups = [g for g in groups if any(label in outside for _, at in g for label in at)]
        factors = list(varying)
        for k, group in enumerate(open_groups):
            ends = list(dict.fromkeys(label for _, at in group for label in at if label in outside))
            if len(ends) > 2:
                return add([(coefficient, node)], node.shape)
            extra = scalars if k == 0 else []
            part = product([*group, *extra], [node.sizes[label] for label in ends], ends)
            whole = self.restored(add([(coefficient if k == 0 else 1, part)], part.shape))
            factors.append((self.placeholder(whole), tuple(ends)))
        if not open_groups and (scalars or coefficient != 1):
            part = add([(coefficient, product(scalars, (), ()))], ())
            factors.append((self.placeholder(self.restored(part)), ()))
        return product(factors, node.sizes[:rank], range(rank))
