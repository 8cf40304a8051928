"""What a function does beside computing its value: it prints, it changes what the notebook holds.

In: a Subject that has run, and the names of what is another than before.  Out: a Note for each such thing.
Not known here: how things are put back (state.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .capture import Subject
from .remarks import Note


def effects(subject: Subject, moved: Sequence[str], left: Sequence[str]) -> Iterator[Note]:
    """How often f ran, where that makes a difference to the user; `left` are names of what could not be put back."""
    name, times = subject.name, f"it ran {subject.runs.count} times"
    if subject.runs.printed:
        yield Note("assumed", f"{name} prints: {times}, and what one run printed is shown")
    gone = [text for text in dict.fromkeys(moved) if text in left]
    changed = sorted({text for text in moved if text not in gone})
    if changed:
        listed = ", ".join(changed)
        yield Note("warning", f"{name} changes {listed}: {times}, and what it changed is put back")
    for text in gone:
        taken = isinstance(subject.objects.get(text), Iterator)
        said = f"takes from {text}, which can't be given back" if taken else f"changes {text}, too large to be put back"
        yield Note("warning", f"{name} {said}: {times}{f'; make {text} a list' if taken else ''}")
