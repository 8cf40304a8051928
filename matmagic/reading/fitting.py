"""Lengths of rows and columns that are found out: 𝟏, I and e_k are written without theirs.

A length is a number or an unknown one; two that have to be equal are unified.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .tree import Misfit


@dataclass(eq=False)
class Unknown:
    """A length that is not known yet; `same` is what it was unified with."""

    same: int | Unknown | None = None


Dim = int | Unknown
Shape = tuple[Dim, Dim]


@dataclass
class Fitting:
    """Shapes of the parts of a formula: rows and columns; a vector is a column, a scalar is 1 × 1."""

    one: int = 1
    scalar: Shape = field(default=(1, 1))
    products: list[tuple[Dim, Dim, Dim]] = field(default_factory=list)  # lengths, and what they are products of
    sums: list[tuple[Dim, list[Dim]]] = field(default_factory=list)  # of blocks, and the lengths of those
    stacked: list[Shape] = field(default_factory=list)  # what vec was taken of
    guesses: list[Shape] = field(default_factory=list)  # square if nothing else is said: triu(𝟏 𝟏ᵀ)
    least: list[tuple[Dim, int]] = field(default_factory=list)  # no longer than needed, likewise: I_{2:n,:} is n × n

    def found(self, dim: Dim) -> Dim:
        """The number, or the unknown that stands for all that are equal."""
        while isinstance(dim, Unknown) and dim.same is not None:
            dim = dim.same
        return dim

    def number(self, dim: Dim) -> int:
        """The number; Misfit where it is not known."""
        found = self.found(dim)
        if isinstance(found, Unknown):
            self.settle()
            self.guess()
            found = self.found(dim)
        if isinstance(found, Unknown):
            raise Misfit("the size of 𝟏, I, 0 or e is not known here; write it as an index, as in 𝟏_n or I_n")
        return found

    def unify(self, a: Dim, b: Dim) -> bool:
        """Whether two lengths are, or may be and now are, equal."""
        a, b = self.found(a), self.found(b)
        if a is b or a == b:
            return True
        if isinstance(a, Unknown):
            a.same = b
            return True
        if isinstance(b, Unknown):
            b.same = a
            return True
        return False

    def times(self, a: Dim, b: Dim) -> Dim:
        """The length a · b of a Kronecker product."""
        whole = Unknown()
        self.products.append((whole, a, b))
        self.settle()
        return self.found(whole)

    def added(self, parts: list[Dim]) -> Dim:
        """The length of blocks one after the other."""
        whole = Unknown()
        self.sums.append((whole, parts))
        self.settle()
        return self.found(whole)

    def settle(self) -> None:
        """Find lengths from those of Kronecker products, two of a · b = c give the third, and from those of blocks."""
        changed = True
        while changed:
            changed = any(self.solved(whole, parts) for whole, parts in self.sums)
            for whole, *factors in self.products:
                c, a, b = (self.found(d) for d in (whole, *factors))
                if isinstance(c, Unknown):
                    if isinstance(a, int) and isinstance(b, int):
                        c.same, changed = a * b, True
                elif isinstance(a, int) and isinstance(b, int):
                    if a * b != c:
                        raise Misfit(f"a Kronecker product with sides of {a} and {b} as one of {c}")
                elif a is b and isinstance(a, Unknown) and math.isqrt(c) ** 2 == c:
                    a.same, changed = math.isqrt(c), True
                elif isinstance(a, Unknown) != isinstance(b, Unknown):
                    known, other = (b, a) if isinstance(a, Unknown) else (a, b)
                    assert isinstance(known, int) and isinstance(other, Unknown)
                    if not known or c % known:
                        raise Misfit(f"a Kronecker product with a side of {c} and a factor with one of {known}")
                    other.same, changed = c // known, True

    def solved(self, whole: Dim, parts: list[Dim]) -> bool:
        """Whether the one unknown length among those of blocks and of the whole is found now."""
        total, *own = (self.found(dim) for dim in (whole, *parts))
        known = sum(dim for dim in own if isinstance(dim, int))
        unknown = [dim for dim in (total, *own) if isinstance(dim, Unknown)]
        if isinstance(total, int) and (total < known if unknown else total != known):
            raise Misfit(f"blocks of {known} rows or columns in place of {total}")
        if len(unknown) != 1:
            return False
        unknown[0].same = known if isinstance(total, Unknown) else total - known
        return True

    def guess(self) -> None:
        """What nothing else says: (A ⊗ B) vec(X) is vec(B X Aᵀ), I_{2:n,:} is n × n, triu(𝟏 𝟏ᵀ) is square."""
        for whole, a, b in self.products:
            for rows, columns in self.stacked:
                sizes = [self.found(d) for d in (whole, rows, columns)]
                fits = Unknown not in map(type, sizes) and sizes[0] == math.prod(map(self.number, sizes[1:]))
                long = not self.too_short(columns, a) and not self.too_short(rows, b)
                if fits and long and isinstance(self.found(a), Unknown) and isinstance(self.found(b), Unknown):
                    self.unify(a, columns)
                    self.unify(b, rows)
        for one, other in self.guesses:
            if not self.too_short(one, other) and not self.too_short(other, one):
                self.unify(one, other)
        self.settle()
        least: dict[Unknown, int] = {}
        for dim, number in self.least:
            found = self.found(dim)
            if isinstance(found, Unknown):
                least[found] = max(number, least.get(found, 0))
        for found, number in least.items():
            found.same = number
        self.settle()

    def too_short(self, dim: Dim, other: Dim) -> bool:
        """Whether a length is known, and less than another one has to be."""
        found = self.found(dim)
        return isinstance(found, int) and found < self.least_of(other)

    def least_of(self, dim: Dim) -> int:
        """How long it is at least."""
        return max((number for own, number in self.least if self.found(own) is self.found(dim)), default=0)

    def same(self, a: Shape, b: Shape, what: str) -> Shape:
        """The shape of both; a scalar goes with any."""
        if self.is_scalar(a) or self.is_scalar(b):
            return b if self.is_scalar(a) else a
        if not (self.unify(a[0], b[0]) and self.unify(a[1], b[1])):
            raise Misfit(f"{what}: {self.shown(a)} and {self.shown(b)} don't fit")
        return a

    def is_scalar(self, shape: Shape) -> bool:
        return self.found(shape[0]) == 1 and self.found(shape[1]) == 1

    def is_column(self, shape: Shape) -> bool:
        return self.found(shape[1]) == 1

    def is_vector(self, shape: Shape) -> bool:
        """A column or a row, no scalar."""
        return (self.found(shape[0]) == 1) != (self.found(shape[1]) == 1)

    def need(self, holds: bool, what: str, shape: Shape) -> None:
        if not holds:
            raise Misfit(f"{what} is needed, this is {self.shown(shape)}")

    def shown(self, shape: Shape) -> str:
        """3 × 4, with ? for what is not known."""
        if self.is_scalar(shape):
            return "a scalar"
        return " × ".join("?" if isinstance(d, Unknown) else str(d) for d in map(self.found, shape))
