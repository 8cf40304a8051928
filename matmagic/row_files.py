"""The user's own identities as a file: `matmagic.identities.save(path)` and `load(path)`.

In: a path.  Out: a TOML file with a table for each row, or the rows of one, each verified before it is entered.  A file is
untrusted: it is bounded in size, its fields are checked for their types, its code is never run (own_rows.py).  A row that
fails is refused by name and the others are kept; a file without a right row is an error.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
import tomllib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import IdentityError
from .identities import Identity
from .options import nearest
from .own_rows import OwnRow, enter, own_rows

MOST_BYTES, MOST_ROWS, LONGEST_LINE = 256_000, 500, 5000
SECONDS = 60.0  # for a file
_HEADER = "# Identities for matmagic; matmagic.identities.load(path) verifies and enters them.\n"
_TEXTS = ("name", "function", "wrt", "gradient", "hessian", "shapes", "source", "note")
_NEEDED = ("name", "function", "wrt", "shapes")
_TABLES = ("simpler", "structured")
_FIELDS = (*_TEXTS, "conditions", *_TABLES)
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f"}


@dataclass(frozen=True)
class Loaded:
    """What came of a file: the names that were entered, and what was refused, by name, with the reason."""

    path: str
    names: tuple[str, ...]
    refused: Mapping[str, str]

    def __str__(self) -> str:
        lines = [f"{len(self.names)} of {len(self.names) + len(self.refused)} identities of {self.path} entered"]
        lines += [f"✓ {name}" for name in self.names]
        return "\n".join([*lines, *(f"✗ {reason}" for reason in self.refused.values())])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


# ---- writing ------------------------------------------------------------------------------------------------------


def save(path: str | os.PathLike[str]) -> None:
    """Write the identities that this session has added, to a TOML file; one that is there is replaced.

    Raises IdentityError where there is nothing to write, OSError where the file can't be.
    """
    rows = own_rows()
    if not rows:
        raise IdentityError("no identity of your own to save", 'remember one first: %%gradcheck --remember "name"')
    target = Path(path)
    whole = _HEADER + "".join(f"\n{written(row)}" for row in rows)
    handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(whole)
        os.replace(draft, target)
    except BaseException:
        os.unlink(draft)
        raise


def written(row: Identity) -> str:
    """A row as a table of TOML.

    >>> from matmagic.identities import identities
    >>> print(written(next(row for row in identities() if row.name == "quadratic form")))
    [[identity]]
    name = "quadratic form"
    function = "x.T @ A @ x"
    wrt = "x"
    gradient = "(A + A.T) @ x"
    shapes = "x: n, A: n n"
    source = "Matrix Cookbook (81)"
    simpler = { "A symmetric" = "2 * A @ x" }
    <BLANKLINE>
    """
    shapes = ", ".join(f"{name}: {' '.join(map(str, shape))}" for name, shape in row.shapes.items())
    derivative = "hessian" if row.order == 2 else "gradient"
    texts = {"name": row.name, "function": row.function, "wrt": row.wrt, derivative: row.gradient, "shapes": shapes}
    texts |= {name: text for name, text in (("source", row.source), ("note", row.note)) if text}
    lines = [f"{name} = {_quoted(text)}" for name, text in texts.items()]
    lines += [f"conditions = [{', '.join(map(_quoted, row.conditions))}]"] if row.conditions else []
    for name, table in (("simpler", row.simpler), ("structured", row.structured)):
        pairs = ", ".join(f"{_quoted(key)} = {_quoted(code)}" for key, code in table.items())
        lines += [f"{name} = {{ {pairs} }}"] if table else []
    return "\n".join(["[[identity]]", *lines, ""])


def _quoted(text: str) -> str:
    """A basic string of TOML.

    >>> print(_quoted('a "b" \\\\ \\x07'))
    "a \\"b\\" \\\\ \\u0007"
    """
    return '"' + "".join(_ESCAPES.get(c) or (c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}") for c in text) + '"'


# ---- reading ------------------------------------------------------------------------------------------------------


def load(path: str | os.PathLike[str]) -> Loaded:
    """Verify the identities of a file and enter those that are right, for this session.

    A row that is refused gives a warning with its name and the reason.  Raises IdentityError where the file can't be read
    or none of its rows is right; then nothing has changed.
    """
    file = Path(path)
    text = _text(file)
    tables = _tables(text, file.name)
    lines = [number for number, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*identity\s*\]\]", line)]
    places = lines if len(lines) == len(tables) else list(range(1, len(tables) + 1))
    names: list[str] = []
    refused: dict[str, str] = {}
    errors: list[IdentityError] = []
    until = time.monotonic() + SECONDS
    for at, table in zip(places, tables, strict=True):
        place = f"{file.name}:{at}"
        try:
            if time.monotonic() > until:
                raise IdentityError(f"{_named(table)}: the file takes more than {SECONDS:.0f} seconds", f"in {place}")
            row = _row(table, place)
            if row.name in names:
                raise IdentityError(f"{row.name!r}: the file has this name twice", f"in {place}")
            enter(row)
            names.append(row.name)
        except IdentityError as error:
            errors.append(error)
            refused[f"{_named(table)} ({place})"] = "; ".join([error.message, *error.lines])
    if errors and not names:
        more = [f"and {len(errors) - 1} more rows are refused"] if len(errors) > 1 else []
        raise IdentityError(
            errors[0].message, *errors[0].lines, *more, "nothing was entered; correct the row and load again"
        )
    for reason in refused.values():
        warnings.warn(f"refused: {reason}", stacklevel=2)
    return Loaded(file.name, tuple(names), refused)


def _text(file: Path) -> str:
    """The file's text; IdentityError for what is no text of a sensible size."""
    if not file.is_file():
        raise IdentityError(f"no file {str(file)!r}", "save() writes one")
    with open(file, "rb") as opened:
        data = opened.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise IdentityError(f"{file.name} has more than {MOST_BYTES} bytes", "split it into several files")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise IdentityError(
            f"{file.name} is not UTF-8: byte {error.start}, in line {line}", "save it as UTF-8"
        ) from None
    for number, line_text in enumerate(text.split("\n"), 1):
        if len(line_text) > LONGEST_LINE:
            raise IdentityError(
                f"{file.name}: line {number} has more than {LONGEST_LINE} characters", "nothing was entered"
            )
    return text


