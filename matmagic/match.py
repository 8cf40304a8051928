"""Which identity a function is: a dictionary lookup, then a proof by numbers.

In: an expression, the variable, the order of the derivative.  Out: a Bound, the identity with its symbols bound to the
user's expressions, or None.  The keys tried, in order: the function as it is; multiplied out; with its constant parts
each as one constant, so that xᵀBᵀBx is the quadratic form with A := BᵀB; both; then the same for what is left of it
without a factor and without terms that the derivative does not see; then the value, which finds what is written with
other functions (twins.py).  Every candidate is evaluated with its bindings at two sets of sizes before it is named.
Not known here: how a match is shown, and compositions of several identities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import count
from itertools import product as cartesian
from typing import Protocol

import torch
from torch import Tensor

from .canonical import key, linked, pattern
from .differentiate import depending, differentiate
from .evaluate import evaluate
from .expr import (
    Basis,
    Leaf,
    Node,
    Number,
    OneHot,
    Product,
    Sum,
    add,
    exact,
    leaf,
    number,
    product,
    transpose,
)
from .kinds import functions_in, functions_of, keyed, kind_of
from .lengths import Size, length
from .lengths import parts as parts_of
from .simplify import expand, flattened
from .twins import twin
from .walk import children, leaves, ordered, resized, size_letters, substitute, transform

TOLERANCE = 1e-9
BENT = frozenset(  # with another formula beyond some place, which no few values find
    "relu abs elu maximum minimum clamp where step equals sign floor ceil round trunc "
    "max min argmax argmin sorted sorting".split()
)
LONGEST = 150  # parts of a function that is looked up in other forms than its own
_SIZE_SETS = (  # distinct, so that a transposed binding can't pass; any two letters in either order in two of them
    (3, 5, 4, 7, 6, 8, 9), (5, 4, 6, 3, 8, 7, 10), (4, 6, 5, 8, 7, 3, 9), (7, 3, 9, 6, 5, 8, 4),
)  # fmt: skip
_SIZES_OF_VALUES = (1.0, 0.1)  # of positive ones: with small ones Ax < b, and p < 1
_LEADS = (
    Fraction(1),
    Fraction(-1),
    Fraction(1, 2),
    Fraction(-1, 2),
)  # coefficients of the first term of rows that are sums
_SPREADS = (1.0, 20.0)  # of the values with signs at each set of sizes


class Rule(Protocol):
    """A row of the registry, or a standard derivative."""

    @property
    def name(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def conditions(self) -> tuple[str, ...]: ...
    @property
    def simpler(self) -> Mapping[str, str]: ...
    @property
    def order(self) -> int: ...
    @property
    def wrt(self) -> str: ...
    @property
    def node(self) -> Node: ...
    @property
    def gradient_node(self) -> Node: ...
    def read(self, code: str) -> Node: ...


@dataclass(frozen=True)
class Bound:
    """An identity whose symbols stand for parts of the user's function: f is factor · identity + offset.

    `held` says what letters that were made up stand for: parts of f that are constants here, or inner functions.
    """

    identity: Rule
    bindings: Mapping[str, Node]  # the row's constants
    variable: Leaf  # the user's variable, or a letter for an inner function
    factor: Node = field(default_factory=lambda: number(1))
    offset: Node | None = None
    held: Mapping[str, Node] = field(default_factory=dict)

    @property
    def statement(self) -> Node:
        """The row's function with the bindings put in; equals the user's f."""
        own = self.scaled(self.put_in(self.identity.node))
        return substitute(own if self.offset is None else add([(1, own), (1, self.offset)], own.shape), self.held)

    @property
    def derivative(self) -> Node:
        """The row's derivative with the bindings put in; equals that of f by the variable."""
        return self.scaled(self.put_in(self.identity.gradient_node))

    def scaled(self, node: Node) -> Node:
        """The factor times an expression."""
        return product([(self.factor, ()), (node, range(len(node.shape)))], node.shape, range(len(node.shape)))

    def put_in(self, node: Node) -> Node:
        """An expression of the row in the user's names and sizes."""
        values = {**self.bindings, self.identity.wrt: self.variable}
        return substitute(resized(node, self._sizes(node)), values)

    def _sizes(self, node: Node) -> dict[str, Size]:
        """What the row's size letters in an expression stand for."""
        values = {**self.bindings, self.identity.wrt: self.variable}
        pairs = ((own.shape, values[name].shape) for name, own in leaves(node).items())
        return {old: new for own, users in pairs for old, new in zip(own, users, strict=True) if isinstance(old, str)}

    def fits(self, sizes: Mapping[str, int]) -> bool:
        """Whether sizes of the user's letters keep the row's conditions, such as m >= n."""
        own = self._sizes(self.identity.node)
        asked = (condition.split(" >= ") for condition in self.identity.conditions if " >= " in condition)
        return all(length(own[larger], sizes) >= length(own[smaller], sizes) for larger, smaller in asked)


