"""An identity with its symbols bound to parts of a user's function.

In: a row of the registry, or a standard derivative, and what its symbols stand for.  Out: its function and derivative in
the user's names and sizes, and whether the user's arguments are what the row asks for.
Not known here: how a row is found, and whether it is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from .expr import Leaf, Node, add, number, product, transpose
from .lengths import Size, length
from .walk import leaves, resized, substitute

_IMPLIED: Mapping[str, tuple[str, ...]] = {  # what has one property has these too
    "positive-definite": ("symmetric", "positive-quadratic-form", "invertible", "positive-det"),
    "positive-quadratic-form": ("invertible", "positive-det"),
    "diagonal": ("symmetric",),
    "orthogonal": ("orthonormal-columns", "invertible"),
    "positive-det": ("invertible",),
    "one-hot": ("simplex", "binary"),
}


_TURNED = frozenset([*_IMPLIED, "symmetric", "skew", "invertible"]) - {"one-hot"}  # what the transpose has too


def has(assumed: Mapping[str, str], name: str, wanted: str) -> bool:
    """Whether an argument is declared to have a property, or one that is stronger."""
    own = assumed.get(name, "")
    return wanted == own or wanted in _IMPLIED.get(own, ())


class Rule(Protocol):
    """A row of the registry, or a standard derivative."""

    @property
    def name(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def conditions(self) -> tuple[str, ...]: ...
    @property
    def given(self) -> tuple[str, ...]: ...
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
        return substitute(resized(node, self._sizes), values)

    @property
    def _sizes(self) -> dict[str, Size]:
        """What the row's size letters stand for; a gradient may have some of a symbol that isn't in it."""
        values = {**self.bindings, self.identity.wrt: self.variable}
        pairs = ((own.shape, values[name].shape) for name, own in leaves(self.identity.node).items())
        return {old: new for own, users in pairs for old, new in zip(own, users, strict=True) if isinstance(old, str)}

    def properties(self, given: Iterable[str]) -> Iterator[tuple[str, str]]:
        """What conditions such as "A symmetric" ask of the user's arguments; "" for a part that is none."""
        values = {**self.bindings, self.identity.wrt: self.variable}
        for condition in given:
            name, _, wanted = condition.partition(" ")
            ways = (values[name], transpose(values[name])) if wanted in _TURNED else (values[name],)
            plain = next((own for own in ways if isinstance(own, Leaf)), None)
            yield "" if plain is None else plain.name, wanted

    @property
    def consistent(self) -> bool:
        """Whether sizes that are equal in the row are equal in the user's function."""
        values = {**self.bindings, self.identity.wrt: self.variable}
        pairs = ((own.shape, values[name].shape) for name, own in leaves(self.identity.node).items())
        known: dict[Size, Size] = {}
        return all(
            known.setdefault(old, new) == new for own, users in pairs for old, new in zip(own, users, strict=True)
        )

    def fits(self, sizes: Mapping[str, int]) -> bool:
        """Whether sizes of the user's letters keep the row's conditions, such as m >= n."""
        own = self._sizes
        asked = (condition.split(" >= ") for condition in self.identity.conditions if " >= " in condition)
        return all(length(own[larger], sizes) >= length(own[smaller], sizes) for larger, smaller in asked)
