"""Looking through the registry: the rows that some words match, each with its formulas and a cell that shows it.

In: words, as they stand after `%identities`.  Out: a Listing, which is text in a terminal, HTML in a saved notebook, and
what the panel shows live.  Words are looked for in names, sources ("cookbook 81"), subjects, notes and functions
("logdet"); what looks like code ("y.T @ B @ y") in the functions themselves, whatever their letters are.
A formula is made when it is looked at: the registry is longer than what one reads of it.
Not known here: how a row is found for a function (match.py), and widgets.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import groupby
from pathlib import Path
from textwrap import fill, indent
from typing import Any

from .bound import Bound
from .identified import Match, Writer
from .identities import Identity, identities
from .identities.reading import as_column
from .options import PROPERTIES
from .printers.latex import latex
from .printers.names import text_name, text_space
from .printers.text import text
from .rendering import notation
from .shapes import shape_text
from .simplify import written_out
from .static import escape, fields
from .walk import leaves

MOST_IN_FULL = 8  # of the rows that text and HTML show with their formulas
MOST_CASES = 6  # of the numbers or functions that a row is stated for
NEAREST = 5
_WIDTH = 100
_CODE = re.compile(r"[@*+^/]|\w\.\w|\w\(")  # in words that look like torch code
_LETTER = re.compile(r"(?<![\w.])[A-Za-z](?!\w)")
_TORCH = re.compile(r"torch\.(?:linalg\.)?|F\.")
_NOT_TORCH = re.compile(r"(?<![\w.])(?!(?:torch|F)\b)[A-Za-z_]\w*(?=\()")  # functions that only the registry has


@dataclass(frozen=True, eq=False)
class Entry:
    """A row as it is shown."""

    row: Identity

    @property
    def subject(self) -> str:
        """The module that the row stands in ("traces"); for a row of the user's, its file or this session."""
        file = self.row.place.rpartition(":")[0] or self.row.place
        return Path(file).stem if file.endswith(".py") else file

    @cached_property
    def rule(self) -> Match:
        """The identity bound to its own letters: its formulas, and those under further conditions."""
        one = self.row.instances[0]
        own = leaves(one.node)
        constants = {name: leaf for name, leaf in own.items() if name != one.wrt}
        return Match(one.name, one.source, one.conditions, Bound(one, constants, own[one.wrt]), Writer({}, {}))

    @property
    def shapes(self) -> str:
        """ "x ∈ ℝⁿ, A ∈ ℝⁿˣⁿ" """
        return ", ".join(f"{text_name(n)} ∈ {text_space(shape_text(shape))}" for n, shape in self.row.shapes.items())

    @property
    def cases(self) -> str:
        """The numbers or functions that the row is stated for: "k = 3, 4, 5"; the formulas show the first."""
        if not self.row.each:
            return ""
        word = next(iter(self.row.each[0]))
        values = [one[word].strip("()") for one in self.row.each if word in one]
        values = list(dict.fromkeys(_TORCH.sub("", value) for value in values))
        return f"{word} = {', '.join(values[:MOST_CASES])}{', …' if len(values) > MOST_CASES else ''}"

    @cached_property
    def structured(self) -> tuple[tuple[str, str, str], ...]:
        """The derivative by a structured variable: ("symmetric X", LaTeX, text)."""
        if not self.row.structured:
            return ()
        one = self.row.instances[0].square
        found = {kind: notation(written_out(one.read(code))) for kind, code in one.structured.items()}
        return tuple((f"{kind} {text_name(one.wrt)}", latex(math), text(math)) for kind, math in found.items())

    @cached_property
    def example(self) -> str:
        """A cell to copy, whose report names this row."""
        return example(self.row.instances[0])

    def __str__(self) -> str:
        """All that there is to say about the row, in a terminal."""
        rule = self.rule
        lines = [f"{rule.pattern_text}     {self.shapes}"]
        lines += [f"also with {self.cases}"] if self.cases else []
        lines += [f"for {condition}" for condition in rule.conditions]
        lines += [f"if {condition}: {words}" for condition, _, words in rule.simpler]
        lines += [f"for {kind}, by its free entries: {words}" for kind, _, words in self.structured]
        lines += [self.row.note] if self.row.note else []
        lines.append(indent(self.example, "  "))
        return f"{self.row.name} · {self.row.source}\n" + indent("\n".join(lines), "  ")