def match(node: Node, variable: Leaf, order: int = 1) -> Bound | None:
    """The identity that this function of the variable is, for its derivative of this order, or None."""
    if variable.name not in leaves(node):
        return None
    needed = functions_in(node, depending(node, variable.name))
    opened = _opened(node)
    parts = [_Part(_signed(form, variable)) for form in dict.fromkeys((node, opened))]
    parts += [replace(part, node=_signed(part.node, variable)) for part in _bare(opened, variable, order)]
    for part, form, constants in _looked_up(parts, variable):
        bound = part.whole(_by_form(form, constants, variable, order))
        if bound is not None and _proved(bound, node, order):
            return bound
    for part in (p for p in parts if needed and p.thorough):
        for form, constants in [(part.node, {}), *_abstract(part.node, variable)]:
            bound = part.whole(_by_value(form, constants, variable, order))
            alike = bound is not None and not BENT & (needed ^ functions_in(bound.identity.node))
            if bound is not None and alike and _proved(bound, node, order):
                return bound
    return None


@dataclass(frozen=True)
class _Part:
    """What is looked up: f is factor · node + offset."""

    node: Node
    factor: Node = field(default_factory=lambda: number(1))
    offset: Node | None = None
    thorough: bool = True  # whether it is looked up in other forms too

    @cached_property
    def expanded(self) -> list[Node]:
        """With the sums in its sums opened, and multiplied out, where these are other forms."""
        parts = ordered(self.node)
        if len(parts) > LONGEST:
            return []
        nested = any(isinstance(t, Sum) for part in parts if isinstance(part, Sum) for t in children(part))
        sums = any(isinstance(f, Sum) for part in parts if isinstance(part, Product) for f in children(part))
        found = {key(self.node): self.node}
        if nested:
            opened = transform(self.node, flattened)
            found.setdefault(key(opened), opened)
        if self.thorough and (sums or nested):
            whole = expand(self.node)
            found.update({key(whole): whole} if whole is not None and key(whole) not in found else {})
        return list(found.values())[1:]

    def whole(self, bound: Bound | None) -> Bound | None:
        """The identity of f from that of this part."""
        return None if bound is None else replace(bound, factor=self.factor, offset=self.offset)


def _looked_up(parts: Sequence[_Part], variable: Leaf) -> Iterator[tuple[_Part, Node, Mapping[str, Node]]]:
    """The forms, the most specific first, each with what its made-up constants stand for."""
    for group in ([p for p in parts if p.offset is None], [p for p in parts if p.offset is not None]):
        for part in group:
            yield part, part.node, {}
        for part in group:
            yield from ((part, form, {}) for form in part.expanded)
        for part in (p for p in group if p.thorough):
            for form in (part.node, *part.expanded):
                yield from ((part, *found) for found in _abstract(form, variable))


def _opened(node: Node) -> Node:
    """c (s + t) as c s + c t, for a number c in front."""
    if not isinstance(node, Sum) or not any(isinstance(term, Sum) for _, term in node.terms):
        return node
    inner = ((c, term.terms if isinstance(term, Sum) else ((Fraction(1), term),)) for c, term in node.terms)
    return _opened(add([(exact(c * own), term) for c, terms in inner for own, term in terms], node.shape))


