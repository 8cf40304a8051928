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
from itertools import product as cartesian

import torch
from torch import Tensor

from .abstraction import abstract
from .bound import Bound, has
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
    is_zero,
    number,
    product,
    transpose,
)
from .expr import scale as scaled
from .kinds import functions_in, functions_of, keyed, kind_of
from .lengths import Size, length
from .lengths import parts as parts_of
from .sampling import sample
from .simplify import expand, flattened, opened
from .twins import twin
from .walk import children, leaves, ordered, size_letters, substitute, transform, written_size

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


_NONE: Mapping[str, str] = {}


def match(node: Node, variable: Leaf, order: int = 1, assumed: Mapping[str, str] = _NONE) -> Bound | None:
    """The identity that this function of the variable is, for its derivative of this order, or None.

    `assumed` are properties of arguments by name, in the words of --assume.
    """
    if variable.name not in leaves(node):
        return None
    needed = functions_in(node, depending(node, variable.name))
    forms = list(dict.fromkeys((node, opened(node))))
    parts = [_Part(_signed(form, variable)) for form in forms]
    bare = (part for form in forms for part in _bare(form, variable, order))
    parts += [replace(part, node=_signed(opened(part.node), variable)) for part in bare]
    for part, form, constants in _looked_up(parts, variable):
        bound = part.whole(_by_form(form, constants, variable, order, assumed))
        if bound is not None and _proved(bound, node, order):
            return bound
    for part in (p for p in parts if needed and p.thorough):
        for form, constants in [(part.node, {}), *abstract(part.node, variable)]:
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
                yield from ((part, *found) for found in abstract(form, variable))


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
            factor = product([(number(scale), ()), *scalars], (), ())
            yield _Part(others, factor, offset)
            yield _Part(scaled(-1, others), scaled(-1, factor), offset, thorough=False)
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
    return order > 1 and variable.name not in leaves(term) and is_zero(term)


def _by_form(
    form: Node, constants: Mapping[str, Node], variable: Leaf, order: int, assumed: Mapping[str, str]
) -> Bound | None:
    """The row that has this form; not proved."""
    if variable.name not in leaves(form):  # what it stood in has cancelled
        return None
    kind = kind_of(form, variable.name, order)
    if functions_in(form) not in functions_of(kind):  # a key takes time, and this form can have no row's
        return None
    found = pattern(form, variable.name)
    rows = keyed(kind).get(found.key, ()) if found else ()
    if found is None or not rows:
        return None
    users = [substitute(c, constants) for c in found.constants]
    bounds = (Bound(row, _bindings(row.pattern.constants, users), variable) for row in rows)
    return min((b for b in bounds if _asked(b, assumed)), key=_generality, default=None)


def _asked(bound: Bound, assumed: Mapping[str, str]) -> bool:
    """Whether the user's arguments have the sizes and the properties that the row asks for."""
    return bound.consistent and all(has(assumed, *one) for one in bound.properties(bound.identity.given))


def _generality(bound: Bound) -> tuple[int, int, int]:
    """Smaller for a row that asks for more, or that says the same with fewer transposes."""
    row = bound.identity
    sizes = {size for own in leaves(row.node).values() for size in own.shape}
    return -len(row.given), len(sizes), sum(map(written_size, bound.bindings.values()))


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
    asked = list(bound.properties(bound.identity.given))
    bent = bool(functions_in(node))  # a polynomial is known by its values at positive numbers
    proofs = 0
    for scale, numbers in cartesian(_SIZES_OF_VALUES, _SIZE_SETS):
        if len(letters) > len(numbers):
            return False
        sizes = {letter: least + n for letter, n in zip(letters, numbers, strict=False)}
        if not bound.fits(sizes) or any(length(s, sizes) < 1 for own in named.values() for s in own.shape):
            continue
        generator = torch.Generator().manual_seed(numbers[0])
        held = {name: _held(named[name], prop, sizes, generator) for name, prop in asked if name in named}
        positive = {name: scale * _sample(own, sizes, generator) for name, own in named.items()} | held
        agreed = _agree(pairs, positive, sizes, everywhere=True)
        if agreed is None:
            continue
        signed = {name: _signs(value, _SPREADS[proofs], generator) for name, value in positive.items()} | held
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


def _held(own: Leaf, prop: str, sizes: Mapping[str, int], generator: torch.Generator) -> Tensor:
    """One with a property that the row asks for."""
    return sample(tuple(length(s, sizes) for s in own.shape), prop, generator)


def _signs(value: Tensor, spread: float, generator: torch.Generator) -> Tensor:
    """The same with signs, and larger: where relu(x) isn't x."""
    signs = torch.randint(0, 2, value.shape, generator=generator) * 2 - 1
    if value.ndim == 2 and value.shape[0] == value.shape[1]:
        signs = signs.triu() + signs.triu(1).mT
    return value * signs * spread