def _tables(text: str, name: str) -> list[Any]:
    """The tables [[identity]]; IdentityError where the text is no TOML or has something else."""
    try:
        whole = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        said = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise IdentityError(
            f"{name} is not TOML: {said}", "rows are tables [[identity]], as save() writes them"
        ) from None
    tables = whole.get("identity", [])
    stray = [key[:40] for key in whole if key != "identity"]
    if stray or not isinstance(tables, list) or not tables:
        said = f"{stray[0]!r} is no table of identities" if stray else "no table [[identity]]"
        raise IdentityError(f"{name}: {said}", "rows are tables [[identity]], as save() writes them")
    if len(tables) > MOST_ROWS:
        raise IdentityError(
            f"{name} has {len(tables)} rows, at most {MOST_ROWS} are read", "split it into several files"
        )
    return tables


def _named(table: Any) -> str:
    """The name of a row in messages."""
    name = table.get("name") if isinstance(table, dict) else None
    return repr(name[:80]) if isinstance(name, str) else "a row without a name"


def _row(table: Any, place: str) -> OwnRow:
    """The row in a table, its fields of the right types; not verified."""

    def refuse(reason: str) -> IdentityError:
        return IdentityError(f"{_named(table)}: {reason}", f"in {place}")

    if not isinstance(table, dict):
        raise refuse(f"{type(table).__name__} in place of a table")
    for key, value in table.items():
        if key not in _FIELDS:
            raise refuse(f"no field {key[:40]!r}{nearest(key, _FIELDS)}")
        if key in _TEXTS and not isinstance(value, str):
            raise refuse(f"{key} is a text, not {type(value).__name__}")
        if key == "conditions" and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            raise refuse("conditions are a list of texts")
        if key in _TABLES and not (isinstance(value, dict) and all(isinstance(one, str) for one in value.values())):
            raise refuse(f"{key} is a table of texts")
    for key in _NEEDED:
        if key not in table:
            raise refuse(f"{key} is missing")
    if ("gradient" in table) == ("hessian" in table):
        raise refuse("it needs a gradient or a hessian")
    return OwnRow(
        name=table["name"],
        function=table["function"],
        wrt=table["wrt"],
        gradient=table.get("gradient") or table.get("hessian", ""),
        shapes=_shapes(table["shapes"], refuse),
        source=table.get("source", ""),
        order=2 if "hessian" in table else 1,
        conditions=tuple(table.get("conditions", ())),
        simpler=table.get("simpler", {}),
        structured=table.get("structured", {}),
        note=table.get("note", ""),
        place=place,
    )


def _shapes(text: str, refuse: Any) -> dict[str, tuple[int | str, ...]]:
    """ "x: n, A: n n" -> {"x": ("n",), "A": ("n", "n")}"""
    found: dict[str, tuple[int | str, ...]] = {}
    for part in text.split(","):
        name, colon, sizes = part.partition(":")
        name = name.strip()
        if not colon or name in found:
            raise refuse(f'shapes are written "x: n, A: n n, t: ", each symbol once; not {text[:60]!r}')
        found[name] = tuple(int(s) if s.isdecimal() and len(s) < 6 else s for s in sizes.split())
    return found
