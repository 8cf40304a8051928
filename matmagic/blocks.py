"""Sums of parts at places of their own as blocks: I_{:,1:n} u + I_{:,n+1:n+m} v is [u; v].

In: notation.  Out: the same with blocks where the places make up a whole axis.  A part's place is what stands first in its
product, columns of I or a unit vector; rows of I at the end of products put blocks side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from .lengths import Size, plus
from .notation import (
    Blocks,
    Chain,
    Identity,
    Listed,
    Math,
    Num,
    Plus,
    Quotient,
    Rows,
    Times,
    Transpose,
    Unit,
    mapped,
    pieces,
)
from .writing import chain, transpose


@dataclass(frozen=True)
class _Placed:
    """A part without what says its place: `count` rows of `size`, from `start` on."""

    start: Size
    count: Size
    size: Size
    of: Math


def in_blocks(math: Math) -> Math:
    """The formula with sums of placed parts as blocks."""
    return mapped(math, _blocks) if any(isinstance(piece, Rows | Unit) for piece in pieces(math)) else math


def _blocks(piece: Math) -> Math:
    if isinstance(piece, Transpose) and isinstance(piece.of, Blocks | Transpose):
        return transpose(piece.of)
    if not isinstance(piece, Plus):
        return piece
    below = _below(piece.parts)
    if below is not None:
        return below
    beside = _below([transpose(part) for part in piece.parts])
    return piece if beside is None else transpose(beside)


def _below(parts: Sequence[Math]) -> Math | None:
    """The parts one below the other, where each has a place and no place is empty."""
    placed = [_placed(part) for part in parts]
    groups: dict[Size, list[_Placed]] = {}
    for one in placed:
        if one is None:
            return None
        groups.setdefault(one.start, []).append(one)
    blocks = []
    end: Size = 0
    while end in groups:
        group = groups.pop(end)
        if len({(one.count, one.size) for one in group}) > 1 or any(isinstance(one.of, Listed) for one in group):
            return None
        blocks.append(group[0].of if len(group) == 1 else _blocks(Plus(tuple(one.of for one in group))))
        end, size = plus(end, group[0].count), group[0].size
    return Blocks(tuple(blocks), size, False) if len(blocks) > 1 and not groups and end == size else None


def _placed(part: Math) -> _Placed | None:
    match part:
        case Transpose(of=Rows(of=Identity(), step=1) as rows):
            return _Placed(rows.start, rows.count, rows.size, Identity(rows.count))
        case Unit(size=size, position=position):
            return _Placed(position, 1, size, Num(Fraction(1)))
        case Chain(parts=(first, *rest)):
            own = _placed(first)
            return own and replace(own, of=chain(rest))
        case Times(parts=(*scalars, of)):
            own = _placed(of)
            return own and replace(own, of=_times(scalars, own.of))
        case Quotient(top=top, bottom=bottom, entrywise=False):
            own = _placed(top)
            return own and replace(own, of=Quotient(own.of, bottom))
    return None


def _times(scalars: Sequence[Math], of: Math) -> Math:
    """c₁ c₂ M, without a factor of 1."""
    parts = scalars if of == Num(Fraction(1)) else [*scalars, *(of.parts if isinstance(of, Times) else (of,))]
    return parts[0] if len(parts) == 1 else Times(tuple(parts))
