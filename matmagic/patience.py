"""A bound on the time of a search that gives the same answer on a busy machine."""

from __future__ import annotations

import sys
import time
from bisect import insort
from collections.abc import Iterator
from contextlib import contextmanager

FEWEST = 6  # tries of a slow function
LONGEST = 10  # times the bound, in any case
IMPORTS = 20  # modules, which torch imports by the hundred where it first needs them


class Patience:
    """Seconds for the tries of a search, counted by the usual length of a try.

    One long pause (the garbage collector, another process) doesn't end the search; tries that are slow do.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.lengths: list[float] = []  # of the tries, in order of length

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Time one try."""
        start, modules = time.monotonic(), len(sys.modules)
        try:
            yield
        finally:
            if len(sys.modules) < modules + IMPORTS:  # what is imported once is no part of a try
                insort(self.lengths, time.monotonic() - start)

    @property
    def left(self) -> bool:
        """Whether there is time for another try."""
        usual = self.lengths[(len(self.lengths) - 1) // 2] if self.lengths else 0.0
        enough = len(self.lengths) >= FEWEST and usual * len(self.lengths) >= self.seconds
        return not enough and sum(self.lengths) < LONGEST * self.seconds
