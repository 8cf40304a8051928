"""What a check may cost: memory, sizes, the time of a slow function.

In: a Subject and Options.  Out: a context in which memory that isn't there is refused, with the size that was asked for
and the place, rather than taken from the kernel; and Options with as many draws as a slow function allows.
On Linux the process gets a bound on its memory for the time of a check, since the system would end it rather than refuse.
Not known here: what is done with the draws.
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import Tensor

from .autograd import copies
from .calling import call
from .capture import Subject
from .drawing import inputs_at
from .errors import TooLarge
from .lengths import lengths
from .options import Options
from .remarks import Note
from .shapes import Shapes, parse_shape, sizes_for

Bounded = tuple[Shapes, Options, list[Note]]

MOST = 4_000_000  # entries of all inputs together, and of a derivative
MOST_ROWS = 3000  # entries of the value: autograd goes back once for each
MANY = 100_000  # entries of a derivative from which there are fewer draws

SLOW = 0.03  # seconds of a run from which there are fewer draws
BUDGET = 0.1  # seconds that the runs on all draws may take, by the usual length of a run
SHARE = 0.5  # of the free memory, for a check
_LETTERS = 'with letters for sizes the result holds at any size: --shapes "x=n"'
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_GROUP = Path("/sys/fs/cgroup")


def refuse_fixed(options: Options) -> None:
    """TooLarge for sizes given as numbers that make every copy of an input a burden."""
    given = {name: parse_shape(text, name) for name, text in options.shapes.items()}
    _refuse({name: math.prod(t for t in shape if isinstance(t, int)) for name, shape in given.items()})


def _refuse(counts: Mapping[str, int]) -> None:
    if sum(counts.values()) > MOST:
        listed = ", ".join(f"{name} {_size(8 * count)}" for name, count in counts.items() if count > MOST // 10)
        raise TooLarge("the sizes are too large to check at", f"one copy takes {listed}; dozens are made", _LETTERS)


def within_size(subject: Subject, shapes: Shapes, assume: Mapping[str, str], options: Options) -> Bounded:
    """Without the notebook's values where they are many, with fewer draws where derivatives are large.

    Raises TooLarge where sizes are fixed at so much that every copy of an input, or a derivative, is a burden.
    """
    notes, sizes = [], sizes_for(shapes, 0)
    counts = {n: math.prod(lengths(shape, sizes)) for n, shape in shapes.of.items()}
    _refuse(counts)
    variables = options.wrt or subject.parameters
    entries, rows = _entries(subject, inputs_at(shapes, sizes, assume, options.seed), options.order, variables)
    if entries > MOST or rows > MOST_ROWS:
        taken = f"{entries:,} entries, {_size(8 * entries)}"
        raise TooLarge(f"a derivative of {subject.name} has {taken} at these sizes", _LETTERS)
    if shapes.values and _entries(subject, shapes.values, options.order, variables)[0] > MOST // 10:
        shapes = replace(shapes, values={n: t for n, t in shapes.values.items() if not t.is_floating_point()})
        notes.append(Note("limit", "derivatives at the notebook's values are too large to be checked there"))
    if entries > MANY and options.trials > 2:
        said = f"a derivative has {entries:,} entries: checked on 2 random draws in place of {options.trials}"
        options = replace(options, trials=2)
        notes.append(Note("limit", said))
    return shapes, options, notes


def _entries(subject: Subject, inputs: Mapping[str, Tensor], order: int, variables: Collection[str]) -> tuple[int, int]:
    """Of the largest derivative by one of these at these inputs, and of f's value; 0 where f fails there."""
    own = [
        t for name, t in inputs.items() if name.partition(".")[0].partition("[")[0] in variables or name in variables
    ]
    largest: int = max((t.numel() for t in own if t.is_floating_point()), default=0)
    try:
        value = call(subject, copies(inputs))
    except MemoryError:
        raise
    except Exception as error:  # what fails here is said where it matters
        if "allocate" in str(error):
            raise
        return 0, 0
    return value.numel() * (largest if order == 1 else largest * largest), value.numel()


def within_time(subject: Subject, options: Options) -> tuple[Options, list[Note]]:
    """Fewer draws where f is slow, at least one; and what to say about it."""
    length = subject.runs.usual
    fewer = min(options.trials, max(1, int(BUDGET / length))) if length > SLOW else options.trials
    if fewer == options.trials:
        return options, []
    draws = f"{fewer} random draw{'s' if fewer > 1 else ''} in place of {options.trials}"
    return replace(options, trials=fewer), [
        Note("limit", f"{subject.name} is slow, {length:.2g} s a run: checked on {draws}")
    ]


class within_memory:
    """Run the block; what asks for more memory than there is is a TooLarge that says how much it asked for."""

    def __init__(self, subject: Subject) -> None:
        self.subject, self.before = subject, None

    def __enter__(self) -> None:
        self.free = free_memory()
        self.before = _bound(self.free)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _unbound(self.before)
        if isinstance(error, MemoryError | RuntimeError) and (wanted := _wanted(error)) is not None:
            raise TooLarge(
                f"{self.subject.name} needs {wanted} at once; a check may take {_size(SHARE * self.free)}",
                *self.place(at),
                f'smaller sizes, or letters for them, need less: --shapes "{self.letters()}"',
            ) from None

    def place(self, at: TracebackType | None) -> list[str]:
        """The line of the user's code that asks for it, if one does."""
        own = getattr(getattr(self.subject.function, "__code__", None), "co_filename", None)
        lines = []
        while at is not None:
            lines += [at.tb_lineno] if at.tb_frame.f_code.co_filename == own else []
            at = at.tb_next
        return [f"asked for in line {lines[-1]}"] if lines else []

    def letters(self) -> str:
        """x=n A=n,m"""
        return " ".join(f"{name}={'n,m' if name[:1].isupper() else 'n'}" for name in self.subject.parameters) or "x=n"


def _wanted(error: BaseException) -> str | None:
    """How much memory was asked for; None for an error about something else."""
    said = str(error)
    if found := re.search(r"allocate (\d+) bytes", said):
        return _size(int(found[1]))
    if found := re.search(r"[Uu]nable to allocate ([\d.]+ \w+)|Tried to allocate ([\d.]+ \w+)", said):
        return found[1] or found[2]
    return None


def _size(count: float) -> str:
    """Bytes in words: 800 GB."""
    power = min(len(_UNITS) - 1, int(math.log10(max(count, 1)) / 3))
    return f"{count / 1000**power:.3g} {_UNITS[power]}"


def free_memory() -> int:
    """Bytes that the process may still take, by the system or the group that it is in; a large number if not known."""
    found = [sys.maxsize]
    with suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text()
        found.append(int(re.findall(r"MemAvailable:\s+(\d+)", lines)[0]) * 1024)
    with suppress(OSError, ValueError):
        found.append(int((_GROUP / "memory.max").read_text()) - int((_GROUP / "memory.current").read_text()))
    return max(min(found), 0)


def _bound(free: int) -> Any:
    """Let the process have its memory and a share of what is free; what undoes that.

    Devices reserve more addresses than there is memory: no bound where there may be one.
    """
    if sys.platform != "linux" or free == sys.maxsize or os.path.exists("/dev/nvidiactl") or os.path.exists("/dev/kfd"):
        return None
    import resource

    with suppress(OSError, ValueError):
        before = resource.getrlimit(resource.RLIMIT_AS)
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        wanted = taken + int(SHARE * free)
        limits = [limit for limit in (*before, wanted) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_AS, (min(limits), before[1]))
        return before
    return None


def _unbound(before: Any) -> None:
    if before is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, before)