def example(row: Identity) -> str:
    """A notebook cell with the row's function, and its derivative as an answer where a cell can state it.

    >>> from matmagic.identities import identities
    >>> print(example(next(row for row in identities() if row.name == "quadratic form")))
    %%gradcheck -w x -s "x=n,1 A=n,n"
    def f(x, A):
        return x.T @ A @ x
    expected_gradient = (A + A.T) @ x
    """
    shapes = " ".join(f"{name}={shape_text(as_column(shape))}" for name, shape in row.shapes.items())
    options = [f"-w {row.wrt}"] if len(row.shapes) > 1 else []
    options += [f'-s "{shapes}"']
    assumed: dict[str, str] = {}
    for said in (said for condition in row.conditions for said in _assumed(condition)):
        assumed.setdefault(said.partition("=")[0], said)  # one property of each argument
    options += ['-a "' + " ".join(assumed.values()) + '"'] if assumed else []
    options += ["-o 2"] if row.order == 2 else []
    lines = [f"%%gradcheck {' '.join(options)}", f"def f({', '.join(row.shapes)}):", f"    return {row.function}"]
    kind = _kind(row)
    if kind and not _NOT_TORCH.search(row.gradient):
        lines.append(f"expected_{kind} = {row.gradient}")
    return "\n".join(lines)


def _assumed(condition: str) -> list[str]:
    """A condition as an option: "A, B symmetric" is A=symmetric B=symmetric, "m >= n" is m>=n; others hold almost everywhere."""
    names, _, prop = condition.rpartition(" ")
    if prop in PROPERTIES and all(name.isidentifier() for name in names.split(", ")):
        return [f"{name}={prop}" for name in names.split(", ")]
    return [condition.replace(" ", "")] if re.fullmatch(r"\w+ [<>]=? \w+", condition) else []


def _kind(row: Identity) -> str:
    """What the derivative is called, "" for one with more than two indices, and by a scalar, where shapes differ."""
    ranks = (len(row.node.shape), len(row.shapes[row.wrt]))
    if row.order == 2:
        return "hessian" if ranks == (0, 1) else ""
    return {(0, 1): "gradient", (0, 2): "gradient", (1, 1): "jacobian"}.get(ranks, "")


# ---- searching ----------------------------------------------------------------------------------------------------


def search(query: str) -> tuple[Entry, ...]:
    """The rows that match, those by name first.

    >>> [entry.row.name for entry in search("x.T @ A @ x")][:1], [entry.row.name for entry in search("y.T@B@y")][:1]
    (['quadratic form'], ['quadratic form'])
    """
    query = query.strip()
    entries = tuple(map(_entry, identities()))
    if not query:
        return entries
    words = query.lower().split()
    code = squeezed(query) if _CODE.search(query) else ""
    ranked = [(rank, entry) for entry in entries if (rank := _rank(entry.row, query.lower(), words, code)) is not None]
    if not query.isascii():  # a formula, as it is shown: the shortest is that of which there is nothing else
        formula = "".join(query.split())
        shown = {entry: "".join(entry.rule.pattern_text.split()) for entry in entries}
        ranked += [
            (len(own) + 500 * (entry.row.order + len(entry.row.given)) - 2000, entry)
            for entry, own in shown.items()
            if formula in own
        ]
    return tuple(dict.fromkeys(entry for _, entry in sorted(ranked, key=lambda pair: pair[0])))


_kept: dict[str, Entry] = {}


def _entry(row: Identity) -> Entry:
    """The row's entry, which keeps its formulas; another one when a row of the user's is replaced."""
    if row.name not in _kept or _kept[row.name].row is not row:
        _kept[row.name] = Entry(row)
    return _kept[row.name]


def _rank(row: Identity, query: str, words: Sequence[str], code: str) -> int | None:
    """How well a row matches: 0 by its whole name, then by its function, its name, and everything else; None for not."""
    name = row.name.lower()
    if name == query:
        return 0
    if code and code in (own := _functions(row)):
        return 1 if code == own[0] else 2
    if all(_stands(word, name) for word in words):
        return 3
    if all(_stands(word, _described(row)) for word in words):
        return 4
    return 5 if code and any(code in own for own in _functions(row)) else None


def _stands(word: str, where: str) -> bool:
    """Whether a word is there; a number has to be the whole number: 81 is not in (181)."""
    if word.strip("()").isdigit():
        return re.search(rf"(?<!\d){word.strip('()')}(?!\d)", where) is not None
    return word in where


@cache
def _searched(name: str, *texts: str) -> str:
    return " ".join((name, *texts)).lower()