def _bare(node: Node, variable: Leaf, order: int) -> Iterator[_Part]:
    """What is left without a factor and without terms that the derivative doesn't see."""
    terms: Sequence[tuple[Number, Node]] = node.terms if isinstance(node, Sum) else ((Fraction(1), node),)
    if len(terms) == 1 and isinstance(terms[0][1], Sum):
        terms = [(exact(terms[0][0] * c), t) for c, t in terms[0][1].terms]
    seen = [(c, t) for c, t in terms if not _vanishes(t, variable, order)]
    rest = [(c, t) for c, t in terms if (c, t) not in seen]
    offset = add(rest, node.shape) if rest else None
    if seen and offset is not None:
        yield from (replace(part, thorough=False) for part in _scaled(terms, node.shape))
        yield _Part(add(seen, node.shape), offset=offset)
    if len(seen) == 1:
        ((scale, term),) = seen
        scalars, others = constant_scalars(term, variable)
        if scale != 1 and scalars:
            yield _Part(term, number(scale), offset)
        if scale != 1 or scalars:
            yield _Part(others, product([(number(scale), ()), *scalars], (), ()), offset)
        return
    yield from (replace(part, offset=offset) for part in _scaled(seen, node.shape))


def _scaled(terms: Sequence[tuple[Number, Node]], shape: tuple[Size, ...]) -> Iterator[_Part]:
    """A sum in the sizes in which rows have it; in all forms with the coefficient 1 first, else as it is."""
    for lead in _LEADS if terms else ():
        scale = exact(terms[0][0] / lead)
        if scale != 1:
            yield _Part(add([(exact(c / scale), t) for c, t in terms], shape), number(scale), thorough=lead == 1)


def constant_scalars(term: Node, variable: Leaf) -> tuple[list[tuple[Node, tuple[int, ...]]], Node]:
    """The constant parts of a product that are scalars, and the rest."""
    if not isinstance(term, Product):
        return [], term
    rank = len(term.shape)
    groups = linked(term.factors, lambda label: True)
    found = [
        g for g in groups
        if not any(variable.name in leaves(f) for f, _ in g) and all(label >= rank for _, at in g for label in at)
    ]  # fmt: skip
    scalars: list[tuple[Node, tuple[int, ...]]] = [(product(group, (), ()), ()) for group in found]
    others = [factor for group in groups if group not in found for factor in group]
    return scalars, product(others, term.shape, range(rank))


def _vanishes(term: Node, variable: Leaf, order: int) -> bool:
    """Whether the derivative of this order is zero."""
    for _ in range(order):
        if variable.name not in leaves(term):
            return True
        if order > 1:
            term = differentiate(term, variable)
    return order > 1 and variable.name not in leaves(term) and isinstance(term, Sum) and not term.terms


def _by_form(form: Node, constants: Mapping[str, Node], variable: Leaf, order: int) -> Bound | None:
    """The row that has this form; not proved."""
    if variable.name not in leaves(form):  # what it stood in has cancelled
        return None
    kind = kind_of(form, variable.name, order)
    if functions_in(form) not in functions_of(kind):  # a key takes time, and this form can have no row's
        return None
    found = pattern(form, variable.name)
    row = keyed(kind).get(found.key) if found else None
    if found is None or row is None:
        return None
    return Bound(row, _bindings(row.pattern.constants, [substitute(c, constants) for c in found.constants]), variable)


def _by_value(form: Node, constants: Mapping[str, Node], variable: Leaf, order: int) -> Bound | None:
    """The row that has this value; not proved."""
    found = twin(form, variable, order)
    if found is None:
        return None
    row, named = found
    return Bound(row, {name: substitute(own, constants) for name, own in named.items()}, variable)


def _bindings(own: Sequence[Node], users: Sequence[Node]) -> dict[str, Node]:
    """What each constant of a row stands for; sizes need no binding."""
    found = {}
    for constant, user in zip(own, users, strict=True):
        for name in leaves(constant):
            found[name] = user if isinstance(constant, Leaf) else transpose(user)
    return found


def _abstract(form: Node, variable: Leaf) -> Iterator[tuple[Node, Mapping[str, Node]]]:
    """The form with its constant parts each as one constant, and what these made-up constants stand for."""
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


