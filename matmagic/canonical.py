"""Canonical keys: two expressions have the same key exactly when they are the same up to order and index names.

In: an expression.  Out: a digest of its canonical form.  Sums are sorted; in a product the summed indices are told
apart by colour refinement, then, where symmetry keeps them alike, by trying each (individualisation) and keeping the
smallest form; a hash of neighbourhoods alone would confuse tr(X^2) with tr(X)^2.  `pattern` goes further and forgets
the names of the constants, their orientation and the size letters, so that a rule and a user's function can meet.
Not known here: algebra (expansion is simplify's), and which patterns have names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import permutations, product
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
    leaf,
    permute,
    size_of,
    transpose,
)
from .lengths import Size
from .walk import children, leaves, size_letters, substitute, transform, with_fields

KEEPS_SYMMETRY = frozenset({"inverse", "pinv", "expm"})
MOST_ORDERS = 200  # orders of alike constants tried for one pattern; beyond that it has none

_keys: WeakKeyDictionary[Node, bytes] = WeakKeyDictionary()


def key(node: Node) -> bytes:
    """16 bytes, equal for equal expressions: factors, terms and index names in any order.

    >>> from matmagic.expr import leaf, product
    >>> X = leaf("X", ("n", "n"))
    >>> key(product([(X, (0, 1)), (X, (1, 0))], (), ())) == key(product([(X, (0, 0)), (X, (1, 1))], (), ()))
    False
    """
    stack = [] if node in _keys else [node]
    while stack:
        missing = [child for child in children(stack[-1]) if child not in _keys]
        if missing:
            stack += missing
        else:
            part = stack.pop()
            _keys[part] = _digest(_form(part))
    return _keys[node]


def is_symmetric(node: Node) -> bool:
    """A matrix expression that equals its transpose, whatever the values."""
    if len(node.shape) != 2 or node.shape[0] != node.shape[1]:
        return False
    if isinstance(node, Call):
        return node.function in KEEPS_SYMMETRY and is_symmetric(node.args[0])
    return key(permute(node, (1, 0))) == key(node)


def _digest(form: tuple[Any, ...]) -> bytes:
    return blake2b(repr(form).encode(), digest_size=16).digest()


def _form(node: Node) -> tuple[Any, ...]:
    match node:
        case Leaf(name=name, symmetric=symmetric):
            return ("leaf", name, node.shape, symmetric)
        case SizeOf(letter=letter):
            return ("size", letter)
        case Basis(position=k):
            return ("basis", node.shape, k)
        case Delta():
            return ("delta", node.shape)
        case Power(base=base, exponent=p):
            return ("power", key(base), str(p))
        case Elementwise(function=function, args=args):
            return ("function", function, *map(key, args))
        case Selection(start=start, step=step):
            return ("selection", node.shape, start, step)
        case Triangle(offset=offset):
            return ("triangle", node.shape, offset)
        case Range():
            return ("range", node.shape)
        case OneHot(labels=labels):
            return ("onehot", node.shape, key(labels))
        case Call(function=function, args=args):
            return ("call", function, *map(key, args))
        case Sum(terms=terms):
            return ("sum", node.shape, *sorted((str(c), key(t)) for c, t in terms))
        case Product():
            parts = linked(node.factors, lambda label: label >= len(node.shape))
            return ("product", node.shape, *sorted(_component(node, part) for part in parts))
    raise TypeError(type(node).__name__)


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


def _ports(node: Node) -> tuple[int, ...]:
    """The class of each axis: axes of one class are interchangeable."""
    if isinstance(node, Product | Sum | Power | Elementwise | Leaf | Delta | Call) and is_symmetric_factor(node):
        return (0, 0)
    return tuple(range(len(node.shape)))


def is_symmetric_factor(node: Node) -> bool:
    """As is_symmetric, without asking a plain leaf for the key of its transpose."""
    if isinstance(node, Leaf):
        return node.symmetric
    return isinstance(node, Delta) or is_symmetric(node)


def _component(node: Product, members: Sequence[Factor]) -> tuple[Any, ...]:
    rank = len(node.shape)
    factors = [(key(factor), labels, _ports(factor)) for factor, labels in members]
    colours: dict[int, Any] = {}
    for _, labels, _ in factors:
        for label in labels:
            colours[label] = (0, label) if label < rank else (1, str(node.sizes[label]))
    return _smallest(factors, _ranked(colours), colours)


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
        if len(set(finer.values())) == len(set(colours.values())):
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
    bare = _without_sizes(node)
    named = leaves(bare)
    if variable not in named:
        return None
    bare_variable = leaf("?x", named[variable].shape)
    bare = substitute(bare, {variable: bare_variable})
    constants = [c for name, c in named.items() if name != variable]
    coloured = sorted(((_colour(bare, c), c) for c in constants), key=lambda pair: pair[0])
    orders = _orders(coloured)
    if orders is None:
        return None
    originals: dict[str, Node] = {**leaves(node), **{_size_name(s): size_of(s) for s in size_letters(node)}}
    best = min(((key(_placed(bare, order)), order) for order in orders), key=lambda pair: pair[0])
    return Pattern(best[0], tuple(_turned(originals[c.name], flip) for c, flip in best[1]))


_Order = tuple[tuple[Leaf, bool], ...]


def _turned(node: Node, flip: bool) -> Node:
    return transpose(node) if flip else node


def _placeholder(k: int, constant: Leaf) -> Leaf:
    return leaf(f"?{k}", constant.shape, constant.symmetric)


def _placed(node: Node, order: _Order) -> Node:
    return substitute(node, {c.name: _turned(_placeholder(k, c), flip) for k, (c, flip) in enumerate(order)})


def _colour(node: Node, constant: Leaf) -> tuple[bytes, ...]:
    """What the function looks like from one constant, each orientation, all other constants alike."""
    others: dict[str, Node] = {
        name: leaf("?", other.shape, len(other.shape) == 2)
        for name, other in leaves(node).items()
        if name not in (constant.name, "?x")
    }
    forms = []
    for flip in _flips(constant):
        forms.append(key(substitute(node, {**others, constant.name: _turned(_placeholder(0, constant), flip)})))
    return tuple(sorted(forms))


def _flips(constant: Leaf) -> tuple[bool, ...]:
    return (False, True) if len(constant.shape) == 2 and not constant.symmetric else (False,)


def _orders(coloured: Sequence[tuple[tuple[bytes, ...], Leaf]]) -> list[_Order] | None:
    """Every order and orientation of the constants that keeps the colours sorted."""
    groups: dict[tuple[bytes, ...], list[Leaf]] = {}
    for colour, constant in coloured:
        groups.setdefault(colour, []).append(constant)
    choices: list[list[_Order]] = []
    count = 1
    for members in groups.values():
        flips = [_flips(c) for c in members]
        ways = (
            [
                tuple(zip(order, turns, strict=True))
                for order in permutations(members)
                for turns in product(*(flips[members.index(c)] for c in order))
            ]
            if len(members) <= 4
            else []
        )
        count *= len(ways)
        choices.append(ways)
    if not 0 < count <= MOST_ORDERS:
        return None
    return [tuple(pair for part in parts for pair in part) for parts in product(*choices)]


def _without_sizes(node: Node) -> Node:
    """Every size letter as one, so that only the wiring counts."""

    def forget(part: Node) -> Node:
        if isinstance(part, SizeOf):
            return leaf(_size_name(part.letter), ())
        if isinstance(part, Product):
            return with_fields(part, shape=_forgotten(part.shape), sizes=_forgotten(part.sizes))
        if not children(part) or isinstance(part, Call | OneHot):
            return with_fields(part, shape=_forgotten(part.shape))
        return part

    return transform(node, forget)


def _forgotten(sizes: tuple[Size, ...]) -> tuple[Size, ...]:
    return ("·",) * len(sizes)


def _size_name(letter: str) -> str:
    """The name under which a size is a constant of a pattern."""
    return f"|{letter}|"
