"""What a function does beside computing its value: it prints, it changes what the notebook holds.

In: a Subject that has run, and the names of what is another than before.  Out: a Note for each such thing.
Not known here: how things are put back (state.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .capture import Subject
from .remarks import Note


def effects(subject: Subject, moved: Sequence[str]) -> Iterator[Note]:
    """How often f ran, where that makes a difference to the user."""
    name, times = subject.name, f"it ran {subject.runs.count} times"
    if subject.runs.printed:
        yield Note("assumed", f"{name} prints: {times}, and what one run printed is shown")
    gone = [text for text in moved if _is_used_up(subject.objects.get(text))]
    changed = sorted({text for text in moved if text not in gone})
    if changed:
        listed = ", ".join(changed)
        yield Note("warning", f"{name} changes {listed}: {times}, and what it changed is put back")
    for text in gone:
        yield Note("warning", f"{name} takes from {text}, which can't be given back: {times}; make {text} a list")


def _is_used_up(value: Any) -> bool:
    """Whether it is an iterator that Python can't set back."""
    return isinstance(value, Iterator) and not hasattr(value, "__setstate__") and not hasattr(value, "__dict__")
