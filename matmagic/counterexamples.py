"""Where a wrong answer fails, in small whole numbers.

In: an answer and the derivative as functions of the inputs, and the shapes.  Out: inputs at which they
differ. Candidates are few and simple (0, 1, -1, 2), and are tried in the order of their simplicity for a
short time.
Not known here: why the answer is wrong.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from .lengths import lengths, letters_of
from .regularity import Evaluate
from .sampling import holds
from .shapes import Shapes, assign

SECONDS = 0.05
FEWEST = 20  # tried in any case


def counterexample(
    shapes: Shapes, assume: Mapping[str, str], first: str, found: Evaluate, truth: Evaluate
) -> dict[str, Tensor]:
    """Small whole numbers at which found and truth differ, the argument `first` in front; {} if none are
    found.

    All sizes are 2 at first, and different ones if that shows nothing.
    """
    letters = letters_of(shapes.of)
    names = sorted(shapes.of, key=lambda n: n != first)
    deadline = time.monotonic() + SECONDS
    equal = [] if shapes.conditions else [dict.fromkeys(letters, 2)]
    for sizes in (*equal, assign(letters, range(2, 9 + len(letters)), shapes.conditions)):
        choices = [_choices(shapes, n, sizes, assume.get(n)) for n in names]
        for tries, pick in enumerate(_by_sum([len(c) for c in choices])):
            if tries > FEWEST and time.monotonic() > deadline:
                return {}
            inputs = {n: c[i] for n, c, i in zip(names, choices, pick, strict=True)}
            if _differ(found, truth, inputs):
                return inputs
    return {}


def _choices(shapes: Shapes, name: str, sizes: Mapping[str, int], prop: str | None) -> list[Tensor]:
    """Small tensors for one argument; integer ones keep the notebook's values."""
    kept = shapes.values.get(name)
    if kept is not None and not kept.is_floating_point():
        return [kept]
    return small(lengths(shapes.of[name], sizes), prop)


def _differ(found: Evaluate, truth: Evaluate, inputs: Mapping[str, Tensor]) -> bool:
    """Whether both are finite here and differ visibly."""
    try:
        one, other = found(inputs), truth(inputs)
    except Exception:
        return False
    finite = bool(torch.isfinite(one).all()) and bool(torch.isfinite(other).all())
    return finite and one.shape == other.shape and not torch.allclose(one, other, rtol=1e-4, atol=1e-4)


def _by_sum(counts: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Index tuples, the simple ones first."""
    picks = itertools.islice(itertools.product(*(range(min(n, 6)) for n in counts)), 20_000)
    yield from sorted(picks, key=sum)


def small(shape: tuple[int, ...], prop: str | None) -> list[Tensor]:
    """Tensors with entries 0, 1, -1, 2 that have the property, the simplest first."""
    if prop and prop.startswith("index<"):
        return [torch.zeros(shape, dtype=torch.int64)]
    if not shape:
        tensors = [torch.tensor(number, dtype=torch.float64) for number in (1.0, 2.0, -1.0, 0.5)]
    elif len(shape) == 2 and 1 not in shape:
        tensors = _matrices(*shape)
    else:
        tensors = [row.reshape(shape) for row in _vectors(math.prod(shape))]
    return [t for t in tensors if not prop or holds(t, prop)]


def _matrices(rows: int, columns: int) -> list[Tensor]:
    """The shift, the unit matrix, triangles, ones and a few more."""
    unit = torch.eye(rows, columns, dtype=torch.float64)
    ones = torch.ones_like(unit)
    shift = torch.triu(ones, 1) - torch.triu(ones, 2)
    return [
        shift,
        unit,
        torch.triu(ones),
        shift + torch.tril(ones, -1) - torch.tril(ones, -2),
        ones,
        2 * unit,
        ones + unit,
    ]


def _vectors(count: int) -> list[Tensor]:
    """Ones, unit vectors, alternating ones, and equal parts of one."""
    ones = torch.ones(count, dtype=torch.float64)
    first = torch.zeros_like(ones)
    first[0] = 1.0
    odd = torch.arange(count, dtype=torch.float64) % 2
    return [ones, first, first.flip(0), ones + odd, ones - 2 * odd, ones / count]


def fails_at(example: Mapping[str, Tensor]) -> str:
    """ " It fails at A = [[0, 1], [0, 0]], x = [1, 1]." """
    if not example:
        return ""
    return f" It fails at {', '.join(f'{n} = {entries(t)}' for n, t in example.items())}."


def entries(tensor: Tensor) -> str:
    """[1, 1] for a vector and for a column; [[0, 1], [0, 0]]; whole numbers without a point."""
    flat = tensor.reshape(-1) if tensor.ndim == 2 and 1 in tensor.shape else tensor

    def text(value: Any) -> str:
        return f"[{', '.join(map(text, value))}]" if isinstance(value, list) else f"{value:g}"

    return text(flat.tolist())
