"""The value of a formula for given arguments.

Tensors have one axis for each index in front, then rows and columns; an index runs along its axis, and Σ adds along it.
What is computed is bounded: entries, exponents, and work in all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..errors import OptionError
from .shaped import Shaped
from .table import FUNCTIONS, OVER_INDEX
from .tree import Misfit, Part

MOST_ENTRIES = 1_000_000
MOST_WORK = 300_000_000  # entries that are computed, those of a matrix product times its inner length
MOST_POWER = 64

RELATIONS = {"=": torch.eq, "<": torch.lt, ">": torch.gt, "≤": torch.le, "≥": torch.ge, "≠": torch.ne}
NORMS = {"1": 1, "": 2, "2": 2, "∞": math.inf, "F": 2}


@dataclass
class Values:
    """The values of the parts of one formula, each computed once."""

    shaped: Shaped
    ranges: Sequence[range]
    work: int = 0
    done: dict[Part, Tensor] = field(default_factory=dict)

    def value(self, part: Part) -> Tensor:
        if part not in self.done:
            self.done[part] = getattr(self, f"_{part.kind.replace(' ', '_')}")(part)
        return self.done[part]

    def all(self, part: Part) -> list[Tensor]:
        return [self.value(p) for p in part.parts]

    def room(self, entries: int, times: int = 1) -> None:
        """OptionError before too much is computed."""
        self.work += entries * times + 100
        if entries > MOST_ENTRIES or self.work > MOST_WORK:
            raise OptionError("the claim makes tensors that are too large")

    def broad(self, *given: Tensor) -> None:
        """Room for what broadcasting makes of these."""
        self.room(math.prod(map(max, *(t.shape for t in given))))

    def spread(self, tensor: Tensor) -> Tensor:
        """A matrix, the same for each index."""
        return tensor.reshape(*(1,) * len(self.ranges), *tensor.shape) if self.ranges else tensor

    def number(self, value: float) -> Tensor:
        return self.spread(torch.tensor([[value]], dtype=torch.float64))

    def rows(self, part: Part) -> int:
        return self.shaped.number(self.shaped.of[part][0])

    # ---- atoms

    def _number(self, part: Part) -> Tensor:
        return self.number(part.value).expand(*self.ranges and (1,) * len(self.ranges), self.rows(part), 1)

    def _size(self, part: Part) -> Tensor:
        return self.number(self.shaped.sizes[part.value])

    def _index(self, part: Part) -> Tensor:
        values = torch.tensor([*self.ranges[part.value]], dtype=torch.float64)
        return values.reshape([-1 if k == part.value else 1 for k in range(len(self.ranges) + 2)])

    def _name(self, part: Part) -> Tensor:
        given = self.shaped.values[part.value]
        tensor = (
            given.to(torch.float64) if isinstance(given, Tensor) else torch.tensor(float(given), dtype=torch.float64)
        )
        self.room(tensor.numel())
        return self.spread(tensor.reshape(tensor.shape if tensor.ndim == 2 else (-1, 1)))

    def _ones(self, part: Part) -> Tensor:
        self.room(self.rows(part))
        return self.spread(torch.ones(self.rows(part), 1, dtype=torch.float64))

    def _identity(self, part: Part) -> Tensor:
        self.room(self.rows(part) ** 2)
        return self.spread(torch.eye(self.rows(part), dtype=torch.float64))

    def _unit(self, part: Part) -> Tensor:
        """e_k, from 1; e_y for a label y, from 0."""
        (at,) = part.parts
        size = self.rows(part)
        self.room(size)
        place = self.value(at) if self.shaped.is_label(at) else self.value(at) - 1
        if bool(((place < 0) | (place >= size) | (place != place.round())).any()):
            raise Misfit("a unit vector e_k with k beyond its size")
        return (torch.arange(size).reshape(-1, 1) == place).double()

    def _commutation(self, part: Part) -> Tensor:
        m, n = map(self.shaped.count, part.parts)
        self.room((m * n) ** 2)
        order = torch.arange(m * n).reshape(n, m).T.reshape(-1)
        return self.spread(torch.eye(m * n, dtype=torch.float64)[order])

    def _counting(self, part: Part) -> Tensor:
        first, last = self.shaped.count(part.parts[0]), self.shaped.count(part.parts[-1])
        self.room(last - first + 1)
        return self.spread(torch.arange(first, last + 1, dtype=torch.float64)[None, :])

    def _list(self, part: Part) -> Tensor:
        rows = [[self.value(block) for block in row] for row in self.shaped.rows_of(part)]
        outer = torch.broadcast_shapes(*(block.shape[:-2] for row in rows for block in row))
        whole = [torch.cat([block.expand(*outer, *block.shape[-2:]) for block in row], -1) for row in rows]
        return torch.cat(whole, -2)

    # ---- arithmetic

    def _sum(self, part: Part) -> Tensor:
        given = self.all(part)
        total: Tensor = part.value[0] * given[0]
        for sign, other in zip(part.value[1:], given[1:], strict=True):
            self.broad(total, other)
            total = total + sign * other
        return total

    def _product(self, part: Part) -> Tensor:
        given = self.all(part)
        whole = None
        for block in self.shaped.blocks[part]:
            value = given[block[0]]
            for k in block[1:]:
                value = self.multiplied(value, given[k])
            whole = value if whole is None else self.multiplied(whole, value)
        assert whole is not None
        return whole

    def multiplied(self, a: Tensor, b: Tensor) -> Tensor:
        if a.shape[-2:] == (1, 1) or b.shape[-2:] == (1, 1):
            self.broad(a, b)
            return a * b
        batch = map(max, a.shape[:-2], b.shape[:-2])
        self.room(math.prod(batch) * a.shape[-2] * b.shape[-1], a.shape[-1])
        return a @ b

    def _star(self, part: Part) -> Tensor:
        a, b = self.all(part)
        match self.shaped.meant[part]:
            case "hadamard":
                self.broad(a, b)
                return a * b
            case "dot":
                return self.multiplied(a.mT, b)
        return self.multiplied(a, b)

    _dot = _star

    def _hadamard(self, part: Part) -> Tensor:
        a, b = self.all(part)
        self.broad(a, b)
        return a * b

    def _entrywise_over(self, part: Part) -> Tensor:
        a, b = self.all(part)
        self.broad(a, b)
        return a / b

    _over = _entrywise_over

    def _kron(self, part: Part) -> Tensor:
        a, b = self.all(part)
        rows, columns = a.shape[-2] * b.shape[-2], a.shape[-1] * b.shape[-1]
        batch = [*map(max, a.shape[:-2], b.shape[:-2])]
        self.room(math.prod(batch) * rows * columns)
        return (a[..., :, None, :, None] * b[..., None, :, None, :]).reshape(*batch, rows, columns)

    def _transpose(self, part: Part) -> Tensor:
        return self.value(part.parts[0]).mT

    def _power(self, part: Part) -> Tensor:
        base, exponent = self.all(part)
        if base.shape[-1] == 1:
            return self.to_power(base, exponent)
        count = float(exponent.reshape(-1)[0])
        if exponent.numel() > 1 or count != int(count):
            raise Misfit("a matrix to a power that is no whole number")
        self.bounded(exponent)
        self.room(base.numel(), base.shape[-1] * (2 + abs(int(count)).bit_length()))
        power: Tensor = torch.linalg.matrix_power(base, int(count))
        return power

    def _entrywise_power(self, part: Part) -> Tensor:
        return self.to_power(*self.all(part))

    _star_power = _entrywise_power

    def to_power(self, base: Tensor, exponent: Tensor) -> Tensor:
        self.bounded(exponent)
        self.broad(base, exponent)
        return base**exponent

    def bounded(self, exponent: Tensor) -> None:
        if bool((exponent.abs() > MOST_POWER).any()):
            raise OptionError(f"a power of {float(exponent.abs().max()):g} is too large, at most {MOST_POWER}")

    def _root(self, part: Part) -> Tensor:
        base, degree = self.all(part)
        return torch.sqrt(base) if float(degree.reshape(-1)[0]) == 2 else base ** (1 / degree)

    # ---- functions

    def _call(self, part: Part) -> Tensor:
        given = self.all(part)
        self.broad_or_square(given)
        self.room(math.prod(n for n in map(self.shaped.found, self.shaped.of[part]) if isinstance(n, int)))
        try:
            value: Tensor = FUNCTIONS[part.value].value(*given, **self.more(part))
        except TypeError:
            raise Misfit(f"{part.value} doesn't take {len(given)} arguments") from None
        return value

    def more(self, part: Part) -> dict[str, Any]:
        return {"count": self.shaped.number(self.shaped.of[part][1])} if part.value == "onehot" else {}

    def broad_or_square(self, given: Sequence[Tensor]) -> None:
        """Room for a function of matrices: a decomposition takes the cube of a side."""
        for tensor in given:
            self.room(tensor.numel(), 10 * min(tensor.shape[-2:]))

    def _norm(self, part: Part) -> Tensor:
        (x,) = self.all(part)
        self.broad_or_square([x])
        if 1 in x.shape[-2:] or part.value in ("", "F"):
            norm: Tensor = torch.linalg.vector_norm(x, NORMS[part.value], (-2, -1), True)
        else:
            norm = torch.linalg.matrix_norm(x, "nuc" if part.value == "*" else 2)[..., None, None]
        return norm

    def _bars(self, part: Part) -> Tensor:
        (x,) = self.all(part)
        if 1 in x.shape[-2:]:
            return x.abs()
        self.broad_or_square([x])
        determinant: Tensor = torch.linalg.det(x)[..., None, None]
        return determinant

    def _holds(self, part: Part) -> Tensor:
        a, b = self.all(part)
        self.broad(a, b)
        labels = [self.shaped.is_label(p) for p in part.parts]
        if True in labels and any(p.kind in ("index", "number", "size") for p in part.parts):  # i is class i - 1
            a, b = (value + label for value, label in zip((a, b), labels, strict=True))
        return RELATIONS[part.value](a, b).double()

    # ---- indices

    def _at(self, part: Part) -> Tensor:
        base, *specs = part.parts
        given = self.shaped.values.get(base.value) if base.kind == "name" else None
        if isinstance(given, Tensor) and given.ndim > 2:
            places = [self.places(spec, length, 0) for spec, length in zip(specs, given.shape, strict=True)]
            return given.to(torch.float64)[tuple(places)]
        tensor = self.value(base)
        shape = self.shaped.of[base]
        if len(specs) == 1:
            row = self.shaped.found(shape[0]) == 1 and self.shaped.found(shape[1]) != 1
            specs = [None, specs[0]] if row else [specs[0], None]  # type: ignore[list-item]
        places = [self.places(spec, tensor.shape[axis - 2], axis) for axis, spec in enumerate(specs)]
        outer = [
            torch.arange(size).reshape([-1 if k == axis else 1 for k in range(tensor.ndim)])
            for axis, size in enumerate(tensor.shape[:-2])
        ]
        self.broad(*outer, *places)
        return tensor[(*outer, *places)]

    def places(self, spec: Part | None, length: int, axis: int) -> Tensor:
        """Places from 0 along rows (axis 0) or columns, with the axes of all indices."""
        if spec is None:
            return self.spread(torch.zeros(1, 1, dtype=torch.int64))
        if spec.kind == "slice":
            own = torch.tensor([*(self.shaped.places(spec) if spec.parts else range(length))], dtype=torch.int64)
            places = self.spread(own[:, None] if axis == 0 else own[None, :])
        else:
            places = self.value(spec) - 1
        if bool(((places < 0) | (places >= length) | (places != places.round())).any()):
            raise Misfit("an index beyond the size")
        return places.long()

    def _over_index(self, part: Part) -> Tensor:
        function, axis, _ = part.value
        rank, take = OVER_INDEX[function]
        tensor = self.filled(self.value(part.parts[0]), [axis])
        if rank == 0:
            return take(tensor, axis)
        value = take(tensor.transpose(axis, -2), -2)
        self.room(value.numel())
        return value

    def _total(self, part: Part) -> Tensor:
        axes = list(part.value)
        return self.filled(self.value(part.parts[0]), axes).sum(axes, True)

    def filled(self, tensor: Tensor, axes: Sequence[int]) -> Tensor:
        """With all values of these indices, also where they don't matter."""
        sizes = [len(self.ranges[k]) if k in axes else -1 for k in range(len(self.ranges))]
        shape = [s if s > 0 or k in axes else tensor.shape[k] for k, s in enumerate(sizes)]
        self.room(math.prod(shape) * math.prod(tensor.shape[-2:]))
        return tensor.expand(*shape, *tensor.shape[-2:])


def laid_out(tensor: Tensor, free: Sequence[int]) -> Tensor:
    """The free indices as axes, in this order; without them rows and columns."""
    if not free:
        return tensor.reshape(tensor.shape[-2:])
    if tensor.shape[-2:] != (1, 1):
        raise Misfit("entries with indices have to be numbers")
    return (
        tensor[..., 0, 0]
        .permute(*free, *(k for k in range(tensor.ndim - 2) if k not in free))
        .reshape([tensor.shape[k] for k in free])
    )
