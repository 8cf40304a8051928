"""The shape of each part of a formula, for arguments of known shapes; Misfit where they don't fit each other.

One rule for each kind of part.  What shapes decide is decided here: which factors of a product are scalars, what * and ·
mean, over which range an index without one runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from .fitting import Dim, Fitting, Shape, Unknown
from .table import FUNCTIONS, OVER_INDEX
from .tree import Misfit, Part

HUGE = 10**6
OF_VECTORS = frozenset("softmax log_softmax logsumexp sort".split())


@dataclass
class Shaped(Fitting):
    """Shapes by part, sizes by letter, and what was decided."""

    values: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    of: dict[Part, Shape] = field(default_factory=dict)
    blocks: dict[Part, list[list[int]]] = field(default_factory=dict)  # of a product: factors multiplied by themselves
    meant: dict[Part, str] = field(default_factory=dict)  # * and · of two vectors or matrices
    bounds: dict[int, list[tuple[int, Dim]]] = field(default_factory=dict)  # first and last value of an index
    loose: bool = False  # whether 1/x or x² of a vector is taken entry by entry
    uses: list[tuple[Part, Dim]] = field(default_factory=list)  # indices, and the length that they run along

    def shape(self, part: Part) -> Shape:
        """The shape of a part, found once."""
        if part not in self.of:
            self.of[part] = getattr(self, f"_{part.kind.replace(' ', '_')}")(part)
        return self.of[part]

    def all(self, part: Part) -> list[Shape]:
        return [self.shape(p) for p in part.parts]

    # ---- atoms

    def _number(self, part: Part) -> Shape:
        return self.scalar

    _size = _index = _number

    def _name(self, part: Part) -> Shape:
        shape = tuple(self.values[part.value].shape) if isinstance(self.values[part.value], Tensor) else ()
        if len(shape) > 2:
            raise Misfit(
                f"{part.value} has {len(shape)} axes; write its entries, as in {part.value}_{'ijklpq'[: len(shape)]}"
            )
        return ((*shape, 1) if len(shape) == 1 else shape) or self.scalar

    def _ones(self, part: Part) -> Shape:
        return self.count(part.parts[0]) if part.parts else Unknown(), 1

    def _identity(self, part: Part) -> Shape:
        size = self.count(part.parts[0]) if part.parts else Unknown()
        return size, size

    def _unit(self, part: Part) -> Shape:
        self.need(self.is_scalar(self.shape(part.parts[0])), "a number as index of e", self.of[part.parts[0]])
        (at,) = part.parts
        if at.kind == "call" and at.value in ("argmax", "argmin"):
            return self.of[at.parts[0]][0], 1
        if at.kind == "over index":
            return self.length_of(at.value[1]), 1
        size = Unknown()
        if at.kind in ("size", "sum"):
            with suppress(Misfit):
                self.least.append((size, self.count(at)))
        return size, 1

    def _commutation(self, part: Part) -> Shape:
        m, n = map(self.count, part.parts)
        self.stacked.insert(0, (n, m))  # what is left of K_mn is applied to vec(Xᵀ)
        return m * n, m * n

    def _counting(self, part: Part) -> Shape:
        last, first = self.count(part.parts[-1]), self.count(part.parts[0])
        self.all(part)
        return 1, last - first + 1

    def _list(self, part: Part) -> Shape:
        """Numbers, or blocks that fit each other, row by row."""
        rows = [[self.shape(block) for block in row] for row in self.rows_of(part)]
        for row in rows:
            for shape in row[1:]:
                self.need(self.unify(row[0][0], shape[0]), "a block as high as those beside it", shape)
        if all(len(row) == 1 for row in rows):
            for (shape,) in rows[1:]:
                self.need(self.unify(rows[0][0][1], shape[1]), "a block as wide as those above it", shape)
        width, *others = (self.added([shape[1] for shape in row]) for row in rows)
        if not all(self.unify(width, other) for other in others):
            raise Misfit("a matrix has rows of one length")
        return self.added([row[0][0] for row in rows]), width

    def rows_of(self, part: Part) -> list[tuple[Part, ...]]:
        """What a list holds, row by row; [a, b] of numbers is a column, [A, B] of matrices has them side by side."""
        in_rows = [entry.kind == "list" and entry.value == "," for entry in part.parts]
        if part.value == "," and not all(in_rows):
            numbers = all(self.is_scalar(self.shape(entry)) for entry in part.parts)
            return [(entry,) for entry in part.parts] if numbers else [part.parts]
        return [entry.parts if is_row else (entry,) for entry, is_row in zip(part.parts, in_rows, strict=True)]

    def count(self, part: Part) -> int:
        """A size or number as a number."""
        match part.kind:
            case "number" if part.value == int(part.value):
                return int(part.value)
            case "size":
                return self.sizes[part.value]
            case "sum":
                return sum(sign * self.count(p) for sign, p in zip(part.value, part.parts, strict=True))
            case "product" | "star" | "dot":
                return math.prod(map(self.count, part.parts))
        raise Misfit("a size is needed here: a number, or a letter such as n")

    # ---- arithmetic

    def _sum(self, part: Part) -> Shape:
        shapes = self.all(part)
        wide = [s for s, p in zip(shapes, part.parts, strict=True) if not self.is_scalar(s)]
        if not wide:
            return self.scalar
        whole = wide[0]
        for other in wide[1:]:
            whole = self.same(whole, other, "a sum")
        zero = [
            p.kind == "number" and p.value == 0 for p, s in zip(part.parts, shapes, strict=True) if self.is_scalar(s)
        ]
        rows, columns = map(self.found, whole)
        if not all(zero) and not self.is_vector(whole) and (rows == columns or Unknown in map(type, (rows, columns))):
            raise Misfit("a number plus a square matrix: c I, or c 𝟏 𝟏ᵀ?")
        return whole

    def _product(self, part: Part) -> Shape:
        """Factors side by side: those that fit are multiplied; what has become a scalar goes anywhere."""
        stack: list[tuple[list[int], Shape]] = []
        done: list[list[int]] = []
        for k, shape in enumerate(self.all(part)):
            joined = self.joined(stack[-1][1], shape) if stack else None
            if joined is None:
                stack.append(([k], shape))
            else:
                stack[-1] = ([*stack[-1][0], k], joined)
            while len(stack) > 1 and self.is_scalar(stack[-1][1]):
                done.append(stack.pop()[0])
        if len(stack) > 1:
            (_, a), (_, b) = stack[:2]
            raise Misfit(f"a product of {self.shown(a)} and {self.shown(b)}")
        self.blocks[part] = [*done, stack[0][0]]
        return stack[0][1]

    def joined(self, a: Shape, b: Shape) -> Shape | None:
        """The shape of a matrix product, or of a scalar's; None where they don't fit."""
        if self.is_scalar(a) or self.is_scalar(b):
            return b if self.is_scalar(a) else a
        inner, outer = self.found(a[1]), self.found(b[0])
        if (inner == 1) != (outer == 1):  # an unknown length is none of 1
            return None
        return (a[0], b[1]) if self.unify(inner, outer) else None

    def _star(self, part: Part) -> Shape:
        """a * b: scalars, a matrix product or entry by entry, whichever fits."""
        a, b = self.all(part)
        if self.is_scalar(a) or self.is_scalar(b):
            self.meant[part] = "product"
            return b if self.is_scalar(a) else a
        alike = tuple(map(self.found, a)) == tuple(map(self.found, b))
        inner = self.found(a[1]) == self.found(b[0])
        if alike and inner:
            raise Misfit("* of two square matrices: A B, or A ⊙ B?")
        self.meant[part] = "hadamard" if alike else "product"
        if alike:
            return a
        found = self.joined(a, b)
        if found is None:
            raise Misfit(f"a product of {self.shown(a)} and {self.shown(b)}")
        return found

    def _dot(self, part: Part) -> Shape:
        """a · b: a product, of two vectors xᵀ y."""
        a, b = self.all(part)
        if self.is_vector(a) and self.is_vector(b) and self.is_column(a) and self.is_column(b):
            self.same(a, b, "a · b")
            self.meant[part] = "dot"
            return self.scalar
        found = self.joined(a, b)
        if found is None:
            raise Misfit(f"a product of {self.shown(a)} and {self.shown(b)}")
        self.meant[part] = "product"
        return found

    def _hadamard(self, part: Part) -> Shape:
        a, b = self.all(part)
        for one in part.parts:
            if one.kind == "bars" and not self.is_scalar(self.of[one.parts[0]]) and self.is_scalar(self.of[one]):
                raise Misfit("|A| of a matrix is det(A); entry by entry it is abs(A)")
        return self.same(a, b, "entry by entry")

    _entrywise_over = _hadamard

    def _over(self, part: Part) -> Shape:
        top, bottom = self.all(part)
        if self.is_vector(bottom) and self.is_column(bottom) and self.is_column(top):
            self.loose = True
            return self.same(top, bottom, "a fraction, entry by entry")
        self.need(self.is_scalar(bottom), "a number below the fraction (⊘ divides entry by entry)", bottom)
        return top

    def _kron(self, part: Part) -> Shape:
        a, b = self.all(part)
        return self.times(a[0], b[0]), self.times(a[1], b[1])

    def _transpose(self, part: Part) -> Shape:
        (shape,) = self.all(part)
        if part.value and self.is_scalar(shape):
            raise Misfit(f"a number to the power {part.value}, which is an argument, not transposed")
        return shape[::-1]

    def _power(self, part: Part) -> Shape:
        base, exponent = self.all(part)
        self.need(self.is_scalar(exponent), "a number as exponent", exponent)
        if not self.is_scalar(base):
            if self.is_vector(base) and self.is_column(base):
                self.loose = True
                return base
            self.need(self.unify(*base), "a square matrix to take a power of (X^⊙2 is entry by entry)", base)
        return base

    def _entrywise_power(self, part: Part) -> Shape:
        base, exponent = self.all(part)
        return base if self.is_scalar(exponent) else self.same(base, exponent, "a power, entry by entry")

    def _star_power(self, part: Part) -> Shape:
        """x**2: of numbers and vectors entry by entry; of a matrix it could be X X."""
        base, exponent = self.all(part)
        self.need(self.is_scalar(exponent), "a number as exponent", exponent)
        if not (self.is_scalar(base) or self.is_vector(base)) and self.found(base[0]) == self.found(base[1]):
            raise Misfit("** of a square matrix: X^2 is X X, X^⊙2 is entry by entry")
        return base

    def _root(self, part: Part) -> Shape:
        base, _ = self.all(part)
        self.need(self.is_scalar(base) or self.is_vector(base), "a number or a vector under a root", base)
        return base

    # ---- functions

    def _call(self, part: Part) -> Shape:
        if part.value not in FUNCTIONS:
            raise Misfit(f"{part.value.replace('_', ' of ')} is not known")
        if part.value in OF_VECTORS and part.parts[0].kind == "number" and part.parts[0].value == 0:
            self.of[part.parts[0]] = Unknown(), 1  # 0 where a vector is needed
        shapes = self.all(part)
        inner = part.parts[0]
        if part.value == "onehot" and inner.kind == "call" and inner.value in ("argmax_rows", "argmin_rows"):
            return self.of[inner.parts[0]]
        try:
            return FUNCTIONS[part.value].shape(self, shapes)
        except (ValueError, IndexError):
            raise Misfit(f"{part.value} is not a function of {len(shapes)} arguments") from None

    def _norm(self, part: Part) -> Shape:
        (shape,) = self.all(part)
        column = self.is_column(shape) or self.found(shape[0]) == 1
        if part.value in ("1", "∞") and not column:
            raise Misfit(f"‖·‖_{part.value} of a matrix: write ‖X‖_F, or ‖X‖_2 for the spectral norm")
        if part.value == "*" and column:
            raise Misfit("‖·‖_* of a vector")
        return self.scalar

    def _bars(self, part: Part) -> Shape:
        """|t|, |x| entry by entry, |A| the determinant."""
        (shape,) = self.all(part)
        if self.is_scalar(shape) or self.is_vector(shape):
            return shape
        self.need(self.unify(*shape), "a square matrix between bars, as a determinant,", shape)
        return self.scalar

    def is_label(self, part: Part) -> bool:
        """Whether it is the label of a class, which counts from 0: an entry of an integer argument, or an argmax."""
        base = part.parts[0] if part.kind == "at" else part
        if base.kind == "name":
            given = self.values[base.value]
            return isinstance(given, Tensor) and not given.is_floating_point()
        return base.kind in ("call", "over index") and "arg" in str(base.value)

    def _holds(self, part: Part) -> Shape:
        a, b = self.all(part)
        return self.same(a, b, "a relation")

    # ---- indices

    def _at(self, part: Part) -> Shape:
        base, *specs = part.parts
        for spec in specs:
            if spec.kind == "slice":
                self.all(spec)
            else:
                self.need(self.is_scalar(self.shape(spec)), "a number as index", self.of[spec])
        if base.kind == "name" and isinstance(self.values[base.value], Tensor) and self.values[base.value].ndim > 2:
            lengths: list[Dim] = list(self.values[base.value].shape)
            if len(specs) != len(lengths) or any(s.kind == "slice" for s in specs):
                raise Misfit(f"{base.value} has {len(lengths)} indices")
            self.uses += list(zip(specs, lengths, strict=True))
            return self.scalar
        rows, columns = self.shape(base)
        if len(specs) == 1:
            row = self.found(rows) == 1 and self.found(columns) != 1
            if not row and self.found(columns) != 1:
                raise Misfit("an entry of a matrix has two indices, as in A_ij")
            lengths, specs = [rows, columns], [None, specs[0]] if row else [specs[0], None]  # type: ignore[list-item]
        elif len(specs) == 2:
            lengths = [rows, columns]
        else:
            raise Misfit("more indices than axes")
        shape: list[Dim] = []
        for spec, length in zip(specs, lengths, strict=True):
            if spec is None:
                shape.append(1)
            elif spec.kind == "slice":
                shape.append(len(self.places(spec)) if spec.parts else length)
                if spec.parts and base.kind == "identity":
                    self.least.append((length, max(self.count(p) for p in spec.parts)))
            else:
                self.uses.append((spec, length))
                shape.append(1)
        return shape[0], shape[1]

    def places(self, spec: Part) -> range:
        """a:b or a:step:b, from 1 and with the last one, as places from 0."""
        numbers = [self.count(p) for p in spec.parts]
        first, step, last = numbers[0], numbers[1] if len(numbers) == 3 else 1, numbers[-1]
        if not step or min(first, last) < 1 or max(first, last) > HUGE:
            raise Misfit("a range that is not there")
        return range(first - 1, last if step > 0 else last - 2, step)

    def _over_index(self, part: Part) -> Shape:
        function, axis, count = part.value
        if function not in OVER_INDEX or count != 1:
            raise Misfit(f"{function} over an index is not known")
        for end in part.parts[1:]:
            self.bounds.setdefault(axis, []).append((1, self.count(end)))
        self.need(self.is_scalar(self.shape(part.parts[0])), "a number for each index", self.of[part.parts[0]])
        length = self.length_of(axis)
        return ((1, 1), (length, 1), (length, length))[OVER_INDEX[function][0]]

    def _total(self, part: Part) -> Shape:
        inside, *ends = part.parts
        if ends:
            first, last = (1, self.count(ends[0])) if len(ends) == 1 else map(self.count, ends)
            for axis in part.value:
                self.bounds.setdefault(axis, []).append((first, last))
        shape = self.shape(inside)
        return shape

    def length_of(self, axis: int) -> Dim:
        """How many values an index has, from what it is used for so far."""
        if axis in self.bounds:
            first, last = self.bounds[axis][0]
            return self.number(last) - first + 1
        for spec, length in self.uses:
            if spec.kind == "index" and spec.value == axis:
                return length
        raise Misfit("an index whose range is not known")

    def ranges(self, count: int) -> list[range]:
        """The values of each index, from 1: as far as there are entries."""
        first, last = self.ends(count)
        if HUGE in last:
            self.settle()
            self.guess()
            first, last = self.ends(count)
        if HUGE in last:
            raise Misfit("an index whose range is not known")
        for spec, length in self.uses:
            if spec.kind == "index" and self.least_of(length) <= last[spec.value]:
                self.unify(length, last[spec.value])
        return [range(low, high + 1) for low, high in zip(first, last, strict=True)]

    def ends(self, count: int) -> tuple[list[int], list[int]]:
        """The first and last values of each index, as far as they are known."""
        first, last = [1] * count, [HUGE] * count
        for axis, given in self.bounds.items():
            for low, high in given:
                first[axis], last[axis] = max(first[axis], low), min(last[axis], self.number(high))
        for spec, length in self.uses:
            steps, number = self.affine(spec)
            if len(steps) != 1 or isinstance(self.found(length), Unknown):
                continue
            ((axis, step),) = steps.items()
            ends = sorted(((1 - number) / step, (self.number(length) - number) / step))
            first[axis], last[axis] = max(first[axis], math.ceil(ends[0])), min(last[axis], math.floor(ends[1]))
        return first, last

    def affine(self, part: Part) -> tuple[dict[int, int], int]:
        """An index expression as Σ step · index + number; no steps for any other one."""
        match part.kind:
            case "index":
                return {part.value: 1}, 0
            case "sum":
                steps: dict[int, int] = {}
                total = 0
                for sign, p in zip(part.value, part.parts, strict=True):
                    own, number = self.affine(p)
                    total += sign * number
                    for axis, step in own.items():
                        steps[axis] = steps.get(axis, 0) + sign * step
                return {axis: step for axis, step in steps.items() if step}, total
            case "product" if len(part.parts) == 2 and part.parts[0].kind == "number":
                own, number = self.affine(part.parts[1])
                times = self.count(part.parts[0])
                return {axis: times * step for axis, step in own.items()}, times * number
        try:
            return {}, self.count(part)
        except Misfit:
            return {}, 0
