"""How often the user's function ran, how long a run takes, what it printed.

A Subject has one Runs; calling.py notes every run there.  A run's output is kept from the notebook: of a check that
ends well one run's is shown, of one that fails the last one's.
"""

from __future__ import annotations

import io
import sys
import time
from bisect import insort
from collections.abc import Iterator
from contextlib import contextmanager


class Runs:
    """The runs of one function."""

    def __init__(self) -> None:
        self.lengths: list[float] = []  # seconds of each, in order of length
        self.printed: str | None = None  # by the first run that ended well
        self.last = ""  # printed by the last run

    @contextmanager
    def one(self) -> Iterator[None]:
        """Note one run, and take its output."""
        start, stream, own = time.perf_counter(), sys.stdout, io.StringIO()
        sys.stdout = own
        try:
            yield
        finally:
            sys.stdout = stream
            self.last = own.getvalue()
            insort(self.lengths, time.perf_counter() - start)
        if self.printed is None:
            self.printed = self.last

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Print what one run printed, when the block is left."""
        try:
            yield
        except BaseException:
            print(self.last, end="")
            raise
        print(self.printed or "", end="")

    @property
    def count(self) -> int:
        """How many there were."""
        return len(self.lengths)

    @property
    def usual(self) -> float:
        """Seconds that a run takes: half of them took no longer."""
        return self.lengths[(len(self.lengths) - 1) // 2] if self.lengths else 0.0
