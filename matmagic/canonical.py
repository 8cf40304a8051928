"""Canonical keys: two expressions have the same key exactly when they are the same up to order and index names.

In: an expression.  Out: a digest of its canonical form.  Sums are sorted; in a product the summed indices are told
apart by colour refinement, then, where symmetry keeps them alike, by trying each (individualisation) and keeping the
smallest form; a hash of neighbourhoods alone would confuse tr(X^2) with tr(X)^2.  `pattern` goes further and forgets
the names of the constants, their orientation and the size letters, so that a rule and a user's function can meet.
Not known here: algebra (expansion is simplify's), and which patterns have names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import permutations
from itertools import product as cartesian
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from .expr import (
    Basis,
    Call,
    Delta,
    Elementwise,
    Factor,
    Labels,
    Leaf,
    Node,
    OneHot,
    Power,
    Product,
    Range,
    Selection,
    SizeOf,
    Sum,
    Triangle,
    permute,
    transpose,
)
from .lengths import Size, plus
from .walk import children, leaves, ordered

KEEPS_SYMMETRY = frozenset({"inverse", "pinv", "expm"})
MOST_ORDERS = 200  # orders of alike constants tried for one pattern; beyond that it has none
FEW_ORDERS = 4  # up to which all are tried, and what constants look like isn't asked


class _Keys:
    """Digests of canonical forms, each computed once; a subclass says what it forgets of leaves and sizes."""

    def __init__(self) -> None:
        self.known: MutableMapping[Node, bytes] = WeakKeyDictionary()

    def __call__(self, node: Node) -> bytes:
        stack = [] if node in self.known else [node]
        while stack:
            missing = [child for child in children(stack[-1]) if child not in self.known]
            if missing:
                stack += missing
            else:
                part = stack.pop()
                self.known[part] = self.digest(part)
        return self.known[node]

    def digest(self, node: Node) -> bytes:
        return _digest(self.form(node))

    def form(self, node: Node) -> tuple[Any, ...]:
        """What the node is made of, in an order that depends on nothing else."""
        shape = self.shape(node)
        match node:
            case Leaf(name=name, symmetric=symmetric):
                return ("leaf", name, shape, symmetric)
            case SizeOf(letter=letter):
                return ("size", letter)
            case Basis(position=k):
                return ("basis", shape, self.place(k, node.shape[0]))
            case Delta():
                return ("delta", shape)
            case Power(base=base, exponent=p):
                return ("power", self(base), str(p))
            case Elementwise(function=function, args=args):
                return ("function", function, *map(self, args))
            case Selection(start=start, step=step):
                return ("selection", shape, self.place(start, node.shape[1]), step)
            case Triangle(offset=offset):
                return ("triangle", shape, offset)
            case Range():
                return ("range", shape)
            case OneHot(labels=labels):
                return ("onehot", shape, self(labels))
            case Call(function=function, args=args):
                return ("call", function, *map(self, args))
            case Sum(terms=terms):
                return ("sum", shape, *sorted((str(c), self(t)) for c, t in terms))
            case Product():
                parts = linked(node.factors, lambda label: label >= len(node.shape))
                return ("product", shape, *sorted(self.component(node, part) for part in parts))
        raise TypeError(type(node).__name__)

    def component(self, node: Product, members: Sequence[Factor]) -> tuple[Any, ...]:
        """Factors that hang together, in the smallest of their forms."""
        rank = len(node.shape)
        factors = [self.factor(*member) for member in members]
        colours: dict[int, Any] = {}
        for _, labels, _ in factors:
            for label in labels:
                colours[label] = (0, label) if label < rank else (1, str(self.size(node.sizes[label])))
        return _smallest(factors, _ranked(colours), colours)

    def factor(self, node: Node, labels: Labels) -> tuple[bytes, Labels, tuple[int, ...]]:
        """A factor's digest, its labels, and the class of each axis: axes of one class are interchangeable.

        A matrix that is no leaf stands as itself or as its transpose, whichever digest is smaller.
        """
        if is_symmetric(node):
            return self(node), labels, (0, 0)
        if len(labels) == 2 and isinstance(node, Sum | Elementwise | Power):
            other = transpose(node)
            if self(other) < self(node):
                return self(other), labels[::-1], (0, 1)
        return self(node), labels, tuple(range(len(labels)))

    def shape(self, node: Node) -> Any:
        return node.shape

    def size(self, size: Size) -> Size:
        return size

    def place(self, position: Size, size: Size) -> Any:
        """A position on an axis of this size."""
        return position


_keys = _Keys()
_symmetric: WeakKeyDictionary[Node, bool] = WeakKeyDictionary()


def key(node: Node) -> bytes:
    """16 bytes, equal for equal expressions: factors, terms and index names in any order.

    >>> from matmagic.expr import leaf, product
    >>> X = leaf("X", ("n", "n"))
    >>> key(product([(X, (0, 1)), (X, (1, 0))], (), ())) == key(product([(X, (0, 0)), (X, (1, 1))], (), ()))
    False
    """
    return _keys(node)


def is_symmetric(node: Node) -> bool:
    """A matrix expression that equals its transpose, whatever the values."""
    if len(node.shape) != 2 or node.shape[0] != node.shape[1]:
        return False
    match node:
        case Leaf(symmetric=symmetric):
            return symmetric
        case Call(function=function, args=args):
            return function in KEEPS_SYMMETRY and is_symmetric(args[0])
        case Product() | Sum() | Power() | Elementwise():
            if node not in _symmetric:
                _symmetric[node] = key(permute(node, (1, 0))) == key(node)
            return _symmetric[node]
    return isinstance(node, Delta)  # the transpose of any other has it as its factor


def _digest(form: tuple[Any, ...]) -> bytes:
    return blake2b(repr(form).encode(), digest_size=16).digest()


# ---- products -----------------------------------------------------------------------------------------------------


_Linked = TypeVar("_Linked", bound=tuple[Any, ...])


def linked(factors: Iterable[_Linked], links: Callable[[int], bool]) -> list[list[_Linked]]:
    """Factors that hang together by labels for which `links` holds; a factor's second entry is its labels."""
    groups: list[tuple[set[int], list[_Linked]]] = []
    for factor in factors:
        own, members = set(filter(links, factor[1])), [factor]
        for group in [g for g in groups if g[0] & own]:
            groups.remove(group)
            own |= group[0]
            members = group[1] + members
        groups.append((own, members))
    return [members for _, members in groups]