def _described(row: Identity) -> str:
    """Everything that words are looked for in."""
    each = (text for one in row.each for text in one.values())
    more = (*row.conditions, *row.simpler, *row.structured)
    return _searched(row.name, row.source, Entry(row).subject, row.note, row.function, row.gradient, *each, *more)


def _functions(row: Identity) -> list[str]:
    """The row's function, for each of its numbers, spelled as code is compared."""
    return [squeezed(one.function) for one in row.instances]


@cache
def squeezed(code: str) -> str:
    """Code without spaces, its letters by the order in which they come up: y.T @ B @ y is x.T@A@x."""
    bare = _TORCH.sub("", re.sub(r"\s+", "", code))
    known: dict[str, str] = {}

    def renamed(found: re.Match[str]) -> str:
        letter = found[0]
        kind = "M" if letter.isupper() else "v"
        return known.setdefault(letter, f"{kind}{sum(own[0] == kind for own in known.values())}")

    return _LETTER.sub(renamed, bare)


def nearest(query: str) -> tuple[Entry, ...]:
    """Rows whose names are spelled like it.

    >>> nearest("quadratic from")[0].row.name
    'quadratic form'
    """
    wanted = query.lower().split()

    def likeness(row: Identity) -> float:
        own = re.findall(r"\w+", row.name.lower())
        best = [max((difflib.SequenceMatcher(None, a, b).ratio() for b in own), default=0.0) for a in wanted]
        return sum(best) / max(len(best), 1) - 0.001 * len(own)

    return tuple(map(_entry, sorted(identities(), key=likeness, reverse=True)[:NEAREST]))


def vocabulary() -> list[str]:
    """The words of names and subjects."""
    names = [*(entry.row.name for entry in search("")), *(entry.subject for entry in search(""))]
    return sorted({word for name in names for word in re.findall(r"[A-Za-z][\w-]+", name)})


# ---- what is shown ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listing:
    """The rows that a query matches; all of them for none.  It shows itself; `view` makes the live panel of a notebook."""

    query: str = ""
    view: Callable[[Listing], dict[str, Any] | None] | None = field(default=None, repr=False, compare=False)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The rows, in the order in which they are shown."""
        return search(self.query)

    @cached_property
    def nearest(self) -> tuple[Entry, ...]:
        """Rows with like names, for a query that matches none."""
        return nearest(self.query)

    @property
    def headline(self) -> str:
        """How many there are, or which names are near to what was looked for."""
        count, total = len(self.entries), len(identities())
        if not count:
            names = ", ".join(entry.row.name for entry in self.nearest)
            return f"no identity matches {self.query!r}; the nearest are: {names}"
        if not self.query:
            return f"{total} identities; %identities logdet shows those with a word, %identities --check verifies all"
        return f"{count} of {total} identities match {self.query!r}"

    def __str__(self) -> str:
        if not self.query or not self.entries:
            return "\n".join([self.headline, *_by_subject(self.entries)])
        shown, more = self.entries[:MOST_IN_FULL], self.entries[MOST_IN_FULL:]
        rest = [_names("and", more)] if more else []
        return "\n\n".join([self.headline, *map(str, shown), *rest])

    def html(self) -> str:
        """The same for a saved notebook."""
        if not self.query or not self.entries:
            groups = "".join(f"<div>{escape(line)}</div>" for line in _by_subject(self.entries))
            return f"<div>{escape(self.headline)}</div>{groups}"
        shown, more = self.entries[:MOST_IN_FULL], self.entries[MOST_IN_FULL:]
        rows = "".join(
            f'<div style="margin-top:.8em"><em>{escape(entry.row.name)}</em> · {escape(entry.row.source)}</div>'
            + fields([("", "\n".join(line.removeprefix("  ") for line in str(entry).splitlines()[1:]))])
            for entry in shown
        )
        rest = f"<div>{escape(_names('and', more))}</div>" if more else ""
        return f"<div>{escape(self.headline)}</div>{rows}{rest}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        plain = {"text/plain": str(self)}
        return plain if self.view is None else {**(self.view(self) or {}), "text/html": self.html(), **plain}


def _by_subject(entries: Sequence[Entry]) -> list[str]:
    """The names, a paragraph for each subject."""
    groups = [(subject, list(group)) for subject, group in groupby(entries, lambda entry: entry.subject)]
    return [_names(f"{subject} ({len(group)}):", group) for subject, group in groups]


def _names(start: str, entries: Sequence[Entry]) -> str:
    names = " · ".join(entry.row.name for entry in entries)
    return fill(f"{start} {names}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
