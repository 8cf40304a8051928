"""The whole registry verified: each row from the row alone, with a progress bar; what is wrong is named with its place.

In: rows.  Out: a Proof, which shows itself.  Ctrl-C ends it with what was found so far.
Not known here: how a row is verified (identities/proof.py).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .identities import Identity
from .identities.proof import fault
from .kinds import clashes
from .state import leave_no_trace

Progress = Callable[[int, int, str], None]
"""(rows done, rows in all, the name of the next one; "" at the end) -> shown."""

_CELLS = 40


@dataclass(frozen=True)
class Proof:
    """What the check of the registry found."""

    rows: int
    done: int
    wrong: tuple[tuple[str, str], ...]  # what is wrong, by name; file and line
    seconds: float

    @property
    def passed(self) -> bool:
        """Every row was tried and is right."""
        return self.done == self.rows and not self.wrong

    def __str__(self) -> str:
        right = self.done - len(self.wrong)
        lines = [f"{right} of {self.rows} identities are right: derivative against autograd, conditions, lookup"]
        if self.done < self.rows:
            lines = [f"stopped after {self.done} of {self.rows} identities: {right} are right"]
        lines[0] += f" ({self.seconds:.1f} s)"
        for said, place in self.wrong:
            lines += [f"✗ {said}", f"    {place}"]
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


def proved(rows: Sequence[Identity], progress: Progress) -> Proof:
    """Every row tried, or as many as there was time for before Ctrl-C."""
    start, wrong, done = time.perf_counter(), [], 0
    with suppress(KeyboardInterrupt), leave_no_trace(quiet=False):
        for row in rows:
            progress(done, len(rows), row.name)
            said = _wrong(row)
            wrong += [(said, row.place)] if said else []
            done += 1
        wrong += _clash()
    with suppress(KeyboardInterrupt):
        progress(done, len(rows), "")
    return Proof(len(rows), done, tuple(wrong), time.perf_counter() - start)


def _wrong(row: Identity) -> str | None:
    """What is wrong with a row, in a sentence that names it."""
    try:
        return fault(row)
    except Exception as error:  # a row that raises is wrong, whatever it raises
        return f"{row.name}: {str(error) or type(error).__name__}"


def _clash() -> list[tuple[str, str]]:
    """Two rows for one function, or a row that can't be read: what stops the registry from being looked up."""
    parted = (said.partition(": ") for said in clashes())
    return [(said, place) for place, _, said in parted]


def shown_progress(live: bool) -> Progress:
    """A bar in a notebook, or in the line of a terminal; nothing where the output is a file."""
    if live:
        return _display()
    return _line if sys.stdout.isatty() else lambda done, total, name: None


def _display() -> Progress:
    from IPython.display import ProgressBar

    bars: list[Any] = []

    def show(done: int, total: int, name: str) -> None:
        if not bars:
            bars.append(ProgressBar(total))
            bars[0].display()
        bars[0].progress = done

    return show


def _line(done: int, total: int, name: str) -> None:
    filled = _CELLS * done // max(total, 1)
    end = f"{done}/{total} {name}"[:50].ljust(50) if name else "\r" + " " * (_CELLS + 54)
    print(f"\r[{'█' * filled}{'·' * (_CELLS - filled)}] {end}", end="" if name else "\r", flush=True)