def _proved(bound: Bound, node: Node, order: int) -> bool:
    """The row's function with its bindings equals f, and its derivative f's, at two sets of sizes where they are defined."""
    derivative = node
    for _ in range(order):
        derivative = differentiate(derivative, bound.variable)
    pairs = ((node, bound.statement), (derivative, bound.derivative))
    letters = list(dict.fromkeys(letter for pair in pairs for part in pair for letter in size_letters(part)))
    least = max((_reach(part) for pair in pairs for one in pair for part in ordered(one)), default=0)
    named = {name: own for pair in pairs for part in pair for name, own in leaves(part).items()}
    bent = bool(functions_in(node))  # a polynomial is known by its values at positive numbers
    proofs = 0
    for scale, numbers in cartesian(_SIZES_OF_VALUES, _SIZE_SETS):
        if len(letters) > len(numbers):
            return False
        sizes = {letter: least + n for letter, n in zip(letters, numbers, strict=False)}
        if not bound.fits(sizes):
            continue
        generator = torch.Generator().manual_seed(numbers[0])
        positive = {name: scale * _sample(own, sizes, generator) for name, own in named.items()}
        agreed = _agree(pairs, positive, sizes, everywhere=True)
        if agreed is None:
            continue
        signed = {name: _signs(value, _SPREADS[proofs], generator) for name, value in positive.items()}
        if not agreed or (bent and _agree(pairs, signed, sizes, everywhere=False) is False):
            return False
        proofs += 1
        if proofs == len(_SPREADS):
            return True
    return False


def _reach(part: Node) -> int:
    """How large sizes have to be for this part: for n-3, or the entry at 3."""
    sizes = (*part.shape, *([part.position] if isinstance(part, Basis) else []))
    return max(
        (abs(parts_of(size)[1]) for size in sizes if not (isinstance(size, int) and size in part.shape)), default=0
    )


def _agree(
    pairs: Sequence[tuple[Node, Node]], values: Mapping[str, Tensor], sizes: Mapping[str, int], everywhere: bool
) -> bool | None:
    """Whether f and its derivative equal the row's where f has values; None where it has none, or not everywhere."""
    values = {**values, **_labels(pairs[0][0], values, sizes)}
    for ours, theirs in pairs:
        try:
            one = evaluate(ours, values, sizes)
        except (RuntimeError, IndexError):  # a factorisation that these values don't have, a size that f isn't for
            return None
        known = one.isfinite()
        if everywhere and not bool(known.all()):
            return None
        try:
            other = evaluate(theirs, values, sizes)
        except (RuntimeError, IndexError):
            return False
        if one.shape != other.shape or not _near(one[known], other[known]):
            return False
    return True


def _labels(node: Node, values: Mapping[str, Tensor], sizes: Mapping[str, int]) -> dict[str, Tensor]:
    """Values for the labels in an expression, which are whole numbers below a size."""
    return {
        name: (100 * values[name].abs()).floor() % length(part.shape[-1], sizes)
        for part in ordered(node)
        if isinstance(part, OneHot)
        for name in leaves(part.labels)
    }


def _near(one: Tensor, other: Tensor) -> bool:
    """Equal up to rounding, beside the largest entry."""
    largest = float(one.abs().max()) if one.numel() else 0.0
    return torch.allclose(one, other, TOLERANCE, TOLERANCE * max(1.0, largest))


def _sample(own: Leaf, sizes: Mapping[str, int], generator: torch.Generator) -> Tensor:
    shape = [length(s, sizes) for s in own.shape]
    value = torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5
    if len(shape) == 2 and shape[0] == shape[1]:  # of full rank; positive-definite where symmetric
        value = value / shape[0] + 2 * torch.eye(shape[0], dtype=torch.float64)
    return value + value.mT if own.symmetric else value


def _signs(value: Tensor, spread: float, generator: torch.Generator) -> Tensor:
    """The same with signs, and larger: where relu(x) isn't x."""
    signs = torch.randint(0, 2, value.shape, generator=generator) * 2 - 1
    if value.ndim == 2 and value.shape[0] == value.shape[1]:
        signs = signs.triu() + signs.triu(1).mT
    return value * signs * spread


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
