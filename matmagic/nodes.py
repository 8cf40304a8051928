"""The node types of an expression, and the one place where nodes are made.

A node stands for a tensor with numbered axes; equal nodes are one object, so `is` compares.  What keeps nodes in normal
form are the constructors of expr.py: nothing else makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from weakref import WeakValueDictionary

from .lengths import Size

Number = Fraction | float
Labels = tuple[int, ...]
Factor = tuple["Node", Labels]


@dataclass(frozen=True, eq=False, repr=False)
class Node:
    """A tensor-valued expression; `shape` has one size an axis."""

    shape: tuple[Size, ...]

    def __repr__(self) -> str:
        """One level of it: shared parts, written out, may be longer than memory."""
        parts = [p for p in vars(self).values() if not isinstance(p, Node | tuple)]
        return f"<{' '.join([type(self).__name__, *map(str, parts)])} of shape {self.shape}>"


@dataclass(frozen=True, eq=False, repr=False)
class Leaf(Node):
    """A named tensor: an argument, or one read from the notebook."""

    name: str
    symmetric: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class SizeOf(Node):
    """The number n for a size letter n."""

    letter: str


@dataclass(frozen=True, eq=False, repr=False)
class Basis(Node):
    """e_k: 1 at position k (from 0; "n-1" is the last), else 0; indexing by a constant is a product with it."""

    position: Size


@dataclass(frozen=True, eq=False, repr=False)
class Delta(Node):
    """The identity matrix."""


@dataclass(frozen=True, eq=False, repr=False)
class Selection(Node):
    """S_ij = 1 where j = start + step i, else 0: S x are some entries of x, in order (a slice, a reversal)."""

    start: Size
    step: int


@dataclass(frozen=True, eq=False, repr=False)
class Triangle(Node):
    """T_ij = 1 where j - i >= offset, else 0; triu(M) is T ⊙ M."""

    offset: int


@dataclass(frozen=True, eq=False, repr=False)
class Range(Node):
    """0, 1, …, n-1."""


@dataclass(frozen=True, eq=False, repr=False)
class OneHot(Node):
    """1 where the last index is the label, else 0: indexing by a tensor of whole numbers is a product with it."""

    labels: Node


@dataclass(frozen=True, eq=False, repr=False)
class Sum(Node):
    """Σ coefficient · term; no terms is zero, one term is a number times a node."""

    terms: tuple[tuple[Number, Node], ...]


@dataclass(frozen=True, eq=False, repr=False)
class Product(Node):
    """Σ over the labels that are not in the output of the product of the factors' entries.

    Output labels are 0 … rank-1; `sizes[l]` is the size of label l.
    """

    factors: tuple[Factor, ...]
    sizes: tuple[Size, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Power(Node):
    """Each entry of the base to a fixed power."""

    base: Node
    exponent: Number


@dataclass(frozen=True, eq=False, repr=False)
class Elementwise(Node):
    """A function of the table in functions.py, applied entry by entry to arguments of one shape."""

    function: str
    args: tuple[Node, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Call(Node):
    """A function of matrix_functions.py, of the last axes of its arguments; the axes before are a batch."""

    function: str
    args: tuple[Node, ...]


_nodes: WeakValueDictionary[tuple[Any, ...], Node] = WeakValueDictionary()


def made(kind: type[Node], *values: Any) -> Any:
    """The one node of this kind with these fields."""
    key = (kind, *values, *(type(v) for v in values))
    node = _nodes.get(key)
    if node is None:
        node = _nodes[key] = kind(*values)
    return node
