"""What a formula says, as a tree: its parts, and the two ways in which reading one can fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Part:
    """A piece of a formula: `kind` says which (a row of fitting.py and of values.py), `place` where it stands.

    `value` is what is no formula itself: a number, a name, the function that is called, the indices of a sum.
    """

    kind: str
    parts: tuple[Part, ...] = ()
    value: Any = None
    place: int = 0


def pieces(part: Part) -> Iterator[Part]:
    """The part and all below it; shared ones once."""
    seen: set[Part] = set()
    waiting = [part]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += one.parts
            yield one


class Unread(Exception):
    """A text that is no formula over the names: why, at which character, and what else is worth saying."""

    def __init__(self, reason: str, place: int, *more: str) -> None:
        super().__init__(reason)
        self.reason, self.place, self.more = reason, place, more


class Misfit(RuntimeError):
    """A formula whose shapes don't fit."""
