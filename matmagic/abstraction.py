"""A function with its constant parts each as one constant: xᵀBᵀBx as xᵀ C x.

In: an expression and its variable.  Out: the expression with made-up constants, and what these stand for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count

from .canonical import key, linked
from .expr import Leaf, Node, Number, Product, SizeOf, Sum, add, leaf, number, product, transpose
from .walk import leaves, ordered, substitute, transform

STYLES = ("kept", "absorbed", "ones")


def abstract(form: Node, variable: Leaf) -> Iterator[tuple[Node, Mapping[str, Node]]]:
    """The form with its constant parts each as one constant, and what these made-up constants stand for.

    First with the signs, and the numbers and sizes that stand alone, left there, as rows with means have them; then
    without; last with 𝟏ᵀx for Σ x.  Constant terms are written A x - b in some rows, A x + b in others: both are tried,
    that of the form first.
    """
    for style in STYLES:
        ways = [_Abstraction(form, variable, style, -1)]
        if ways[0].signs_matter:
            ways.append(_Abstraction(form, variable, style, 1))
        for way in sorted(ways, key=lambda way: way.negated):
            yield way.form, way.constants
        if not ways[0].open:
            return


def _is_size(part: Node) -> bool:
    return isinstance(part, SizeOf)


class _Abstraction:
    """Replaces the parts of a function that don't contain the variable by made-up constants, equal parts by one."""

    def __init__(self, form: Node, variable: Leaf, style: str, sign: int) -> None:
        self.variable = variable
        self.sign = sign
        self.kept, self.ones = style == "kept", style == "ones"
        self.open = False  # whether another style may make another form
        self.signs_matter = False
        self.negated = 0  # constant terms that have the other sign in the form
        self.constants: dict[str, Node] = {}
        self.names: dict[bytes, str] = {}
        self.numbers = count(1)
        self.varying: dict[Node, bool] = {}
        self.form = transform(form, self.abstracted)

    def varies(self, node: Node) -> bool:
        if node not in self.varying:
            self.varying[node] = self.variable.name in leaves(node)
        return self.varying[node]

    def stays(self, node: Node) -> bool:
        """Whether a factor is left as it is."""
        if self.varies(node):
            return True
        size = self.kept and any(map(_is_size, ordered(node))) and not leaves(node)
        self.open = self.open or size
        return size

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
                sign = -1 if self.kept and c < 0 else 1
                self.open = self.open or sign < 0
                inner = self.product(t, sign * c) if isinstance(t, Product) and c != 1 else None
                terms.append((sign, inner) if inner is not None else (c, t))
        if fixed:
            self.signs_matter = True
            self.negated += self.sign * fixed[0][0] < 0
            part = add([(self.sign * c, t) for c, t in fixed], node.shape)
            terms.append((self.sign, self.placeholder(self.restored(part))))
        return add(terms, node.shape)

    def restored(self, node: Node) -> Node:
        """A part with the made-up constants in it put back."""
        return substitute(node, self.constants)

    def product(self, node: Product, coefficient: Number) -> Node:
        """Constant factors that hang together as one constant; scalars and the coefficient go into the first."""
        rank = len(node.shape)
        varying = [(f, at) for f, at in node.factors if self.stays(f)]
        fixed = [(f, at) for f, at in node.factors if not self.stays(f)]
        if not fixed and not rank and [f for f, _ in varying] == [self.variable]:
            self.open = not self.ones
            if self.ones:
                fixed = [(number(1, [node.sizes[label]]), (label,)) for label in dict.fromkeys(varying[0][1])]
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
        if not open_groups and not scalars and self.kept:
            self.open = self.open or coefficient != 1
            return add([(coefficient, node)], node.shape)
        if not open_groups and (scalars or coefficient != 1):
            part = add([(coefficient, product(scalars, (), ()))], ())
            factors.append((self.placeholder(self.restored(part)), ()))
        return product(factors, node.sizes[:rank], range(rank))