def _ranked(colours: Mapping[int, Any]) -> dict[int, int]:
    order = {c: k for k, c in enumerate(sorted(set(colours.values())))}
    return {label: order[c] for label, c in colours.items()}


_Factors = list[tuple[bytes, Labels, tuple[int, ...]]]


def _seen(labels: Labels, ports: tuple[int, ...], colours: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
    """A factor's surroundings: the class of each axis with the colour of its label."""
    return tuple(sorted((port, colours[label]) for label, port in zip(labels, ports, strict=True)))


def _refined(factors: _Factors, colours: dict[int, int]) -> dict[int, int]:
    while True:
        around: dict[int, list[Any]] = {label: [] for label in colours}
        for name, labels, ports in factors:
            seen = _seen(labels, ports, colours)
            for label, port in zip(labels, ports, strict=True):
                around[label].append((name, seen, port))
        finer = _ranked({label: (colours[label], tuple(sorted(around[label]))) for label in colours})
        classes = len(set(finer.values()))
        if classes in (len(finer), len(set(colours.values()))):  # all are told apart, or no more of them
            return finer
        colours = finer


def _smallest(factors: _Factors, colours: dict[int, int], kinds: Mapping[int, Any]) -> tuple[Any, ...]:
    """The smallest form over all ways to tell alike labels apart; `kinds` says what each label is: an output, a size."""
    colours = _refined(factors, colours)
    classes: dict[int, list[int]] = {}
    for label, colour in colours.items():
        classes.setdefault(colour, []).append(label)
    legend = tuple(sorted((colours[label], kind) for label, kind in kinds.items()))
    alike = min((c for c, members in classes.items() if len(members) > 1), default=None)
    if alike is None:
        return ("one", tuple(sorted((name, _seen(labels, ports, colours)) for name, labels, ports in factors)), legend)
    parts = linked(factors, lambda label: len(classes[colours[label]]) > 1)  # what is told apart holds nothing together
    if len(parts) > 1:
        forms = []
        for part in parts:
            own = {label: colours[label] for _, labels, _ in part for label in labels}
            forms.append(_smallest(part, own, own))
        return ("parts", tuple(sorted(forms)), legend)
    return min(
        _smallest(factors, {label: 2 * c + (label != chosen) for label, c in colours.items()}, kinds)
        for chosen in classes[alike]
    )


# ---- patterns -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pattern:
    """A function of one variable with its constants made anonymous.

    `key` is equal for two functions that differ in the names of constants, their orientation and their size letters
    only; the constants of both, in the order of `constants`, then correspond.
    """

    key: bytes
    constants: tuple[Node, ...]


def pattern(node: Node, variable: str) -> Pattern | None:
    """The function with every leaf but the variable anonymous; None if too many constants look alike.

    The variable itself is anonymous in name only; sizes are forgotten, since the wiring fixes them.
    """
    named: dict[str, Node] = {**leaves(node), **_sizes_in(node)}
    if variable not in named:
        return None
    constants = [name for name in named if name != variable]
    coloured = [_by_shape(name, named[name]) for name in constants]
    if _count(coloured) > FEW_ORDERS:
        coloured = [_coloured(node, variable, *one) for one in coloured]
    if _count(coloured) > MOST_ORDERS:
        return None
    ways = (
        (_Anonymous(variable, {name: (k, flip) for k, (name, flip) in enumerate(order)})(node), order)
        for order in _orders(coloured)
    )
    found, order = min(ways, key=lambda pair: pair[0])
    return Pattern(found, tuple(transpose(named[name]) if flip else named[name] for name, flip in order))


_Order = tuple[tuple[str, bool], ...]
_Coloured = tuple[Any, str, tuple[bool, ...]]  # what tells a constant from others, its name, how it may be turned


class _Anonymous(_Keys):
    """Keys in which the constants have numbers for names, or none: those without one look alike and have no orientation.

    A number comes with whether the constant is turned: (k, True) for A is k for Aᵀ.
    """

    def __init__(self, variable: str, numbers: Mapping[str, tuple[int, bool]]) -> None:
        self.known = {}
        self.variable, self.numbers = variable, numbers

    def digest(self, node: Node) -> bytes:
        if isinstance(node, Leaf | SizeOf):
            bare, _, ports = self.bare(node)
            return _digest(("product", 2, (bare, (1, 0), ports))) if self.turned(node) else bare
        if isinstance(node, Product) and len(node.factors) == 1:
            ((only, labels),) = node.factors
            if isinstance(only, Leaf) and labels == (1, 0) and len(node.shape) == 2:  # a transpose
                bare, _, ports = self.bare(only)
                plain = self.turned(only) or ports == (0, 0)
                return bare if plain else _digest(("product", 2, (bare, (1, 0), ports)))
        return super().digest(node)

    def bare(self, node: Leaf | SizeOf) -> tuple[bytes, bool, tuple[int, ...]]:
        """A leaf's digest as it is numbered, whether it is turned, and the classes of its axes."""
        rank = len(node.shape)
        name = _size_name(node.letter) if isinstance(node, SizeOf) else node.name
        if name == self.variable:
            return _digest(("variable", rank)), False, tuple(range(rank))
        number, flip = self.numbers.get(name, (None, False))
        alike = rank == 2 and (number is None or (isinstance(node, Leaf) and node.symmetric))
        return _digest(("constant", rank, number)), flip, (0, 0) if alike else tuple(range(rank))

    def turned(self, node: Node) -> bool:
        return isinstance(node, Leaf) and self.numbers.get(node.name, (0, False))[1]

    def factor(self, node: Node, labels: Labels) -> tuple[bytes, Labels, tuple[int, ...]]:
        if isinstance(node, Leaf | SizeOf):
            bare, flip, ports = self.bare(node)
            return bare, labels[::-1] if flip else labels, ports
        return super().factor(node, labels)

    def shape(self, node: Node) -> Any:
        return len(node.shape)

    def size(self, size: Size) -> Size:
        return "·"

    def place(self, position: Size, size: Size) -> Any:
        """From the front, or how far behind the end."""
        return position if isinstance(position, int) else ("end", plus(position, size, -1))


def _by_shape(name: str, constant: Node) -> _Coloured:
    turns = len(constant.shape) == 2 and not is_symmetric(constant)
    return (len(constant.shape), turns), name, (False, True) if turns else (False,)


def _coloured(node: Node, variable: str, known: Any, name: str, flips: tuple[bool, ...]) -> _Coloured:
    """What the function looks like from one constant, the others alike; with the orientations that look smallest."""
    forms = [_Anonymous(variable, {name: (0, flip)})(node) for flip in flips]
    least = min(forms)
    return (known, *sorted(forms)), name, tuple(flip for flip, form in zip(flips, forms, strict=True) if form == least)


def _groups(coloured: Sequence[_Coloured]) -> list[list[tuple[str, tuple[bool, ...]]]]:
    """The constants that look alike, those with smaller colours first."""
    groups: dict[Any, list[tuple[str, tuple[bool, ...]]]] = {}
    for colour, name, flips in sorted(coloured):
        groups.setdefault(colour, []).append((name, flips))
    return list(groups.values())


def _count(coloured: Sequence[_Coloured]) -> int:
    """How many orders and orientations of the constants keep the colours sorted."""
    alike = math.prod(math.factorial(len(group)) for group in _groups(coloured))
    return alike * math.prod(len(flips) for _, _, flips in coloured)


def _orders(coloured: Sequence[_Coloured]) -> Iterator[_Order]:
    """Each of them."""
    choices = [
        [
            tuple(zip((name for name, _ in order), turns, strict=True))
            for order in permutations(group)
            for turns in cartesian(*(flips for _, flips in order))
        ]
        for group in _groups(coloured)
    ]
    for parts in cartesian(*choices):
        yield tuple(pair for part in parts for pair in part)


def _sizes_in(node: Node) -> dict[str, Node]:
    """The sizes that stand in an expression as numbers, which are constants of its pattern."""
    return {_size_name(part.letter): part for part in ordered(node) if isinstance(part, SizeOf)}


def _size_name(letter: str) -> str:
    """The name under which a size is a constant of a pattern."""
    return f"|{letter}|"
