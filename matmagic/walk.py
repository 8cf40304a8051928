"""Walking an expression: its nodes in order, and the same expression with parts exchanged.

Everything rebuilds through the constructors of expr.py, so what comes out is in normal form again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from .expr import (
    Basis,
    Call,
    Elementwise,
    Leaf,
    Node,
    OneHot,
    Power,
    Product,
    Selection,
    SizeOf,
    Sum,
    add,
    call,
    elementwise,
    made,
    onehot,
    power,
    product,
    size_of,
)
from .lengths import Size, letters_in, with_letters
from .lengths import parts as size_parts


def children(node: Node) -> tuple[Node, ...]:
    """The nodes that this one is made of."""
    match node:
        case Sum(terms=terms):
            return tuple(t for _, t in terms)
        case Product(factors=factors):
            return tuple(f for f, _ in factors)
        case Power(base=base):
            return (base,)
        case Elementwise(args=args) | Call(args=args):
            return args
        case OneHot(labels=labels):
            return (labels,)
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


def written_size(node: Node) -> int:
    """How many nodes the expression has when shared parts are written out each time."""
    sizes: dict[Node, int] = {}
    for part in ordered(node):
        sizes[part] = 1 + sum(sizes[child] for child in children(part))
    return sizes[node]


def depth(node: Node) -> int:
    """How many nodes stand one inside the other."""
    depths: dict[Node, int] = {}
    for part in ordered(node):
        depths[part] = 1 + max((depths[child] for child in children(part)), default=0)
    return depths[node]


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
        case Call(function=function, args=args):
            return call(function, node.shape, *(parts[a] for a in args))
        case OneHot(labels=labels):
            return onehot(parts[labels], node.shape[-1])
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
        for size in _sizes_in(part):
            letters.update(dict.fromkeys(letters_in(size)))
    return list(letters)


def counts_of(node: Node, letter: str) -> list[int]:
    """How often a letter is in each size of an expression that has it: 2 in 2 n + 1."""
    sizes = (size for part in ordered(node) for size in _sizes_in(part))
    return [count for size in sizes for own, count in size_parts(size)[0] if own == letter]


def _sizes_in(part: Node) -> tuple[Size, ...]:
    """Every size that a node mentions."""
    match part:
        case Product(sizes=sizes):
            return sizes
        case SizeOf(letter=letter):
            return (letter,)
        case Basis(position=position):
            return (*part.shape, position)
        case Selection(start=start):
            return (*part.shape, start)
    return part.shape


def with_fields(node: Node, **changes: Any) -> Node:
    """The node with some fields exchanged (sizes renamed, a leaf marked symmetric)."""
    return made(type(node), *(changes.get(f.name, getattr(node, f.name)) for f in fields(node)))  # type: ignore[no-any-return]


def resized(node: Node, sizes: Mapping[str, Size]) -> Node:
    """The expression with its size letters renamed, all at once (n and m may change places)."""
    marks: dict[str, Size] = {letter: f"{letter}'" for letter in sizes}
    return _renamed(_renamed(node, marks), {str(marks[letter]): size for letter, size in sizes.items()})


def _renamed(node: Node, sizes: Mapping[str, Size]) -> Node:
    """As resized, where no new size is also an old one: parts above a renamed part have its new sizes already."""

    def new(size: Size) -> Size:
        return with_letters(size, lambda letter: sizes.get(letter, letter))

    return respelled(node, new)


def respelled(node: Node, new: Callable[[Size], Size]) -> Node:
    """The expression with every size exchanged; what is given an exchanged size keeps it."""

    def rename(part: Node) -> Node:
        shape = tuple(map(new, part.shape))
        match part:
            case SizeOf(letter=letter):
                return size_of(new(letter))
            case Product(sizes=sizes):
                return with_fields(part, shape=shape, sizes=tuple(map(new, sizes)))
            case Basis(position=position):
                return with_fields(part, shape=shape, position=new(position))
            case Selection(start=start):
                return with_fields(part, shape=shape, start=new(start))
            case Call() | OneHot():
                return with_fields(part, shape=shape)
        return part if children(part) else with_fields(part, shape=shape)

    return transform(node, rename)
